//! What a tree tells each program: its configuration, its workloads, their resources.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Object, Tree};
use crate::signal::Signal;

/// A program of the stack that has a folder and a secret of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Loki.
    Loki,
    /// Tempo.
    Tempo,
    /// Mimir.
    Mimir,
}

impl Program {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Loki, Self::Tempo, Self::Mimir];

    /// Its folder and release.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Tempo => "tempo",
            Self::Mimir => "mimir",
        }
    }

    /// Its secret.
    pub fn secret(self) -> String {
        format!("{}-s3-secret", self.name())
    }

    /// Its bucket.
    pub fn bucket(self) -> &'static str {
        match self {
            Self::Loki => "loki-chunks",
            Self::Tempo => "tempo-traces",
            Self::Mimir => "mimir-blocks",
        }
    }

    /// The records that it takes.
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Loki => Signal::Logs,
            Self::Tempo => Signal::Traces,
            Self::Mimir => Signal::Metrics,
        }
    }
}

/// A workload of a release: its settings, and the keys that lead to them.
pub(super) struct Workload<'a> {
    pub(super) keys: Vec<&'a str>,
    /// Settings of its pods.
    pub(super) settings: &'a Value,
    /// Settings of its main container.
    pub(super) container: &'a Value,
}

impl Tree {
    /// The workloads that a program's release declares, by its chart.
    pub(super) fn workloads<'a>(&'a self, release: &'a Object) -> Vec<Workload<'a>> {
        let values = release.values();
        match self.chart(release) {
            Some("loki") => ["write", "read", "backend"]
                .into_iter()
                .map(|process| {
                    let settings = values.get(process).unwrap_or(&Value::Null);
                    Workload { keys: vec![process], settings, container: settings }
                })
                .collect(),
            Some("tempo") => {
                let container = values.get("tempo").unwrap_or(&Value::Null);
                vec![Workload { keys: vec!["tempo"], settings: values, container }]
            }
            _ => {
                let controllers = values.get("controllers").and_then(Value::as_object).into_iter().flatten();
                let of = |(id, settings): (&'a String, &'a Value)| {
                    let containers = settings.get("containers").and_then(Value::as_object).into_iter().flatten();
                    let workload = move |(name, container): (&'a String, &'a Value)| Workload {
                        keys: vec!["controllers", id, "containers", name],
                        settings,
                        container,
                    };
                    containers.map(workload).collect::<Vec<_>>()
                };
                controllers.flat_map(of).collect()
            }
        }
    }

    /// A program's configuration, as far as its release has it.
    pub(super) fn configuration(&self, release: &Object) -> Option<Value> {
        let values = release.values();
        let read = |text: &Value| serde_saphyr::from_str::<Value>(text.as_str()?).ok();
        match self.chart(release) {
            Some("loki") => values.pointer("/loki/structuredConfig").cloned(),
            Some("tempo") => values.get("config").and_then(read),
            _ => {
                let maps = values.get("configMaps")?.as_object()?;
                let texts = maps.values().filter_map(|map| map.get("data")?.as_object()).flatten();
                let mut read = texts.filter_map(|(_, text)| read(text));
                read.find(|configuration| configuration.get("target").is_some())
            }
        }
    }
}
