use std::{collections::BTreeMap, sync::PoisonError};

use harness_core::{
    observation::EvidenceKind,
    ports::{Component, Workload},
};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ManagedFieldsEntry},
};
use kube::{
    api::ListParams,
    core::{ObjectList, Selector},
};
use serde::Deserialize;

use super::{
    Cluster, KubeError,
    forward::Target,
    pods::{self, full_name},
    server::Server,
};
use crate::{http::Http, targets::blueprint::Program};

const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";

/// The port that Loki's processes are asked at where their pod does not name one.
const LOKI_PORT: u16 = 3100;

/// Who this client is in what the API server keeps of changes.
pub(super) const MANAGER: &str = "lgtm-verify";

/// What kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkloadKind {
    Deployment,
    StatefulSet,
}

/// Which workload, in its namespace.
pub(super) type WorkloadId = (WorkloadKind, String);

/// A workload, as far as the harness is concerned with it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: WorkloadId,
    pub(super) namespace: String,
    pub(super) replicas: u32,
    pub(super) selector: Selector,
    /// Whether somebody declares how many replicas there are, beside what was asked for by scaling.
    pub(super) declares_replicas: bool,
    /// Why it has no pods, where its controller could make none.
    pub(super) trouble: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Found {
    /// `Deployment/monitoring/loki-write`.
    pub(super) fn full_name(&self) -> String {
        let (kind, name) = &self.id;
        match kind {
            WorkloadKind::Deployment => full_name::<Deployment>(&self.namespace, name),
            WorkloadKind::StatefulSet => full_name::<StatefulSet>(&self.namespace, name),
        }
    }

    fn deployment(namespace: &str, deployment: Deployment) -> Result<Self, KubeError> {
        let name = deployment.metadata.name.unwrap_or_default();
        let what = || full_name::<Deployment>(namespace, &name);
        let spec = deployment.spec.ok_or_else(|| empty(what()))?;
        let conditions = deployment.status.into_iter().flat_map(|status| status.conditions.unwrap_or_default());
        let trouble = conditions
            .filter(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
            .map(|condition| pods::told(condition.reason.as_deref(), condition.message.as_deref()))
            .next();
        Ok(Self {
            namespace: namespace.to_owned(),
            replicas: replicas(spec.replicas),
            selector: selector(what(), spec.selector)?,
            declares_replicas: declares_replicas(deployment.metadata.managed_fields.as_deref()),
            trouble,
            labels: labels(spec.template),
            id: (WorkloadKind::Deployment, name),
        })
    }

    fn stateful_set(namespace: &str, set: StatefulSet) -> Result<Self, KubeError> {
        let name = set.metadata.name.unwrap_or_default();
        let what = || full_name::<StatefulSet>(namespace, &name);
        let spec = set.spec.ok_or_else(|| empty(what()))?;
        Ok(Self {
            namespace: namespace.to_owned(),
            replicas: replicas(spec.replicas),
            selector: selector(what(), spec.selector)?,
            declares_replicas: declares_replicas(set.metadata.managed_fields.as_deref()),
            trouble: None,
            labels: labels(spec.template),
            id: (WorkloadKind::StatefulSet, name),
        })
    }
}

fn empty(what: String) -> KubeError {
    KubeError::Malformed { what, reason: "it declares nothing".to_owned() }
}

fn selector(what: String, selector: LabelSelector) -> Result<Selector, KubeError> {
    let selector = Selector::try_from(selector)
        .map_err(|error| KubeError::Malformed { what: what.clone(), reason: error.to_string() })?;
    // It would take every pod of the namespace for its own.
    if selector.selects_all() { Err(empty(what)) } else { Ok(selector) }
}

/// Without a word of them, there is one.
fn replicas(declared: Option<i32>) -> u32 {
    u32::try_from(declared.unwrap_or(1)).unwrap_or_default()
}

fn labels(template: PodTemplateSpec) -> BTreeMap<String, String> {
    template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default()
}

/// Who scales a workload to nothing takes the field from whoever declared it and does not own it either: the API server keeps no
/// owner of a scale's zero. So a zero without an owner is one that was scaled to, by this client or another.
fn declares_replicas(entries: Option<&[ManagedFieldsEntry]>) -> bool {
    entries.unwrap_or_default().iter().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.subresource.as_deref() != Some("scale")
            && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
    })
}

/// The workloads of a namespace. Needs `list` of deployments and of statefulsets.
pub(super) async fn workloads(server: &Server, namespace: &str) -> Result<Vec<Found>, KubeError> {
    let every = ListParams::default();
    let (deployments, sets) =
        tokio::try_join!(server.list::<Deployment>(namespace, &every), server.list::<StatefulSet>(namespace, &every))?;
    let deployments = deployments.items.into_iter().map(|deployment| Found::deployment(namespace, deployment));
    let sets = sets.items.into_iter().map(|set| Found::stateful_set(namespace, set));
    deployments.chain(sets).collect()
}

