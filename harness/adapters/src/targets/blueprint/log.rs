/// Lines of a failed command that are shown.
const LAST_LINES: usize = 5;

/// The last `limit` of `lines`.
pub(crate) fn last(mut lines: Vec<String>, limit: usize) -> Vec<String> {
    lines.drain(..lines.len().saturating_sub(limit));
    lines
}

/// Whether a line of a server's log is of level warning or above; what a crash writes has no level.
pub(crate) fn is_problem(line: &str) -> bool {
    ["level=warn", "level=error", "level=crit", "level=fatal"].iter().any(|level| line.contains(level))
        || line.starts_with("panic:")
        || line.starts_with("fatal error:")
        || line.starts_with("error ")
        || line.starts_with("FATAL ")
        || line.starts_with("API: ")
        || line.starts_with("Error: ")
        || line.starts_with("mc: <")
}

/// Whether a server logged this line because something failed.
pub(in crate::targets) fn is_error(line: &str) -> bool {
    is_problem(line) && !line.contains("level=warn")
}

/// `text` without any of `secrets`.
pub(crate) fn redact<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

/// The last lines of what a command said, on one line.
pub(in crate::targets) fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_from_the_rest() {
        for line in ["ts=1 level=warn msg=x", "level=error", "panic: x", "error running loki: y", "mc: <ERROR> x"] {
            assert!(is_problem(line), "{line}");
        }
        for line in ["level=info msg=\"no error\"", "", "MinIO Object Storage Server"] {
            assert!(!is_problem(line), "{line}");
        }
    }

    #[test]
    fn secrets_are_taken_out() {
        assert_eq!(redact("a s3cret b s3cret", ["s3cret"]), "a [redacted] b [redacted]");
        assert_eq!(redact("nothing", ["s3cret"]), "nothing");
    }

    #[test]
    fn the_last_lines_are_the_newest() {
        let lines = ["one", "two", "three"].map(str::to_owned).to_vec();
        assert_eq!(last(lines.clone(), 2), ["two", "three"]);
        assert_eq!(last(lines, 5).len(), 3);
    }

    #[test]
    fn only_the_end_is_told() {
        assert_eq!(end_of("a\n\nb\nc\nd\n e \nf\n"), "b | c | d | e | f");
        assert_eq!(end_of(""), "");
    }
}
