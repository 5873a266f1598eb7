//! The objects of Flux. Must not judge them.

use harness_core::tree::Tree;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::Value;

use super::{Call, Cluster, KubeError};

/// Where Flux keeps what it reconciles the cluster by.
pub const FLUX_NAMESPACE: &str = "flux-system";

/// Group, version, kind and plural of what is read, and whether it lies in Flux' own namespace.
const KINDS: [(&str, &str, &str, &str, bool); 3] = [
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", true),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", false),
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories", false),
];

impl Cluster {
    /// Kustomizations, releases and chart sources, as they are declared and as they stand. Needs `list` of each in its namespace.
    pub async fn flux(&self) -> Result<Tree, KubeError> {
        let mut objects = Vec::new();
        for (group, version, kind, plural, of_flux) in KINDS {
            let namespace = if of_flux { FLUX_NAMESPACE } else { &self.namespace };
            let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
            let call = Call { verb: "list", resource: plural, object: namespace.to_owned() };
            let api: Api<DynamicObject> = Api::namespaced_with(self.server.client.clone(), namespace, &resource);
            let listed = self.server.ask(call, api.list(&ListParams::default())).await?;
            for mut object in listed.items {
                // A list does not repeat of each what it is.
                object.types.get_or_insert_with(|| kube::api::TypeMeta {
                    api_version: format!("{group}/{version}"),
                    kind: kind.to_owned(),
                });
                // Made of texts and numbers: it always has a JSON form.
                objects.push(serde_json::to_value(object).unwrap_or(Value::Null));
            }
        }
        Ok(Tree::of_objects(objects))
    }
}
