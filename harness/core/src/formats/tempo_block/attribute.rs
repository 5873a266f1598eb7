use base64::{Engine, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::span,
};
use prost::Message;
use serde_json::Value as Json;

use super::{column::Value, fault::Fault, row::View};
use crate::signal::{AttributeValue, Attributes, SpanLink};

/// The attributes of a list of Tempo's `Attribute` or, in vParquet3's events, `EventAttribute`.
pub(super) fn read_attributes(list: Option<View<'_>>) -> Result<Attributes, Fault> {
    let mut attributes = Attributes::new();
    for attribute in list.into_iter().flat_map(View::items) {
        let key = attribute.required("Key")?.text()?.unwrap_or_default();
        attributes.insert(key, read_value(attribute)?);
    }
    Ok(attributes)
}

fn read_value(attribute: View<'_>) -> Result<AttributeValue, Fault> {
    let text = attribute.required("Value")?;
    let Some(integers) = attribute.child("ValueInt") else {
        return read_encoded(text);
    };
    let is_array = attribute.child("IsArray").and_then(View::value) == Some(&Value::Bool(true));
    let mut values = Vec::new();
    for item in [Some(text), Some(integers), attribute.child("ValueDouble"), attribute.child("ValueBool")]
        .into_iter()
        .flatten()
        .flat_map(View::items)
    {
        match item.value() {
            None => {}
            Some(Value::Bool(flag)) => values.push(AttributeValue::Bool(*flag)),
            Some(Value::Int(number)) => values.push(AttributeValue::Int(*number)),
            Some(Value::Double(number)) => values.push(AttributeValue::Double(*number)),
            Some(Value::Bytes(_)) => values.push(AttributeValue::String(item.text()?.unwrap_or_default())),
        }
    }
    if is_array {
        return Ok(AttributeValue::Array(values));
    }
    if values.len() > 1 {
        return Err(attribute.fault("one value of an attribute that is no array", values.len().to_string()));
    }
    if let Some(value) = values.pop() {
        return Ok(value);
    }
    for name in ["ValueUnsupported", "ValueArray", "ValueKVList"] {
        let Some(column) = attribute.child(name) else { continue };
        if let Some(json) = column.text()?.filter(|json| !json.is_empty()) {
            return json_value(&json).ok_or_else(|| column.fault("an AnyValue as JSON", json));
        }
    }
    Ok(AttributeValue::Empty)
}

/// An `AnyValue` message; blocks of old hold it as JSON.
fn read_encoded(column: View<'_>) -> Result<AttributeValue, Fault> {
    let bytes = column.bytes()?.unwrap_or_default();
    match AnyValue::decode(bytes.as_slice()) {
        Ok(value) => Ok(any_value(value)),
        Err(error) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(json_value)
            .ok_or_else(|| column.fault("an AnyValue message", error.to_string())),
    }
}

/// Tempo's `LinkSlice` (pkg/tempopb/tempo.proto).
#[derive(Clone, PartialEq, prost::Message)]
struct LinkSlice {
    #[prost(message, repeated, tag = "1")]
    links: Vec<span::Link>,
}

/// A span's links: a list of groups, or in vParquet3 one message.
pub(super) fn read_links(links: View<'_>) -> Result<Vec<SpanLink>, Fault> {
    if links.is_column() {
        let bytes = links.bytes()?.unwrap_or_default();
        let slice = LinkSlice::decode(bytes.as_slice())
            .map_err(|error| links.fault("a LinkSlice message", error.to_string()))?;
        let link = |link: span::Link| SpanLink {
            trace_id: hex::encode(link.trace_id),
            span_id: hex::encode(link.span_id),
            attributes: key_values(link.attributes),
        };
        return Ok(slice.links.into_iter().map(link).collect());
    }
    let mut read = Vec::new();
    for link in links.items() {
        read.push(SpanLink {
            trace_id: hex::encode(link.required("TraceID")?.bytes()?.unwrap_or_default()),
            span_id: hex::encode(link.required("SpanID")?.bytes()?.unwrap_or_default()),
            attributes: read_attributes(link.child("Attrs"))?,
        });
    }
    Ok(read)
}

fn key_values(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map_or(AttributeValue::Empty, any_value))).collect()
}