/// The value of the component label, for those that share a program.
fn part(component: Component) -> Option<&'static str> {
    match component {
        Component::LokiWrite => Some("write"),
        Component::LokiRead => Some("read"),
        Component::LokiBackend => Some("backend"),
        Component::LokiStoreReader => Some("store-reader"),
        Component::Minio | Component::Tempo | Component::Mimir => None,
    }
}

/// What a component is looked for by, in words.
fn wanted(component: Component) -> String {
    let program = Program::of(component).name();
    match part(component) {
        None => format!("pod label {NAME}={program}"),
        Some(part) => format!(
            "pod labels {NAME}={program} and {COMPONENT}={part}, or without the latter a pod whose /config says so"
        ),
    }
}

/// What labels tell of which workload is a component.
#[derive(Debug, PartialEq, Eq)]
enum ByLabels {
    /// These are, by what their labels say.
    Are(Vec<usize>),
    /// Labels don't say; the pods of these can.
    Ask(Vec<usize>),
}

fn by_labels(component: Component, workloads: &[Found]) -> ByLabels {
    let program = Program::of(component).name();
    let of_program: Vec<usize> = (0..workloads.len())
        .filter(|&index| workloads[index].labels.get(NAME).is_some_and(|name| name == program))
        .collect();
    let Some(part) = part(component) else { return ByLabels::Are(of_program) };
    let label = |index: &usize| workloads[*index].labels.get(COMPONENT);
    let are: Vec<usize> =
        of_program.iter().copied().filter(|index| label(index).is_some_and(|label| label == part)).collect();
    if are.is_empty() {
        ByLabels::Ask(of_program.into_iter().filter(|index| label(index).is_none()).collect())
    } else {
        ByLabels::Are(are)
    }
}

/// What a Loki process says that it is.
#[derive(Debug, Deserialize)]
struct LokiConfiguration {
    target: String,
    #[serde(default)]
    querier: Querier,
}

#[derive(Debug, Default, Deserialize)]
struct Querier {
    #[serde(default)]
    query_store_only: bool,
}

impl LokiConfiguration {
    /// The component that it is; `None` for one that no component is like.
    fn component(&self) -> Option<Component> {
        if self.querier.query_store_only {
            return Some(Component::LokiStoreReader);
        }
        match self.target.as_str() {
            "write" => Some(Component::LokiWrite),
            "read" => Some(Component::LokiRead),
            "backend" => Some(Component::LokiBackend),
            _ => None,
        }
    }
}

impl Cluster {
    /// The workload that is `component`: by the labels of its pods or, where Loki's carry none of their part, by what a pod says of
    /// itself. Needs `list` of deployments, statefulsets and pods; to ask a pod, `create` of pods/portforward.
    pub(super) async fn find(&self, component: Component) -> Result<Found, KubeError> {
        let namespace = self.namespace_of(component).to_owned();
        let mut workloads = workloads(&self.server, &namespace).await?;
        let found = match by_labels(component, &workloads) {
            ByLabels::Are(found) => found,
            ByLabels::Ask(candidates) => match self.told_before(component, &workloads) {
                Some(known) => vec![known],
                None => self.ask(component, &workloads, candidates).await?,
            },
        };
        match found[..] {
            [index] => Ok(workloads.swap_remove(index)),
            [] => {
                let seen = workloads.iter().map(described).collect::<Vec<_>>().join(", ");
                let seen = if seen.is_empty() { "none".to_owned() } else { seen };
                Err(KubeError::NoWorkload { component, namespace, wanted: wanted(component), seen })
            }
            _ => {
                let found = found.into_iter().map(|index| described(&workloads[index])).collect();
                Err(KubeError::SeveralWorkloads { component, namespace, wanted: wanted(component), found })
            }
        }
    }

    fn told_before(&self, component: Component, workloads: &[Found]) -> Option<usize> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.get(&component)?;
        workloads.iter().position(|workload| &workload.id == known)
    }

    async fn ask(
        &self,
        component: Component,
        workloads: &[Found],
        candidates: Vec<usize>,
    ) -> Result<Vec<usize>, KubeError> {
        let mut found = Vec::new();
        for index in candidates {
            for pod in self.pods_of(&workloads[index]).await?.items.iter().filter(|pod| pods::lives(pod)) {
                if self.says(pod).await == Some(component) {
                    found.push(index);
                    break;
                }
            }
        }
        if let [index] = found[..] {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert(component, workloads[index].id.clone());
        }
        Ok(found)
    }

    /// What a pod of Loki says that it is. One that does not answer says nothing.
    async fn says(&self, pod: &Pod) -> Option<Component> {
        let port = ["http-metrics", "http"].iter().find_map(|name| pods::named_port(pod, name)).unwrap_or(LOKI_PORT);
        let target = Target::Pod { namespace: self.namespace.clone(), name: pods::name(pod).to_owned(), port };
        let forward = self.forward(target).await.ok()?;
        let http = Http::new(self.clock.clone()).ok()?;
        let request = http.get(&format!("http://{}/config", forward.address()));
        let exchange = http.send(EvidenceKind::Configuration, Component::LokiRead, request).await;
        let reply = exchange.reply.ok().filter(|reply| reply.status == 200)?;
        serde_saphyr::from_str::<LokiConfiguration>(std::str::from_utf8(&reply.body).ok()?).ok()?.component()
    }

    pub(super) async fn pods_of(&self, found: &Found) -> Result<ObjectList<Pod>, KubeError> {
        self.server.pods(&found.namespace, &found.selector).await
    }

    /// A component's workload and its pods.
    pub(super) async fn look(&self, component: Component) -> Result<(Found, ObjectList<Pod>), KubeError> {
        let found = self.find(component).await?;
        let pods = self.pods_of(&found).await?;
        Ok((found, pods))
    }

    /// The workload in the port's terms.
    pub(super) async fn workload_of(&self, component: Component) -> Result<Workload, KubeError> {
        let (found, list) = self.look(component).await?;
        Ok(Workload {
            name: found.full_name(),
            replicas: found.replicas,
            pods: list.items.iter().map(pods::pod).collect(),
        })
    }
}

