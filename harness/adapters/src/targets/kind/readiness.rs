use std::{cell::RefCell, collections::BTreeMap, fmt, time::Duration};

use harness_core::poll::{Ended, Schedule, Step, until};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerStatus, Pod},
};
use kube::{
    Api,
    api::{ListParams, LogParams},
};

use super::{KindError, apply::Cluster, manifests::OURS};
use crate::targets::blueprint::Reporter;
use crate::targets::blueprint::redact;

/// The namespaces in which something runs.
const NAMESPACES: [&str; 2] = ["minio", "monitoring"];

/// How often the cluster is asked.
const INTERVAL: Schedule = Schedule { first: Duration::from_millis(500), share: 0.0 };

/// Lines of the log of a container that keeps ending.
const LAST_LINES: i64 = 5;

/// How one workload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The workload.
    pub name: String,
    /// Whether it is available as declared.
    pub ready: bool,
    /// Why it is not, in words; how it stands otherwise.
    pub detail: String,
    /// Whether waiting cannot help.
    pub hopeless: bool,
    /// The pods that it has, those on their way out included, as `NAMESPACE/NAME`.
    pub pods: Vec<String>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

/// Waits until the workloads named in `names`, or all of ours, are available, for at most `limit`. What pods logged is told without the
/// values of `secrets`.
pub(super) async fn wait(
    cluster: &Cluster,
    names: Option<&[&str]>,
    limit: Duration,
    report: &Reporter<'_>,
    secrets: &[&str],
) -> Result<(), KindError> {
    let told = RefCell::new(BTreeMap::<String, String>::new());
    let last = RefCell::new(Vec::new());
    let begun = report.clock.now();
    let look = || async {
        let found = match standings(cluster).await {
            Ok(found) => found,
            // The API may pause while everything starts on the same machine.
            Err(error) => return Step::NotYet(error.to_string()),
        };
        let wanted = |standing: &Standing| names.is_none_or(|names| names.contains(&standing.name.as_str()));
        let found: Vec<Standing> = found.into_iter().filter(wanted).collect();
        for standing in &found {
            let before = told.borrow_mut().insert(standing.name.clone(), standing.detail.clone());
            if before.as_ref() != Some(&standing.detail) {
                report.say(&format!("start {}", standing.name), &standing.detail);
            }
        }
        let missing: Vec<Standing> = found.iter().filter(|standing| !standing.ready).cloned().collect();
        let hopeless = missing.iter().any(|standing| standing.hopeless);
        let complete = names.map_or(!found.is_empty(), |names| names.len() == found.len());
        let ready = complete && missing.is_empty();
        *last.borrow_mut() = missing;
        match (ready, hopeless) {
            (true, _) => Step::Ready(()),
            (false, true) => Step::Never(String::new()),
            (false, false) => Step::NotYet("not ready".to_owned()),
        }
    };
    let ended = until(report.clock, INTERVAL, begun.after(limit), look).await;
    let mut standings = last.into_inner();
    match ended {
        Ended::Ready(()) => Ok(()),
        Ended::Never(_) => {
            standings.retain(|standing| standing.hopeless);
            Err(KindError::Hopeless { standings })
        }
        Ended::TimedOut(status) => {
            for standing in &mut standings {
                let words = last_words(cluster, &standing.pods).await;
                standing.detail.push_str(&redact(&words, secrets.iter().copied()));
            }
            if standings.is_empty() {
                let name = "the cluster".to_owned();
                standings.push(Standing { name, ready: false, detail: status, hopeless: false, pods: Vec::new() });
            }
            Err(KindError::NotReady { seconds: limit.as_secs(), standings })
        }
    }
}

/// How every workload of ours stands.
pub(super) async fn standings(cluster: &Cluster) -> Result<Vec<Standing>, KindError> {
    let mut all = Vec::new();
    for namespace in NAMESPACES {
        let selected = ListParams::default().labels(OURS);
        let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let deployments = deployments
            .list(&selected)
            .await
            .map_err(|error| cluster.error(format!("list the deployments of {namespace}"), &error))?;
        let pods = pods
            .list(&selected)
            .await
            .map_err(|error| cluster.error(format!("list the pods of {namespace}"), &error))?;
        all.extend(deployments.items.iter().map(|deployment| standing(deployment, &pods.items)));
    }
    Ok(all)
}

