//! What the stack itself says about why.

use super::{Case, Finding};

/// What the stack itself says about why.
pub(super) fn causes(case: &Case) -> Vec<Finding> {
    let configured = case.prediction.as_ref().and_then(|prediction| prediction.bucket.as_ref());
    let other_bucket = match (&case.bucket, configured) {
        (Some(wanted), Some(configured)) if wanted != configured => Some(Finding::new(
            "bucket",
            format!("a component configured for {wanted}"),
            format!("configured for {configured}"),
        )),
        _ => None,
    };
    let logged = case.problems.iter().rev().find(|line| is_telling(&line.text)).map(|line| {
        let (rule, expected) = match line.text.starts_with(REPLACED) {
            true => ("process", "the process that took the records"),
            false => ("log", "no error in the component's log"),
        };
        Finding::new(rule, expected, format!("{}: {}", line.component, line.text))
    });
    other_bucket.into_iter().chain(logged).collect()
}

/// How a line begins that says that the component is gone.
pub const NOT_UP: &str = "is not up: ";

/// How a line begins that says that records may have gone with the process that took them.
pub const REPLACED: &str = "is another process: before ";

/// Whether a line can be about why records did not reach the store: one that says that the component is gone, or an error about the
/// way there. Errors about other things, such as a push that was made to be refused, explain nothing.
pub(super) fn is_telling(line: &str) -> bool {
    const WAY: [&str; 7] = ["s3", "bucket", "flush", "upload", "ship", "object store", "denied"];
    let lower = line.to_lowercase();
    line.starts_with(NOT_UP)
        || line.starts_with(REPLACED)
        || (lower.contains("level=error") && WAY.iter().any(|word| lower.contains(word)))
}
