use std::{fmt::Debug, time::Duration};

use k8s_openapi::{NamespaceResourceScope, api::core::v1::Pod};
use kube::{
    Api, Client,
    api::ListParams,
    core::{ObjectList, Selector},
};
use serde::de::DeserializeOwned;

use super::{Call, KubeError};

/// How long an answer of the API server is waited for. A lost one is no reason to hang.
const ANSWER: Duration = Duration::from_secs(20);

/// An API server: each call bounded in time, its error told with verb, resource and name.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) client: Client,
    pub(super) address: String,
}

/// A kind of object in a namespace, with its name in Roles.
pub(super) trait Kind:
    k8s_openapi::Resource<Scope = NamespaceResourceScope>
    + kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + DeserializeOwned
    + Debug
{
}

impl<K> Kind for K where
    K: k8s_openapi::Resource<Scope = NamespaceResourceScope>
        + kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
{
}

impl Server {
    pub(super) fn api<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The answer to `call`.
    pub(super) async fn ask<T>(
        &self,
        call: Call,
        answer: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, KubeError> {
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(answer) => answer.map_err(|error| KubeError::of(call, &self.address, error)),
            Err(_) => Err(KubeError::Late { call, server: self.address.clone(), seconds: ANSWER.as_secs() }),
        }
    }

    /// One object. Needs `get` of its resource.
    pub(super) async fn get<K: Kind>(&self, namespace: &str, name: &str) -> Result<K, KubeError> {
        let call = call::<K>("get", namespace, name);
        self.ask(call, self.api::<K>(namespace).get(name)).await
    }

    /// All objects that `parameters` select. Needs `list` of their resource.
    pub(super) async fn list<K: Kind>(
        &self,
        namespace: &str,
        parameters: &ListParams,
    ) -> Result<ObjectList<K>, KubeError> {
        let call = Call { verb: "list", resource: K::URL_PATH_SEGMENT, object: namespace.to_owned() };
        self.ask(call, self.api::<K>(namespace).list(parameters)).await
    }

    /// The pods that `selector` fits. Needs `list` of pods.
    pub(super) async fn pods(&self, namespace: &str, selector: &Selector) -> Result<ObjectList<Pod>, KubeError> {
        self.list(namespace, &ListParams::default().labels_from(selector)).await
    }
}

/// A call that is about one object.
pub(super) fn call<K: Kind>(verb: &'static str, namespace: &str, name: &str) -> Call {
    Call { verb, resource: K::URL_PATH_SEGMENT, object: format!("{namespace}/{name}") }
}