/// How one workload stands, by what it says itself and by its pods among `pods`.
fn standing(deployment: &Deployment, pods: &[Pod]) -> Standing {
    let name = deployment.metadata.name.clone().unwrap_or_default();
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let selector = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    let mine: Vec<&Pod> = pods
        .iter()
        .filter(|pod| {
            let labels = pod.metadata.labels.as_ref();
            selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        })
        .collect();
    let place = |pod: &&Pod| {
        let metadata = &pod.metadata;
        format!(
            "{}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        )
    };
    let current = status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted;
    let ready = current && status.available_replicas.unwrap_or(0) == wanted;
    // One that is on its way out says nothing about the one that comes.
    let coming = mine.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
    let (detail, hopeless) = match coming {
        _ if ready => ("ready".to_owned(), false),
        // Before the workload has noticed what is wanted now, a pod is still a former one.
        Some(pod) => {
            let (detail, hopeless) = why(pod);
            (detail, hopeless && current)
        }
        None if mine.is_empty() => ("no pod yet".to_owned(), false),
        None => ("its former pod is ending".to_owned(), false),
    };
    Standing { name, ready, detail, hopeless, pods: mine.iter().map(place).collect() }
}

/// Why a pod is not ready, and whether waiting cannot help.
fn why(pod: &Pod) -> (String, bool) {
    let status = pod.status.clone().unwrap_or_default();
    let unscheduled = status
        .conditions
        .unwrap_or_default()
        .into_iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(unscheduled) = unscheduled {
        return (format!("no node takes it: {}", unscheduled.message.unwrap_or_default()), false);
    }
    let containers: Vec<ContainerStatus> =
        status.init_container_statuses.into_iter().chain(status.container_statuses).flatten().collect();
    if let Some(trouble) = containers.iter().find_map(trouble) {
        return trouble;
    }
    let running =
        containers.iter().rfind(|container| matches!(&container.state, Some(state) if state.running.is_some()));
    match running {
        Some(container) if container.restart_count > 0 => {
            (format!("{} runs, started {} times", container.name, container.restart_count + 1), false)
        }
        Some(container) => (format!("{} runs", container.name), false),
        None => ("being created".to_owned(), false),
    }
}

/// What is wrong with a container, and whether waiting cannot help; `None` for what every container goes through.
fn trouble(container: &ContainerStatus) -> Option<(String, bool)> {
    let name = &container.name;
    let image = &container.image;
    let started = format!("started {} times", container.restart_count + 1);
    let state = container.state.as_ref()?;
    if let Some(ended) = state.terminated.as_ref().filter(|ended| ended.exit_code != 0) {
        let reason = ended.reason.as_deref().unwrap_or("ended");
        return Some((format!("{name}: {reason}, exit code {}, {started}", ended.exit_code), false));
    }
    let waiting = state.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref().unwrap_or_default() {
        "" | "ContainerCreating" | "PodInitializing" => None,
        "ErrImageNeverPull" => {
            Some((format!("{name}: the image {image} is not on the node, and must not be pulled"), true))
        }
        "InvalidImageName" => Some((format!("{name}: {image} names no image"), true)),
        "ErrImagePull" | "ImagePullBackOff" => {
            Some((format!("{name}: the image {image} cannot be pulled: {message}"), false))
        }
        "CrashLoopBackOff" => {
            let ended = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let code = ended.map(|ended| format!(", exit code {}", ended.exit_code)).unwrap_or_default();
            Some((format!("{name}: CrashLoopBackOff{code}, {started}"), false))
        }
        reason => Some((format!("{name}: {reason}: {message}"), false)),
    }
}

/// The last lines that containers logged which are not ready, each on a line of its own; nothing if they are silent.
async fn last_words(cluster: &Cluster, pods: &[String]) -> String {
    let mut words = String::new();
    for (namespace, name) in pods.iter().filter_map(|pod| pod.split_once('/')) {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let Ok(pod) = pods.get(name).await else { continue };
        let status = pod.status.unwrap_or_default();
        let containers = status.init_container_statuses.into_iter().chain(status.container_statuses).flatten();
        for container in containers.filter(|container| !container.ready) {
            for line in log(&pods, name, &container).await.lines() {
                words.push_str(&format!("\n    {}: {line}", container.name));
            }
        }
    }
    words
}

/// The end of a container's log: of its last life if it is between two.
async fn log(pods: &Api<Pod>, pod: &str, container: &ContainerStatus) -> String {
    let between = matches!(&container.state, Some(state) if state.waiting.is_some());
    let how = LogParams {
        container: Some(container.name.clone()),
        previous: between && container.restart_count > 0,
        tail_lines: Some(LAST_LINES),
        ..LogParams::default()
    };
    // A container that never ran has no log.
    pods.logs(pod, &how).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(status: Value) -> Deployment {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "tempo", "namespace": "monitoring", "generation": 2},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "tempo"}},
                "template": {},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn pod(labels: Value, status: Value) -> Pod {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "tempo-1", "namespace": "monitoring", "labels": labels},
            "status": status,
        }))
        .unwrap()
    }

    fn container(state: Value, last: Value, restarts: u32) -> Value {
        json!({"containerStatuses": [{
            "name": "tempo", "image": "i:1", "imageID": "", "ready": false, "restartCount": restarts,
            "state": state, "lastState": last,
        }]})
    }

    #[test]
    fn only_an_available_workload_of_the_wanted_generation_is_ready() {
        let available = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert!(standing(&deployment(available.clone()), &[]).ready);
        for (key, value) in
            [("observedGeneration", 1), ("replicas", 2), ("updatedReplicas", 0), ("availableReplicas", 0)]
        {
            let mut other = available.clone();
            other[key] = json!(value);
            assert!(!standing(&deployment(other), &[]).ready, "{key}");
        }
        assert!(!standing(&deployment(json!({})), &[]).ready);
    }

    #[test]
    fn what_is_not_ready_is_told_with_why() {
        let mine = json!({"app": "tempo"});
        let unscheduled = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: insufficient memory"},
        ]});
        let crashed = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        let table = [
            (unscheduled, "no node takes it: 0/1 nodes: insufficient memory", false),
            (
                container(json!({"waiting": {"reason": "ErrImageNeverPull"}}), json!({}), 0),
                "tempo: the image i:1 is not on the node, and must not be pulled",
                true,
            ),
            (
                container(json!({"waiting": {"reason": "ImagePullBackOff", "message": "no route"}}), json!({}), 0),
                "tempo: the image i:1 cannot be pulled: no route",
                false,
            ),
            (
                container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), crashed.clone(), 3),
                "tempo: CrashLoopBackOff, exit code 1, started 4 times",
                false,
            ),
            (container(crashed, json!({}), 0), "tempo: Error, exit code 1, started 1 times", false),
            (
                container(
                    json!({"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}),
                    json!({}),
                    0,
                ),
                "tempo: CreateContainerConfigError: no secret",
                false,
            ),
            (container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0), "being created", false),
            (container(json!({"running": {}}), json!({}), 0), "tempo runs", false),
            (container(json!({"running": {}}), json!({}), 2), "tempo runs, started 3 times", false),
        ];
        for (status, detail, hopeless) in table {
            let current = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1});
            let pods = [pod(mine.clone(), status)];
            let found = standing(&deployment(current), &pods);
            assert_eq!((found.detail.as_str(), found.hopeless), (detail, hopeless));
            let stale = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1});
            assert!(!standing(&deployment(stale), &pods).hopeless, "{detail}");
            assert_eq!(found.pods, ["monitoring/tempo-1"]);
        }
    }

    #[test]
    fn another_workload_s_pod_and_one_that_ends_say_nothing() {
        let crashed = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({}), 1);
        let other = pod(json!({"app": "mimir"}), crashed.clone());
        let found = standing(&deployment(json!({})), &[other]);
        assert_eq!((found.detail.as_str(), found.pods.len()), ("no pod yet", 0));
        let mut ending = serde_json::to_value(pod(json!({"app": "tempo"}), crashed)).unwrap();
        ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let found = standing(&deployment(json!({})), &[serde_json::from_value(ending).unwrap()]);
        assert_eq!(found.detail, "its former pod is ending");
    }
}
