use std::{fmt, path::PathBuf};

use harness_core::ports::{Component, PortError};
use kube::config::{InClusterError, KubeconfigError};
use thiserror::Error;

use crate::causes;

/// What the API server was asked for: `patch deployments/scale monitoring/loki-write`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// As in a Role: `get`, `list`, `patch`.
    pub verb: &'static str,
    /// As in a Role: `pods`, `deployments/scale`.
    pub resource: &'static str,
    /// `namespace/name`; of a list, the namespace.
    pub object: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.object)
    }
}

/// Why an API server did not do what it was asked for.
#[derive(Debug, Error)]
pub enum KubeError {
    /// The kubeconfig.
    #[error("{} is no kubeconfig that can be used", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// A context that the kubeconfig does not have.
    #[error("{} has no context {wanted:?}; it has: {}", path.display(), known.join(", "))]
    UnknownContext {
        /// The file.
        path: PathBuf,
        /// As asked for.
        wanted: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Neither a kubeconfig nor a pod with a service account.
    #[error("there is no kubeconfig, and this is no pod with a service account")]
    NotInCluster(#[source] InClusterError),
    /// No client for what the kubeconfig says.
    #[error("no client for the API server {server}")]
    Client {
        /// Its address.
        server: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Whoever asks has not the right to.
    #[error("not allowed to {call}: {reason}")]
    Denied {
        /// What was asked.
        call: Call,
        /// As the API server says it.
        reason: String,
    },
    /// What was asked for does not exist.
    #[error("{call}: it does not exist")]
    NotFound {
        /// What was asked.
        call: Call,
    },
    /// No answer.
    #[error("{call}: the API server {server} cannot be reached")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// The server's address.
        server: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("{call}: no answer of the API server {server} after {seconds} s")]
    Late {
        /// What was asked.
        call: Call,
        /// The server's address.
        server: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It answered that it will not.
    #[error("{call} was refused: {reason}")]
    Refused {
        /// What was asked.
        call: Call,
        /// Status and message as given.
        reason: String,
    },
    /// A namespace that is being removed.
    #[error("namespace {namespace} is being removed{}", after_colon(left))]
    Ending {
        /// Its name.
        namespace: String,
        /// What is still in it, as the API server says it; empty where it does not yet.
        left: String,
    },
    /// A Service that leads nowhere.
    #[error("service {service}: {reason}")]
    Service {
        /// `namespace/name:port`.
        service: String,
        /// Why.
        reason: String,
    },
    /// No pod behind a Service that could take a connection.
    #[error("service {service} has no ready pod ({selector})")]
    NoReadyPod {
        /// `namespace/name:port`.
        service: String,
        /// How its pods are selected.
        selector: String,
    },
    /// No address of its own for a port-forward.
    #[error("no port of the loopback interface for a port-forward")]
    Listen(#[source] std::io::Error),
    /// No workload is the component.
    #[error(
        "no Deployment or StatefulSet in namespace {namespace} is {component}: looked for {wanted}; there are: {seen}"
    )]
    NoWorkload {
        /// The component.
        component: Component,
        /// Where it was looked for.
        namespace: String,
        /// What it would be known by.
        wanted: String,
        /// What there is instead.
        seen: String,
    },
    /// More than one workload is the component.
    #[error("several workloads in namespace {namespace} are {component} ({wanted}): {}", found.join(", "))]
    SeveralWorkloads {
        /// The component.
        component: Component,
        /// Where it was looked for.
        namespace: String,
        /// What it is known by.
        wanted: String,
        /// Those that it fits.
        found: Vec<String>,
    },
    /// Something that the API server gave makes no sense.
    #[error("{what}: {reason}")]
    Malformed {
        /// Kind, namespace and name.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a key")]
    Random(#[source] rand::rngs::SysError),
    /// It did not come about in time.
    #[error("{workload} {state} after {seconds} s: {last}")]
    TimedOut {
        /// Kind, namespace and name.
        workload: String,
        /// How it stands: `is not ready`.
        state: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
    /// There is nothing to replace.
    #[error("{workload}: none of its pods runs ({replicas} replicas declared), so none can be replaced")]
    NothingRuns {
        /// Kind, namespace and name.
        workload: String,
        /// How many there should be.
        replicas: u32,
    },
    /// A component that has no keys of this kind.
    #[error("{component} has no keys to another store that could be changed")]
    NoKeys {
        /// The component.
        component: Component,
    },
}

/// `: text`, or nothing.
fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl KubeError {
    /// What an answer with an error status, or none, means.
    pub(super) fn of(call: Call, server: &str, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                401 | 403 => Self::Denied { call, reason: status.message },
                404 => Self::NotFound { call },
                code => Self::Refused { call, reason: format!("status {code}: {}", status.message) },
            },
            kube::Error::UpgradeConnection(error) => Self::Refused { call, reason: causes(&error) },
            kube::Error::SerdeError(error) => Self::Malformed { what: call.to_string(), reason: causes(&error) },
            other => Self::Unreachable { call, server: server.to_owned(), source: Box::new(other) },
        }
    }

    /// Whether the path to the API server is at fault, not what was asked of it.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Late { .. })
    }
}

impl From<KubeError> for PortError {
    fn from(error: KubeError) -> Self {
        let reason = causes(&error);
        match error {
            KubeError::Denied { call, reason } => Self::Denied { target: call.to_string(), reason },
            KubeError::NotFound { call } => Self::NotFound { target: call.to_string() },
            KubeError::Unreachable { call, server, source } => Self::Unreachable {
                target: format!("the API server {server} ({call})"),
                reason: causes(source.as_ref()),
            },
            KubeError::Late { call, server, seconds } => Self::Unreachable {
                target: format!("the API server {server} ({call})"),
                reason: format!("no answer after {seconds} s"),
            },
            KubeError::Refused { call, reason } => Self::Refused { target: call.to_string(), reason },
            KubeError::Ending { namespace, .. } => Self::Refused { target: format!("namespace {namespace}"), reason },
            KubeError::Service { service, reason } => Self::Refused { target: format!("service {service}"), reason },
            KubeError::NoReadyPod { service, .. } => Self::Unreachable { target: format!("service {service}"), reason },
            KubeError::TimedOut { workload, .. } | KubeError::NothingRuns { workload, .. } => {
                Self::Refused { target: workload, reason }
            }
            KubeError::NoWorkload { component, .. } | KubeError::SeveralWorkloads { component, .. } => {
                Self::Refused { target: component.to_string(), reason }
            }
            KubeError::Malformed { what, reason } => Self::Refused { target: what, reason },
            KubeError::NoKeys { .. }
            | KubeError::Kubeconfig { .. }
            | KubeError::UnknownContext { .. }
            | KubeError::NotInCluster(_)
            | KubeError::Client { .. }
            | KubeError::Listen(_)
            | KubeError::Random(_) => Self::Unsupported { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn call() -> Call {
        Call { verb: "patch", resource: "deployments/scale", object: "monitoring/tempo".to_owned() }
    }

    #[test]
    fn an_error_status_says_whether_it_is_a_right_that_is_missing() {
        let of = |code: u16| {
            let status = Status::failure("no luck", "Reason").with_code(code);
            PortError::from(KubeError::of(call(), "https://cluster:6443", kube::Error::Api(status.boxed())))
        };
        let target = "patch deployments/scale monitoring/tempo".to_owned();
        assert_eq!(of(403), PortError::Denied { target: target.clone(), reason: "no luck".into() });
        assert_eq!(of(401), PortError::Denied { target: target.clone(), reason: "no luck".into() });
        assert_eq!(of(404), PortError::NotFound { target: target.clone() });
        assert_eq!(of(409), PortError::Refused { target: target.clone(), reason: "status 409: no luck".into() });
        assert_eq!(of(500), PortError::Refused { target, reason: "status 500: no luck".into() });
    }

    #[test]
    fn no_answer_names_the_server_and_the_call() {
        let error = KubeError::of(call(), "https://cluster:6443", kube::Error::TlsRequired);
        assert!(error.is_unreachable());
        assert_eq!(
            error.to_string(),
            "patch deployments/scale monitoring/tempo: the API server https://cluster:6443 cannot be reached"
        );
        let PortError::Unreachable { target, .. } = PortError::from(error) else { panic!("another kind of error") };
        assert_eq!(target, "the API server https://cluster:6443 (patch deployments/scale monitoring/tempo)");
    }
}
