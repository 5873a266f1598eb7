use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MONITORING, Object, Tree, components::Program, services::Service};
use crate::prediction::parse_duration;

/// What a tree is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Whether a program's folder is complete.
    Folder(Program),
    /// Whether a release stands in the folder of its name.
    Release(Beside),
    /// Whether charts come from OCI repositories, by pinned tags.
    ChartSource,
    /// Whether a program's pods are sized as the design says: thousandths of a core and MiB requested, MiB at most.
    Resources(Program, [u64; 3]),
    /// Whether each memory limit is there and below two gibibytes.
    MemoryLimits,
    /// Whether nothing claims a volume.
    Persistence,
    /// Whether each workload and record is there once.
    Replicas,
    /// Whether each program has its own bucket and secret.
    Buckets,
    /// Whether Loki is split into three, by name.
    LokiMode,
    /// Whether a program is one process.
    OneProcess(Program),
    /// Whether Tempo takes OTLP over gRPC at the design's port.
    OtlpReceiver,
    /// Whether a program's environment is its secret, and its configuration refers to it.
    SecretEnvironment(Program),
    /// Whether each secret has the four keys.
    Keys,
    /// Whether each credential in the secrets is a ciphertext for the declared recipients.
    Encrypted,
    /// Whether what depends on what is declared as drawn.
    Depends,
    /// Whether everything is declared to be reconciled and watched.
    Reconciled,
    /// Whether Flux has reconciled everything, as it is declared now; of objects that an API server has.
    Ready,
    /// Whether Prometheus is told to write to Mimir.
    RemoteWrite,
    /// Whether its queue is set up, consistently.
    RemoteWriteQueue,
    /// Whether Mimir is scraped.
    ServiceMonitor,
    /// Whether Grafana's data sources are in its values.
    DataSources,
    /// Whether their addresses are services and ports of the tree.
    DataSourceAddresses,
    /// Whether nobody can edit them by hand.
    DataSourcesDeclarative,
    /// Whether the services behind them can be discovered.
    Discovery,
}

/// A release beside those of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beside {
    /// Grafana's.
    Grafana,
    /// Prometheus'.
    KubePrometheusStack,
}

impl Beside {
    /// Its folder and release.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grafana => "grafana",
            Self::KubePrometheusStack => "kube-prometheus-stack",
        }
    }
}

/// What no pod's limit may reach, bytes (design.md, NFR-lgtm-d4f8c2a1-SCALE-002).
const MEMORY_CEILING: u64 = 2 << 30;

/// Where OTLP is spoken over gRPC (design.md, API).
const OTLP_PORT: u64 = 4317;

/// What each release waits for.
const DEPENDS: [(&str, &[&str]); 5] = [
    ("loki", &[]),
    ("tempo", &[]),
    ("mimir", &[]),
    ("grafana", &["loki", "mimir", "tempo"]),
    ("kube-prometheus-stack", &["mimir"]),
];

/// The four keys of a secret.
const KEYS: [&str; 4] = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_ENDPOINT", "S3_BUCKET"];

/// Those that are credentials.
const CREDENTIALS: [&str; 2] = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];

/// Data sources by the kind that Grafana has for them.
const DATA_SOURCES: [(&str, &str); 3] = [("Loki", "loki"), ("Tempo", "tempo"), ("Mimir", "prometheus")];

/// Findings by rule; each begins with file and line where there is a place.
pub type Findings = BTreeMap<&'static str, Vec<String>>;

