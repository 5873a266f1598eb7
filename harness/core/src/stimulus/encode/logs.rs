use base64::{Engine, engine::general_purpose::STANDARD};
use protos::logproto::{Entry, LabelPair, PushRequest, Stream, Timestamp};
use serde_json::{Value, json};

use super::{EncodeError, grouped, snappy};
use crate::signal::{Labels, LogEntry, SignalRecord};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// The body of Loki's push API as JSON (Loki, `docs/sources/reference/loki-http-api.md`).
pub fn loki_json(entries: &[LogEntry]) -> Result<Vec<u8>, EncodeError> {
    let mut streams = Vec::new();
    for (labels, entries) in grouped(entries, |entry| &entry.stream) {
        let mut values = Vec::new();
        for entry in entries {
            let mut value = vec![Value::from(entry.timestamp_ns.to_string()), Value::from(line(entry)?)];
            if !entry.structured_metadata.is_empty() {
                value.push(json!(entry.structured_metadata));
            }
            values.push(Value::Array(value));
        }
        streams.push(json!({ "stream": labels, "values": values }));
    }
    Ok(json!({ "streams": streams }).to_string().into_bytes())
}

/// The body of Loki's push API as protobuf: a raw snappy block of [`loki_push_request`].
pub fn loki_protobuf(entries: &[LogEntry]) -> Result<Vec<u8>, EncodeError> {
    snappy(&loki_push_request(entries)?)
}

/// The message of Loki's push API.
pub fn loki_push_request(entries: &[LogEntry]) -> Result<PushRequest, EncodeError> {
    let mut streams = Vec::new();
    for (labels, entries) in grouped(entries, |entry| &entry.stream) {
        streams.push(Stream {
            labels: selector(labels),
            entries: entries.into_iter().map(wire_entry).collect::<Result<_, _>>()?,
            hash: 0,
        });
    }
    Ok(PushRequest { streams, format: String::new() })
}

fn wire_entry(entry: &LogEntry) -> Result<Entry, EncodeError> {
    Ok(Entry {
        timestamp: Some(Timestamp {
            seconds: entry.timestamp_ns.div_euclid(SECOND),
            nanos: i32::try_from(entry.timestamp_ns.rem_euclid(SECOND)).unwrap_or_default(),
        }),
        line: line(entry)?,
        structured_metadata: entry
            .structured_metadata
            .iter()
            .map(|(name, value)| LabelPair { name: name.clone(), value: value.clone() })
            .collect(),
        parsed: Vec::new(),
    })
}

/// The line, which both wire forms hold as UTF-8.
fn line(entry: &LogEntry) -> Result<String, EncodeError> {
    let Some(base64) = &entry.line_base64 else { return Ok(entry.line.clone()) };
    STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| EncodeError {
        record: entry.identity(),
        expected: "a line of valid UTF-8",
        found: "other bytes".to_owned(),
    })
}

/// Labels as a selector of LogQL or PromQL, `{name="value", ...}`, values quoted as Go quotes strings.
pub fn selector(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push('=');
        quote(value, &mut text);
    }
    text.push('}');
    text
}

/// Lines of matching streams that contain a text, in LogQL.
pub fn log_filter(labels: &Labels, containing: &str) -> String {
    let mut text = selector(labels) + " |= ";
    quote(containing, &mut text);
    text
}

/// How many log entries or samples the matching streams or series have within so many milliseconds, in LogQL and PromQL.
pub fn count_over_time(labels: &Labels, milliseconds: i64) -> String {
    format!("sum(count_over_time({}[{milliseconds}ms]))", selector(labels))
}

/// `value` as a string of the query languages: Go's rules of quoting.
pub(super) fn quote(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(control))),
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::stimulus::{Origin, logs};

    proptest! {
        #[test]
        fn json_and_protobuf_say_the_same(seed: u64) {
            let entries = logs::entries(&Origin::example(seed), &logs::LogShape::default());
            let json: Value = serde_json::from_slice(&loki_json(&entries).unwrap()).unwrap();
            let message = snap::raw::Decoder::new().decompress_vec(&loki_protobuf(&entries).unwrap()).unwrap();
            let message = PushRequest::decode(message.as_slice()).unwrap();
            prop_assert_eq!(&message, &loki_push_request(&entries).unwrap());

            let from_json: Vec<_> = json["streams"].as_array().unwrap().iter().map(|stream| {
                let labels: Labels = serde_json::from_value(stream["stream"].clone()).unwrap();
                let values: Vec<_> = stream["values"].as_array().unwrap().iter().map(|value| {
                    let metadata = value.get(2).cloned().unwrap_or(json!({}));
                    (value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap().to_owned(), metadata)
                }).collect();
                (selector(&labels), values)
            }).collect();
            let from_protobuf: Vec<_> = message.streams.into_iter().map(|stream| {
                let values: Vec<_> = stream.entries.into_iter().map(|entry| {
                    let time = entry.timestamp.unwrap();
                    let pairs: Labels =
                        entry.structured_metadata.into_iter().map(|pair| (pair.name, pair.value)).collect();
                    ((time.seconds * SECOND + i64::from(time.nanos)).to_string(), entry.line, json!(pairs))
                }).collect();
                (stream.labels, values)
            }).collect();
            prop_assert_eq!(from_json, from_protobuf);
        }
    }

    #[test]
    fn a_stream_stands_once_with_its_entries_in_order() {
        let entries = logs::entries(&Origin::example(1), &logs::LogShape::default());
        let request = loki_push_request(&entries).unwrap();
        let labels: BTreeSet<_> = request.streams.iter().map(|stream| &stream.labels).collect();
        assert_eq!(labels.len(), request.streams.len());
        for stream in &request.streams {
            let sent: Vec<_> = entries.iter().filter(|entry| selector(&entry.stream) == stream.labels).collect();
            assert!(sent.iter().map(|entry| &entry.line).eq(stream.entries.iter().map(|entry| &entry.line)));
        }
    }

    #[test]
    fn labels_are_quoted() {
        for (value, quoted) in
            [("a", r#""a""#), ("a\"b\\c", r#""a\"b\\c""#), ("1\n2\r\t", r#""1\n2\r\t""#), ("ü\u{1}", r#""ü\x01""#)]
        {
            let labels = [("name".to_owned(), value.to_owned())].into();
            assert_eq!(selector(&labels), format!("{{name={quoted}}}"));
        }
    }

    #[test]
    fn a_line_of_other_bytes_has_no_wire_form() {
        let mut entries = logs::entries(&Origin::example(1), &logs::LogShape::default());
        entries.truncate(1);
        for (line_base64, can) in [(Some("YWJj"), true), (Some("/w=="), false), (Some("?"), false), (None, true)] {
            entries[0].line_base64 = line_base64.map(str::to_owned);
            assert_eq!(loki_json(&entries).is_ok(), can, "{line_base64:?}");
            assert_eq!(loki_protobuf(&entries).is_ok(), can, "{line_base64:?}");
        }
    }
}
