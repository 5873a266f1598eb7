use std::{fmt, str::FromStr};

use harness_core::ports::Component;
use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::{Override, OverrideError, Program, overrides::nearest};

/// The timers of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Seconds, for feedback.
    Fast,
    /// Those of the deployment, which meet the design's bounds.
    Deployed,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Deployed];

    /// The name used in commands, files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Deployed => "deployed",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Fast => include_str!("../../../../../stack/profiles/fast.yaml"),
            Self::Deployed => include_str!("../../../../../stack/profiles/deployed.yaml"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.name() == text).ok_or_else(|| {
            let nearest = nearest(text, Self::ALL.into_iter().map(Self::name));
            let hint = nearest.map(|name| format!("; the nearest is {name:?}")).unwrap_or_default();
            format!("there is no profile {text:?}{hint}")
        })
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum RenderError {
    /// A template of ours.
    #[error("the template of {component} cannot be filled in")]
    Template {
        /// The component.
        component: Component,
        /// What is wrong with it.
        source: minijinja::Error,
    },
    /// A file of ours that is not YAML.
    #[error("{file} is not YAML: {reason}")]
    Yaml {
        /// The file, below `stack/`.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A change that cannot be.
    #[error(transparent)]
    Override(#[from] OverrideError),
}

/// What a configuration depends on.
#[derive(Debug, Clone, Copy)]
pub(in crate::targets) struct Plan<'a> {
    pub(in crate::targets) profile: Profile,
    pub(in crate::targets) overrides: &'a [Override],
    pub(in crate::targets) surroundings: &'a Surroundings,
}

/// Where a component runs: what a target decides of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) struct Surroundings {
    /// The address that its servers listen on.
    pub(in crate::targets) listen: &'static str,
    /// The address under which others find it; may name a variable of its environment.
    pub(in crate::targets) advertise: &'static str,
    pub(in crate::targets) sockets: Sockets,
    /// `host:port` of every Loki process that gossips.
    pub(in crate::targets) loki_gossip: Vec<String>,
    /// `host:port` of the HTTP server of Loki's backend.
    pub(in crate::targets) loki_backend: String,
    pub(in crate::targets) store: Store,
    /// Its folder for local data.
    pub(in crate::targets) data: String,
}

/// The ports of one component; 0 where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::targets) struct Sockets {
    pub(in crate::targets) http: u16,
    pub(in crate::targets) grpc: u16,
    pub(in crate::targets) gossip: u16,
    pub(in crate::targets) otlp_grpc: u16,
    pub(in crate::targets) otlp_http: u16,
}

impl Sockets {
    /// Where `component` listens as the design has it, on an address that it shares with no other.
    pub(in crate::targets) fn of_its_own(component: Component) -> Self {
        let (http, otlp_grpc, otlp_http) = match component {
            Component::Minio => (9000, 0, 0),
            Component::Tempo => (3200, 4317, 4318),
            Component::Mimir => (8080, 0, 0),
            Component::LokiWrite | Component::LokiRead | Component::LokiBackend | Component::LokiStoreReader => {
                (3100, 0, 0)
            }
        };
        Self { http, grpc: 9095, gossip: 7946, otlp_grpc, otlp_http }
    }
}

/// The object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) struct Store {
    /// `host:port`.
    pub(in crate::targets) endpoint: String,
    /// Whether it speaks HTTPS.
    pub(in crate::targets) tls: bool,
}

const LOKI: &str = include_str!("../../../../../stack/templates/loki.yaml");
const TEMPO: &str = include_str!("../../../../../stack/templates/tempo.yaml");
const MIMIR: &str = include_str!("../../../../../stack/templates/mimir.yaml");

/// Everything that configurations are rendered from under `profile`.
pub(in crate::targets) fn sources(profile: Profile) -> [&'static str; 4] {
    [LOKI, TEMPO, MIMIR, profile.text()]
}

/// The configuration of `component`: its program's template, the profile laid over it, then the overrides. `None` for the
/// object store, which has no file. S3 keys stand in it as `${S3_ACCESS_KEY_ID}` and `${S3_SECRET_ACCESS_KEY}`, which
/// each program takes from its environment (`-config.expand-env=true`).
pub(in crate::targets) fn configuration(component: Component, plan: Plan<'_>) -> Result<Option<Value>, RenderError> {
    let program = Program::of(component);
    let template = match program {
        Program::Loki => LOKI,
        Program::Tempo => TEMPO,
        Program::Mimir => MIMIR,
        Program::Minio | Program::Mc | Program::Prometheus | Program::Promtail | Program::OtelCli => return Ok(None),
    };
    let text = fill_in(template, context(component, plan.surroundings))
        .map_err(|source| RenderError::Template { component, source })?;
    let mut configuration: Value = yaml(&format!("templates/{program}.yaml"), &text)?;
    let profiles: Value = yaml(&format!("profiles/{}.yaml", plan.profile), plan.profile.text())?;
    if let Some(timers) = profiles.get(program.name()) {
        lay_over(&mut configuration, timers);
    }
    for change in plan.overrides {
        change.apply(component, &mut configuration)?;
    }
    Ok(Some(configuration))
}

/// Fills in a template; a name that is not defined is an error.
pub(in crate::targets) fn fill_in(template: &str, context: Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A JSON string is a YAML scalar, whatever the path contains.
    environment.add_filter("quoted", |text: String| Value::String(text).to_string());
    environment.render_str(template, minijinja::value::Serde(context))
}