/// An OTLP value; prost bounds its depth.
fn any_value(value: AnyValue) -> AttributeValue {
    match value.value {
        Some(any_value::Value::StringValue(text)) => AttributeValue::String(text),
        Some(any_value::Value::BoolValue(flag)) => AttributeValue::Bool(flag),
        Some(any_value::Value::IntValue(number)) => AttributeValue::Int(number),
        Some(any_value::Value::DoubleValue(number)) => AttributeValue::Double(number),
        Some(any_value::Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(any_value::Value::ArrayValue(array)) => {
            AttributeValue::Array(array.values.into_iter().map(self::any_value).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => AttributeValue::KeyValues(key_values(list.values)),
        // The latter is of OTLP's profiles and means nothing in a span.
        None | Some(any_value::Value::StringValueStrindex(_)) => AttributeValue::Empty,
    }
}

/// An `AnyValue` in protobuf's JSON form, as Tempo stores what its columns can't hold; serde_json bounds its depth.
fn json_value(text: &str) -> Option<AttributeValue> {
    any_json(&serde_json::from_str(text).ok()?)
}

fn any_json(value: &Json) -> Option<AttributeValue> {
    let fields = value.as_object()?;
    let Some((name, content)) = fields.iter().next() else {
        return Some(AttributeValue::Empty);
    };
    if fields.len() > 1 {
        return None;
    }
    match name.as_str() {
        "stringValue" => Some(AttributeValue::String(content.as_str()?.to_owned())),
        "boolValue" => Some(AttributeValue::Bool(content.as_bool()?)),
        // 64 bits exceed what a JSON number holds, so protobuf writes text.
        "intValue" => match content.as_str() {
            Some(text) => text.parse().ok().map(AttributeValue::Int),
            None => content.as_i64().map(AttributeValue::Int),
        },
        "doubleValue" => match content.as_str() {
            Some("NaN") => Some(AttributeValue::Double(f64::NAN)),
            Some("Infinity") => Some(AttributeValue::Double(f64::INFINITY)),
            Some("-Infinity") => Some(AttributeValue::Double(f64::NEG_INFINITY)),
            Some(text) => text.parse().ok().map(AttributeValue::Double),
            None => content.as_f64().map(AttributeValue::Double),
        },
        "bytesValue" => STANDARD.decode(content.as_str()?).ok().map(AttributeValue::Bytes),
        "arrayValue" => {
            let values = elements(content)?.iter().map(any_json);
            Some(AttributeValue::Array(values.collect::<Option<_>>()?))
        }
        "kvlistValue" => {
            let pairs = elements(content)?.iter().map(|pair| {
                let key = pair.get("key").map_or(Some(""), Json::as_str)?.to_owned();
                let value = pair.get("value").map_or(Some(AttributeValue::Empty), any_json)?;
                Some((key, value))
            });
            Some(AttributeValue::KeyValues(pairs.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// The field `values` of a list, which protobuf leaves out where it is empty.
fn elements(list: &Json) -> Option<&[Json]> {
    match list.as_object()?.get("values") {
        None => Some(&[]),
        Some(values) => values.as_array().map(Vec::as_slice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_protobufs_json_are_read() {
        let text = |text: &str| AttributeValue::String(text.to_owned());
        for (json, value) in [
            ("{}", AttributeValue::Empty),
            (r#"{"stringValue":""}"#, text("")),
            (r#"{"boolValue":true}"#, AttributeValue::Bool(true)),
            (r#"{"intValue":"-9223372036854775808"}"#, AttributeValue::Int(i64::MIN)),
            (r#"{"intValue":7}"#, AttributeValue::Int(7)),
            (r#"{"doubleValue":1.5}"#, AttributeValue::Double(1.5)),
            (r#"{"doubleValue":2}"#, AttributeValue::Double(2.0)),
            (r#"{"doubleValue":"-Infinity"}"#, AttributeValue::Double(f64::NEG_INFINITY)),
            (r#"{"bytesValue":"AP8="}"#, AttributeValue::Bytes(vec![0, 255])),
            (r#"{"arrayValue":{}}"#, AttributeValue::Array(vec![])),
            (
                r#"{"arrayValue":{"values":[{"stringValue":"a"},{}]}}"#,
                AttributeValue::Array(vec![text("a"), AttributeValue::Empty]),
            ),
            (
                r#"{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}},{"key":"none"}]}}"#,
                AttributeValue::KeyValues(
                    [("k".to_owned(), AttributeValue::Int(1)), ("none".to_owned(), AttributeValue::Empty)].into(),
                ),
            ),
        ] {
            assert_eq!(json_value(json), Some(value), "{json}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for json in [
            "",
            "null",
            "[]",
            r#"{"stringValue":1}"#,
            r#"{"intValue":"x"}"#,
            r#"{"intValue":1.5}"#,
            r#"{"doubleValue":true}"#,
            r#"{"bytesValue":"!"}"#,
            r#"{"arrayValue":[]}"#,
            r#"{"kvlistValue":{"values":[{"key":1}]}}"#,
            r#"{"stringValue":"a","intValue":"1"}"#,
            r#"{"newValue":1}"#,
        ] {
            assert_eq!(json_value(json), None, "{json}");
        }
        let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(10_000), "]}}".repeat(10_000));
        assert_eq!(json_value(&deep), None);
    }
}