impl Question {
    /// The rules that the answer has findings for.
    pub fn rules(self) -> &'static [&'static str] {
        match self {
            Self::Folder(_) => &["files", "kinds", "path", "listed"],
            Self::Release(_) => &["release"],
            Self::ChartSource => &["chart reference", "pinned tag"],
            Self::Resources(..) => &["requests", "memory limit", "no processor limit"],
            Self::MemoryLimits => &["memory limit"],
            Self::Persistence => &["persistence off", "no claims"],
            Self::Replicas => &["one replica", "replication factor"],
            Self::Buckets => &["own bucket", "own secret"],
            Self::LokiMode => &["mode by name", "three workloads"],
            Self::OneProcess(_) => &["one workload", "target"],
            Self::OtlpReceiver => &["receiver", "port of the service"],
            Self::SecretEnvironment(_) => &["environment from the secret", "variables in the configuration"],
            Self::Keys => &["four keys", "own bucket"],
            Self::Encrypted => &["ciphertexts", "recipients"],
            Self::Depends => &["dependencies"],
            Self::Reconciled => &["not suspended", "health checks"],
            Self::Ready => &["not suspended", "health checks", "ready", "generation", "revision"],
            Self::RemoteWrite => &["address"],
            Self::RemoteWriteQueue => &["queue settings", "consistent"],
            Self::ServiceMonitor => &["selects Mimir", "admitted"],
            Self::DataSources => &["data sources"],
            Self::DataSourceAddresses => &["addresses"],
            Self::DataSourcesDeclarative => &["not editable"],
            Self::Discovery => &["annotations", "port of the service"],
        }
    }
}

/// What of a tree objects to a question, rule by rule: empty where all is as it should be. What is no YAML is an objection to every rule.
pub fn findings_of(tree: &Tree, question: Question) -> Findings {
    let mut answer =
        Answer { tree, findings: question.rules().iter().map(|rule| (*rule, tree.broken.clone())).collect() };
    match question {
        Question::Folder(program) => answer.folder(program),
        Question::Release(release) => answer.release_stands(release.name()),
        Question::ChartSource => answer.chart_source(),
        Question::Resources(program, figures) => answer.resources(program, figures),
        Question::MemoryLimits => answer.memory_limits(),
        Question::Persistence => answer.persistence(),
        Question::Replicas => answer.replicas(),
        Question::Buckets => answer.buckets(),
        Question::LokiMode => answer.loki_mode(),
        Question::OneProcess(program) => answer.one_process(program),
        Question::OtlpReceiver => answer.otlp_receiver(),
        Question::SecretEnvironment(program) => answer.secret_environment(program),
        Question::Keys => answer.keys(),
        Question::Encrypted => answer.encrypted(),
        Question::Depends => answer.depends(),
        Question::Reconciled => answer.reconciled(),
        Question::Ready => answer.ready(),
        Question::RemoteWrite => answer.remote_write(),
        Question::RemoteWriteQueue => answer.remote_write_queue(),
        Question::ServiceMonitor => answer.service_monitor(),
        Question::DataSources => answer.data_sources(),
        Question::DataSourceAddresses => answer.data_source_addresses(),
        Question::DataSourcesDeclarative => answer.data_sources_declarative(),
        Question::Discovery => answer.discovery(),
    }
    answer.findings
}

struct Answer<'a> {
    tree: &'a Tree,
    findings: Findings,
}

impl<'a> Answer<'a> {
    fn object(&mut self, rule: &'static str, finding: impl Into<String>) {
        self.findings.entry(rule).or_default().push(finding.into());
    }

