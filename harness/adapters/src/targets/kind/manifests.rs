use std::collections::BTreeMap;

use harness_core::ports::Component;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde::de::Error as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{ClusterState, PullPolicy};
use crate::targets::blueprint::{
    Plan, Profile, Program, RenderError, Sockets, Store, Surroundings, configuration, fill_in, resources, yaml,
};

const CLUSTER: &str = include_str!("../../../../../kind/cluster.yaml");
const NAMESPACES: &str = include_str!("../../../../../kind/namespaces.yaml");
const MINIO: &str = include_str!("../../../../../kind/minio.yaml");
const LOKI: &str = include_str!("../../../../../kind/loki.yaml");
const TEMPO: &str = include_str!("../../../../../kind/tempo.yaml");
const MIMIR: &str = include_str!("../../../../../kind/mimir.yaml");
const PROMETHEUS: &str = include_str!("../../../../../kind/prometheus.yaml");

/// The label that everything has which was made here.
const PART_OF: &str = "app.kubernetes.io/part-of";

/// Its value.
const US: &str = "lgtm-verify";

/// Everything that was made here, as a selector of labels.
pub(super) const OURS: &str = "app.kubernetes.io/part-of=lgtm-verify";

/// The store, as components name it.
const STORE: &str = "minio.minio.svc:443";

/// The Loki processes, by the name of their workload, with whether the design has them.
const LOKI_PROCESSES: [(Component, &str, bool); 4] = [
    (Component::LokiWrite, "write", true),
    (Component::LokiRead, "read", true),
    (Component::LokiBackend, "backend", true),
    (Component::LokiStoreReader, "store-reader", false),
];

/// Why there is no manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A template of ours.
    #[error("kind/{file} cannot be filled in")]
    Template {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        source: minijinja::Error,
    },
    /// A file of ours, or a component's configuration.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Not an object.
    #[error("{object} is not an object of Kubernetes")]
    Object {
        /// Its kind and name, as far as it has them.
        object: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// An object as it is wanted, and where the API has such objects.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) object: DynamicObject,
    pub(super) resource: ApiResource,
}

/// What manifests depend on.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) profile: Profile,
    pub(super) images: BTreeMap<Program, String>,
    /// The image of this harness, which is Loki's gateway too.
    pub(super) gateway: String,
    pub(super) pull_policy: PullPolicy,
}

/// What kind is told.
pub(super) fn cluster(own_network: bool, cgroup_v1: bool) -> Result<String, ManifestError> {
    let context = json!({"own_network": own_network, "cgroup_v1": cgroup_v1});
    fill_in(CLUSTER, context).map_err(|source| ManifestError::Template { file: "cluster.yaml", source })
}

/// The namespaces.
pub(super) fn namespaces() -> Result<Vec<Manifest>, ManifestError> {
    objects("namespaces.yaml", NAMESPACES, json!({}))
}

/// Any object, labelled as ours.
pub(super) fn ours(object: impl serde::Serialize) -> Result<Manifest, ManifestError> {
    let failed = |source| ManifestError::Object { object: "an object".to_owned(), source };
    manifest(serde_json::to_value(object).map_err(failed)?)
}

/// What a run reads about the stack.
pub(super) fn about(state: &ClusterState, incomplete_upload_expiry: Option<&str>) -> Result<Manifest, ManifestError> {
    let versions = json!(state.versions).to_string();
    let mut data = json!({"profile": state.profile.name(), "versions": versions});
    if let Some(expiry) = incomplete_upload_expiry {
        data["incomplete-upload-expiry"] = json!(expiry);
    }
    ours(config_map("lgtm-verify-stack", data))
}

/// By what programs recognise the store.
pub(super) fn authority(pem: &str) -> Result<Manifest, ManifestError> {
    ours(config_map("lgtm-verify-ca", json!({"ca.crt": pem})))
}

fn config_map(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "monitoring"},
        "data": data,
    })
}

