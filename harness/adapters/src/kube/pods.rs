use harness_core::ports::{Container, Ended, Pod, Waiting};
use k8s_openapi::{
    Resource,
    api::core::v1::{self as api, ContainerStateTerminated, ContainerStatus, PodCondition},
};

use super::quantity::{bytes, millis};

/// A pod as Kubernetes tells it, in the port's terms. What is not told yet is not there: a pod that no node took has containers
/// without a state.
pub(super) fn pod(pod: &api::Pod) -> Pod {
    let status = pod.status.as_ref();
    let scheduled = condition(pod, "PodScheduled").filter(|condition| condition.status == "False");
    Pod {
        name: name(pod).to_owned(),
        uid: uid(pod).to_owned(),
        ready: ready(pod),
        ending: ending(pod),
        unscheduled: scheduled.map(|condition| told(condition.reason.as_deref(), condition.message.as_deref())),
        reason: status.and_then(|status| status.reason.clone()),
        containers: containers(pod),
    }
}

pub(super) fn name(pod: &api::Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn uid(pod: &api::Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

/// Whether it says that it is ready.
pub(super) fn ready(pod: &api::Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Whether it was asked to end.
pub(super) fn ending(pod: &api::Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether anything of it runs or may yet: what was evicted stays in lists until somebody removes it.
pub(super) fn lives(pod: &api::Pod) -> bool {
    ending(pod) || !matches!(phase(pod), "Failed" | "Succeeded")
}

/// `Pending`, `Running`, `Succeeded`, `Failed`; empty where it has none yet.
pub(super) fn phase(pod: &api::Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// How a pod's containers ended: `loki: Error, exit code 1`.
pub(super) fn exit(pod: &api::Pod) -> Option<String> {
    let ends: Vec<String> = statuses(pod, false)
        .iter()
        .filter_map(|status| {
            let ended = ended(status.state.as_ref()?.terminated.as_ref()?);
            Some(format!("{}: {}, exit code {}", status.name, ended.reason, ended.exit_code))
        })
        .collect();
    (!ends.is_empty()).then(|| ends.join("; "))
}

/// The number of the port that a pod's containers call `name`.
pub(super) fn named_port(pod: &api::Pod, name: &str) -> Option<u16> {
    let spec = pod.spec.as_ref()?;
    let ports =
        spec.containers.iter().chain(spec.init_containers.iter().flatten()).flat_map(|c| c.ports.iter().flatten());
    let port = ports.into_iter().find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

/// `reason: message`, or the one of them that there is.
pub(super) fn told(reason: Option<&str>, message: Option<&str>) -> String {
    let parts: Vec<&str> = [reason, message].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

fn condition<'a>(pod: &'a api::Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn statuses(pod: &api::Pod, init: bool) -> &[ContainerStatus] {
    let status = pod.status.as_ref();
    let statuses = status.and_then(|status| match init {
        true => status.init_container_statuses.as_deref(),
        false => status.container_statuses.as_deref(),
    });
    statuses.unwrap_or_default()
}

fn containers(pod: &api::Pod) -> Vec<Container> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let first = spec.init_containers.iter().flatten().map(|declared| {
        // One that is started again for ever runs beside the others, not before them.
        let init = declared.restart_policy.as_deref() != Some("Always");
        container(declared, init, statuses(pod, true))
    });
    first.chain(spec.containers.iter().map(|declared| container(declared, false, statuses(pod, false)))).collect()
}

fn container(declared: &api::Container, init: bool, statuses: &[ContainerStatus]) -> Container {
    let status = statuses.iter().find(|status| status.name == declared.name);
    let state = status.and_then(|status| status.state.as_ref());
    let last = status.and_then(|status| status.last_state.as_ref());
    let resources = declared.resources.as_ref();
    let limit = |name: &str| resources?.limits.as_ref()?.get(name);
    let request = |name: &str| resources?.requests.as_ref()?.get(name);
    let variables = || declared.env.iter().flatten();
    Container {
        name: declared.name.clone(),
        init,
        restarts: status.and_then(|status| u32::try_from(status.restart_count).ok()).unwrap_or_default(),
        waiting: state.and_then(|state| state.waiting.as_ref()).map(|waiting| Waiting {
            reason: waiting.reason.clone().unwrap_or_default(),
            message: waiting.message.clone().unwrap_or_default(),
        }),
        ended: [state, last].into_iter().flatten().find_map(|state| state.terminated.as_ref()).map(ended),
        secrets: declared
            .env_from
            .iter()
            .flatten()
            .filter_map(|source| source.secret_ref.as_ref().map(|secret| secret.name.clone()))
            .collect(),
        literals: variables()
            .filter(|variable| variable.value_from.is_none())
            .map(|variable| variable.name.clone())
            .collect(),
        from_secret_keys: variables()
            .filter(|variable| variable.value_from.as_ref().is_some_and(|source| source.secret_key_ref.is_some()))
            .map(|variable| variable.name.clone())
            .collect(),
        memory_limit: limit("memory").and_then(|quantity| bytes(&quantity.0)),
        memory_request: request("memory").and_then(|quantity| bytes(&quantity.0)),
        cpu_request_millis: request("cpu").and_then(|quantity| millis(&quantity.0)),
    }
}

fn ended(terminated: &ContainerStateTerminated) -> Ended {
    Ended { reason: terminated.reason.clone().unwrap_or_default(), exit_code: terminated.exit_code }
}

/// `Deployment/monitoring/loki-write`.
pub(super) fn full_name<K: Resource>(namespace: &str, name: &str) -> String {
    format!("{}/{namespace}/{name}", K::KIND)
}
