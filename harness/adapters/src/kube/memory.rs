use std::collections::{BTreeMap, BTreeSet};

use harness_core::ports::Component;
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
        let nodes: BTreeSet<&str> = pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref()).collect();
        let mut all = BTreeMap::new();
        for node in nodes {
            let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
            let text = self.raw("get", "nodes/proxy", node.to_owned(), &path).await?;
            all.extend(of_kubelet(&text, &found.namespace));
        }
        Ok(all)
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
    fn a_selector_is_escaped() {
        let selector: Selector = [("app.kubernetes.io/name", "loki")].into_iter().collect();
        assert_eq!(encoded(&selector), "app.kubernetes.io%2Fname%3Dloki");
    }
}
