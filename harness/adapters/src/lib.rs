//! The only I/O of the harness against the stack: clients, targets, faults, settings. Must not judge what it sees.

mod causes;
mod certificates;
pub mod clients;
mod clock;
pub mod endpoints;
pub mod faults;
mod greeting;
pub mod http;
pub mod interfaces;
pub mod kube;
pub mod loki;
mod loopback;
mod meter;
pub mod mimir;
mod outcome;
mod process;
mod proxy;
pub mod s3;
pub mod stack;
pub mod targets;
mod tasks;
pub mod tempo;
pub mod trust;

pub use causes::causes;
pub use certificates::{Identity, IdentityError};
pub use clock::SystemClock;
pub use meter::own as own_cost;
pub use tasks::RuntimeTasks;
