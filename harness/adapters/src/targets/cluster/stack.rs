use async_trait::async_trait;
use harness_core::{
    ports::{
        Component, Cost, Decrypted, Deployment, Lifecycle, LogLine, Logs, Meter, PortError, ProcessProof, Stop,
        StoreKeys, Usage, Workload, Workloads, Written,
    },
    tree::Tree,
};

use super::Doors;
use crate::{
    kube::{Cluster, KubeError},
    meter,
};

/// A stack in a cluster. Its doors stay open as long as this lives.
pub struct ClusterStack {
    /// The cluster's API; a run without access to it sends and looks, and cannot stop anything.
    cluster: Option<Cluster>,
    doors: Doors,
}

impl ClusterStack {
    /// The stack behind `doors`.
    pub fn new(cluster: Option<Cluster>, doors: Doors) -> Self {
        Self { cluster, doors }
    }

    /// Where it is reached.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    fn cluster(&self) -> Result<&Cluster, PortError> {
        let reason = "this run has no access to the cluster's API";
        self.cluster.as_ref().ok_or_else(|| PortError::Unsupported { reason: reason.to_owned() })
    }
}

#[async_trait]
impl Deployment for ClusterStack {
    async fn tree(&self) -> Result<Tree, PortError> {
        match self.cluster()?.flux().await {
            Ok(tree) => Ok(tree),
            Err(KubeError::NotFound { .. }) => {
                Err(PortError::Unsupported { reason: "the cluster has no objects of Flux".to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn decrypt(&self, _: &str, _: bool) -> Result<Decrypted, PortError> {
        Err(PortError::Unsupported { reason: "a cluster has its secrets decrypted".to_owned() })
    }
}

#[async_trait]
impl Lifecycle for ClusterStack {
    fn is_at_hand(&self) -> bool {
        self.cluster.is_some()
    }

    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        self.cluster()?.stop(component, how).await
    }

    async fn start(&self, component: Component) -> Result<ProcessProof, PortError> {
        self.cluster()?.start(component).await
    }

    async fn wipe(&self, component: Component) -> Result<(), PortError> {
        self.cluster()?.wipe(component).await
    }

    async fn replace(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        self.cluster()?.replace(component, how).await
    }

    async fn rekey(&self, component: Component, keys: StoreKeys) -> Result<(), PortError> {
        self.cluster()?.rekey(component, keys).await
    }

    async fn failure(&self, component: Component) -> Option<String> {
        self.cluster.as_ref()?.failure(component).await
    }
}

#[async_trait]
impl Workloads for ClusterStack {
    async fn workload(&self, component: Component) -> Result<Workload, PortError> {
        self.cluster()?.workload(component).await
    }

    async fn working_set(&self, component: Component) -> Result<Vec<(String, u64)>, PortError> {
        self.cluster()?.working_set(component).await
    }

    async fn written(&self, component: Component) -> Result<Vec<Written>, PortError> {
        self.cluster()?.written(component).await
    }

    async fn events(&self, component: Component) -> Result<Vec<String>, PortError> {
        self.cluster()?.events(component).await
    }
}

#[async_trait]
impl Meter for ClusterStack {
    async fn usage(&self, component: Component) -> Result<Vec<Usage>, PortError> {
        let cluster = self.cluster()?;
        let working_sets = cluster.working_set(component).await?;
        let workload = cluster.workload(component).await?;
        let pods = workload.pods.iter().filter(|pod| !pod.ending);
        Ok(pods
            .filter_map(|pod| {
                let (_, memory) = working_sets.iter().find(|(name, _)| *name == pod.name)?;
                // A container that was killed for its memory starts again in the same pod.
                let restarts: u32 = pod.containers.iter().map(|container| container.restarts).sum();
                let process = format!("{} after {restarts} restarts", pod.uid);
                Some(Usage { process, memory: *memory, is_peak: false })
            })
            .collect())
    }

    async fn folder(&self, component: Component) -> Result<u64, PortError> {
        self.cluster()?.folder(component).await
    }

    fn own(&self) -> Option<Cost> {
        meter::own()
    }
}

#[async_trait]
impl Logs for ClusterStack {
    async fn problems(&self, component: Component, limit: usize) -> Vec<LogLine> {
        match &self.cluster {
            Some(cluster) => cluster.problems(component, limit).await,
            None => Vec::new(),
        }
    }
}