/// `Deployment/monitoring/loki-write (app.kubernetes.io/name=loki)`.
fn described(found: &Found) -> String {
    let labels: Vec<String> = [NAME, COMPONENT]
        .iter()
        .filter_map(|&key| found.labels.get(key).map(|value| format!("{key}={value}")))
        .collect();
    let labels = if labels.is_empty() { "no such labels".to_owned() } else { labels.join(" ") };
    format!("{} ({labels})", found.full_name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload(name: &str, labels: &[(&str, &str)]) -> Found {
        let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"a": name}}, "template": {"metadata": {"labels": labels}}},
        });
        Found::deployment("monitoring", serde_json::from_value(deployment).unwrap()).unwrap()
    }

    #[test]
    fn labels_tell_who_is_who_and_names_never_do() {
        let workloads = [
            workload("tempo", &[(NAME, "mimir")]),
            workload("read", &[(NAME, "loki"), (COMPONENT, "write")]),
            workload("write", &[(NAME, "loki"), (COMPONENT, "read")]),
            workload("loki-backend", &[(NAME, "loki")]),
            workload("loki-gateway", &[(NAME, "loki"), (COMPONENT, "gateway")]),
            workload("nothing", &[]),
        ];
        for (component, expected) in [
            (Component::Mimir, ByLabels::Are(vec![0])),
            (Component::LokiWrite, ByLabels::Are(vec![1])),
            (Component::LokiRead, ByLabels::Are(vec![2])),
            (Component::LokiBackend, ByLabels::Ask(vec![3])),
            (Component::LokiStoreReader, ByLabels::Ask(vec![3])),
            (Component::Tempo, ByLabels::Are(vec![])),
        ] {
            assert_eq!(by_labels(component, &workloads), expected, "{component}");
        }
    }

    #[test]
    fn all_that_fit_are_found() {
        let workloads = [workload("one", &[(NAME, "tempo")]), workload("two", &[(NAME, "tempo")])];
        assert_eq!(by_labels(Component::Tempo, &workloads), ByLabels::Are(vec![0, 1]));
    }

    #[test]
    fn a_process_says_what_it_is() {
        for (text, expected) in [
            ("target: write\n", Some(Component::LokiWrite)),
            ("target: read\nquerier: {query_store_only: false, tail_max_duration: 1h}\n", Some(Component::LokiRead)),
            ("auth_enabled: false\ntarget: backend\n", Some(Component::LokiBackend)),
            ("target: querier,query-frontend\nquerier: {query_store_only: true}\n", Some(Component::LokiStoreReader)),
            ("target: all\n", None),
            ("target: read,write\n", None),
        ] {
            let configuration: LokiConfiguration = serde_saphyr::from_str(text).unwrap();
            assert_eq!(configuration.component(), expected, "{text}");
        }
    }

    #[test]
    fn a_workload_whose_selector_takes_every_pod_is_refused() {
        let deployment = json!({"metadata": {"name": "x"}, "spec": {"selector": {}, "template": {}}});
        let error = Found::deployment("monitoring", serde_json::from_value(deployment).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "Deployment/monitoring/x: it declares nothing");
    }

    #[test]
    fn replicas_that_were_scaled_to_are_not_declared() {
        let entry = |subresource: Option<&str>, fields: serde_json::Value| {
            let entry = json!({"manager": "m", "operation": "Update", "subresource": subresource, "fieldsV1": fields});
            serde_json::from_value::<ManagedFieldsEntry>(entry).unwrap()
        };
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        assert!(declares_replicas(Some(&[entry(Some("status"), json!({})), entry(None, replicas.clone())])));
        for other in [entry(Some("scale"), replicas), entry(None, json!({"f:spec": {"f:selector": {}}}))] {
            assert!(!declares_replicas(Some(&[other])));
        }
        assert!(!declares_replicas(None));
    }
}
