use serde::Deserialize;

use super::AnswerError;
use crate::signal::{Labels, LogEntry};

/// The most entries that a query asks for. An answer with this many may be cut off, so it is none.
pub const LOG_ENTRIES_LIMIT: usize = 5000;

/// The flag that keeps structured metadata out of the stream's labels (Loki, `pkg/util/httpreq/encoding_flags.go`).
const CATEGORIZE_LABELS: &str = "categorize-labels";

#[derive(Deserialize)]
struct Body {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Stream>,
    #[serde(default)]
    encoding_flags: Vec<String>,
}

#[derive(Deserialize)]
struct Stream {
    stream: Labels,
    values: Vec<(String, String, Categories)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Categories {
    #[serde(default)]
    structured_metadata: Labels,
}

/// The entries in an answer of Loki's `/loki/api/v1/query_range`, in the order in which they stand there.
///
/// The query must have asked for categorised labels; without them structured metadata cannot be told from labels.
pub fn log_entries(body: &[u8]) -> Result<Vec<LogEntry>, AnswerError> {
    let excerpt = || String::from_utf8_lossy(body);
    let answer: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| AnswerError::new("body", "JSON", format!("{error}: {}", excerpt())))?;
    let flagged = answer.pointer("/data/encodingFlags").is_some();
    let streams = answer.pointer("/data/resultType").and_then(|kind| kind.as_str()) == Some("streams");
    if streams && !flagged {
        return Err(AnswerError::new("data.encodingFlags", CATEGORIZE_LABELS, "none"));
    }
    let Body { status, data } = serde_json::from_value(answer)
        .map_err(|error| AnswerError::new("body", "streams of log entries", format!("{error}: {}", excerpt())))?;
    if status != "success" {
        return Err(AnswerError::new("status", "success", status));
    }
    if data.result_type != "streams" {
        return Err(AnswerError::new("data.resultType", "streams", data.result_type));
    }
    if !data.encoding_flags.iter().any(|flag| flag == CATEGORIZE_LABELS) {
        return Err(AnswerError::new("data.encodingFlags", CATEGORIZE_LABELS, data.encoding_flags.join(",")));
    }
    let mut entries = Vec::new();
    for Stream { stream, values } in data.result {
        for (timestamp, line, categories) in values {
            let timestamp_ns = timestamp.parse().map_err(|_| {
                AnswerError::new("timestamp", "nanoseconds as a decimal string", format!("{timestamp:?}"))
            })?;
            entries.push(LogEntry {
                stream: stream.clone(),
                timestamp_ns,
                line,
                structured_metadata: categories.structured_metadata,
                line_base64: None,
            });
        }
    }
    if entries.len() >= LOG_ENTRIES_LIMIT {
        return Err(AnswerError::new("entries", format!("fewer than {LOG_ENTRIES_LIMIT}"), entries.len()));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::stimulus::{Origin, encode, logs};

    /// An answer as Loki gives it, made of what was sent.
    fn answer(entries: &[LogEntry]) -> Value {
        let mut body: Value = serde_json::from_slice(&encode::loki_json(entries).unwrap()).unwrap();
        let mut result = body["streams"].take();
        for stream in result.as_array_mut().unwrap() {
            for value in stream["values"].as_array_mut().unwrap().iter_mut().map(|value| value.as_array_mut().unwrap())
            {
                let categories = match value.get(2) {
                    Some(metadata) => json!({ "structuredMetadata": metadata }),
                    None => json!({}),
                };
                value.truncate(2);
                value.push(categories);
            }
        }
        let data =
            json!({ "resultType": "streams", "result": result, "encodingFlags": [CATEGORIZE_LABELS], "stats": {} });
        json!({ "status": "success", "data": data })
    }

    #[test]
    fn what_was_sent_is_found() {
        let mut sent = logs::entries(&Origin::example(1), &logs::LogShape::default());
        let mut found = log_entries(answer(&sent).to_string().as_bytes()).unwrap();
        sent.sort();
        found.sort();
        assert_eq!(found, sent);
    }

    #[test]
    fn an_answer_as_long_as_the_limit_is_none() {
        let shape = |entries| logs::LogShape { entries, ..logs::LogShape::default() };
        for (entries, can) in [(LOG_ENTRIES_LIMIT - 1, true), (LOG_ENTRIES_LIMIT, false)] {
            let mut sent = logs::entries(&Origin::example(1), &shape(entries));
            for entry in &mut sent {
                entry.line.truncate(20);
            }
            assert_eq!(log_entries(answer(&sent).to_string().as_bytes()).is_ok(), can, "{entries}");
        }
    }

    #[test]
    fn other_answers_are_refused() {
        let good = answer(&logs::entries(&Origin::example(1), &logs::LogShape::default()));
        let with = |pointer: &str, value: Value| {
            let mut body = good.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body.to_string()
        };
        for (body, place) in [
            (String::new(), "body"),
            ("not found\n".to_owned(), "body"),
            ("[[[[".repeat(100_000), "body"),
            ("null".to_owned(), "body"),
            (with("/status", json!("error")), "status"),
            (with("/data/resultType", json!("matrix")), "data.resultType"),
            (with("/data/encodingFlags", json!([])), "data.encodingFlags"),
            (with("/data/encodingFlags", json!(null)), "body"),
            (with("/data/result/0/values/0/0", json!("1e9")), "timestamp"),
            (with("/data/result/0/values/0/0", json!(1)), "body"),
            (with("/data/result/0/values/0/2", json!(null)), "body"),
            (with("/data/result/0/stream", json!({"a": 1})), "body"),
        ] {
            let error = log_entries(body.as_bytes()).unwrap_err();
            assert_eq!(error.place, place, "{error}");
            assert!(error.to_string().len() < 1000);
        }
        let mut plain = good;
        plain["data"].as_object_mut().unwrap().remove("encodingFlags");
        assert_eq!(log_entries(plain.to_string().as_bytes()).unwrap_err().place, "data.encodingFlags");
    }
}
