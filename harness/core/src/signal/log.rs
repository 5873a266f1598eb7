use serde::{Deserialize, Serialize};

use super::{Labels, LineMark, Signal, SignalRecord};

/// One log entry with the stream it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogEntry {
    /// The stream's labels.
    pub stream: Labels,
    /// Nanoseconds since the Unix epoch; a string in JSON, because it exceeds what a double can hold.
    #[serde(with = "super::log::as_string")]
    pub timestamp_ns: i64,
    /// The line, byte for byte where it is valid UTF-8; otherwise with replacement characters, see `line_base64`.
    pub line: String,
    /// Key-value pairs stored beside the line.
    pub structured_metadata: Labels,
    /// The line's bytes, present only where they are not valid UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<String>,
}

impl SignalRecord for LogEntry {
    const SIGNAL: Signal = Signal::Logs;

    /// The mark at the start of a line of ours (run, stimulus, sequence); for a line of somebody else's, stream, time and line.
    fn identity(&self) -> String {
        match LineMark::parse(&self.line) {
            Some(mark) => mark.to_string(),
            None => format!("{:?} {} {}", self.stream, self.timestamp_ns, self.line),
        }
    }
}

/// An `i64` as a JSON string.
pub(super) mod as_string {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("expected nanoseconds as a string, found {text:?}")))
    }
}
