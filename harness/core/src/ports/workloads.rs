use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Component, PortError};

/// A component as its orchestrator runs it (Kubernetes: a workload and its pods).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment/monitoring/loki-write`: kind, namespace and name of what declares it.
    pub name: String,
    /// How many replicas are declared.
    pub replicas: u32,
    /// The pods there are, those that are about to end included.
    pub pods: Vec<Pod>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID: another pod has another, whatever its name.
    pub uid: String,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// Whether it was asked to end.
    pub ending: bool,
    /// Why it is nowhere yet, where no node takes it (`PodScheduled=False`: reason and message).
    pub unscheduled: Option<String>,
    /// Why it ended as a whole, where it did (`Evicted`, `DeadlineExceeded`).
    pub reason: Option<String>,
    /// Its containers, those that run before the others first.
    pub containers: Vec<Container>,
}

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Whether it runs to its end before the others start.
    pub init: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it does not run, where it waits.
    pub waiting: Option<Waiting>,
    /// How it ended, where it did: the last time if it runs again.
    pub ended: Option<Ended>,
    /// Secrets of which every key is a variable of its environment (`envFrom`).
    pub secrets: Vec<String>,
    /// Names of variables whose values are written into the pod itself.
    pub literals: Vec<String>,
    /// Names of variables that are taken from one key of a secret.
    pub from_secret_keys: Vec<String>,
    /// Bytes that it may not exceed.
    pub memory_limit: Option<u64>,
    /// Bytes that are set aside for it.
    pub memory_request: Option<u64>,
    /// Thousandths of a core that are set aside for it.
    pub cpu_request_millis: Option<u64>,
}

/// Why a container does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// One word, such as `CrashLoopBackOff`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// One word, such as `Error` or `OOMKilled`.
    pub reason: String,
    /// Its exit code.
    pub exit_code: i32,
    /// When, milliseconds since the Unix epoch, by the node's clock; `None` where nobody says.
    #[serde(default)]
    pub at_ms: Option<i64>,
}

/// A text about how a component is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it is.
    pub kind: WrittenKind,
    /// Which one: a pid, a file, the name of an object.
    pub name: String,
    /// The text, with whatever secrets are in it: to be searched, not to be kept.
    pub text: Bytes,
}

/// What a text about a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrittenKind {
    /// How its processes are started: a command line, a pod's specification.
    Start,
    /// How it is configured: a file, a ConfigMap.
    Configuration,
}

/// Says how the orchestrator runs components. Targets without one say [`PortError::Unsupported`].
#[async_trait]
pub trait Workloads: Send + Sync {
    /// A component's workload.
    async fn workload(&self, component: Component) -> Result<Workload, PortError>;

    /// Bytes of memory that each of its pods uses now and cannot give back (working set), by pod name.
    async fn working_set(&self, component: Component) -> Result<Vec<(String, u64)>, PortError>;

    /// What is written down of how it is run and configured, where others than its user can read it. Not its environment. Targets without
    /// an orchestrator have it too.
    async fn written(&self, component: Component) -> Result<Vec<Written>, PortError>;

    /// What the orchestrator noted about the component's pods, oldest first: `Warning BackOff: …`.
    async fn events(&self, component: Component) -> Result<Vec<String>, PortError>;
}
