//! How a histogram's numbers stand in JSON: whole counts as integers, sums that are no finite number as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Largest magnitude below which every whole double is an exact integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Text(String),
}

impl Number {
    fn read<E: Error>(self) -> Result<f64, E> {
        match self {
            Self::Finite(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| E::custom(format!("expected a number, found {text:?}"))),
        }
    }
}

/// The JSON form of one count.
fn count_to_json(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, so the conversion is exact")]
        let whole = value as i64;
        serde_json::Value::from(whole)
    } else {
        sum_to_json(value)
    }
}

/// The JSON form of a sum.
fn sum_to_json(value: f64) -> serde_json::Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| serde_json::Value::from(super::format_float(value)), serde_json::Value::Number)
}

pub(super) mod count {
    use super::*;

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        count_to_json(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Number::deserialize(deserializer)?.read()
    }
}

pub(super) mod counts {
    use super::*;

    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| count_to_json(*value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Number>::deserialize(deserializer)?.into_iter().map(Number::read).collect()
    }
}

pub(super) mod sum {
    use super::*;

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        sum_to_json(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Number::deserialize(deserializer)?.read()
    }
}