pub(in crate::targets) fn yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, RenderError> {
    serde_saphyr::from_str(text).map_err(|error| RenderError::Yaml { file: file.to_owned(), reason: error.to_string() })
}

fn context(component: Component, surroundings: &Surroundings) -> Value {
    let target = match component {
        Component::LokiWrite => "write",
        Component::LokiRead => "read",
        Component::LokiBackend => "backend",
        Component::LokiStoreReader => "querier,query-frontend",
        Component::Minio | Component::Tempo | Component::Mimir => "all",
    };
    let Sockets { http, grpc, gossip, otlp_grpc, otlp_http } = surroundings.sockets;
    json!({
        "data": surroundings.data,
        "host": {"listen": surroundings.listen, "advertise": surroundings.advertise},
        "process": {
            "target": target,
            "store_only": component == Component::LokiStoreReader,
            "http": http,
            "grpc": grpc,
            "gossip": gossip,
            "otlp_grpc": otlp_grpc,
            "otlp_http": otlp_http,
        },
        "loki": {"gossip": surroundings.loki_gossip, "backend": surroundings.loki_backend},
        "s3": {"endpoint": surroundings.store.endpoint, "insecure": !surroundings.store.tls},
    })
}

/// Lays `top` over `base`: maps are merged, everything else is replaced.
fn lay_over(base: &mut Value, top: &Value) {
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (key, value) in top {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, top) => *base = top.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(component: Component, profile: Profile, overrides: &[&str]) -> Result<Value, RenderError> {
        let surroundings = Surroundings {
            listen: "0.0.0.0",
            advertise: "${POD_IP}",
            sockets: Sockets { http: 3100, grpc: 9095, gossip: 7946, otlp_grpc: 4317, otlp_http: 4318 },
            loki_gossip: vec!["gossip:7946".to_owned()],
            loki_backend: "backend:3100".to_owned(),
            store: Store { endpoint: "store:9000".to_owned(), tls: true },
            data: format!("/data of \"it\"/{component}"),
        };
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        let plan = Plan { profile, overrides: &overrides, surroundings: &surroundings };
        configuration(component, plan).map(Option::unwrap_or_default)
    }

    fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
        value.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null)
    }

    #[test]
    fn every_component_has_a_configuration_in_every_profile() {
        for profile in Profile::ALL {
            for component in Component::ALL {
                let configuration = rendered(component, profile, &[]).unwrap();
                assert_eq!(configuration.is_null(), component == Component::Minio, "{component}");
                if component == Component::Minio {
                    continue;
                }
                let text = configuration.to_string();
                assert!(text.contains("${S3_ACCESS_KEY_ID}"), "{component}");
                assert!(!text.contains("{{"), "{component}");
                assert!(text.contains(&format!("/data of \\\"it\\\"/{component}")), "{component}: {text}");
            }
        }
    }

    #[test]
    fn loki_processes_differ_by_role_alone() {
        let write = rendered(Component::LokiWrite, Profile::Fast, &[]).unwrap();
        assert_eq!(at(&write, "target"), "write");
        assert_eq!(at(&write, "querier.query_store_only"), false);
        let reader = rendered(Component::LokiStoreReader, Profile::Fast, &[]).unwrap();
        assert_eq!(at(&reader, "querier.query_store_only"), true);
        assert_eq!(at(&reader, "query_scheduler.use_scheduler_ring"), false);
        for section in ["ingester", "limits_config", "compactor", "schema_config"] {
            assert_eq!(at(&reader, section), at(&write, section), "{section}");
        }
    }

    #[test]
    fn profiles_decide_timers_and_overrides_decide_over_them() {
        let idle = "ingester.chunk_idle_period";
        let fast = rendered(Component::LokiWrite, Profile::Fast, &[]).unwrap();
        assert_eq!(at(&fast, idle), "5s");
        assert_eq!(at(&fast, "ingester.wal.flush_on_shutdown"), true);
        let deployed = rendered(Component::LokiWrite, Profile::Deployed, &[]).unwrap();
        assert_eq!(at(&deployed, idle), "1m");
        let slow = rendered(Component::LokiWrite, Profile::Fast, &["loki.ingester.chunk_idle_period=10m"]).unwrap();
        assert_eq!(at(&slow, idle), "10m");
    }

    #[test]
    fn a_section_that_is_not_there_is_refused() {
        let error = rendered(Component::Mimir, Profile::Fast, &["mimir.limit.x=1"]).unwrap_err();
        assert_eq!(error.to_string(), "\"mimir.limit.x=1\": there is no section \"limit\"; the nearest is \"limits\"");
    }

    #[test]
    fn an_undefined_name_is_an_error() {
        assert!(fill_in("{{ nowhere }}", json!({})).is_err());
        assert_eq!(fill_in("{{ a|quoted }}", json!({"a": "x\"y"})).unwrap(), "\"x\\\"y\"");
    }

    #[test]
    fn profiles_are_found_by_name_and_missed_with_the_nearest() {
        assert_eq!("deployed".parse(), Ok(Profile::Deployed));
        assert_eq!(
            "deploy".parse::<Profile>(),
            Err("there is no profile \"deploy\"; the nearest is \"deployed\"".to_owned())
        );
    }
}
