use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use harness_core::ports::{Clock, Component};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, NamespaceStatus, Secret};
use kube::{Api, Client};

use super::{
    Access, Call, Forward, KubeError, finder::WorkloadId, forward::Target, install_crypto_provider, pods,
    server::Server,
};

/// The namespace of the object store.
pub const STORE_NAMESPACE: &str = "minio";

/// A cluster in which the stack runs.
pub struct Cluster {
    pub(super) server: Server,
    pub(super) namespace: String,
    pub(super) clock: Arc<dyn Clock>,
    /// What logs are shown without.
    pub(super) secrets: Vec<String>,
    /// Workloads that only a running pod could tell apart: once it is stopped, there is none to ask.
    pub(super) told: Mutex<BTreeMap<Component, WorkloadId>>,
    /// Replicas of what was stopped, to be started again.
    pub(super) replicas: Mutex<BTreeMap<Component, u32>>,
}

/// What a container of a pod runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The image as declared: `docker.io/grafana/loki:3.6.0`.
    pub declared: String,
    /// The image that the node took for it, by its digest: `docker.io/grafana/loki@sha256:…`. Empty where it took none.
    pub resolved: String,
}

impl Cluster {
    /// A client of the cluster that `access` leads to. Asks it nothing yet; needs no right.
    pub async fn connect(access: &Access, clock: Arc<dyn Clock>) -> Result<Self, KubeError> {
        install_crypto_provider();
        let config = access.config().await?;
        let address = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config)
            .map_err(|source| KubeError::Client { server: address.clone(), source: Box::new(source) })?;
        Ok(Self {
            server: Server { client, address },
            namespace: access.namespace.clone(),
            clock,
            secrets: Vec::new(),
            told: Mutex::default(),
            replicas: Mutex::default(),
        })
    }

    /// The same, whose log lines are shown without `secrets`.
    #[must_use]
    pub fn redacting(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        // An empty one would be found between any two characters.
        self.secrets.extend(secrets.into_iter().filter(|secret| !secret.is_empty()));
        self
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.server.address
    }

    /// The namespace in which `component` runs.
    pub fn namespace_of(&self, component: Component) -> &str {
        match component {
            Component::Minio => STORE_NAMESPACE,
            _ => &self.namespace,
        }
    }

    /// What tells this cluster from every other: the UID of its namespace `kube-system`. Needs `get` of that namespace.
    pub async fn uid(&self) -> Result<String, KubeError> {
        let namespace = self.namespace_named("kube-system").await?;
        namespace.metadata.uid.ok_or_else(|| KubeError::Malformed {
            what: "namespace kube-system".to_owned(),
            reason: "it has no UID".to_owned(),
        })
    }

    /// Refuses a stack whose namespace is being removed: what it still has is not what was deployed. Needs `get` of the namespace.
    pub async fn refuse_ending(&self) -> Result<(), KubeError> {
        let namespace = self.namespace_named(&self.namespace).await?;
        match namespace.metadata.deletion_timestamp {
            None => Ok(()),
            Some(_) => Err(KubeError::Ending { namespace: self.namespace.clone(), left: left(namespace.status) }),
        }
    }

    async fn namespace_named(&self, name: &str) -> Result<Namespace, KubeError> {
        let call = Call { verb: "get", resource: "namespaces", object: name.to_owned() };
        self.server.ask(call, Api::<Namespace>::all(self.server.client.clone()).get(name)).await
    }

    /// An address that leads to `port` of a Service. Fails at once where there is no such Service or port; a pod may come later.
    /// Needs `get` of services, `list` of pods, `create` of pods/portforward.
    pub async fn forward_service(&self, namespace: &str, service: &str, port: u16) -> Result<Forward, KubeError> {
        let target = Target::Service { namespace: namespace.to_owned(), name: service.to_owned(), port };
        match super::forward::behind(&self.server, namespace, service, port).await {
            Ok(_) | Err(KubeError::NoReadyPod { .. }) => self.forward(target).await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn forward(&self, target: Target) -> Result<Forward, KubeError> {
        Forward::listen(self.server.clone(), Arc::clone(&self.clock), target).await
    }

    /// The texts of a secret of the stack's namespace, by key. Needs `get` of that secret.
    pub async fn secret(&self, name: &str) -> Result<BTreeMap<String, String>, KubeError> {
        let secret: Secret = self.server.get(&self.namespace, name).await?;
        let data = secret.data.unwrap_or_default().into_iter();
        data.map(|(key, value)| match String::from_utf8(value.0) {
            Ok(text) => Ok((key, text)),
            Err(_) => Err(KubeError::Malformed {
                what: format!("secret {}/{name}", self.namespace),
                reason: format!("the value of {key} is no text"),
            }),
        })
        .collect()
    }

    /// The texts of a config map of the stack's namespace, by key. Needs `get` of that config map.
    pub async fn config_map(&self, name: &str) -> Result<BTreeMap<String, String>, KubeError> {
        let map: ConfigMap = self.server.get(&self.namespace, name).await?;
        Ok(map.data.unwrap_or_default())
    }

    /// What the containers of a component's pods run, those before the others first. Needs what finding it needs.
    pub async fn images(&self, component: Component) -> Result<Vec<Image>, KubeError> {
        let found = self.find(component).await?;
        let pods = self.pods_of(&found).await?;
        let mut images = Vec::new();
        for pod in pods.items.iter().filter(|pod| pods::lives(pod)) {
            let Some(spec) = &pod.spec else { continue };
            let status = pod.status.as_ref();
            let statuses = || {
                let first = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
                first.iter().chain(status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default())
            };
            images.extend(spec.init_containers.iter().flatten().chain(&spec.containers).map(|container| {
                let resolved = statuses().find(|status| status.name == container.name);
                Image {
                    pod: pods::name(pod).to_owned(),
                    container: container.name.clone(),
                    declared: container.image.clone().unwrap_or_default(),
                    resolved: resolved.map(|status| status.image_id.clone()).unwrap_or_default(),
                }
            }));
        }
        Ok(images)
    }
}

/// What keeps a namespace that is being removed from being gone, as the API server says it; empty where it does not yet.
fn left(status: Option<NamespaceStatus>) -> String {
    let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
    let told: Vec<String> = conditions
        .into_iter()
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message)
        .collect();
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use harness_core::ports::{Lifecycle, PortError, Stop};

    use super::*;
    use crate::SystemClock;

    #[tokio::test]
    async fn an_api_server_that_is_not_there_is_named_with_what_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        // Port 1 of the loopback interface refuses.
        let kubeconfig = r#"{"current-context": "x", "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x"}}]}"#;
        std::fs::write(&path, kubeconfig).unwrap();
        let access = Access { kubeconfig: Some(path), context: None, namespace: "monitoring".to_owned() };
        let cluster = Cluster::connect(&access, Arc::new(SystemClock::start())).await.unwrap();
        let server = "the API server https://127.0.0.1:1";
        let unreachable = |error: PortError| match error {
            PortError::Unreachable { target, reason } => {
                assert!(reason.contains("refused"), "{reason}");
                target
            }
            other => panic!("another error: {other}"),
        };
        let target = unreachable(cluster.uid().await.unwrap_err().into());
        assert_eq!(target, format!("{server} (get namespaces kube-system)"));
        let target = unreachable(cluster.stop(Component::Tempo, Stop::Graceful).await.unwrap_err());
        assert!(target.starts_with(&format!("{server} (list ")), "{target}");
        assert!(cluster.failure(Component::Tempo).await.unwrap().contains("cannot be reached"));
        assert_eq!(
            (cluster.namespace_of(Component::Minio), cluster.namespace_of(Component::Tempo)),
            ("minio", "monitoring")
        );
    }
}
