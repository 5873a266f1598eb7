use std::collections::{BTreeMap, BTreeSet};

use harness_core::ports::{Component, PortError};
use k8s_openapi::api::core::v1::Pod;
use kube::core::Selector;
use serde::Deserialize;

use super::{Call, Cluster, KubeError, finder::Found, pods, quantity};
use crate::causes;

/// What the metrics API tells of pods (`metrics.k8s.io/v1beta1`, `PodMetricsList`).
#[derive(Debug, Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Debug, Deserialize)]
struct PodMetrics {
    metadata: PodName,
    containers: Vec<ContainerMetrics>,
}

#[derive(Debug, Deserialize)]
struct PodName {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ContainerMetrics {
    usage: BTreeMap<String, String>,
}

/// What a kubelet tells of its node (`/stats/summary`, `k8s.io/kubelet/pkg/apis/stats/v1alpha1.Summary`).
#[derive(Debug, Deserialize)]
struct Summary {
    pods: Vec<PodStats>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodReference,
    #[serde(rename = "ephemeral-storage")]
    ephemeral_storage: Option<FsStats>,
}

#[derive(Debug, Deserialize)]
struct PodReference {
    name: String,
    namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsStats {
    used_bytes: Option<u64>,
}

/// Bytes on the node's disk by pod of one namespace, out of a [`Summary`]: the pods' empty folders, what they wrote beside them, and
/// their logs.
fn of_summary(text: &str, namespace: &str) -> Result<BTreeMap<String, u64>, serde_json::Error> {
    let summary: Summary = serde_json::from_str(text)?;
    let told = summary.pods.into_iter().filter(|pod| pod.pod_ref.namespace == namespace);
    Ok(told.filter_map(|pod| Some((pod.pod_ref.name, pod.ephemeral_storage?.used_bytes?))).collect())
}

/// Working sets by pod, out of a [`PodMetricsList`].
fn of_metrics_api(text: &str) -> Result<BTreeMap<String, u64>, serde_json::Error> {
    let list: PodMetricsList = serde_json::from_str(text)?;
    let bytes = |pod: &PodMetrics| {
        pod.containers.iter().filter_map(|container| quantity::bytes(container.usage.get("memory")?)).sum()
    };
    Ok(list.items.into_iter().map(|pod| (pod.metadata.name.clone(), bytes(&pod))).collect())
}

/// Working sets by pod of one namespace, out of a kubelet's `/metrics/resource` (Prometheus' text format).
fn of_kubelet(text: &str, namespace: &str) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("container_memory_working_set_bytes{") else { continue };
        // Values of these labels are names of Kubernetes objects: none has a quote or a brace.
        let Some((labels, value)) = rest.split_once('}') else { continue };
        let label = |name: &str| {
            labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
        };
        let (Some(of), Some(pod)) = (label("namespace"), label("pod")) else { continue };
        // `1.7141760e+07` is a quantity too, and one that is read without loss.
        let bytes = value.split_ascii_whitespace().next().and_then(quantity::bytes);
        if let Some(bytes) = bytes.filter(|_| of == namespace) {
            *found.entry(pod.to_owned()).or_insert(0) += bytes;
        }
    }
    found
}

impl Cluster {
    async fn raw(
        &self,
        verb: &'static str,
        resource: &'static str,
        object: String,
        path: &str,
    ) -> Result<String, KubeError> {
        let call = Call { verb, resource, object };
        let request = http_request(path).map_err(|reason| KubeError::Malformed { what: call.to_string(), reason })?;
        self.server.ask(call, self.server.client.request_text(request)).await
    }

    async fn by_metrics_api(&self, found: &Found) -> Result<BTreeMap<String, u64>, KubeError> {
        let path = format!(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods?labelSelector={}",
            found.namespace,
            encoded(&found.selector)
        );
        let text = self.raw("list", "pods.metrics.k8s.io", found.namespace.clone(), &path).await?;
        of_metrics_api(&text).map_err(|error| KubeError::Malformed {
            what: format!("list pods.metrics.k8s.io {}", found.namespace),
            reason: error.to_string(),
        })
    }

    async fn by_kubelets(&self, found: &Found, pods: &[&Pod]) -> Result<BTreeMap<String, u64>, KubeError> {
        let mut all = BTreeMap::new();
        for node in nodes(pods) {
            all.extend(of_kubelet(&self.ask_kubelet(node, "metrics/resource").await?, &found.namespace));
        }
        Ok(all)
    }

    async fn ask_kubelet(&self, node: &str, path: &str) -> Result<String, KubeError> {
        let path = format!("/api/v1/nodes/{node}/proxy/{path}");
        self.raw("get", "nodes/proxy", node.to_owned(), &path).await
    }

