use async_trait::async_trait;
use harness_core::ports::{Component, LogLine, Logs};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;

use super::{Call, Cluster, KubeError, pods};
use crate::targets::blueprint::{is_problem, last, redact};

/// Lines of one container's log that are read, at most.
const LINES: i64 = 2000;

/// Bytes of one container's log that are read, at most.
const BYTES: i64 = 4 << 20;

/// A line and when it was written, where the node said so.
type Line = (Option<Timestamp>, String);

/// Splits what the node wrote before each line from the line.
fn lines(text: &str) -> Vec<Line> {
    text.lines()
        .map(|line| match line.split_once(' ').and_then(|(at, rest)| Some((at.parse().ok()?, rest))) {
            Some((at, rest)) => (Some(at), rest.to_owned()),
            None => (None, line.to_owned()),
        })
        .collect()
}

impl Cluster {
    /// The newest lines of a container, oldest first; of the one before it with `previous`. Needs `get` of pods/log.
    pub(super) async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<Vec<Line>, KubeError> {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(LINES),
            limit_bytes: Some(BYTES),
            timestamps: true,
            ..LogParams::default()
        };
        let call = Call { verb: "get", resource: "pods/log", object: format!("{namespace}/{pod}") };
        let text = self.server.ask(call, self.server.api::<Pod>(namespace).logs(pod, &parameters)).await?;
        Ok(lines(&text))
    }

    /// What is shown of a line.
    pub(super) fn shown(&self, line: &str) -> String {
        redact(line, self.secrets.iter().map(String::as_str))
    }

    async fn lines_of(&self, namespace: &str, pod: &Pod) -> Vec<Line> {
        let pod = pods::pod(pod);
        let mut all = Vec::new();
        for container in &pod.containers {
            // A container that never ran has no log, one that ran once none before it.
            if container.restarts > 0 {
                all.extend(self.log(namespace, &pod.name, &container.name, true).await.unwrap_or_default());
            }
            all.extend(self.log(namespace, &pod.name, &container.name, false).await.unwrap_or_default());
        }
        all
    }
}

/// Needs `get` of pods/log, beside what finding a component needs.
#[async_trait]
impl Logs for Cluster {
    async fn problems(&self, component: Component, limit: usize) -> Vec<LogLine> {
        let Ok((found, list)) = self.look(component).await else { return Vec::new() };
        let mut problems: Vec<Line> = Vec::new();
        for pod in &list.items {
            let lines = self.lines_of(&found.namespace, pod).await.into_iter();
            problems.extend(lines.filter(|(_, line)| is_problem(line)));
        }
        // Stable, so that lines of one moment stay in the order in which they were written.
        problems.sort_by_key(|(at, _)| *at);
        // While a container waits to be started again, the one before it is the one that there is.
        problems.dedup_by(|one, other| one.0.is_some() && one == other);
        let texts = problems.into_iter().map(|(_, line)| self.shown(&line)).collect();
        last(texts, limit).into_iter().map(|text| LogLine { component, text }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_from_when_it_was_written() {
        let text =
            "2026-11-23T22:00:00.1Z level=warn a\n2026-11-23T22:00:00.12Z level=warn b\nunable to retrieve logs\n\n";
        let mut found = lines(text);
        assert_eq!(
            found.iter().map(|(at, line)| (at.is_some(), line.as_str())).collect::<Vec<_>>(),
            [(true, "level=warn a"), (true, "level=warn b"), (false, "unable to retrieve logs"), (false, "")]
        );
        // As moments, not as texts: "…00.12Z" is less than "…00.1Z".
        found.reverse();
        found.sort_by_key(|(at, _)| *at);
        assert_eq!(found[3].1, "level=warn b");
    }
}
