//! What a tree is asked, and what objects to it. One file a kind of thing; must not know which clause asks.

mod files;
mod flux;
mod grafana;
mod programs;
mod prometheus;
mod secrets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MONITORING, Object, Tree, components::Program};

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
}

fn told(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}
