use std::collections::BTreeMap;

use harness_core::ports::Component;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{ClusterState, PullPolicy};
use crate::targets::blueprint::{
    Plan, Profile, Program, RenderError, Sockets, Store, Surroundings, configuration, fill_in, yaml,
};

const CLUSTER: &str = include_str!("../../../../../kind/cluster.yaml");
const NAMESPACES: &str = include_str!("../../../../../kind/namespaces.yaml");
const MINIO: &str = include_str!("../../../../../kind/minio.yaml");
const LOKI: &str = include_str!("../../../../../kind/loki.yaml");
const TEMPO: &str = include_str!("../../../../../kind/tempo.yaml");
const MIMIR: &str = include_str!("../../../../../kind/mimir.yaml");
const PROMETHEUS: &str = include_str!("../../../../../kind/prometheus.yaml");

/// The label that everything has which was made here.
const PART_OF: &str = "app.kubernetes.io/part-of";

/// Its value.
const US: &str = "lgtm-verify";

/// Everything that was made here, as a selector of labels.
pub(super) const OURS: &str = "app.kubernetes.io/part-of=lgtm-verify";

/// The store, as components name it.
const STORE: &str = "minio.minio.svc:443";

/// The Loki processes, by the name of their workload, with whether the design has them.
const LOKI_PROCESSES: [(Component, &str, bool); 4] = [
    (Component::LokiWrite, "write", true),
    (Component::LokiRead, "read", true),
    (Component::LokiBackend, "backend", true),
    (Component::LokiStoreReader, "store-reader", false),
];

/// Why there is no manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A template of ours.
    #[error("kind/{file} cannot be filled in")]
    Template {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        source: minijinja::Error,
    },
    /// A file of ours, or a component's configuration.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Not an object.
    #[error("kind/{file}: {object} is not an object of Kubernetes")]
    Object {
        /// The file.
        file: &'static str,
        /// Its kind and name, as far as it has them.
        object: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What manifests depend on.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) profile: Profile,
    pub(super) images: BTreeMap<Program, String>,
    /// The image of this harness, which is Loki's gateway too.
    pub(super) gateway: String,
    pub(super) pull_policy: PullPolicy,
}

/// What kind is told.
pub(super) fn cluster(own_network: bool, cgroup_v1: bool) -> Result<String, ManifestError> {
    let context = json!({"own_network": own_network, "cgroup_v1": cgroup_v1});
    fill_in(CLUSTER, context).map_err(|source| ManifestError::Template { file: "cluster.yaml", source })
}

/// The namespaces.
pub(super) fn namespaces() -> Result<Vec<DynamicObject>, ManifestError> {
    objects("namespaces.yaml", NAMESPACES, json!({}))
}

/// Any object, labelled as ours.
pub(super) fn ours(object: impl serde::Serialize) -> Result<DynamicObject, ManifestError> {
    let found = serde_json::to_value(object).and_then(|mut value| {
        label(&mut value);
        serde_json::from_value(value)
    });
    found.map_err(|source| ManifestError::Object { file: "", object: "an object".to_owned(), source })
}

/// What a run reads about the stack.
pub(super) fn about(
    state: &ClusterState,
    incomplete_upload_expiry: Option<&str>,
) -> Result<DynamicObject, ManifestError> {
    let versions = json!(state.versions).to_string();
    let mut data = json!({"profile": state.profile.name(), "versions": versions});
    if let Some(expiry) = incomplete_upload_expiry {
        data["incomplete-upload-expiry"] = json!(expiry);
    }
    ours(config_map("lgtm-verify-stack", data))
}

/// By what programs recognise the store.
pub(super) fn authority(pem: &str) -> Result<DynamicObject, ManifestError> {
    ours(config_map("lgtm-verify-ca", json!({"ca.crt": pem})))
}

fn config_map(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "monitoring"},
        "data": data,
    })
}

impl Layout {
    /// The object store.
    pub(super) fn store(&self) -> Result<Vec<DynamicObject>, ManifestError> {
        objects("minio.yaml", MINIO, self.context()?)
    }

