//! What was seen: typed results with the evidence behind them. Must not know what was expected, and does no I/O.

pub mod answers;
mod evidence;
mod look;
mod question;
mod timed;

pub use evidence::{Evidence, EvidenceKind, rfc3339};
pub use look::{
    AskedStore, Counted, DECLARED, DISCLOSURES, FOREIGN, FOUND, Facts, Look, Observation, Oracle, Seen, Stretch,
    asked_address_fact, asked_buckets_fact, configured_address_fact, disclosure_fact, exit_code_fact, isolation_fact,
    listing_fact, ready_fact, store_errors_fact, trust_fact,
};
pub use question::{Count, Question};
pub use timed::{Flaw, Timed, Timings};
