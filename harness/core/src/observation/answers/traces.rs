use std::collections::BTreeSet;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span as WireSpan, TracesData},
};
use prost::Message;
use serde::Deserialize;

use super::AnswerError;
use crate::signal::{AttributeValue, Attributes, Span, SpanEvent, SpanLink};

/// Tempo's `TraceByIDResponse` (`pkg/tempopb/tempo.proto`), as far as it matters here. Its `Trace` has the one field of OTLP's
/// `TracesData`.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
    /// 0 complete, 1 partial.
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

/// How deep attribute values may lie in one another.
const DEEPEST: usize = 16;

/// The spans in an answer of Tempo's `/api/v2/traces/{id}` or `/querier/api/v2/traces/{id}` as protobuf, in the order in which they
/// stand there. An empty answer holds none.
pub fn spans(body: &[u8]) -> Result<Vec<Span>, AnswerError> {
    let answer =
        TraceByIdResponse::decode(body).map_err(|error| AnswerError::new("body", "a trace as protobuf", error))?;
    if answer.status != 0 {
        return Err(AnswerError::new("status", "a complete trace", format!("partial: {}", answer.message)));
    }
    let mut spans = Vec::new();
    for resource_spans in answer.trace.unwrap_or_default().resource_spans {
        let resource = attributes(resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default())?;
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(record(span, &resource)?);
        }
    }
    Ok(spans)
}

/// The ids of the traces in an answer of Tempo's `/api/search`, 32 hex digits each, in order, each once.
pub fn trace_ids(body: &[u8]) -> Result<Vec<String>, AnswerError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        traces: Vec<Trace>,
    }
    #[derive(Deserialize)]
    struct Trace {
        #[serde(rename = "traceID")]
        trace_id: String,
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| AnswerError::new("body", "traces as JSON", error))?;
    // Tempo leaves out the zeros that an id begins with (`util.TraceIDToHexString`).
    let ids: BTreeSet<String> = answer.traces.into_iter().map(|trace| format!("{:0>32}", trace.trace_id)).collect();
    Ok(ids.into_iter().collect())
}

fn record(span: WireSpan, resource: &Attributes) -> Result<Span, AnswerError> {
    let id = |bytes: &[u8], length: usize, what: &str| {
        if bytes.len() == length {
            Ok(hex::encode(bytes))
        } else {
            Err(AnswerError::new(what, format!("{length} bytes"), hex::encode(bytes)))
        }
    };
    let time = |ns: u64| i64::try_from(ns).map_err(|_| AnswerError::new("time", "nanoseconds that fit 63 bits", ns));
    let status = span.status.unwrap_or_default();
    Ok(Span {
        trace_id: id(&span.trace_id, 16, "trace id")?,
        span_id: id(&span.span_id, 8, "span id")?,
        parent_span_id: if span.parent_span_id.is_empty() {
            String::new()
        } else {
            id(&span.parent_span_id, 8, "parent span id")?
        },
        name: span.name,
        kind: span.kind,
        start_ns: time(span.start_time_unix_nano)?,
        end_ns: time(span.end_time_unix_nano)?,
        status_code: status.code,
        status_message: status.message,
        service: match resource.get("service.name") {
            Some(AttributeValue::String(name)) => name.clone(),
            _ => String::new(),
        },
        resource: resource.clone(),
        attributes: attributes(span.attributes)?,
        events: span
            .events
            .into_iter()
            .map(|event| {
                Ok(SpanEvent {
                    time_ns: time(event.time_unix_nano)?,
                    name: event.name,
                    attributes: attributes(event.attributes)?,
                })
            })
            .collect::<Result<_, _>>()?,
        links: span
            .links
            .into_iter()
            .map(|link| {
                Ok(SpanLink {
                    trace_id: id(&link.trace_id, 16, "linked trace id")?,
                    span_id: id(&link.span_id, 8, "linked span id")?,
                    attributes: attributes(link.attributes)?,
                })
            })
            .collect::<Result<_, _>>()?,
    })
}

