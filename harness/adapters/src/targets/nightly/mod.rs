//! The harness itself as jobs of the cluster that has the stack: accounts, rights, schedules. Must not know any scenario, nor how the
//! stack came there.

mod manifests;

pub use manifests::{Job, Nightly, NightlyError};
