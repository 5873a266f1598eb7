use std::{collections::BTreeMap, fmt, time::Duration};

use harness_core::poll::{Ended, Schedule, Step, until};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerStatus, Pod},
};
use kube::{
    Api,
    api::{ListParams, LogParams},
};

use super::{KindError, apply::Cluster, manifests::OURS, report::Reporter};

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
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

/// Waits until the workloads named in `names`, or all of ours, are available, for at most `limit`.
pub(super) async fn wait(
    cluster: &Cluster,
    names: Option<&[&str]>,
    limit: Duration,
    report: &Reporter<'_>,
) -> Result<(), KindError> {
    let told = std::cell::RefCell::new(BTreeMap::<String, String>::new());
    let begun = report.clock.now();
    let last = std::cell::RefCell::new(Vec::new());
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
                standing.detail.push_str(&last_words(cluster, &standing.name).await);
            }
            if standings.is_empty() {
                standings.push(Standing {
                    name: "the cluster".to_owned(),
                    ready: false,
                    detail: status,
                    hopeless: false,
                });
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
    let current = status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted;
    if current && status.available_replicas.unwrap_or(0) == wanted {
        return Standing { name, ready: true, detail: "ready".to_owned(), hopeless: false };
    }
    let selector = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    let mine = pods.iter().filter(|pod| {
        let labels = pod.metadata.labels.as_ref();
        selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    });
    // One that is on its way out says nothing about the one that comes.
    let pod = mine.clone().find(|pod| pod.metadata.deletion_timestamp.is_none());
    let (detail, hopeless) = match (pod, mine.count()) {
        (Some(pod), _) => why(pod),
        (None, 0) => ("no pod yet".to_owned(), false),
        (None, _) => ("its former pod is ending".to_owned(), false),
    };
    Standing { name, ready: false, detail, hopeless }
}

/// Why a pod is not ready, and whether waiting cannot help.
fn why(pod: &Pod) -> (String, bool) {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    if let Some(unscheduled) =
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
    {
        let message = unscheduled.message.clone().unwrap_or_default();
        return (format!("no node takes it: {message}"), false);
    }
    let containers: Vec<ContainerStatus> = status
        .init_container_statuses
        .unwrap_or_default()
        .into_iter()
        .chain(status.container_statuses.unwrap_or_default())
        .collect();
    for container in &containers {
        let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let name = &container.name;
        match reason {
            "ErrImageNeverPull" | "InvalidImageName" => {
                return (format!("{name}: the image {} is not on the node", container.image), true);
            }
            "ErrImagePull" | "ImagePullBackOff" => {
                let message = waiting.message.as_deref().unwrap_or_default();
                return (format!("{name}: the image {} cannot be pulled: {message}", container.image), false);
            }
            // What every container goes through, and what the ones before it hold up.
            "" | "ContainerCreating" | "PodInitializing" => {}
            _ => {
                let ended = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
                let code = ended.map(|ended| format!(", exit code {}", ended.exit_code)).unwrap_or_default();
                return (format!("{name}: {reason}{code}, started {} times", container.restart_count + 1), false);
            }
        }
    }
    let running =
        containers.iter().rfind(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
    match running {
        Some(container) => (format!("{} runs", container.name), false),
        None => ("being created".to_owned(), false),
    }
}

/// The last lines that the pods of a workload logged before they ended, each on a line of its own; nothing if they are silent.
async fn last_words(cluster: &Cluster, workload: &str) -> String {
    let mut words = String::new();
    for namespace in NAMESPACES {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let Ok(found) = pods.list(&ListParams::default().labels(OURS)).await else { continue };
        for pod in found.items {
            let name = pod.metadata.name.clone().unwrap_or_default();
            if !belongs(&name, workload) {
                continue;
            }
            let status = pod.status.unwrap_or_default();
            let containers = status
                .init_container_statuses
                .into_iter()
                .chain(status.container_statuses)
                .flatten()
                .filter(|status| !status.ready);
            for container in containers {
                let how = LogParams {
                    container: Some(container.name.clone()),
                    previous: container.restart_count > 0,
                    tail_lines: Some(LAST_LINES),
                    ..LogParams::default()
                };
                // A container that never ran has no log.
                for line in pods.logs(&name, &how).await.unwrap_or_default().lines() {
                    words.push_str(&format!("\n    {}: {line}", container.name));
                }
            }
        }
    }
    words
}

/// Whether a pod's name is that of the workload with the two parts that a Deployment appends.
fn belongs(pod: &str, workload: &str) -> bool {
    let mut parts = pod.rsplitn(3, '-');
    parts.nth(2) == Some(workload)
}