    /// A program's release; that there is none is an objection to `rule`.
    fn release_of(&mut self, rule: &'static str, name: &str) -> Option<&'a Object> {
        let release = self.tree.release(name);
        if release.is_none() {
            self.object(rule, format!("{MONITORING}/{name}: no HelmRelease called {name}"));
        }
        release
    }

    /// Every program with its release; those without are objections to `rule`.
    fn releases(&mut self, rule: &'static str) -> Vec<(Program, &'a Object)> {
        let found = Program::ALL.map(|program| Some((program, self.release_of(rule, program.name())?)));
        found.into_iter().flatten().collect()
    }

    fn secret_of(&mut self, rule: &'static str, program: Program) -> Option<&'a Object> {
        let secret = self.tree.named("Secret", "v1", &program.secret());
        if secret.is_none() {
            self.object(rule, format!("{MONITORING}/{}: no Secret called {}", program.name(), program.secret()));
        }
        secret
    }

    fn folder(&mut self, program: Program) {
        let folder = format!("{MONITORING}/{}", program.name());
        let wanted = [
            ("ks.yaml", "Kustomization", "kustomize.toolkit.fluxcd.io"),
            ("app/kustomization.yaml", "Kustomization", "kustomize.config.k8s.io"),
            ("app/secret.sops.yaml", "Secret", "v1"),
            ("app/helmrelease.yaml", "HelmRelease", "helm.toolkit.fluxcd.io"),
        ];
        for (name, kind, group) in wanted {
            let file = format!("{folder}/{name}");
            if !self.tree.files.contains_key(&file) {
                self.object("files", format!("{file}: is not there"));
                continue;
            }
            let mut inside = self.tree.objects.iter().filter(|object| object.file == file);
            if !inside.any(|object| object.kind() == kind && object.is_of(group)) {
                self.object("kinds", format!("{file}:1: no {kind} of {group}"));
            }
        }
        let application = format!("{folder}/app");
        let kustomization = self.tree.objects.iter().find(|object| object.file == format!("{folder}/ks.yaml"));
        if let Some(kustomization) = kustomization {
            let path = kustomization.text("/spec/path");
            if !path.trim_end_matches('/').ends_with(&application) {
                self.object(
                    "path",
                    self.tree.says(kustomization, &["spec", "path"], format!("{path:?} is not {application}")),
                );
            }
        }
        let list = format!("{application}/kustomization.yaml");
        let Some(list) = self.tree.objects.iter().find(|object| object.file == list) else { return };
        let listed: BTreeSet<&str> = list
            .at("/resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.trim_start_matches("./")))
            .collect();
        let inside = self.tree.files.keys().filter_map(|file| file.strip_prefix(&format!("{application}/")));
        let there: BTreeSet<&str> = inside.filter(|file| *file != "kustomization.yaml").collect();
        for missing in there.difference(&listed) {
            self.object("listed", self.tree.says(list, &["resources"], format!("{missing} is not listed")));
        }
        for gone in listed.difference(&there) {
            self.object("listed", self.tree.says(list, &["resources"], format!("{gone} is listed and not there")));
        }
    }

    fn release_stands(&mut self, name: &str) {
        let file = format!("{MONITORING}/{name}/app/helmrelease.yaml");
        let stands = self.tree.release(name).is_some_and(|release| release.file == file);
        if !stands {
            self.object("release", format!("{file}: no HelmRelease called {name}"));
        }
    }

    fn chart_source(&mut self) {
        for (program, release) in self.releases("chart reference") {
            if release.at("/spec/chart").is_some() {
                let says = self.tree.says(release, &["spec", "chart"], "a chart of a HelmRepository");
                self.object("chart reference", says);
            }
            if release.text("/spec/chartRef/kind") != "OCIRepository" {
                self.object("chart reference", self.tree.says(release, &["spec"], "no chartRef to an OCIRepository"));
                continue;
            }
            let Some(source) = self.tree.source(release) else {
                let missing = format!("no OCIRepository called {}", release.text("/spec/chartRef/name"));
                self.object("chart reference", self.tree.says(release, &["spec", "chartRef", "name"], missing));
                continue;
            };
            let (tag, digest) = (source.text("/spec/ref/tag"), source.text("/spec/ref/digest"));
            let is_version = tag.split('.').count() == 3 && tag.starts_with(|first: char| first.is_ascii_digit());
            if !is_version && digest.is_empty() {
                let says = format!("{tag:?} is no version of the chart of {}", program.name());
                self.object("pinned tag", self.tree.says(source, &["spec", "ref"], says));
            }
        }
    }

    fn resources(&mut self, program: Program, [processor, requested, limit]: [u64; 3]) {
        let Some(release) = self.release_of("requests", program.name()) else { return };
        let workloads = self.tree.workloads(release);
        if workloads.is_empty() {
            self.object("requests", self.tree.says(release, &["values"], "no workload"));
        }
        for workload in workloads {
            let at = |path: &str| workload.container.pointer(&format!("/resources/{path}"));
            let keys: Vec<&str> = workload.keys.iter().copied().chain(["resources"]).collect();
            let (cpu, memory) = (at("requests/cpu").and_then(millis), at("requests/memory").and_then(bytes));
            if (cpu, memory) != (Some(processor), Some(requested << 20)) {
                let says = format!("requests {}, not {processor}m and {requested}Mi", told(at("requests")));
                self.object("requests", self.tree.says(release, &keys, says));
            }
            if at("limits/memory").and_then(bytes) != Some(limit << 20) {
                let says = format!("memory is limited to {}, not {limit}Mi", told(at("limits/memory")));
                self.object("memory limit", self.tree.says(release, &keys, says));
            }
            if let Some(cpu) = at("limits/cpu") {
                self.object(
                    "no processor limit",
                    self.tree.says(release, &keys, format!("the processor is limited to {cpu}")),
                );
            }
        }
    }

    fn memory_limits(&mut self) {
        for (_, release) in self.releases("memory limit") {
            for workload in self.tree.workloads(release) {
                let limit = workload.container.pointer("/resources/limits/memory");
                if limit.and_then(bytes).is_none_or(|limit| limit >= MEMORY_CEILING) {
                    let keys: Vec<&str> = workload.keys.iter().copied().chain(["resources", "limits"]).collect();
                    let says = format!("memory is limited to {}, not below 2Gi", told(limit));
                    self.object("memory limit", self.tree.says(release, &keys, says));
                }
            }
        }
    }

    fn persistence(&mut self) {
        for (_, release) in self.releases("persistence off") {
            let values = release.values();
            let of_workloads =
                self.tree.workloads(release).into_iter().map(|workload| (workload.keys, workload.settings));
            let mut places: Vec<(Vec<&str>, Option<&Value>)> =
                of_workloads.map(|(keys, settings)| (keys, settings.get("persistence"))).collect();
            if self.tree.chart(release) != Some("loki") {
                places = vec![(Vec::new(), values.get("persistence"))];
            }
            for (keys, persistence) in places {
                let keys: Vec<&str> = keys.into_iter().chain(["persistence"]).collect();
                if persistence.and_then(|persistence| persistence.get("enabled")) != Some(&json!(false)) {
                    self.object("persistence off", self.tree.says(release, &keys, "persistence.enabled is not false"));
                }
                let volumes = persistence.and_then(Value::as_object).into_iter().flatten();
                for (name, volume) in volumes {
                    if volume.get("type").and_then(Value::as_str) == Some("persistentVolumeClaim") {
                        self.object("no claims", self.tree.says(release, &keys, format!("{name} is a claim")));
                    }
                }
            }
        }
        for claim in self.tree.of_kind("PersistentVolumeClaim") {
            self.object("no claims", self.tree.says(claim, &["kind"], format!("a claim called {}", claim.name())));
        }
        for set in self.tree.of_kind("StatefulSet").filter(|set| set.at("/spec/volumeClaimTemplates").is_some()) {
            self.object("no claims", self.tree.says(set, &["spec", "volumeClaimTemplates"], "a template of claims"));
        }
    }

    fn replicas(&mut self) {
        for (program, release) in self.releases("one replica") {
            for workload in self.tree.workloads(release) {
                let replicas = workload.settings.get("replicas");
                if replicas != Some(&json!(1)) {
                    let keys: Vec<&str> = workload.keys.iter().copied().take(2).chain(["replicas"]).collect();
                    self.object("one replica", self.tree.says(release, &keys, format!("{} replicas", told(replicas))));
                }
            }
            let configuration = self.tree.configuration(release).unwrap_or_default();
            let factor = configuration.pointer(program.factor_at());
            if factor != Some(&json!(1)) {
                let says = format!("replication factor {} of {}", told(factor), program.name());
                self.object("replication factor", self.tree.says(release, &["values"], says));
            }
        }
    }

    fn buckets(&mut self) {
        let mut secrets: BTreeMap<String, Program> = BTreeMap::new();
        for (program, release) in self.releases("own bucket") {
            let configuration = self.tree.configuration(release).unwrap_or_default();
            let bucket = configuration.pointer(program.bucket_at());
            if bucket != Some(&json!(program.bucket())) {
                let says = format!("{} is configured for {}, not {}", program.name(), told(bucket), program.bucket());
                self.object("own bucket", self.tree.says(release, &["values"], says));
            }
            let Some(secret) = self.secret_of("own secret", program) else { continue };
            let key = secret.text("/stringData/S3_ACCESS_KEY_ID").to_owned();
            if let Some(other) = secrets.insert(key, program) {
                let says = format!("{} has the key of {}", program.name(), other.name());
                self.object("own secret", self.tree.says(secret, &["stringData", "S3_ACCESS_KEY_ID"], says));
            }
        }
    }

    fn loki_mode(&mut self) {
        let Some(release) = self.release_of("mode by name", "loki") else { return };
        let mode = release.values().get("deploymentMode");
        if mode != Some(&json!("SimpleScalable")) {
            self.object("mode by name", self.tree.says(release, &["deploymentMode"], format!("mode {}", told(mode))));
        }
        for process in ["write", "read", "backend"] {
            let replicas = release.values().get(process).and_then(|settings| settings.get("replicas")?.as_u64());
            if replicas.unwrap_or(0) == 0 {
                self.object(
                    "three workloads",
                    self.tree.says(release, &["values"], format!("no workload for {process}")),
                );
            }
        }
    }

    fn one_process(&mut self, program: Program) {
        let Some(release) = self.release_of("one workload", program.name()) else { return };
        let count = self.tree.workloads(release).len();
        if count != 1 {
            self.object("one workload", self.tree.says(release, &["values"], format!("{count} workloads")));
        }
        let configuration = self.tree.configuration(release).unwrap_or_default();
        let target = configuration.get("target");
        if target != Some(&json!("all")) {
            self.object("target", self.tree.says(release, &["values"], format!("target {}", told(target))));
        }
    }

    fn otlp_receiver(&mut self) {
        let Some(release) = self.release_of("receiver", "tempo") else { return };
        let configuration = self.tree.configuration(release).unwrap_or_default();
        let endpoint = configuration.pointer("/distributor/receivers/otlp/protocols/grpc/endpoint");
        let port = endpoint.and_then(Value::as_str).and_then(|endpoint| endpoint.rsplit(':').next()?.parse().ok());
        if port != Some(OTLP_PORT) {
            let says = format!("OTLP over gRPC at {}, not at port {OTLP_PORT}", told(endpoint));
            self.object("receiver", self.tree.says(release, &["config"], says));
        }
        let services = self.tree.services();
        if !services.iter().any(|service| service.name == "tempo" && service.has_port(OTLP_PORT)) {
            let says = format!("no service called tempo with port {OTLP_PORT}");
            self.object("port of the service", self.tree.says(release, &["values"], says));
        }
    }

    fn secret_environment(&mut self, program: Program) {
        let Some(release) = self.release_of("environment from the secret", program.name()) else { return };
        let values = release.values();
        let containers = self.tree.workloads(release);
        let own = containers.iter().filter_map(|workload| workload.container.get("envFrom"));
        let chart = [values.pointer("/global/extraEnvFrom"), values.pointer("/tempo/extraEnvFrom")];
        let sources = own.chain(chart.into_iter().flatten()).filter_map(Value::as_array).flatten();
        let names: Vec<&str> =
            sources.filter_map(|source| source.pointer("/secretRef/name").and_then(Value::as_str)).collect();
        if !names.contains(&program.secret().as_str()) {
            let says = format!("no envFrom of {}", program.secret());
            self.object("environment from the secret", self.tree.says(release, &["values"], says));
        }
        let configuration = self.tree.configuration(release).unwrap_or_default().to_string();
        for variable in CREDENTIALS {
            if !configuration.contains(&format!("${{{variable}}}")) {
                let says = format!("the configuration does not refer to {variable}");
                self.object("variables in the configuration", self.tree.says(release, &["values"], says));
            }
        }
    }

    fn keys(&mut self) {
        for program in Program::ALL {
            let Some(secret) = self.secret_of("four keys", program) else { continue };
            for key in KEYS {
                let value = ["stringData", "data"].into_iter().find_map(|place| secret.at(&format!("/{place}/{key}")));
                if value.and_then(Value::as_str).is_none_or(str::is_empty) {
                    self.object("four keys", self.tree.says(secret, &["stringData"], format!("no {key}")));
                }
            }
            let bucket = secret.text("/stringData/S3_BUCKET");
            if !bucket.is_empty() && !bucket.starts_with(CIPHERTEXT) && bucket != program.bucket() {
                let says = format!("bucket {bucket}, not {}", program.bucket());
                self.object("own bucket", self.tree.says(secret, &["stringData", "S3_BUCKET"], says));
            }
        }
    }

    fn encrypted(&mut self) {
        let declared = self.recipients();
        if declared.is_empty() {
            self.object("recipients", ".sops.yaml: no age recipient is declared");
        }
        for program in Program::ALL {
            let Some(secret) = self.secret_of("ciphertexts", program) else { continue };
            for key in CREDENTIALS {
                let value = ["stringData", "data"].into_iter().find_map(|place| secret.at(&format!("/{place}/{key}")));
                if !value.and_then(Value::as_str).is_some_and(|value| value.starts_with(CIPHERTEXT)) {
                    let says = format!("{key} is no ciphertext");
                    self.object("ciphertexts", self.tree.says(secret, &["stringData", key], says));
                }
            }
            let recipients = secret.at("/sops/age").and_then(Value::as_array).into_iter().flatten();
            let recipients: BTreeSet<&str> =
                recipients.filter_map(|recipient| recipient.get("recipient")?.as_str()).collect();
            let wanted: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
            if recipients != wanted {
                let says = format!("for {recipients:?}, not for the declared {wanted:?}");
                self.object("recipients", self.tree.says(secret, &["sops"], says));
            }
        }
    }

    /// The age keys that the tree declares.
    fn recipients(&self) -> BTreeSet<String> {
        let rules = self.tree.objects.iter().filter(|object| object.file == ".sops.yaml");
        let rules = rules.filter_map(|object| object.at("/creation_rules")?.as_array()).flatten();
        let keys = rules.filter_map(|rule| rule.get("age")?.as_str()).flat_map(|keys| keys.split(','));
        keys.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect()
    }

    fn kustomization_of(&mut self, rule: &'static str, name: &str) -> Option<&'a Object> {
        let found = self.tree.named("Kustomization", "kustomize.toolkit.fluxcd.io", name);
        if found.is_none() {
            self.object(rule, format!("{MONITORING}/{name}/ks.yaml: no Kustomization of Flux called {name}"));
        }
        found
    }

    fn depends(&mut self) {
        let ours: BTreeSet<&str> = DEPENDS.iter().map(|(name, _)| *name).collect();
        for (name, wanted) in DEPENDS {
            let Some(kustomization) = self.kustomization_of("dependencies", name) else { continue };
            let declared = kustomization.at("/spec/dependsOn").and_then(Value::as_array).into_iter().flatten();
            let declared: BTreeSet<&str> = declared.filter_map(|on| on.get("name")?.as_str()).collect();
            let among_ours: BTreeSet<&str> = declared.intersection(&ours).copied().collect();
            let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
            if among_ours != wanted {
                let says = format!("{name} waits for {among_ours:?}, not for {wanted:?}");
                self.object("dependencies", self.tree.says(kustomization, &["spec", "dependsOn"], says));
            }
        }
    }

    fn reconciled(&mut self) {
        for (name, _) in DEPENDS {
            let Some(release) = self.release_of("not suspended", name) else { continue };
            let Some(kustomization) = self.kustomization_of("not suspended", name) else { continue };
            for object in [release, kustomization] {
                if object.at("/spec/suspend") == Some(&json!(true)) {
                    let says = format!("{} {name} is suspended", object.kind());
                    self.object("not suspended", self.tree.says(object, &["spec", "suspend"], says));
                }
            }
            let checks = kustomization.at("/spec/healthChecks").and_then(Value::as_array).into_iter().flatten();
            let mut checked = checks.filter(|check| check.get("kind") == Some(&json!("HelmRelease")));
            let waits = kustomization.at("/spec/wait") == Some(&json!(true));
            if !waits && !checked.any(|check| check.get("name") == Some(&json!(name))) {
                let says = format!("no health check of the release {name}");
                self.object("health checks", self.tree.says(kustomization, &["spec"], says));
            }
        }
    }

    fn ready(&mut self) {
        self.reconciled();
        for (name, _) in DEPENDS {
            let Some(release) = self.release_of("ready", name) else { continue };
            let Some(kustomization) = self.kustomization_of("ready", name) else { continue };
            self.stands(release);
            self.stands(kustomization);
            let (applied, attempted) = (
                kustomization.text("/status/lastAppliedRevision"),
                kustomization.text("/status/lastAttemptedRevision"),
            );
            if applied.is_empty() || applied != attempted {
                let says = format!("applied {applied:?}, attempted {attempted:?}");
                self.object("revision", self.tree.says(kustomization, &["status"], says));
            }
            let Some(source) = self.tree.source(release) else { continue };
            self.stands(source);
            let tag = source.text("/spec/ref/tag");
            let artifact = source.text("/status/artifact/revision");
            let installed = release.text("/status/history/0/chartVersion");
            let is_tag = |version: &str| version.split(['@', '+']).next() == Some(tag);
            if !is_tag(artifact) || !is_tag(installed) {
                let says = format!("tag {tag:?}, artifact {artifact:?}, installed {installed:?}");
                self.object("revision", self.tree.says(source, &["status"], says));
            }
        }
    }

    /// An object that Flux has reconciled as it is declared now.
    fn stands(&mut self, object: &'a Object) {
        let conditions = object.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let ready = conditions.into_iter().find(|condition| condition.get("type") == Some(&json!("Ready")));
        if ready.and_then(|ready| ready.get("status")) != Some(&json!("True")) {
            let says = told(ready.and_then(|ready| ready.get("message")));
            self.object("ready", self.tree.says(object, &["status"], format!("not ready: {says}")));
        }
        let (declared, observed) = (object.at("/metadata/generation"), object.at("/status/observedGeneration"));
        if observed.is_none() || declared != observed {
            let says = format!("generation {} is declared, {} was observed", told(declared), told(observed));
            self.object("generation", self.tree.says(object, &["status"], says));
        }
    }

    /// What Prometheus is told of remote write.
    fn remote_writes(&mut self, rule: &'static str) -> Vec<(&'a Object, &'a Value)> {
        let Some(release) = self.release_of(rule, Beside::KubePrometheusStack.name()) else { return Vec::new() };
        let written = release.values().pointer("/prometheus/prometheusSpec/remoteWrite").and_then(Value::as_array);
        let written: Vec<_> = written.into_iter().flatten().map(|write| (release, write)).collect();
        if written.is_empty() {
            self.object(rule, self.tree.says(release, &["prometheusSpec"], "no remoteWrite"));
        }
        written
    }

    fn remote_write(&mut self) {
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

    fn remote_write_queue(&mut self) {
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

    fn service_monitor(&mut self) {
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

    /// Grafana's data sources, with the release that has them.
    fn declared_sources(&mut self, rule: &'static str) -> Vec<(&'a Object, &'a Value)> {
        let Some(release) = self.release_of(rule, Beside::Grafana.name()) else { return Vec::new() };
        let sources = release.values().pointer("/datasources/datasources.yaml/datasources").and_then(Value::as_array);
        if sources.is_none() {
            self.object(rule, self.tree.says(release, &["values"], "no section datasources.yaml"));
        }
        sources.into_iter().flatten().map(|source| (release, source)).collect()
    }

    fn data_sources(&mut self) {
        let sources = self.declared_sources("data sources");
        for (name, kind) in DATA_SOURCES {
            let mut own = sources.iter().filter(|(_, source)| source.get("type") == Some(&json!(kind)));
            let is_it = |(_, source): &(&Object, &Value)| {
                source.get("url").and_then(Value::as_str).is_some_and(|url| {
                    self.tree
                        .service_at(url)
                        .is_some_and(|(service, port)| belongs(&service, name) && service.has_port(port))
                })
            };
            if let (Some((release, _)), false) = (sources.first(), own.any(is_it)) {
                let says = format!("no data source of type {kind} at a service and port of {name}'s");
                self.object("data sources", self.tree.says(release, &["datasources.yaml"], says));
            }
        }
    }

    fn data_source_addresses(&mut self) {
        for (release, source) in self.declared_sources("addresses") {
            let url = source.get("url").and_then(Value::as_str).unwrap_or_default();
            let resolves = self.tree.service_at(url).is_some_and(|(service, port)| service.has_port(port));
            if !resolves {
                let says = format!("{url:?} is no service and port of the tree");
                self.object("addresses", self.tree.says(release, &["datasources.yaml", "url"], says));
            }
        }
    }

    fn data_sources_declarative(&mut self) {
        for (release, source) in self.declared_sources("not editable") {
            if source.get("editable") != Some(&json!(false)) {
                let says = format!("{} can be edited by hand", told(source.get("name")));
                self.object("not editable", self.tree.says(release, &["datasources.yaml"], says));
            }
        }
    }

    fn discovery(&mut self) {
        for (_, source) in self.declared_sources("annotations") {
            let url = source.get("url").and_then(Value::as_str).unwrap_or_default();
            // That an address is no service's is for another question to say.
            let Some((service, _)) = self.tree.service_at(url) else { continue };
            let annotation = |key: &str| service.annotations.get(&format!("prometheus.io/{key}")).map(String::as_str);
            let says =
                |what: String| self.tree.says(service.declared, &[service.key], format!("{}: {what}", service.name));
            let named = (annotation("scrape"), annotation("port"), annotation("path"));
            let (Some("true"), Some(port), Some(_)) = named else {
                let finding = says(format!("no annotations prometheus.io/scrape, port and path: {named:?}"));
                self.object("annotations", finding);
                continue;
            };
            if !port.parse().is_ok_and(|port| service.has_port(port)) {
                let finding = says(format!("it has no port {port}"));
                self.object("port of the service", finding);
            }
        }
    }
}

/// How a ciphertext of SOPS begins.
const CIPHERTEXT: &str = "ENC[AES256_GCM,";

/// Whether a service is one of the program that a data source is named for: declared by its release, or beside it.
fn belongs(service: &Service<'_>, name: &str) -> bool {
    service.declared.file.starts_with(&format!("{MONITORING}/{}/", name.to_lowercase()))
}

fn told(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// A quantity of processor time, in thousandths of a core.
fn millis(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.strip_suffix('m') {
        Some(millis) => millis.parse().ok(),
        None => text.parse::<u64>().ok()?.checked_mul(1000),
    }
}

/// A quantity of memory, in bytes; of the suffixes, those of powers of two.
fn bytes(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let units = [("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let (number, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((&text, 0));
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let number = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part.parse().ok()?)?;
    number.checked_mul(1 << shift)?.checked_div(scale)
}