impl Layout {
    /// The object store.
    pub(super) fn store(&self) -> Result<Vec<Manifest>, ManifestError> {
        objects("minio.yaml", MINIO, self.context()?)
    }

    /// Everything else: Loki, Tempo, Mimir, Prometheus.
    pub(super) fn stack(&self) -> Result<Vec<Manifest>, ManifestError> {
        let context = self.context()?;
        let files =
            [("loki.yaml", LOKI), ("tempo.yaml", TEMPO), ("mimir.yaml", MIMIR), ("prometheus.yaml", PROMETHEUS)];
        let mut all = Vec::new();
        for (file, template) in files {
            all.extend(objects(file, template, context.clone())?);
        }
        Ok(all)
    }

    fn context(&self) -> Result<Value, ManifestError> {
        let mut images: BTreeMap<&str, &str> =
            self.images.iter().map(|(program, image)| (program.name(), image.as_str())).collect();
        images.insert("gateway", &self.gateway);
        let mut loki = Vec::new();
        for (component, name, of_the_design) in LOKI_PROCESSES {
            let mut process = self.configured(component)?;
            process["name"] = json!(name);
            process["of_the_design"] = json!(of_the_design);
            loki.push(process);
        }
        Ok(json!({
            "images": images,
            "minio": {"resources": self.resources(Component::Minio)?},
            "pull_policy": self.pull_policy.to_string(),
            "loki": loki,
            "tempo": self.configured(Component::Tempo)?,
            "mimir": self.configured(Component::Mimir)?,
        }))
    }

    /// What a component is given, as JSON, which is YAML.
    fn resources(&self, component: Component) -> Result<String, ManifestError> {
        Ok(json!(resources()?.get(&component)).to_string())
    }

    /// The configuration of a component, a digest of it, since another one has to replace the pod, and what it is given.
    fn configured(&self, component: Component) -> Result<Value, ManifestError> {
        let surroundings = surroundings(component);
        let plan = Plan { profile: self.profile, overrides: &[], surroundings: &surroundings };
        // JSON is YAML: the servers read what was parsed and laid over, not what was written by hand.
        let text = configuration(component, plan)?.map(|value| format!("{value:#}\n")).unwrap_or_default();
        let digest = hex::encode(Sha256::digest(&text).get(..8).unwrap_or_default());
        Ok(json!({"configuration": text, "digest": digest, "resources": self.resources(component)?}))
    }
}

/// Where `component` runs in the cluster.
fn surroundings(component: Component) -> Surroundings {
    Surroundings {
        listen: "0.0.0.0",
        // Taken from the pod's status, which programs expand in their configuration.
        advertise: "${POD_IP}",
        sockets: Sockets::of_its_own(component),
        loki_gossip: vec!["loki-memberlist.monitoring.svc:7946".to_owned()],
        loki_backend: "loki-backend.monitoring.svc:3100".to_owned(),
        store: Store { endpoint: STORE.to_owned(), tls: true },
        data: "/data".to_owned(),
    }
}

