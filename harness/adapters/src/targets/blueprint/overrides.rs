use std::{fmt, str::FromStr};

use harness_core::{
    ports::{Component, Versioning},
    stage::MEMORY_LIMITS,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// One change to the stack's configuration, as written: `loki.ingester.chunk_idle_period=10m` (all Loki processes),
/// `loki-write.target=all` (one process), `buckets.loki-chunks.versioning=suspended`, `tempo.credentials=mimir` (another
/// component's S3 keys; `minio` stands for the keys that open everything), `tempo.go-memory-limit=off` (what the runtime of Go is told of
/// its limit), `minio.tls=off` (a store that speaks plain HTTP).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Override {
    text: String,
    pub(in crate::targets) change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) enum Change {
    /// The value at `path` in the configuration of `components`.
    Setting { components: Vec<Component>, path: Vec<String>, value: Value },
    /// The S3 keys that `components` are given.
    Credentials { components: Vec<Component>, of: Component },
    /// What the runtime of `components` is told of its memory limit (Go's `GOMEMLIMIT`).
    GoMemoryLimit { components: Vec<Component>, limit: String },
    /// Whether the store speaks HTTPS.
    StoreTls { on: bool },
    /// The versioning state of `bucket`.
    Versioning { bucket: String, state: Versioning },
}

/// Why an override cannot be.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum OverrideError {
    /// Not `PATH=VALUE`.
    #[error("{text:?} is not COMPONENT.PATH=VALUE")]
    Form {
        /// As written.
        text: String,
    },
    /// A name that nothing has.
    #[error("{text:?}: there is no {kind} {name:?}{}", nearest.as_ref().map(|name| format!("; the nearest is {name:?}")).unwrap_or_default())]
    Unknown {
        /// The override.
        text: String,
        /// What the name should be of.
        kind: &'static str,
        /// As written.
        name: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// A value that the thing cannot have.
    #[error("{text:?}: {reason}")]
    Value {
        /// The override.
        text: String,
        /// What it can have.
        reason: String,
    },
}

/// Buckets by the names that the design gives them, with whom they belong to.
pub(in crate::targets) const BUCKETS: [&str; 3] = ["loki-chunks", "tempo-traces", "mimir-blocks"];

const LOKI: [Component; 4] =
    [Component::LokiWrite, Component::LokiBackend, Component::LokiRead, Component::LokiStoreReader];

/// The name in `known` that is most like `name`, where one is at all.
pub(in crate::targets) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate.to_owned())
}

fn components(text: &str, name: &str) -> Result<Vec<Component>, OverrideError> {
    if name == "loki" {
        return Ok(LOKI.to_vec());
    }
    name.parse().map(|component| vec![component]).map_err(|_| OverrideError::Unknown {
        text: text.to_owned(),
        kind: "component",
        name: name.to_owned(),
        nearest: nearest(name, Component::ALL.into_iter().map(Component::name).chain(["loki", "buckets"])),
    })
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || OverrideError::Form { text: text.to_owned() };
        let bad = |reason: &str| OverrideError::Value { text: text.to_owned(), reason: reason.to_owned() };
        let (path, written) = text.split_once('=').ok_or_else(form)?;
        let (subject, path) = path.split_once('.').ok_or_else(form)?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(form());
        }
        let change = match (subject, path.as_slice()) {
            ("buckets", [bucket, setting]) => {
                if !BUCKETS.contains(&bucket.as_str()) {
                    return Err(OverrideError::Unknown {
                        text: text.to_owned(),
                        kind: "bucket",
                        name: bucket.clone(),
                        nearest: nearest(bucket, BUCKETS),
                    });
                }
                let state = match (setting.as_str(), written) {
                    ("versioning", "enabled") => Versioning::Enabled,
                    ("versioning", "suspended") => Versioning::Suspended,
                    ("versioning", "off") => Versioning::Off,
                    ("versioning", _) => return Err(bad("versioning is enabled, suspended or off")),
                    _ => return Err(bad("of a bucket only versioning can be set")),
                };
                Change::Versioning { bucket: bucket.clone(), state }
            }
            ("buckets", _) => return Err(form()),
            (name, [setting]) if setting == "credentials" => {
                let components = components(text, name)?;
                let of = match written {
                    "loki" => Component::LokiWrite,
                    other => other.parse().map_err(|_| OverrideError::Unknown {
                        text: text.to_owned(),
                        kind: "component",
                        name: other.to_owned(),
                        nearest: nearest(other, Component::ALL.into_iter().map(Component::name).chain(["loki"])),
                    })?,
                };
                if components == [Component::Minio] {
                    return Err(bad("minio issues the keys, it is given none"));
                }
                Change::Credentials { components, of }
            }
            ("minio", [setting]) if setting == "tls" => match written {
                "on" => Change::StoreTls { on: true },
                "off" => Change::StoreTls { on: false },
                _ => return Err(bad("the store's TLS is on or off")),
            },
            (name, [setting]) if setting == "go-memory-limit" => {
                let components = components(text, name)?;
                let is_mebibytes = written.strip_suffix("MiB").is_some_and(|number| number.parse::<u32>().is_ok());
                if written != "off" && !is_mebibytes {
                    return Err(bad("the runtime's memory limit is off, or as 800MiB"));
                }
                Change::GoMemoryLimit { components, limit: written.to_owned() }
            }
            (name, _) => {
                let components = components(text, name)?;
                if components == [Component::Minio] {
                    return Err(bad("minio has no configuration file"));
                }
                let value = serde_saphyr::from_str(written)
                    .map_err(|error| bad(&format!("the value is not YAML: {}", first_line(&error.to_string()))))?;
                Change::Setting { components, path, value }
            }
        };
        Ok(Self { text: text.to_owned(), change })
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Whose S3 keys `component` runs with under `overrides`: its own, unless a change gives it another's; the last one decides.
pub(in crate::targets) fn whose_keys(component: Component, overrides: &[Override]) -> Component {
    overrides
        .iter()
        .rev()
        .find_map(|change| match &change.change {
            Change::Credentials { components, of } if components.contains(&component) => Some(*of),
            _ => None,
        })
        .unwrap_or(component)
}

