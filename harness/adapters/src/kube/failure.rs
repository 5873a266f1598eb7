use std::fmt::Write;

use harness_core::ports::{Component, Container};

use super::{Cluster, finder::Found, pods};
use crate::{causes, targets::blueprint::last};

/// Lines of a log that tell why, at most.
const LINES: usize = 10;

impl Cluster {
    /// Why a component is not up; `None` where its pods are ready.
    pub(super) async fn why_not_up(&self, component: Component) -> Option<String> {
        let (found, list) = match self.look(component).await {
            Ok(found) => found,
            Err(error) => return Some(causes(&error)),
        };
        let living: Vec<_> = list.items.iter().filter(|pod| pods::lives(pod) && !pods::ending(pod)).collect();
        let Some(pod) = living.iter().find(|pod| !pods::ready(pod)) else {
            return if living.is_empty() { Some(no_pod(&found)) } else { None };
        };
        let told = pods::pod(pod);
        let mut text = format!("pod {}/{} is {}", found.namespace, told.name, pods::phase(pod));
        for reason in [&told.reason, &told.unscheduled].into_iter().flatten() {
            let _ = write!(text, ": {reason}");
        }
        if let Some(message) = pod.status.as_ref().and_then(|status| status.message.as_deref()) {
            let _ = write!(text, ": {message}");
        }
        let culprit = told.containers.iter().find(|container| is_down(container));
        if let Some(container) = culprit {
            text.push_str(&of_container(container));
            for line in self.last_lines(&found.namespace, &told.name, container).await {
                let _ = write!(text, "\n{line}");
            }
        } else if told.unscheduled.is_none() {
            text.push_str(" and not ready");
        }
        Some(self.shown(&text))
    }

    async fn last_lines(&self, namespace: &str, pod: &str, container: &Container) -> Vec<String> {
        let mut lines = self.log(namespace, pod, &container.name, false).await.unwrap_or_default();
        if lines.is_empty() && container.restarts > 0 {
            lines = self.log(namespace, pod, &container.name, true).await.unwrap_or_default();
        }
        last(lines.into_iter().map(|(_, line)| line).collect(), LINES)
    }
}

fn no_pod(found: &Found) -> String {
    let why = found.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    format!("{} has no pod ({} replicas declared){why}", found.full_name(), found.replicas)
}

/// Whether a container is why its pod is not up. One that ran to its end as it should is not, nor one that only waits for that.
fn is_down(container: &Container) -> bool {
    match (&container.waiting, &container.ended) {
        (Some(waiting), _) => waiting.reason != "PodInitializing",
        (None, Some(ended)) => ended.exit_code != 0,
        (None, None) => false,
    }
}

/// `; container loki waits: CrashLoopBackOff: back-off …; ended: Error, exit code 1`.
fn of_container(container: &Container) -> String {
    let kind = if container.init { "init container" } else { "container" };
    let mut text = format!("; {kind} {}", container.name);
    if let Some(waiting) = &container.waiting {
        let _ = write!(text, " waits: {}", pods::told(Some(&waiting.reason), Some(&waiting.message)));
    }
    if let Some(ended) = &container.ended {
        let _ = write!(text, "; ended: {}, exit code {}", ended.reason, ended.exit_code);
    }
    if container.restarts > 0 {
        let _ = write!(text, "; started again {} times", container.restarts);
    }
    text
}