    /// Everything else: Loki, Tempo, Mimir, Prometheus.
    pub(super) fn stack(&self) -> Result<Vec<DynamicObject>, ManifestError> {
        let context = self.context()?;
        let files =
            [("loki.yaml", LOKI), ("tempo.yaml", TEMPO), ("mimir.yaml", MIMIR), ("prometheus.yaml", PROMETHEUS)];
        let mut all = Vec::new();
        for (file, template) in files {
            all.extend(objects(file, template, context.clone())?);
        }
        Ok(all)
    }

    fn context(&self) -> Result<Value, ManifestError> {
        let mut images: BTreeMap<&str, &str> =
            self.images.iter().map(|(program, image)| (program.name(), image.as_str())).collect();
        images.insert("gateway", &self.gateway);
        let mut loki = Vec::new();
        for (component, name, of_the_design) in LOKI_PROCESSES {
            let mut process = self.configured(component)?;
            process["name"] = json!(name);
            process["of_the_design"] = json!(of_the_design);
            loki.push(process);
        }
        Ok(json!({
            "images": images,
            "pull_policy": self.pull_policy.to_string(),
            "loki": loki,
            "tempo": self.configured(Component::Tempo)?,
            "mimir": self.configured(Component::Mimir)?,
        }))
    }

    /// The configuration of a component, and a digest of it: another one has to replace the pod.
    fn configured(&self, component: Component) -> Result<Value, ManifestError> {
        let surroundings = surroundings(component);
        let plan = Plan { profile: self.profile, overrides: &[], surroundings: &surroundings };
        // JSON is YAML: the servers read what was parsed and laid over, not what was written by hand.
        let text = configuration(component, plan)?.map(|value| format!("{value:#}\n")).unwrap_or_default();
        let digest = hex::encode(Sha256::digest(&text).get(..8).unwrap_or_default());
        Ok(json!({"configuration": text, "digest": digest}))
    }
}

/// Where `component` runs in the cluster.
fn surroundings(component: Component) -> Surroundings {
    let (http, otlp_grpc, otlp_http) = match component {
        Component::Minio => (9000, 0, 0),
        Component::Tempo => (3200, 4317, 4318),
        Component::Mimir => (8080, 0, 0),
        Component::LokiWrite | Component::LokiRead | Component::LokiBackend | Component::LokiStoreReader => {
            (3100, 0, 0)
        }
    };
    Surroundings {
        listen: "0.0.0.0",
        // Taken from the pod's status, which programs expand in their configuration.
        advertise: "${POD_IP}",
        sockets: Sockets { http, grpc: 9095, gossip: 7946, otlp_grpc, otlp_http },
        loki_gossip: vec!["loki-memberlist.monitoring.svc:7946".to_owned()],
        loki_backend: "loki-backend.monitoring.svc:3100".to_owned(),
        store: Store { endpoint: STORE.to_owned(), tls: true },
        data: "/data".to_owned(),
    }
}

/// The objects that a template describes, each labelled as ours.
fn objects(file: &'static str, template: &str, context: Value) -> Result<Vec<DynamicObject>, ManifestError> {
    let text = fill_in(template, context).map_err(|source| ManifestError::Template { file, source })?;
    let documents = text
        .split("\n---\n")
        .filter(|document| document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    documents
        .map(|document| {
            let mut value: Value = yaml(&format!("../kind/{file}"), document)?;
            label(&mut value);
            let object = format!("{} {}", value["kind"], value["metadata"]["name"]);
            serde_json::from_value(value).map_err(|source| ManifestError::Object { file, object, source })
        })
        .collect()
}

/// Labels an object, and the pods that it declares, as ours.
fn label(object: &mut Value) {
    object["metadata"]["labels"][PART_OF] = json!(US);
    if let Some(template) = object.pointer_mut("/spec/template") {
        template["metadata"]["labels"][PART_OF] = json!(US);
    }
}
