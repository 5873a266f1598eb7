use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::{DynamicObject, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{KindError, manifests::Manifest};
use crate::causes;

/// Under which name the cluster remembers who set what.
const MANAGER: &str = "lgtm-verify";

/// A cluster's API.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    address: String,
}

/// What the API said, or why it said nothing.
pub(super) fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => causes(other),
    }
}

impl Cluster {
    /// The cluster that the kubeconfig at `path` opens.
    pub(super) async fn connect(path: &Path) -> Result<Self, KindError> {
        let failed = |reason: String| KindError::Kubeconfig { path: path.to_owned(), reason };
        let kubeconfig = Kubeconfig::read_from(path).map_err(|error| failed(causes(&error)))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(|error| failed(causes(&error)))?;
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| failed(causes(&error)))?;
        Ok(Self { client, address })
    }

    /// Why the API did not do `what`.
    pub(super) fn error(&self, what: impl Into<String>, error: &kube::Error) -> KindError {
        KindError::Api { address: self.address.clone(), what: what.into(), reason: reason(error) }
    }

    /// What tells this cluster from every other: the UID of kube-system.
    pub(super) async fn uid(&self) -> Result<String, KindError> {
        let what = "read the namespace kube-system";
        let found = Api::<Namespace>::all(self.client.clone()).get("kube-system").await;
        let found = found.map_err(|error| self.error(what, &error))?;
        Ok(found.metadata.uid.unwrap_or_default())
    }

    /// Brings `manifests` about, one after the other: what differs is changed, what others set is taken over.
    pub(super) async fn apply(&self, manifests: &[Manifest]) -> Result<(), KindError> {
        // A name that the API does not know is a mistake of ours, not something to leave out.
        let how = PatchParams::apply(MANAGER).force().validation_strict();
        for Manifest { object, resource } in manifests {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            let api: Api<DynamicObject> = match &object.metadata.namespace {
                Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
                None => Api::all_with(self.client.clone(), resource),
            };
            api.patch(name, &how, &Patch::Apply(object))
                .await
                .map_err(|error| self.error(format!("apply {} {name}", resource.kind), &error))?;
        }
        Ok(())
    }
}