fn attributes(pairs: Vec<KeyValue>) -> Result<Attributes, AnswerError> {
    nested(pairs, 0)
}

fn nested(pairs: Vec<KeyValue>, depth: usize) -> Result<Attributes, AnswerError> {
    let mut attributes = Attributes::new();
    for KeyValue { key, value, .. } in pairs {
        let value = attribute(value.unwrap_or_default(), depth)?;
        if attributes.insert(key.clone(), value).is_some() {
            return Err(AnswerError::new("attributes", "each key once", format!("{key:?} twice")));
        }
    }
    Ok(attributes)
}

fn attribute(value: AnyValue, depth: usize) -> Result<AttributeValue, AnswerError> {
    if depth > DEEPEST {
        return Err(AnswerError::new("attributes", format!("at most {DEEPEST} levels"), "more"));
    }
    Ok(match value.value {
        None => AttributeValue::Empty,
        Some(Value::StringValue(text)) => AttributeValue::String(text),
        Some(Value::BoolValue(flag)) => AttributeValue::Bool(flag),
        Some(Value::IntValue(number)) => AttributeValue::Int(number),
        Some(Value::DoubleValue(number)) => AttributeValue::Double(number),
        Some(Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(Value::ArrayValue(array)) => AttributeValue::Array(
            array.values.into_iter().map(|value| attribute(value, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Some(Value::KvlistValue(list)) => AttributeValue::KeyValues(nested(list.values, depth + 1)?),
        Some(other) => return Err(AnswerError::new("attributes", "a plain value", format!("{other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        signal::SignalRecord,
        stimulus::{Origin, encode, traces},
    };

    /// An answer as Tempo gives it, made of what was sent.
    fn answer(request: ExportTraceServiceRequest) -> TraceByIdResponse {
        TraceByIdResponse {
            trace: Some(TracesData { resource_spans: request.resource_spans }),
            status: 0,
            message: String::new(),
        }
    }

    fn sent() -> Vec<Span> {
        traces::spans(&Origin::example(1), &traces::TraceShape::default())
    }

    #[test]
    fn what_was_sent_is_found() {
        let mut sent = sent();
        let mut found = spans(&answer(encode::otlp_request(&sent).unwrap()).encode_to_vec()).unwrap();
        sent.sort_by_key(Span::identity);
        found.sort_by_key(Span::identity);
        assert_eq!(found, sent);
        assert!(found.iter().all(traces::is_whole));
    }

    #[test]
    fn an_empty_answer_holds_no_span() {
        assert_eq!(spans(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_partial_answer_is_none() {
        let mut partial = answer(encode::otlp_request(&sent()).unwrap());
        partial.status = 1;
        assert_eq!(spans(&partial.encode_to_vec()).unwrap_err().place, "status");
    }

    #[test]
    fn other_answers_are_refused() {
        let with = |change: fn(&mut WireSpan)| {
            let mut request = encode::otlp_request(&sent()).unwrap();
            change(&mut request.resource_spans[0].scope_spans[0].spans[0]);
            answer(request).encode_to_vec()
        };
        let deep: fn(&mut WireSpan) = |span| {
            let mut value = AnyValue { value: Some(Value::BoolValue(true)) };
            for _ in 0..20 {
                let values = vec![value];
                value = AnyValue {
                    value: Some(Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values })),
                };
            }
            span.attributes[0].value = Some(value);
        };
        for (body, place) in [
            (b"trace not found".to_vec(), "body"),
            (with(|span| span.trace_id.truncate(8)), "trace id"),
            (with(|span| span.span_id.clear()), "span id"),
            (with(|span| span.parent_span_id = vec![1]), "parent span id"),
            (with(|span| span.end_time_unix_nano = u64::MAX), "time"),
            (with(|span| span.attributes.push(span.attributes[0].clone())), "attributes"),
            (with(deep), "attributes"),
        ] {
            let error = spans(&body).unwrap_err();
            assert_eq!(error.place, place, "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(body: Vec<u8>) {
            let _ = spans(&body);
        }
    }
}
