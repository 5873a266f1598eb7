//! What Prometheus is told: whom to scrape, and where to write to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{MONITORING, Object, services::Service},
    Answer, Beside,
};
use crate::prediction::parse_duration;

impl<'a> Answer<'a> {
    /// What Prometheus is told of remote write.
    pub(super) fn remote_writes(&mut self, rule: &'static str) -> Vec<(&'a Object, &'a Value)> {
        let Some(release) = self.release_of(rule, Beside::KubePrometheusStack.name()) else { return Vec::new() };
        let written = release.values().pointer("/prometheus/prometheusSpec/remoteWrite").and_then(Value::as_array);
        let written: Vec<_> = written.into_iter().flatten().map(|write| (release, write)).collect();
        if written.is_empty() {
            self.object(rule, self.tree.says(release, &["prometheusSpec"], "no remoteWrite"));
        }
        written
    }

    pub(super) fn remote_write(&mut self) {
        let written = self.remote_writes("address");
        let is_mimir = |url: &str| {
            let service = self.tree.service_at(url);
            let of_mimir =
                service.is_some_and(|(service, port)| service.declared.name() == "mimir" && service.has_port(port));
            of_mimir && url.ends_with("/api/v1/push")
        };
        let urls: Vec<&str> = written.iter().filter_map(|(_, write)| write.get("url")?.as_str()).collect();
        if let (Some((release, _)), false) = (written.first(), urls.iter().any(|url| is_mimir(url))) {
            let says = format!("{urls:?} has no push address at a service and port of Mimir's");
            self.object("address", self.tree.says(release, &["remoteWrite"], says));
        }
    }

    pub(super) fn remote_write_queue(&mut self) {
        for (release, write) in self.remote_writes("queue settings") {
            let queue = write.get("queueConfig").unwrap_or(&Value::Null);
            let keys = ["remoteWrite", "queueConfig"];
            let number = |key: &str| queue.get(key).and_then(Value::as_u64);
            let numbers = ["capacity", "minShards", "maxShards", "maxSamplesPerSend"].map(|key| (key, number(key)));
            let times = ["batchSendDeadline", "minBackoff", "maxBackoff"]
                .map(|key| (key, queue.get(key).and_then(Value::as_str).and_then(parse_duration)));
            let unset = numbers.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| *key);
            let unset: Vec<&str> =
                unset.chain(times.iter().filter(|(_, time)| time.is_none()).map(|(key, _)| *key)).collect();
            if !unset.is_empty() {
                self.object("queue settings", self.tree.says(release, &keys, format!("not set: {}", unset.join(", "))));
            }
            let [(_, capacity), (_, least), (_, most), (_, batch)] = numbers;
            let [_, (_, shortest), (_, longest)] = times;
            // What is not set is for the other rule.
            let full = capacity.zip(batch).is_some_and(|(capacity, batch)| capacity <= batch);
            let shards = least.zip(most).is_some_and(|(least, most)| least > most);
            let times = shortest.zip(longest).is_some_and(|(shortest, longest)| shortest > longest);
            if full || shards || times {
                let says = "the capacity does not exceed a batch, or a minimum exceeds its maximum";
                self.object("consistent", self.tree.says(release, &keys, says));
            }
        }
    }

    pub(super) fn service_monitor(&mut self) {
        let services = self.tree.services();
        let of_mimir: Vec<&Service<'_>> =
            services.iter().filter(|service| service.declared.name() == "mimir").collect();
        let stack = self.tree.release(Beside::KubePrometheusStack.name());
        let declared =
            stack.and_then(|stack| stack.values().pointer("/prometheus/additionalServiceMonitors")?.as_array());
        let of_values = declared.into_iter().flatten().map(|monitor| (monitor, stack));
        let own = self.tree.of_kind("ServiceMonitor").filter_map(|monitor| Some((monitor.at("/spec")?, Some(monitor))));
        let monitors: Vec<(&Value, Option<&Object>)> = of_values.chain(own).collect();
        let selects = |monitor: &Value| {
            let labels = monitor.pointer("/selector/matchLabels").and_then(Value::as_object);
            let ports: BTreeSet<&str> = monitor
                .get("endpoints")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|endpoint| endpoint.get("port")?.as_str())
                .collect();
            of_mimir.iter().any(|service| {
                let labelled = labels.is_some_and(|labels| {
                    !labels.is_empty()
                        && labels
                            .iter()
                            .all(|(key, value)| service.labels.get(key).map(String::as_str) == value.as_str())
                });
                labelled && ports.iter().any(|port| service.ports.contains_key(*port))
            })
        };
        if !monitors.iter().any(|(monitor, _)| selects(monitor)) {
            let place = monitors.first().and_then(|(_, object)| *object).or(stack);
            let says = "no ServiceMonitor whose labels and port are those of a service of Mimir's";
            let says = place.map_or_else(|| says.to_owned(), |object| self.tree.says(object, &["selector"], says));
            self.object("selects Mimir", says);
        }
        let Some(stack) = stack else {
            return self.object("admitted", format!("{MONITORING}/kube-prometheus-stack: no HelmRelease"));
        };
        let nil_uses_values =
            stack.values().pointer("/prometheus/prometheusSpec/serviceMonitorSelectorNilUsesHelmValues");
        let in_values = declared.is_some_and(|declared| declared.iter().any(selects));
        if !in_values && nil_uses_values != Some(&json!(false)) {
            let says = "Prometheus takes monitors of its own release alone";
            self.object("admitted", self.tree.says(stack, &["prometheusSpec"], says));
        }
    }
}