    /// Bytes that a component's pods hold on the disks of their nodes, from the kubelets, which look about once a minute. Needs `get` of
    /// nodes/proxy: [`PortError::Unsupported`] without it.
    pub(crate) async fn folder(&self, component: Component) -> Result<u64, PortError> {
        let (found, list) = self.look(component).await?;
        let pods: Vec<&Pod> = list.items.iter().filter(|pod| pods::lives(pod)).collect();
        let mut told = BTreeMap::new();
        for node in nodes(&pods) {
            let text = self.ask_kubelet(node, "stats/summary").await.map_err(|error| match error {
                KubeError::Denied { .. } => PortError::Unsupported {
                    reason: format!("nobody tells what the pods of {component} hold: {}", causes(&error)),
                },
                error => error.into(),
            })?;
            let of_node = of_summary(&text, &found.namespace);
            told.extend(of_node.map_err(|error| PortError::Refused {
                target: format!("stats/summary of node {node}"),
                reason: error.to_string(),
            })?);
        }
        let held: Option<Vec<u64>> = pods.iter().map(|pod| told.get(pods::name(pod)).copied()).collect();
        held.map(|bytes| bytes.iter().sum()).ok_or_else(|| PortError::Unreachable {
            target: format!("the local folders of {component}"),
            reason: "the kubelet has not yet looked at its pod".to_owned(),
        })
    }

    /// Working sets of a component's pods: from the metrics API where there is one, else from the kubelets.
    pub(super) async fn working_sets(&self, component: Component) -> Result<Vec<(String, u64)>, MemoryError> {
        let (found, list) = self.look(component).await?;
        let pods: Vec<&Pod> = list.items.iter().filter(|pod| pods::lives(pod)).collect();
        let measured = match self.by_metrics_api(&found).await {
            Ok(measured) if !measured.is_empty() => measured,
            metrics_api => match self.by_kubelets(&found, &pods).await {
                Ok(measured) => measured,
                Err(kubelets) => {
                    let metrics_api = metrics_api
                        .map_or_else(|error| causes(&error), |_| "the metrics API knows no pod of it".into());
                    return Err(MemoryError::NobodyTells(format!("{metrics_api}; {}", causes(&kubelets))));
                }
            },
        };
        let names: BTreeSet<&str> = pods.iter().map(|pod| pods::name(pod)).collect();
        Ok(measured.into_iter().filter(|(pod, _)| names.contains(pod.as_str())).collect())
    }
}

/// Where pods run.
fn nodes<'a>(pods: &[&'a Pod]) -> BTreeSet<&'a str> {
    pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref()).collect()
}

/// Why there are no working sets.
pub(super) enum MemoryError {
    /// The component could not be looked at.
    Kube(KubeError),
    /// Nobody tells them, and why not.
    NobodyTells(String),
}

impl From<KubeError> for MemoryError {
    fn from(error: KubeError) -> Self {
        Self::Kube(error)
    }
}

fn http_request(path: &str) -> Result<hyper::Request<Vec<u8>>, String> {
    hyper::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())
}

/// A selector as part of a query: labels hold nothing but letters, digits and a few marks, the rest is escaped.
fn encoded(selector: &Selector) -> String {
    let mut text = String::new();
    for byte in selector.to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_a_pod_are_added_up() {
        let text = r#"{"kind":"PodMetricsList","items":[
            {"metadata":{"name":"a"},"containers":[{"name":"x","usage":{"cpu":"1m","memory":"2Ki"}},{"name":"y","usage":{"memory":"1"}}]},
            {"metadata":{"name":"b"},"containers":[]}]}"#;
        let expected = BTreeMap::from([("a".to_owned(), 2049), ("b".to_owned(), 0)]);
        assert_eq!(of_metrics_api(text).unwrap(), expected);
    }

    #[test]
    fn a_kubelet_tells_bytes_by_pod_and_only_those_of_the_namespace_count() {
        let text = "\
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container=\"coredns\",namespace=\"kube-system\",pod=\"coredns-1\"} 1.7141760e+07 1732399200000
container_memory_working_set_bytes{container=\"loki\",namespace=\"monitoring\",pod=\"loki-1\"} 1.5e+03 1732399200000
container_memory_working_set_bytes{container=\"side\",namespace=\"monitoring\",pod=\"loki-1\"} 12 1732399200000
container_memory_working_set_bytes{container=\"bad\",namespace=\"monitoring\",pod=\"loki-2\"} NaN 1732399200000
pod_memory_working_set_bytes{namespace=\"monitoring\",pod=\"loki-1\"} 9e+09 1732399200000
";
        assert_eq!(of_kubelet(text, "monitoring"), BTreeMap::from([("loki-1".to_owned(), 1512)]));
        assert_eq!(of_kubelet(text, "kube-system"), BTreeMap::from([("coredns-1".to_owned(), 17_141_760)]));
        assert_eq!(of_kubelet(text, "minio"), BTreeMap::new());
    }

    #[test]
    fn a_summary_tells_what_pods_hold_and_nothing_of_those_not_looked_at_yet() {
        let text = r#"{"node":{"nodeName":"n"},"pods":[
            {"podRef":{"name":"loki-1","namespace":"monitoring","uid":"u"},"volume":[{"name":"data","usedBytes":7}],
             "ephemeral-storage":{"usedBytes":4096,"inodesUsed":3}},
            {"podRef":{"name":"loki-2","namespace":"monitoring","uid":"v"}},
            {"podRef":{"name":"minio-1","namespace":"minio","uid":"w"},"ephemeral-storage":{"usedBytes":1}}]}"#;
        assert_eq!(of_summary(text, "monitoring").unwrap(), BTreeMap::from([("loki-1".to_owned(), 4096)]));
        assert!(of_summary("{}", "monitoring").is_err());
    }

    #[test]
    fn a_selector_is_escaped() {
        let selector: Selector = [("app.kubernetes.io/name", "loki")].into_iter().collect();
        assert_eq!(encoded(&selector), "app.kubernetes.io%2Fname%3Dloki");
    }
}
