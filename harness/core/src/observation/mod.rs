//! What was seen: typed results with the evidence behind them. Must not know what was expected, and does no I/O.

pub mod answers;
mod evidence;

pub use evidence::{Evidence, EvidenceKind};
