//! The mark that a record carries about itself.

use std::fmt;

/// The mark at the start of a log line: `lgtm run=R stimulus=S seq=000017 sum=89abcdef | text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMark {
    /// The run that sent the line.
    pub run: String,
    /// The stimulus within the run.
    pub stimulus: String,
    /// The line's number within the stimulus, from 0.
    pub sequence: u64,
    /// CRC-32C of the text behind the mark.
    pub checksum: u32,
}

/// What separates the mark from the text.
const SEPARATOR: &str = " | ";

impl LineMark {
    /// A whole line: the mark, then `text`.
    pub fn line(run: &str, stimulus: &str, sequence: u64, text: &str) -> String {
        let mark = Self {
            run: run.to_owned(),
            stimulus: stimulus.to_owned(),
            sequence,
            checksum: crc32c::crc32c(text.as_bytes()),
        };
        format!("lgtm {mark} sum={:08x}{SEPARATOR}{text}", mark.checksum)
    }

    /// The mark of a line of ours, `None` for any other line.
    pub fn parse(line: &str) -> Option<Self> {
        let (mark, _) = line.split_once(SEPARATOR)?;
        let mut words = mark.strip_prefix("lgtm ")?.split(' ');
        let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let mark = Self {
            run: value("run")?.to_owned(),
            stimulus: value("stimulus")?.to_owned(),
            sequence: value("seq")?.parse().ok()?,
            checksum: u32::from_str_radix(value("sum")?, 16).ok()?,
        };
        Some(mark)
    }

    /// Whether the text behind the mark of `line` is the one that was sent.
    pub fn is_whole(&self, line: &str) -> bool {
        line.split_once(SEPARATOR).is_some_and(|(_, text)| crc32c::crc32c(text.as_bytes()) == self.checksum)
    }
}

/// Without the checksum: what identifies the line.
impl fmt::Display for LineMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run={} stimulus={} seq={:06}", self.run, self.stimulus, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_its_mark() {
        let line = LineMark::line("r1", "logs", 17, "a | b");
        let mark = LineMark::parse(&line).unwrap();
        assert_eq!((mark.run.as_str(), mark.stimulus.as_str(), mark.sequence), ("r1", "logs", 17));
        assert!(mark.is_whole(&line));
    }

    #[test]
    fn an_altered_line_is_not_whole() {
        let line = LineMark::line("r1", "logs", 17, "text");
        let altered = line.replace("text", "test");
        assert!(!LineMark::parse(&altered).unwrap().is_whole(&altered));
    }

    #[test]
    fn a_foreign_line_has_no_mark() {
        for line in ["", "hello", "lgtm run=x | y", "lgtm run=a stimulus=b seq=c sum=0 | y"] {
            assert_eq!(LineMark::parse(line), None);
        }
    }
}
