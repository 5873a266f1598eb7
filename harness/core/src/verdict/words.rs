//! What findings of several kinds say alike.

use std::time::Duration;

use super::{Case, Finding};

pub(super) fn not_looked(case: &Case) -> Finding {
    let found = case.halt.as_ref().map_or_else(|| "none".to_owned(), |halt| halt.reason.clone());
    Finding::new("seen", "a look", found)
}

/// `300 s`, `4.5 s`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 || duration.subsec_millis() == 0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
