use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Attributes by key, in the order of their keys.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// An attribute's value as OTLP types it (opentelemetry-proto, common.proto, `AnyValue`).
///
/// In JSON it is a plain value: bytes are a base64 string, so reading JSON back gives [`AttributeValue::String`] for them, and
/// two values are the same record content exactly when their JSON is.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// `string_value`.
    String(String),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`. NaN and infinities have no JSON number; they are the strings `NaN`, `Infinity`, `-Infinity`.
    Double(f64),
    /// `bytes_value`.
    Bytes(Vec<u8>),
    /// `array_value`.
    Array(Vec<AttributeValue>),
    /// `kvlist_value`.
    KeyValues(Attributes),
    /// A value that carries nothing.
    Empty,
}

impl AttributeValue {
    /// The plain JSON value.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::String(text) => Value::String(text.clone()),
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::from(*number),
            Self::Double(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => Value::Number(number),
                None if number.is_nan() => Value::from("NaN"),
                None if *number > 0.0 => Value::from("Infinity"),
                None => Value::from("-Infinity"),
            },
            Self::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
            Self::Array(values) => Value::Array(values.iter().map(Self::to_json).collect()),
            Self::KeyValues(values) => {
                Value::Object(values.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
            Self::Empty => Value::Null,
        }
    }

    fn from_json(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Empty,
            Value::Bool(flag) => Self::Bool(flag),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Int(integer),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::String(text),
            Value::Array(values) => Self::Array(values.into_iter().map(Self::from_json).collect()),
            Value::Object(values) => {
                Self::KeyValues(values.into_iter().map(|(key, value)| (key, Self::from_json(value))).collect())
            }
        }
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self::from_json)
    }
}
