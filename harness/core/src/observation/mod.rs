//! What was seen: typed results with the evidence behind them. Must not know what was expected, and does no I/O.

pub mod answers;
mod evidence;
mod look;

pub use evidence::{Evidence, EvidenceKind, rfc3339};
pub use look::{AskedStore, Counted, Facts, Look, Observation, Oracle, Seen, isolation_fact};
