//! The pure half of the harness: what is asked of a stack, what was sent and seen, what follows, and how it is told.
//! No network, no processes, no clock of its own: all of that comes in through [`ports`].

pub mod catalogue;
pub mod formats;
pub mod observation;
pub mod ports;
pub mod signal;
pub mod stimulus;
