use async_trait::async_trait;
use harness_core::ports::{Component, PortError, Workload, Workloads, Written, WrittenKind};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::ListParams;
use serde::Serialize;

use super::{
    Cluster, KubeError,
    measures::MemoryError,
    pods::{self, full_name},
};

impl Cluster {
    /// The component's pods as declared, and every ConfigMap of its namespace.
    async fn written_down(&self, component: Component) -> Result<Vec<Written>, KubeError> {
        let (found, list) = self.look(component).await?;
        let maps = self.server.list::<ConfigMap>(&found.namespace, &ListParams::default()).await?;
        let pods = list.items.iter().filter_map(|pod| {
            Some(written(WrittenKind::Start, full_name::<Pod>(&found.namespace, pods::name(pod)), pod.spec.as_ref()?))
        });
        let maps = maps.items.iter().map(|map| {
            let name = map.metadata.name.as_deref().unwrap_or_default();
            written(WrittenKind::Configuration, full_name::<ConfigMap>(&found.namespace, name), map)
        });
        pods.chain(maps).collect()
    }

    async fn noted(&self, component: Component) -> Result<Vec<String>, KubeError> {
        let (found, list) = self.look(component).await?;
        let mut events = Vec::new();
        for pod in &list.items {
            let about = ListParams::default().fields(&format!("involvedObject.uid={}", pods::uid(pod)));
            events.extend(self.server.list::<Event>(&found.namespace, &about).await?.items);
        }
        events.sort_by_key(at);
        Ok(events.iter().map(|event| self.shown(&told(event))).collect())
    }
}

fn written(kind: WrittenKind, name: String, object: &impl Serialize) -> Result<Written, KubeError> {
    match serde_json::to_vec(object) {
        Ok(text) => Ok(Written { kind, name, text: text.into() }),
        Err(error) => Err(KubeError::Malformed { what: name, reason: error.to_string() }),
    }
}

/// When it happened, the last time.
fn at(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let once = event.event_time.as_ref().map(|time| time.0);
    series.or(last).or(once).or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// `Warning BackOff: Back-off restarting failed container (7 times)`.
fn told(event: &Event) -> String {
    let series = event.series.as_ref().and_then(|series| series.count);
    let times = match series.or(event.count) {
        Some(count) if count > 1 => format!(" ({count} times)"),
        _ => String::new(),
    };
    let kind = event.type_.as_deref().unwrap_or("Normal");
    format!("{kind} {}{times}", pods::told(event.reason.as_deref(), event.message.as_deref()))
}

/// What is needed beside finding a component: for what is written, `list` of configmaps; for events, `list` of events; for memory, `list` of pods.metrics.k8s.io or `get` of
/// nodes/proxy; for disks, the latter.
#[async_trait]
impl Workloads for Cluster {
    async fn workload(&self, component: Component) -> Result<Workload, PortError> {
        Ok(self.workload_of(component).await?)
    }

    async fn working_set(&self, component: Component) -> Result<Vec<(String, u64)>, PortError> {
        self.working_sets(component).await.map_err(|error| match error {
            MemoryError::Kube(error) => error.into(),
            MemoryError::NobodyTells(reason) => {
                PortError::Unsupported { reason: format!("nobody tells the memory of {component}: {reason}") }
            }
        })
    }

    async fn written(&self, component: Component) -> Result<Vec<Written>, PortError> {
        Ok(self.written_down(component).await?)
    }

    async fn events(&self, component: Component) -> Result<Vec<String>, PortError> {
        Ok(self.noted(component).await?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_told_in_a_line_and_ordered_by_when_it_happened_last() {
        let events: Vec<Event> = serde_json::from_value(json!([
            {"metadata": {}, "involvedObject": {}, "type": "Warning", "reason": "BackOff", "message": "Back-off", "count": 7,
             "firstTimestamp": "2026-11-23T22:00:00Z", "lastTimestamp": "2026-11-23T22:05:00Z"},
            {"metadata": {}, "involvedObject": {}, "type": "Normal", "reason": "Scheduled", "message": "Taken",
             "eventTime": "2026-11-23T22:01:00.000000Z"},
            {"metadata": {}, "involvedObject": {}, "reason": "Started", "count": 1, "eventTime": "2026-11-23T21:00:00.000000Z",
             "series": {"count": 3, "lastObservedTime": "2026-11-23T22:02:00.000000Z"}},
        ]))
        .unwrap();
        let mut sorted: Vec<&Event> = events.iter().collect();
        sorted.sort_by_key(|event| at(event));
        assert_eq!(
            sorted.into_iter().map(told).collect::<Vec<_>>(),
            ["Normal Scheduled: Taken", "Normal Started (3 times)", "Warning BackOff: Back-off (7 times)"]
        );
    }
}
