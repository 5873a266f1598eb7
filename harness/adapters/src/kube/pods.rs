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
    Ended {
        reason: terminated.reason.clone().unwrap_or_default(),
        exit_code: terminated.exit_code,
        at_ms: terminated.finished_at.as_ref().map(|at| at.0.as_millisecond()),
    }
}

/// `Deployment/monitoring/loki-write`.
pub(super) fn full_name<K: Resource>(namespace: &str, name: &str) -> String {
    format!("{}/{namespace}/{name}", K::KIND)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Pods as a real API server (Kubernetes 1.37) gave them.
    fn real(text: &str) -> api::Pod {
        serde_json::from_str(text).unwrap()
    }

    macro_rules! real {
        ($name:literal) => {
            real(include_str!(concat!("../../tests/pods/", $name, ".json")))
        };
    }

    fn plain(name: &str) -> Container {
        Container {
            name: name.into(),
            init: false,
            restarts: 0,
            waiting: None,
            ended: None,
            secrets: Vec::new(),
            literals: Vec::new(),
            from_secret_keys: Vec::new(),
            memory_limit: None,
            memory_request: None,
            cpu_request_millis: None,
        }
    }

    fn waits(reason: &str, message: &str) -> Option<Waiting> {
        Some(Waiting { reason: reason.into(), message: message.into() })
    }

    fn how(reason: &str, exit_code: i32) -> Option<Ended> {
        Some(Ended { reason: reason.into(), exit_code, at_ms: None })
    }

    /// The pod as it is told, but for when its containers ended.
    fn timeless(real: &api::Pod) -> Pod {
        let mut told = pod(real);
        let ended = told.containers.iter_mut().filter_map(|container| container.ended.as_mut());
        ended.for_each(|ended| ended.at_ms = None);
        told
    }

    #[test]
    fn when_a_container_ended_is_told() {
        let ended: Vec<Option<i64>> = pod(&real!("crash-loop"))
            .containers
            .iter()
            .filter_map(|container| Some(container.ended.as_ref()?.at_ms))
            .collect();
        assert_eq!(ended, [Some(1_795_471_493_000)]);
    }

    #[test]
    fn a_running_pod_tells_its_environment_and_resources() {
        let running = timeless(&real!("running"));
        assert_eq!((running.ready, running.ending, running.unscheduled, running.reason), (true, false, None, None));
        let store = Container {
            init: true,
            ended: how("Completed", 0),
            memory_limit: Some(1536 << 20),
            memory_request: Some(1536 << 20),
            cpu_request_millis: Some(100),
            ..plain("store")
        };
        let minio = Container {
            secrets: vec!["tempo-s3-secret".into()],
            literals: vec!["HOME".into(), "MINIO_ROOT_USER".into()],
            from_secret_keys: vec!["MINIO_ROOT_PASSWORD".into()],
            memory_limit: Some(1536 << 20),
            memory_request: Some(256 << 20),
            cpu_request_millis: Some(200),
            ..plain("minio")
        };
        assert_eq!(running.containers, [store, minio]);
    }

    #[test]
    fn a_pod_that_no_node_takes_says_why() {
        let pending = timeless(&real!("unschedulable"));
        assert!(!pending.ready);
        assert_eq!(
            pending.unscheduled.unwrap(),
            "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. \
             preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        );
        assert_eq!(pending.containers, [plain("minio")]);
    }

    #[test]
    fn containers_that_do_not_run_say_why() {
        let crashes = timeless(&real!("crash-loop"));
        assert_eq!(
            crashes.containers,
            [Container {
                restarts: 6,
                waiting: waits(
                    "CrashLoopBackOff",
                    "back-off 5m0s restarting failed container=loki pod=crash-loop_fixtures\
                     (cf885216-e054-4c51-a8c9-f1c22777ed36)"
                ),
                ended: how("Error", 1),
                ..plain("loki")
            }]
        );
        let never = timeless(&real!("never-pulled"));
        let message = "Container image \"lgtm-verify/absent:1\" is not present with pull policy of Never";
        assert_eq!(never.containers, [Container { waiting: waits("ErrImageNeverPull", message), ..plain("minio") }]);
        let absent = timeless(&real!("pull-back-off"));
        assert_eq!(absent.containers[0].waiting.as_ref().unwrap().reason, "ImagePullBackOff");
        let memory = timeless(&real!("out-of-memory"));
        let found = &memory.containers[0];
        assert_eq!(found.waiting.as_ref().unwrap().reason, "CrashLoopBackOff");
        assert_eq!(found.ended, how("OOMKilled", 137));
        assert_eq!((found.memory_limit, found.memory_request), (Some(40 << 20), Some(16 << 20)));
        for pod in [crashes, never, absent, memory] {
            assert_eq!((pod.ready, pod.unscheduled, pod.reason), (false, None, None));
        }
    }

    #[test]
    fn an_init_container_that_crashes_keeps_the_others_waiting() {
        let found = timeless(&real!("init-crash-loop"));
        let [store, loki] = &found.containers[..] else { panic!("{found:?}") };
        assert!(store.init && !loki.init);
        assert_eq!(store.waiting.as_ref().unwrap().reason, "CrashLoopBackOff");
        assert_eq!(store.ended, how("Error", 1));
        assert_eq!(loki.waiting, waits("PodInitializing", ""));
        assert_eq!(loki.ended, None);
    }

    #[test]
    fn an_evicted_pod_says_so_and_does_not_live() {
        let evicted = real!("evicted");
        assert!(!lives(&evicted));
        assert_eq!(pod(&evicted).reason.unwrap(), "Evicted");
        assert_eq!(exit(&evicted).unwrap(), "minio: ContainerStatusUnknown, exit code 137");
        let running = real!("running");
        assert!(lives(&running));
        assert_eq!(exit(&running), None);
        assert_eq!((named_port(&running, "http"), named_port(&running, "grpc")), (Some(9000), None));
    }

    #[test]
    fn a_pod_that_ends_is_neither_gone_nor_to_be_counted_on() {
        let mut pod: api::Pod = real!("running");
        pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-23T22:00:00Z")).unwrap();
        assert!(ending(&pod) && lives(&pod));
        pod.status.as_mut().unwrap().phase = Some("Failed".into());
        assert!(lives(&pod), "until it is removed");
    }

    #[test]
    fn a_container_that_is_started_again_for_ever_is_no_init_container() {
        let sidecar = json!({"spec": {"containers": [], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}});
        assert!(!pod(&serde_json::from_value(sidecar).unwrap()).containers[0].init);
    }
}