/// Whether the store speaks HTTPS under `overrides`: it does unless a change says otherwise, the last one.
pub(in crate::targets) fn store_speaks_tls(overrides: &[Override]) -> bool {
    let told = overrides.iter().rev().find_map(|change| match &change.change {
        Change::StoreTls { on } => Some(*on),
        _ => None,
    });
    told.unwrap_or(true)
}

/// What the runtime of `component` is told of its memory limit, as `GOMEMLIMIT` has it: four fifths of the design's limit, for the rest
/// is what the runtime does not count; unless a change says otherwise, the last one. `None` where the design sets no limit.
pub(in crate::targets) fn go_memory_limit(component: Component, overrides: &[Override]) -> Option<String> {
    let changed = overrides.iter().rev().find_map(|change| match &change.change {
        Change::GoMemoryLimit { components, limit } if components.contains(&component) => Some(limit.clone()),
        _ => None,
    });
    let (_, limit) = MEMORY_LIMITS.into_iter().find(|(of, _)| *of == component).unzip();
    changed.or_else(|| Some(format!("{}MiB", (limit? >> 20) * 4 / 5)))
}

impl Override {
    /// Applies a setting of `component` to its rendered configuration; other changes leave it alone.
    pub(in crate::targets) fn apply(
        &self,
        component: Component,
        configuration: &mut Value,
    ) -> Result<(), OverrideError> {
        let Change::Setting { components, path, value } = &self.change else { return Ok(()) };
        if !components.contains(&component) {
            return Ok(());
        }
        let Some((first, _)) = path.split_first() else { return Ok(()) };
        let known = configuration.as_object().is_some_and(|map| map.contains_key(first));
        if !known {
            return Err(OverrideError::Unknown {
                text: self.text.clone(),
                kind: "section",
                name: first.clone(),
                nearest: configuration.as_object().and_then(|map| nearest(first, map.keys().map(String::as_str))),
            });
        }
        let mut place = configuration;
        for segment in path {
            place = match (place, segment.parse::<usize>()) {
                (Value::Array(items), Ok(index)) => {
                    let length = items.len();
                    items.get_mut(index).ok_or_else(|| OverrideError::Value {
                        text: self.text.clone(),
                        reason: format!("there is no item {index} in a list of {length}"),
                    })?
                }
                (Value::Object(map), _) => map.entry(segment.clone()).or_insert(Value::Null),
                (other, _) if other.is_null() => {
                    *other = Value::Object(serde_json::Map::new());
                    match other {
                        Value::Object(map) => map.entry(segment.clone()).or_insert(Value::Null),
                        unreachable => unreachable,
                    }
                }
                (other, _) => {
                    return Err(OverrideError::Value {
                        text: self.text.clone(),
                        reason: format!("{segment:?} would be inside the value {other}"),
                    });
                }
            };
        }
        *place = value.clone();
        Ok(())
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Override {
    type Error = OverrideError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Override> for String {
    fn from(change: Override) -> Self {
        change.text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(text: &str, component: Component, mut configuration: Value) -> Result<Value, OverrideError> {
        text.parse::<Override>()?.apply(component, &mut configuration)?;
        Ok(configuration)
    }

    #[test]
    fn values_are_set_where_the_path_leads() {
        let table = [
            ("loki.a.b=10m", json!({"a": {"b": "10m", "c": 1}})),
            ("loki-write.a.b=7", json!({"a": {"b": 7, "c": 1}})),
            ("loki.a.b=true", json!({"a": {"b": true, "c": 1}})),
            ("loki.a.new.deep=[x, 1]", json!({"a": {"b": "5s", "c": 1, "new": {"deep": ["x", 1]}}})),
            ("loki.a={}", json!({"a": {}})),
            ("loki.a.b=x=y", json!({"a": {"b": "x=y", "c": 1}})),
            ("tempo.a.b=10m", json!({"a": {"b": "5s", "c": 1}})),
            ("loki-read.a.b=10m", json!({"a": {"b": "5s", "c": 1}})),
        ];
        for (text, expected) in table {
            let found = applied(text, Component::LokiWrite, json!({"a": {"b": "5s", "c": 1}}));
            assert_eq!(found, Ok(expected), "{text}");
        }
    }

    #[test]
    fn items_of_lists_go_by_number() {
        let found = applied("mimir.list.1.x=2", Component::Mimir, json!({"list": [{"x": 0}, {"x": 1}]}));
        assert_eq!(found, Ok(json!({"list": [{"x": 0}, {"x": 2}]})));
        let beyond = applied("mimir.list.2.x=2", Component::Mimir, json!({"list": []})).unwrap_err();
        assert_eq!(beyond.to_string(), "\"mimir.list.2.x=2\": there is no item 2 in a list of 0");
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        let table = [
            ("lokki.a=1", "\"lokki.a=1\": there is no component \"lokki\"; the nearest is \"loki\""),
            ("loki.ingster.x=1", "\"loki.ingster.x=1\": there is no section \"ingster\"; the nearest is \"ingester\""),
            (
                "buckets.loki-chunk.versioning=off",
                "\"buckets.loki-chunk.versioning=off\": there is no bucket \"loki-chunk\"; the nearest is \"loki-chunks\"",
            ),
            (
                "tempo.credentials=mimr",
                "\"tempo.credentials=mimr\": there is no component \"mimr\"; the nearest is \"mimir\"",
            ),
            ("loki", "\"loki\" is not COMPONENT.PATH=VALUE"),
            ("loki.a..b=1", "\"loki.a..b=1\" is not COMPONENT.PATH=VALUE"),
            (
                "buckets.loki-chunks.versioning=on",
                "\"buckets.loki-chunks.versioning=on\": versioning is enabled, suspended or off",
            ),
            ("minio.a.b=1", "\"minio.a.b=1\": minio has no configuration file"),
            (
                "tempo.go-memory-limit=1x",
                "\"tempo.go-memory-limit=1x\": the runtime's memory limit is off, or as 800MiB",
            ),
            ("loki.ingester.a.b=1", "\"loki.ingester.a.b=1\": \"b\" would be inside the value 1"),
        ];
        for (text, expected) in table {
            let found = applied(text, Component::LokiWrite, json!({"ingester": {"a": 1}, "querier": {}}));
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn keys_and_buckets_are_told_from_settings() {
        let change = |text: &str| text.parse::<Override>().unwrap().change;
        assert_eq!(
            change("tempo.credentials=mimir"),
            Change::Credentials { components: vec![Component::Tempo], of: Component::Mimir }
        );
        assert_eq!(
            change("loki.credentials=tempo"),
            Change::Credentials { components: LOKI.to_vec(), of: Component::Tempo }
        );
        assert_eq!(
            change("buckets.loki-chunks.versioning=suspended"),
            Change::Versioning { bucket: "loki-chunks".into(), state: Versioning::Suspended }
        );
    }

    #[test]
    fn a_runtime_is_told_of_the_designs_limit_unless_told_otherwise() {
        let overrides: Vec<Override> =
            ["loki.go-memory-limit=700MiB", "loki-read.go-memory-limit=off", "mimir.target=all"]
                .into_iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let table = [
            (Component::LokiWrite, Some("700MiB")),
            (Component::LokiRead, Some("off")),
            (Component::Tempo, Some("819MiB")),
            (Component::Mimir, Some("1228MiB")),
            (Component::Minio, None),
        ];
        for (component, expected) in table {
            assert_eq!(go_memory_limit(component, &overrides).as_deref(), expected, "{component}");
        }
    }

    #[test]
    fn a_component_runs_with_its_own_keys_unless_told_otherwise() {
        let overrides: Vec<Override> =
            ["loki.credentials=tempo", "loki-read.credentials=minio", "mimir.target=all", "tempo.credentials=minio"]
                .into_iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let table = [
            (Component::LokiWrite, Component::Tempo),
            (Component::LokiRead, Component::Minio),
            (Component::Tempo, Component::Minio),
            (Component::Mimir, Component::Mimir),
        ];
        for (component, whose) in table {
            assert_eq!(whose_keys(component, &overrides), whose, "{component}");
            assert_eq!(whose_keys(component, &[]), component);
        }
    }
}
