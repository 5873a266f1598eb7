//! The stack as processes of this machine: started, watched and removed. Must not know any scenario, nor what the stack consists of.
//!
//! ```text
//! blueprint (pins, configurations, buckets, gateway) -> supervisor (processes) -> state.json
//!                                                       ^ control.sock, lease.lock   |
//!                                                       +---------- client <--------+
//! ```

mod client;
mod control;
mod folders;
mod layout;
mod lease;
mod mc;
mod room;
mod spec;
mod state;
mod store_faults;
mod supervisor;
mod trial;
mod workload;

pub use client::{Down, LocalStack, Starter, UpError, down, down_if_idle, status, up};
pub use folders::{Folders, FoldersError};
pub use lease::Lease;
pub use spec::{Linger, Selection, SpecError, StackSpec};
pub use state::{ComponentState, Failure, Phase, StackPhase, StackState, StateError};
pub use supervisor::{SuperviseError, supervise};
