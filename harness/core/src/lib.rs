//! The pure half of the harness: what is asked of a stack, what was sent and seen, what follows, and how it is told.
//! No network, no processes, no clock of its own: all of that comes in through [`ports`].

pub mod catalogue;
pub mod formats;
pub mod ledger;
pub mod lock;
pub mod observation;
pub mod poll;
pub mod ports;
pub mod prediction;
pub mod record;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod secret;
pub mod signal;
pub mod stage;
pub mod stats;
pub mod stimulus;
pub mod tree;
pub mod verdict;