/// The objects that a template describes, each labelled as ours.
fn objects(file: &'static str, template: &str, context: Value) -> Result<Vec<Manifest>, ManifestError> {
    let text = fill_in(template, context).map_err(|source| ManifestError::Template { file, source })?;
    let documents = text
        .split("\n---\n")
        .filter(|document| document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    documents.map(|document| manifest(yaml(&format!("../kind/{file}"), document)?)).collect()
}

/// What `value` describes, labelled as ours.
fn manifest(mut value: Value) -> Result<Manifest, ManifestError> {
    label(&mut value);
    let what = format!("{} {}", value["kind"], value["metadata"]["name"]);
    let typed = || {
        let object: DynamicObject = serde_json::from_value(value)?;
        let types = object.types.clone().ok_or_else(|| serde_json::Error::custom("it has no kind"))?;
        let kind = GroupVersionKind::try_from(types).map_err(serde_json::Error::custom)?;
        Ok(Manifest { resource: ApiResource::from_gvk(&kind), object })
    };
    typed().map_err(|source| ManifestError::Object { object: what, source })
}

/// Labels an object, and the pods that it declares, as ours.
fn label(object: &mut Value) {
    object["metadata"]["labels"][PART_OF] = json!(US);
    if let Some(template) = object.pointer_mut("/spec/template") {
        template["metadata"]["labels"][PART_OF] = json!(US);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::targets::blueprint::{ImageSource, references};

    fn layout(profile: Profile) -> Layout {
        Layout {
            profile,
            images: references(ImageSource::Built, None).unwrap(),
            gateway: "lgtm-verify/lgtm-verify:1".to_owned(),
            pull_policy: PullPolicy::Never,
        }
    }

    fn state() -> ClusterState {
        ClusterState {
            name: "one".to_owned(),
            node: None,
            uid: None,
            profile: Profile::Deployed,
            images: ImageSource::Built,
            harness_image: "lgtm-verify/lgtm-verify:1".to_owned(),
            versions: BTreeMap::from([("tempo".to_owned(), "v2".to_owned())]),
        }
    }

    /// Everything that is applied, apart from secrets.
    fn everything(profile: Profile) -> Vec<Value> {
        let layout = layout(profile);
        let mut all = namespaces().unwrap();
        all.extend(layout.store().unwrap());
        all.extend(layout.stack().unwrap());
        all.push(about(&state(), Some("24h")).unwrap());
        all.push(authority("PEM").unwrap());
        all.into_iter().map(|manifest| serde_json::to_value(manifest.object).unwrap()).collect()
    }

    fn of_kind(kind: &str) -> Vec<Value> {
        everything(Profile::Fast).into_iter().filter(|object| object["kind"] == kind).collect()
    }

    fn name(object: &Value) -> &str {
        object["metadata"]["name"].as_str().unwrap()
    }

    fn named(kind: &str, wanted: &str) -> Value {
        of_kind(kind).into_iter().find(|object| name(object) == wanted).unwrap_or_else(|| panic!("no {kind} {wanted}"))
    }

    fn containers(deployment: &Value) -> Vec<&Value> {
        let spec = &deployment["spec"]["template"]["spec"];
        let of = |key: &str| spec[key].as_array().map(Vec::as_slice).unwrap_or_default();
        of("initContainers").iter().chain(of("containers")).collect()
    }

    #[test]
    fn every_object_and_pod_is_labelled_as_ours() {
        for object in everything(Profile::Fast) {
            assert_eq!(object["metadata"]["labels"][PART_OF], US, "{object}");
            if let Some(template) = object.pointer("/spec/template") {
                assert_eq!(template["metadata"]["labels"][PART_OF], US, "{object}");
            }
        }
        assert_eq!(OURS, format!("{PART_OF}={US}"));
    }

    #[test]
    fn workloads_are_single_replicas_without_volumes_that_outlive_them() {
        let deployments = of_kind("Deployment");
        let expected = [
            "loki-backend",
            "loki-gateway",
            "loki-read",
            "loki-store-reader",
            "loki-write",
            "mimir",
            "minio",
            "prometheus",
            "tempo",
        ];
        let names: BTreeSet<&str> = deployments.iter().map(name).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
        for deployment in &deployments {
            let spec = &deployment["spec"];
            let pod = &spec["template"]["spec"];
            assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
            assert_eq!(pod["terminationGracePeriodSeconds"], 120);
            for volume in pod["volumes"].as_array().unwrap() {
                let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
                assert!(["emptyDir", "configMap", "secret"].contains(&kind.as_str()), "{volume}");
            }
        }
    }

    #[test]
    fn no_pod_has_rights_or_a_value_that_is_secret() {
        for deployment in of_kind("Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            let expected = json!({
                "runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            });
            assert_eq!(pod["securityContext"], expected);
            assert_eq!(
                (&pod["automountServiceAccountToken"], &pod["enableServiceLinks"]),
                (&json!(false), &json!(false))
            );
            for container in containers(&deployment) {
                let restricted = json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                });
                assert_eq!(container["securityContext"], restricted, "{container}");
                for variable in container["env"].as_array().map(Vec::as_slice).unwrap_or_default() {
                    let name = variable["name"].as_str().unwrap();
                    let secret = ["KEY", "PASSWORD", "USER"].iter().any(|part| name.contains(part));
                    assert!(!secret || variable.get("value").is_none(), "{variable}");
                }
            }
        }
    }

    #[test]
    fn requests_and_limits_are_the_design_s_and_fit_on_two_cores() {
        let table = [
            ("loki-write", "200m", "512Mi", "1.5Gi"),
            ("loki-read", "200m", "512Mi", "1.5Gi"),
            ("loki-backend", "200m", "512Mi", "1.5Gi"),
            ("tempo", "100m", "256Mi", "1Gi"),
            ("mimir", "200m", "512Mi", "1.5Gi"),
        ];
        for (deployment, cpu, memory, limit) in table {
            let found = named("Deployment", deployment);
            let container = containers(&found).into_iter().next_back().unwrap();
            let expected = json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}});
            assert_eq!(container["resources"], expected, "{deployment}");
        }
        let millis: u32 = of_kind("Deployment")
            .iter()
            .map(|deployment| {
                let container = containers(deployment).into_iter().next_back().unwrap();
                let cpu = container["resources"]["requests"]["cpu"].as_str().unwrap();
                cpu.strip_suffix('m').unwrap().parse::<u32>().unwrap()
            })
            .sum();
        // kube-system asks for 850, and the nightly job needs 50.
        assert!(millis + 850 + 50 <= 2000, "{millis}");
    }

    #[test]
    fn services_have_the_design_s_ports_and_lead_to_pods() {
        let table: [(&str, &[(&str, u16)]); 10] = [
            ("loki-gateway", &[("http-metrics", 3100), ("grpc", 9095)]),
            ("loki-write", &[("http-metrics", 3100), ("grpc", 9095)]),
            ("loki-read", &[("http-metrics", 3100), ("grpc", 9095)]),
            ("loki-backend", &[("http-metrics", 3100), ("grpc", 9095)]),
            ("loki-store-reader", &[("http-metrics", 3100), ("grpc", 9095)]),
            ("loki-memberlist", &[("gossip", 7946)]),
            ("tempo", &[("http", 3200), ("otlp-grpc", 4317), ("otlp-http", 4318)]),
            ("mimir-gateway", &[("http", 8080)]),
            ("prometheus", &[("http", 9090)]),
            ("minio", &[("https", 443)]),
        ];
        let services = of_kind("Service");
        assert_eq!(services.len(), table.len());
        let deployments = of_kind("Deployment");
        for (service, ports) in table {
            let found = named("Service", service);
            let declared: Vec<(&str, u64)> = found["spec"]["ports"]
                .as_array()
                .unwrap()
                .iter()
                .map(|port| (port["name"].as_str().unwrap(), port["port"].as_u64().unwrap()))
                .collect();
            let expected: Vec<(&str, u64)> = ports.iter().map(|&(name, port)| (name, u64::from(port))).collect();
            assert_eq!(declared, expected, "{service}");
            let selector = found["spec"]["selector"].as_object().unwrap();
            let behind: Vec<&Value> = deployments
                .iter()
                .filter(|deployment| {
                    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
                    selector.iter().all(|(key, value)| &labels[key] == value)
                })
                .collect();
            assert_eq!(behind.len(), if service == "loki-memberlist" { 3 } else { 1 }, "{service}");
            for deployment in behind {
                let offered: Vec<&str> = containers(deployment)
                    .into_iter()
                    .flat_map(|container| container["ports"].as_array().map(Vec::as_slice).unwrap_or_default())
                    .map(|port| port["name"].as_str().unwrap())
                    .collect();
                for port in found["spec"]["ports"].as_array().unwrap() {
                    let target = port["targetPort"].as_str().unwrap();
                    assert!(offered.contains(&target), "{service}: {target} is not among {offered:?}");
                }
            }
        }
    }

    #[test]
    fn the_store_is_asked_before_what_needs_it_starts() {
        for (deployment, asked) in [
            ("loki-write", true),
            ("loki-read", true),
            ("loki-backend", true),
            ("tempo", true),
            ("mimir", true),
            ("loki-store-reader", false),
            ("loki-gateway", false),
        ] {
            let found = named("Deployment", deployment);
            let first = containers(&found)[0];
            assert_eq!(first["name"] == "store", asked, "{deployment}");
        }
    }

    /// Every value of a configuration by its path.
    fn flat(value: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| flat(value, &format!("{path}.{key}"), into));
            }
            leaf => drop(into.insert(path.trim_start_matches('.').to_owned(), leaf.clone())),
        }
    }

    /// What may differ between targets: addresses, ports, folders.
    const SURROUNDINGS: [&str; 21] = [
        "server.http_listen_address",
        "server.http_listen_port",
        "server.grpc_listen_address",
        "server.grpc_listen_port",
        "memberlist.bind_addr",
        "memberlist.bind_port",
        "memberlist.advertise_addr",
        "memberlist.advertise_port",
        "memberlist.join_members",
        "common.path_prefix",
        "common.instance_addr",
        "common.compactor_address",
        "common.ring.instance_addr",
        "common.storage.s3.endpoint",
        "common.storage.s3.insecure",
        "frontend_worker.frontend_address",
        "distributor.receivers.otlp.protocols.grpc.endpoint",
        "distributor.receivers.otlp.protocols.http.endpoint",
        "storage.trace.s3.endpoint",
        "storage.trace.s3.insecure",
        "activity_tracker.filepath",
    ];

    #[test]
    fn configurations_are_those_of_the_local_target_but_for_addresses_and_folders() {
        let maps = [
            (Component::LokiWrite, "loki-write"),
            (Component::LokiRead, "loki-read"),
            (Component::LokiBackend, "loki-backend"),
            (Component::LokiStoreReader, "loki-store-reader"),
            (Component::Tempo, "tempo"),
            (Component::Mimir, "mimir"),
        ];
        let local = Surroundings {
            listen: "127.0.0.1",
            advertise: "127.0.0.1",
            sockets: Sockets { http: 20001, grpc: 20002, gossip: 20003, otlp_grpc: 20004, otlp_http: 20005 },
            loki_gossip: vec!["127.0.0.1:20003".to_owned()],
            loki_backend: "127.0.0.1:20006".to_owned(),
            store: Store { endpoint: "127.0.0.1:20007".to_owned(), tls: false },
            data: "/here".to_owned(),
        };
        for profile in Profile::ALL {
            let all = everything(profile);
            for (component, map) in maps {
                let found = all.iter().find(|object| object["kind"] == "ConfigMap" && name(object) == map).unwrap();
                let text = found["data"]["configuration.yaml"].as_str().unwrap();
                let plan = Plan { profile, overrides: &[], surroundings: &local };
                let (mut here, mut there) = (BTreeMap::new(), BTreeMap::new());
                flat(&configuration(component, plan).unwrap().unwrap(), "", &mut here);
                flat(&serde_json::from_str(text).unwrap(), "", &mut there);
                assert!(here.keys().eq(there.keys()), "{profile} {component}");
                for (path, value) in &here {
                    let folder = value.as_str().is_some_and(|value| value.starts_with("/here"));
                    if !folder && !SURROUNDINGS.contains(&path.as_str()) {
                        assert_eq!(there.get(path), Some(value), "{profile} {component}: {path}");
                    }
                }
                assert!(text.contains("${S3_SECRET_ACCESS_KEY}"), "{component}");
                // Where a process has no pod's address to tell, there is no other process to tell it to.
                assert_eq!(text.contains("${POD_IP}"), map.starts_with("loki"), "{component}");
            }
        }
    }

    /// What a release of the tree that Flux applies is told.
    fn values(release: &str) -> Value {
        let file = format!("../../kubernetes/apps/monitoring/{release}/app/helmrelease.yaml");
        let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
        yaml::<Value>(&file, &text).unwrap()["spec"]["values"].clone()
    }

    /// What charts see to by themselves, beside addresses and folders: which process it is, who its peers are, which schema it writes.
    const OF_CHARTS: [&str; 16] = [
        "auth_enabled",
        "server.log_level",
        "target",
        "common.ring.kvstore.store",
        "schema_config.configs",
        "frontend",
        "frontend_worker",
        "query_scheduler",
        "querier",
        "querier.query_store_only",
        "ingester.lifecycler",
        "ingester.lifecycler.address",
        "frontend.address",
        "blocks_storage.tsdb.dir",
        "compactor.sharding_ring.instance_addr",
        "distributor.ring.instance_addr",
    ];

    #[test]
    fn the_tree_is_told_what_the_manifests_are_told() {
        let (loki, tempo, mimir) = (values("loki"), values("tempo"), values("mimir"));
        let read = |text: &Value| yaml::<Value>("configuration", text.as_str().unwrap()).unwrap();
        let told = [
            (Component::LokiWrite, loki["loki"]["structuredConfig"].clone()),
            (Component::Tempo, read(&tempo["config"])),
            (Component::Mimir, read(&mimir["configMaps"]["mimir"]["data"]["configuration.yaml"])),
        ];
        for (component, told) in told {
            let surroundings = surroundings(component);
            let plan = Plan { profile: Profile::Deployed, overrides: &[], surroundings: &surroundings };
            let (mut plain, mut tree) = (BTreeMap::new(), BTreeMap::new());
            flat(&configuration(component, plan).unwrap().unwrap(), "", &mut plain);
            flat(&told, "", &mut tree);
            let is_place = |path: &str, value: &Value| {
                let folder = value.as_str().is_some_and(|value| value.starts_with('/'));
                folder || SURROUNDINGS.contains(&path) || path.ends_with("instance_addr")
            };
            for (path, value) in tree.iter().filter(|(path, value)| !is_place(path, value)) {
                assert_eq!(plain.get(path), Some(value), "{component}: {path} is told otherwise");
            }
            for path in plain.iter().filter(|(path, value)| !is_place(path, value)).map(|(path, _)| path) {
                let there = tree.contains_key(path) || OF_CHARTS.contains(&path.as_str());
                assert!(there, "{component}: {path} is not told");
            }
        }
        assert_eq!(loki["loki"]["schemaConfig"], configured_schema());
        let given = |deployment: &str| {
            let found = named("Deployment", deployment);
            containers(&found).last().unwrap()["resources"].clone()
        };
        for process in ["write", "read", "backend"] {
            assert_eq!(loki[process]["resources"], given(&format!("loki-{process}")), "{process}");
        }
        assert_eq!(tempo["tempo"]["resources"], given("tempo"));
        assert_eq!(mimir["controllers"]["mimir"]["containers"]["mimir"]["resources"], given("mimir"));
    }

    fn configured_schema() -> Value {
        let surroundings = surroundings(Component::LokiWrite);
        let plan = Plan { profile: Profile::Deployed, overrides: &[], surroundings: &surroundings };
        configuration(Component::LokiWrite, plan).unwrap().unwrap()["schema_config"].clone()
    }

    #[test]
    fn the_tree_has_the_ports_and_the_queue_of_the_manifests() {
        let ports = |object: &Value| -> BTreeMap<String, Value> {
            let ports = object["spec"]["ports"].as_array().unwrap();
            ports.iter().map(|port| (port["name"].as_str().unwrap().to_owned(), port["port"].clone())).collect()
        };
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../kubernetes/apps/monitoring/loki/app/gateway.yaml");
        let gateway = std::fs::read_to_string(file).unwrap();
        let service = gateway.split("\n---\n").find(|document| document.contains("kind: Service\n")).unwrap();
        let service: Value = yaml("gateway.yaml", service).unwrap();
        assert_eq!(ports(&service), ports(&named("Service", "loki-gateway")));
        let mimir = &values("mimir")["service"]["mimir"];
        let plain = named("Service", "mimir-gateway");
        assert_eq!(
            (&mimir["forceRename"], &mimir["ports"]["http"]["port"]),
            (&plain["metadata"]["name"], &plain["spec"]["ports"][0]["port"])
        );
        let queue = &values("kube-prometheus-stack")["prometheus"]["prometheusSpec"]["remoteWrite"][0]["queueConfig"];
        let prometheus = named("ConfigMap", "prometheus")["data"]["prometheus.yaml"].clone();
        let prometheus: Value = yaml("prometheus.yaml", prometheus.as_str().unwrap()).unwrap();
        let plain = &prometheus["remote_write"][0]["queue_config"];
        for (ours, theirs) in [
            ("capacity", "capacity"),
            ("minShards", "min_shards"),
            ("maxShards", "max_shards"),
            ("maxSamplesPerSend", "max_samples_per_send"),
            ("batchSendDeadline", "batch_send_deadline"),
            ("minBackoff", "min_backoff"),
            ("maxBackoff", "max_backoff"),
            ("retryOnRateLimit", "retry_on_http_429"),
        ] {
            assert_eq!(queue[ours], plain[theirs], "{ours}");
        }
    }

    #[test]
    fn another_profile_replaces_pods_and_the_same_one_does_not() {
        let digests = |profile| {
            everything(profile)
                .iter()
                .filter_map(|object| object.pointer("/spec/template/metadata/annotations/lgtm-verify~1configuration"))
                .map(|digest| digest.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let fast = digests(Profile::Fast);
        assert_eq!(fast.len(), 6);
        assert_eq!(fast, digests(Profile::Fast));
        assert!(fast.iter().zip(digests(Profile::Deployed)).all(|(fast, deployed)| *fast != deployed));
    }

    #[test]
    fn a_run_reads_profile_versions_and_expiry() {
        let about = serde_json::to_value(about(&state(), None).unwrap().object).unwrap();
        assert_eq!(about["data"], json!({"profile": "deployed", "versions": "{\"tempo\":\"v2\"}"}));
        let about = named("ConfigMap", "lgtm-verify-stack");
        assert_eq!(about["data"]["incomplete-upload-expiry"], "24h");
        assert_eq!(named("ConfigMap", "lgtm-verify-ca")["data"], json!({"ca.crt": "PEM"}));
    }

    #[test]
    fn kind_is_told_what_the_machine_and_the_node_image_are_like() {
        for (own_network, cgroup_v1) in [(false, false), (true, false), (false, true), (true, true)] {
            let text = cluster(own_network, cgroup_v1).unwrap();
            let found: Value = yaml("cluster.yaml", &text).unwrap();
            assert_eq!(found["networking"]["disableDefaultCNI"], own_network);
            assert_eq!(found["networking"]["apiServerAddress"], "127.0.0.1");
            assert_eq!(found.get("kubeadmConfigPatches").is_some(), cgroup_v1);
        }
    }

    #[test]
    fn a_template_with_an_unknown_name_is_an_error_that_names_the_file() {
        let error = objects("tempo.yaml", "{{ nowhere }}", json!({})).unwrap_err();
        assert_eq!(error.to_string(), "kind/tempo.yaml cannot be filled in");
    }

    #[test]
    fn what_is_no_object_is_named() {
        let error = objects("tempo.yaml", "metadata: {name: x}", json!({})).unwrap_err();
        assert_eq!(error.to_string(), "null \"x\" is not an object of Kubernetes");
        let found =
            objects("tempo.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}", json!({})).unwrap();
        assert_eq!(found[0].resource.plural, "deployments");
    }
}
