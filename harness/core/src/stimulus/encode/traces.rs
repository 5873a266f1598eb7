use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan, Status, span},
};

use super::logs::quote;
use super::{EncodeError, grouped};
use crate::signal::{AttributeValue, Attributes, Labels, SignalRecord, Span};

/// The message of OTLP's `TraceService/Export`: one `ResourceSpans` a resource (opentelemetry-proto, `trace.proto`).
pub fn otlp_request(spans: &[Span]) -> Result<ExportTraceServiceRequest, EncodeError> {
    // Attribute values have no order, their JSON has.
    let keyed: Vec<(String, &Span)> =
        spans.iter().map(|span| (serde_json::json!(span.resource).to_string(), span)).collect();
    let mut resource_spans = Vec::new();
    for (_, members) in grouped(&keyed, |(key, _)| key.as_str()) {
        let resource =
            members.first().map(|(_, span)| Resource { attributes: key_values(&span.resource), ..Resource::default() });
        resource_spans.push(ResourceSpans {
            resource,
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope { name: "lgtm-verify".to_owned(), ..InstrumentationScope::default() }),
                spans: members.into_iter().map(|(_, span)| wire_span(span)).collect::<Result<_, _>>()?,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        });
    }
    Ok(ExportTraceServiceRequest { resource_spans })
}

fn wire_span(record: &Span) -> Result<WireSpan, EncodeError> {
    let id = |text: &str, bytes: usize, expected: &'static str| match hex::decode(text) {
        Ok(id) if id.len() == bytes => Ok(id),
        _ => Err(EncodeError { record: record.identity(), expected, found: format!("{text:?}") }),
    };
    let time = |ns: i64| {
        u64::try_from(ns).map_err(|_| EncodeError {
            record: record.identity(),
            expected: "a time since 1970",
            found: ns.to_string(),
        })
    };
    let trace_id = |text| id(text, 16, "a trace id of 32 hex digits");
    let span_id = |text| id(text, 8, "a span id of 16 hex digits");
    Ok(WireSpan {
        trace_id: trace_id(&record.trace_id)?,
        span_id: span_id(&record.span_id)?,
        parent_span_id: if record.parent_span_id.is_empty() { Vec::new() } else { span_id(&record.parent_span_id)? },
        name: record.name.clone(),
        kind: record.kind,
        start_time_unix_nano: time(record.start_ns)?,
        end_time_unix_nano: time(record.end_ns)?,
        attributes: key_values(&record.attributes),
        events: record
            .events
            .iter()
            .map(|event| {
                Ok(span::Event {
                    time_unix_nano: time(event.time_ns)?,
                    name: event.name.clone(),
                    attributes: key_values(&event.attributes),
                    dropped_attributes_count: 0,
                })
            })
            .collect::<Result<_, _>>()?,
        links: record
            .links
            .iter()
            .map(|link| {
                Ok(span::Link {
                    trace_id: trace_id(&link.trace_id)?,
                    span_id: span_id(&link.span_id)?,
                    attributes: key_values(&link.attributes),
                    ..span::Link::default()
                })
            })
            .collect::<Result<_, _>>()?,
        status: (record.status_code != 0 || !record.status_message.is_empty())
            .then(|| Status { code: record.status_code, message: record.status_message.clone() }),
        ..WireSpan::default()
    })
}

fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue { key: key.clone(), value: Some(any_value(value)), ..KeyValue::default() })
        .collect()
}

fn any_value(value: &AttributeValue) -> AnyValue {
    let value = match value {
        AttributeValue::String(text) => Some(Value::StringValue(text.clone())),
        AttributeValue::Bool(flag) => Some(Value::BoolValue(*flag)),
        AttributeValue::Int(number) => Some(Value::IntValue(*number)),
        AttributeValue::Double(number) => Some(Value::DoubleValue(*number)),
        AttributeValue::Bytes(bytes) => Some(Value::BytesValue(bytes.clone())),
        AttributeValue::Array(values) => {
            Some(Value::ArrayValue(ArrayValue { values: values.iter().map(any_value).collect() }))
        }
        AttributeValue::KeyValues(values) => Some(Value::KvlistValue(KeyValueList { values: key_values(values) })),
        AttributeValue::Empty => None,
    };
    AnyValue { value }
}

/// TraceQL for the traces that have a span with all of `attributes`, whatever their scope.
pub fn traceql(attributes: &Labels) -> String {
    let conditions = attributes.iter().map(|(name, value)| {
        let mut condition = format!(".{name} = ");
        quote(value, &mut condition);
        condition
    });
    format!("{{ {} }}", conditions.collect::<Vec<_>>().join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stimulus::{Origin, traces};

    #[test]
    fn a_resource_stands_once_with_its_spans_in_order() {
        let spans = traces::spans(&Origin::example(1), &traces::TraceShape::default());
        let request = otlp_request(&spans).unwrap();
        assert_eq!(request.resource_spans.len(), 2);
        for resource_spans in &request.resource_spans {
            let resource = &resource_spans.resource.as_ref().unwrap().attributes;
            let sent = spans.iter().filter(|span| &key_values(&span.resource) == resource);
            let wire = resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans);
            assert!(sent.map(|span| span.span_id.clone()).eq(wire.map(|span| hex::encode(&span.span_id))));
        }
    }

    #[test]
    fn broken_ids_and_times_have_no_wire_form() {
        let span =
            traces::spans(&Origin::example(1), &traces::TraceShape { traces: 1, ..traces::TraceShape::default() })
                .remove(0);
        let text = String::from;
        for broken in [
            Span { trace_id: text("00ff"), ..span.clone() },
            Span { span_id: text("not hex digits.."), ..span.clone() },
            Span { parent_span_id: text("1"), ..span.clone() },
            Span { start_ns: -1, ..span.clone() },
        ] {
            let error = otlp_request(std::slice::from_ref(&broken)).unwrap_err();
            assert_eq!(error.record, broken.identity());
        }
        assert!(otlp_request(&[span]).is_ok());
    }

    #[test]
    fn attributes_are_conditions_on_one_span() {
        let attributes = [("lgtm.run", "r1"), ("lgtm.stimulus", "a\"b")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(traceql(&attributes), r#"{ .lgtm.run = "r1" && .lgtm.stimulus = "a\"b" }"#);
    }
}
