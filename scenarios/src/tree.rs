//! What the deployment's files declare. Each check is shown to say no by a change of the tree in memory.

use harness_core::{
    catalogue::Target,
    observation::Look,
    scenario::Scenario,
    secret::Form,
    tree::{Alteration, Beside, Program, Question},
    verdict::{Check, Rule},
};
use serde_json::{Value, json};

use crate::written_here;

/// A clause, what the tree is asked for it, and the states that must be objected to: what they are, the rules, and the changes.
#[derive(Clone)]
struct Asked {
    name: String,
    clause: &'static str,
    question: Question,
    controls: Vec<(&'static str, Vec<&'static str>, Vec<Alteration>)>,
}

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let of_files = asked().into_iter().map(|asked| scenario(asked, &[Target::Tree], "tree"));
    // What was applied by hand, or is told by a test, is not what Flux has reconciled: kind's plain way has no Flux.
    let live = reconciled().into_iter().map(|asked| scenario(asked, &[Target::Cluster], "flux"));
    of_files.chain(live).chain([secrets(), disclosures()]).collect()
}

/// What Flux has made of the tree, by its own word.
fn reconciled() -> Vec<Asked> {
    let of_files = [releases(), flux()].concat().into_iter();
    let same = of_files.filter(|asked| matches!(asked.question, Question::ChartSource | Question::Depends));
    let same = same.map(|asked| Asked { name: asked.name.replace("tree-", "flux-"), ..asked });
    let failed = json!([{"type": "Ready", "status": "False", "message": "a chart that is not there"}]);
    let ready = Asked {
        name: "flux-reconciled".to_owned(),
        clause: "NFR-lgtm-d4f8c2a1-OPS-001/reconciled",
        question: Question::Ready,
        controls: vec![(
            "a release that is suspended, one that failed, one that was changed since, and another chart than declared",
            vec!["not suspended", "health checks", "ready", "generation", "revision"],
            vec![
                set("HelmRelease", "tempo", "/spec/suspend", json!(true)),
                unset("Kustomization", "mimir", "/spec/healthChecks"),
                unset("Kustomization", "mimir", "/spec/wait"),
                set("HelmRelease", "mimir", "/status/conditions", failed),
                set("HelmRelease", "loki", "/status/observedGeneration", json!(0)),
                set("OCIRepository", "loki", "/status/artifact/revision", json!("0.0.1@sha256:0")),
            ],
        )],
    };
    same.chain([ready]).collect()
}

fn asked() -> Vec<Asked> {
    let folders = Program::ALL.map(folder).into_iter().collect();
    [folders, releases(), sizes(), stores(), flux(), prometheus(), grafana(), processes()].concat()
}

fn scenario(asked: Asked, targets: &[Target], tag: &'static str) -> Result<Scenario, String> {
    let Asked { name, clause, question, controls } = asked;
    let scenario = Scenario::new(&name, written_here!(), &[clause], move |stage| {
        let controls = controls.clone();
        async move {
            let rules = question.rules().iter().map(|rule| Rule::new(rule, rule, Check::Empty)).collect();
            let clause = stage.expect_state(clause, rules)?;
            for (name, rules, altered) in controls {
                stage.control(&clause, name, &rules, Look::Tree { question, altered }).await?;
            }
            stage.look_once(&clause, Look::Tree { question, altered: Vec::new() }).await?;
            Ok(())
        }
    })?;
    Ok(scenario.tagged(&[tag]).only_on(targets))
}

fn without(file: String) -> Alteration {
    Alteration::WithoutFile { file }
}

fn set(kind: &str, name: &str, at: &str, value: Value) -> Alteration {
    Alteration::Set { kind: kind.to_owned(), name: name.to_owned(), at: at.to_owned(), value: Some(value) }
}

fn unset(kind: &str, name: &str, at: &str) -> Alteration {
    Alteration::Set { kind: kind.to_owned(), name: name.to_owned(), at: at.to_owned(), value: None }
}

/// A change of what a release is told.
fn told(name: &str, at: &str, value: Value) -> Alteration {
    set("HelmRelease", name, &format!("/spec/values{at}"), value)
}

/// Where the settings of a program's first container stand in the values of its release, by the charts that the tree has.
fn container(program: Program) -> &'static str {
    match program {
        Program::Loki => "/read",
        Program::Tempo => "/tempo",
        Program::Mimir => "/controllers/mimir/containers/mimir",
    }
}

fn folder(program: Program) -> Asked {
    let (name, clause) = match program {
        Program::Loki => ("tree-loki-folder", "TREE-layout/loki"),
        Program::Tempo => ("tree-tempo-folder", "TREE-layout/tempo"),
        Program::Mimir => ("tree-mimir-folder", "TREE-layout/mimir"),
    };
    let folder = format!("apps/monitoring/{}", program.name());
    let release = program.name();
    Asked {
        name: name.to_owned(),
        clause,
        question: Question::Folder(program),
        controls: vec![
            (
                "a folder without its secret, which its list still has",
                vec!["files", "listed"],
                vec![without(format!("{folder}/app/secret.sops.yaml"))],
            ),
            (
                "a release that is none, and a Kustomization that points elsewhere",
                vec!["kinds", "path"],
                vec![
                    set("HelmRelease", release, "/kind", json!("ConfigMap")),
                    set("Kustomization", release, "/spec/path", json!("./elsewhere")),
                ],
            ),
        ],
    }
}

fn releases() -> Vec<Asked> {
    let beside = |name: &str, clause, release: Beside| Asked {
        name: name.to_owned(),
        clause,
        question: Question::Release(release),
        controls: vec![(
            "a folder without its release",
            vec!["release"],
            vec![without(format!("apps/monitoring/{}/app/helmrelease.yaml", release.name()))],
        )],
    };
    let source = |name: &str, clause| Asked {
        name: name.to_owned(),
        clause,
        question: Question::ChartSource,
        controls: vec![
            (
                "a chart of a HelmRepository",
                vec!["chart reference"],
                vec![set("HelmRelease", "loki", "/spec/chart", json!({"spec": {"chart": "loki"}}))],
            ),
            (
                "a tag that moves",
                vec!["pinned tag"],
                vec![set("OCIRepository", "loki", "/spec/ref/tag", json!("latest"))],
            ),
        ],
    };
    vec![
        beside("tree-grafana-release", "TREE-layout/grafana", Beside::Grafana),
        beside("tree-prometheus-release", "TREE-layout/kube-prometheus-stack", Beside::KubePrometheusStack),
        source("tree-loki-chart", "AC-lgtm-001-01/chart-source"),
        source("tree-charts", "ADR-001/chart-source"),
    ]
}

fn sizes() -> Vec<Asked> {
    let sized = |name: &str, clause, program: Program, figures| {
        let resources = format!("{}/resources", container(program));
        Asked {
            name: name.to_owned(),
            clause,
            question: Question::Resources(program, figures),
            controls: vec![(
                "a container with other requests, without a limit of memory, and with one of the processor",
                vec!["requests", "memory limit", "no processor limit"],
                vec![told(
                    program.name(),
                    &resources,
                    json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1"}}),
                )],
            )],
        }
    };
    vec![
        sized("tree-loki-sized", "TREE-resources/loki", Program::Loki, [200, 512, 1536]),
        sized("tree-tempo-sized", "TREE-resources/tempo", Program::Tempo, [100, 256, 1024]),
        sized("tree-mimir-sized", "TREE-resources/mimir", Program::Mimir, [200, 512, 1536]),
        Asked {
            name: "tree-memory-limits".to_owned(),
            clause: "NFR-lgtm-d4f8c2a1-SCALE-002/memory",
            question: Question::MemoryLimits,
            controls: vec![(
                "a limit of two gibibytes",
                vec!["memory limit"],
                vec![told("tempo", "/tempo/resources/limits/memory", json!("2Gi"))],
            )],
        },
    ]
}

fn stores() -> Vec<Asked> {
    vec![
        Asked {
            name: "tree-persistence".to_owned(),
            clause: "TREE-persistence/disabled",
            question: Question::Persistence,
            controls: vec![(
                "a volume and a claim",
                vec!["persistence off", "no claims"],
                vec![
                    told("loki", "/write/persistence/enabled", json!(true)),
                    told("mimir", "/persistence/data/type", json!("persistentVolumeClaim")),
                ],
            )],
        },
        Asked {
            name: "tree-buckets".to_owned(),
            clause: "ADR-003/buckets",
            question: Question::Buckets,
            controls: vec![(
                "two on one bucket, and two under one key",
                vec!["own bucket", "own secret"],
                vec![
                    told("loki", "/loki/structuredConfig/common/storage/s3/bucketnames", json!("tempo-traces")),
                    set("Secret", "loki-s3-secret", "/stringData/S3_ACCESS_KEY_ID", json!("one")),
                    set("Secret", "tempo-s3-secret", "/stringData/S3_ACCESS_KEY_ID", json!("one")),
                ],
            )],
        },
        Asked {
            name: "tree-secret-environment".to_owned(),
            clause: "AC-lgtm-001-01/secret-env",
            question: Question::SecretEnvironment(Program::Loki),
            controls: vec![(
                "literal credentials in the values, and no secret",
                vec!["environment from the secret", "variables in the configuration"],
                vec![
                    told("loki", "/global/extraEnvFrom", json!([])),
                    told("loki", "/loki/structuredConfig/common/storage/s3/access_key_id", json!("literal")),
                ],
            )],
        },
        Asked {
            name: "tree-secret-keys".to_owned(),
            clause: "AC-lgtm-004-01/keys",
            question: Question::Keys,
            controls: vec![(
                "a secret without one of the keys, and one with another's bucket",
                vec!["four keys", "own bucket"],
                vec![
                    unset("Secret", "loki-s3-secret", "/stringData/S3_ENDPOINT"),
                    set("Secret", "tempo-s3-secret", "/stringData/S3_BUCKET", json!("mimir-blocks")),
                ],
            )],
        },
    ]
}

fn flux() -> Vec<Asked> {
    vec![
        Asked {
            name: "tree-dependencies".to_owned(),
            clause: "NFR-lgtm-d4f8c2a1-OPS-001/depends",
            question: Question::Depends,
            controls: vec![
                (
                    "Grafana waits for two of the three",
                    vec!["dependencies"],
                    vec![set(
                        "Kustomization",
                        "grafana",
                        "/spec/dependsOn",
                        json!([{"name": "loki"}, {"name": "tempo"}]),
                    )],
                ),
                (
                    "Tempo waits for Loki",
                    vec!["dependencies"],
                    vec![set("Kustomization", "tempo", "/spec/dependsOn", json!([{"name": "loki"}]))],
                ),
            ],
        },
        Asked {
            name: "tree-reconciled".to_owned(),
            clause: "NFR-lgtm-d4f8c2a1-OPS-001/reconciled",
            question: Question::Reconciled,
            controls: vec![(
                "a suspended release, and one whose health nobody checks",
                vec!["not suspended", "health checks"],
                vec![
                    set("HelmRelease", "tempo", "/spec/suspend", json!(true)),
                    unset("Kustomization", "mimir", "/spec/healthChecks"),
                    unset("Kustomization", "mimir", "/spec/wait"),
                ],
            )],
        },
    ]
}

fn prometheus() -> Vec<Asked> {
    const STACK: &str = "kube-prometheus-stack";
    const WRITE: &str = "/prometheus/prometheusSpec/remoteWrite";
    let monitored = |name: &str, clause| Asked {
        name: name.to_owned(),
        clause,
        question: Question::ServiceMonitor,
        controls: vec![(
            "a selector that selects nothing, where only marked monitors are taken",
            vec!["selects Mimir", "admitted"],
            vec![
                told(
                    STACK,
                    "/prometheus/additionalServiceMonitors",
                    json!([{"selector": {"matchLabels": {"none": "such"}}}]),
                ),
                told(STACK, "/prometheus/prometheusSpec/serviceMonitorSelectorNilUsesHelmValues", json!(true)),
            ],
        )],
    };
    let written = |name: &str, clause| Asked {
        name: name.to_owned(),
        clause,
        question: Question::RemoteWrite,
        controls: vec![
            (
                "a port that the service has not",
                vec!["address"],
                vec![told(STACK, WRITE, json!([{"url": "http://mimir-gateway.monitoring.svc:1/api/v1/push"}]))],
            ),
            (
                "another path",
                vec!["address"],
                vec![told(STACK, WRITE, json!([{"url": "http://mimir-gateway.monitoring.svc:8080/api/v1/write"}]))],
            ),
        ],
    };
    vec![
        written("tree-remote-write", "TREE-remote-write/endpoint"),
        written("tree-mimir-written-to", "ADR-006/remote-write"),
        Asked {
            name: "tree-remote-write-queue".to_owned(),
            clause: "TREE-remote-write/queue",
            question: Question::RemoteWriteQueue,
            controls: vec![(
                "a queue whose minimum exceeds its maximum, and that lacks the rest",
                vec!["queue settings", "consistent"],
                vec![told(STACK, WRITE, json!([{"queueConfig": {"minShards": 2, "maxShards": 1}}]))],
            )],
        },
        monitored("tree-service-monitor", "TREE-service-monitor/declared"),
        monitored("tree-mimir-scraped", "AC-lgtm-003-02/servicemonitor"),
    ]
}

fn grafana() -> Vec<Asked> {
    const SOURCES: &str = "/datasources/datasources.yaml/datasources";
    let only = |source: Value| vec![told("grafana", SOURCES, json!([source]))];
    let elsewhere =
        json!({"name": "Loki", "type": "loki", "url": "http://loki-gateway.monitoring.svc:1", "editable": true});
    let listed = |name: &str, clause| Asked {
        name: name.to_owned(),
        clause,
        question: Question::DataSources,
        controls: vec![("two sources missing, and a wrong port", vec!["data sources"], only(elsewhere.clone()))],
    };
    vec![
        listed("tree-data-sources", "AC-lgtm-005-01/provisioned"),
        listed("tree-data-sources-in-values", "ADR-007/values"),
        Asked {
            name: "tree-data-source-addresses".to_owned(),
            clause: "AC-lgtm-005-01/healthy",
            question: Question::DataSourceAddresses,
            controls: vec![("a data source with a wrong port", vec!["addresses"], only(elsewhere.clone()))],
        },
        Asked {
            name: "tree-data-sources-declarative".to_owned(),
            clause: "NFR-lgtm-d4f8c2a1-OPS-002/declarative",
            question: Question::DataSourcesDeclarative,
            controls: vec![("a data source that can be edited", vec!["not editable"], only(elsewhere))],
        },
        Asked {
            name: "tree-discovery".to_owned(),
            clause: "TREE-discovery/annotations",
            question: Question::Discovery,
            controls: vec![(
                "a service without annotations, and one that names a port which it has not",
                vec!["annotations", "port of the service"],
                vec![
                    unset("Service", "loki-gateway", "/metadata/annotations"),
                    told(
                        "tempo",
                        "/service/annotations",
                        json!({
                            "prometheus.io/scrape": "true", "prometheus.io/port": "1", "prometheus.io/path": "/metrics",
                        }),
                    ),
                ],
            )],
        },
    ]
}

fn processes() -> Vec<Asked> {
    let one = |name: &str, clause, program: Program, target: Alteration| Asked {
        name: name.to_owned(),
        clause,
        question: Question::OneProcess(program),
        controls: vec![
            ("a target of its own", vec!["target"], vec![target]),
            (
                "no release",
                vec!["one workload"],
                vec![without(format!("apps/monitoring/{}/app/helmrelease.yaml", program.name()))],
            ),
        ],
    };
    vec![
        Asked {
            name: "tree-replicas".to_owned(),
            clause: "ADR-002/replicas",
            question: Question::Replicas,
            controls: vec![(
                "a second replica, and a second copy of each record",
                vec!["one replica", "replication factor"],
                vec![
                    told("loki", "/read/replicas", json!(2)),
                    told("loki", "/loki/structuredConfig/common/replication_factor", json!(2)),
                ],
            )],
        },
        Asked {
            name: "tree-loki-mode".to_owned(),
            clause: "ADR-004/simple-scalable",
            question: Question::LokiMode,
            controls: vec![(
                "the chart's own mode, without a backend",
                vec!["mode by name", "three workloads"],
                vec![
                    unset("HelmRelease", "loki", "/spec/values/deploymentMode"),
                    told("loki", "/backend/replicas", json!(0)),
                ],
            )],
        },
        Asked {
            name: "tree-tempo-otlp".to_owned(),
            clause: "ADR-005/otlp",
            question: Question::OtlpReceiver,
            controls: vec![
                ("no receiver", vec!["receiver"], vec![told("tempo", "/config", json!("target: all"))]),
                (
                    "another chart, which is not known to have the port",
                    vec!["port of the service"],
                    vec![set("OCIRepository", "tempo", "/spec/url", json!("oci://registry/another-chart"))],
                ),
            ],
        },
        one(
            "tree-tempo-monolithic",
            "ADR-005/monolithic",
            Program::Tempo,
            told("tempo", "/config", json!("target: distributor")),
        ),
        one(
            "tree-mimir-monolithic",
            "ADR-006/monolithic",
            Program::Mimir,
            told("mimir", "/configMaps/mimir/data/configuration.yaml", json!("target: ingester")),
        ),
    ]
}

/// Each credential is a ciphertext for the declared keys, the files are as they were when they were encrypted, and nobody reads them
/// without a key. A credential in the clear, a stranger's key, an altered file, and a reader with and without the key swapped show that the
/// check can say no.
fn secrets() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-004-01/sops";
    let scenario = Scenario::new("tree-secrets", written_here!(), &[CLAUSE], |stage| async move {
        let rule = |name: &str| Rule::new(name, name, Check::Empty);
        let facts = ["ciphertexts", "recipients", "decrypts", "closed"];
        let clause = stage.expect_state(CLAUSE, facts.map(rule).to_vec())?;
        let look = |altered: Vec<Alteration>, swapped| Look::TreeSecrets { altered, swapped };
        let plain = vec![
            set("Secret", "loki-s3-secret", "/stringData/S3_ACCESS_KEY_ID", json!("plain")),
            set("Secret", "loki-s3-secret", "/sops/age", json!([{"recipient": "age1stranger"}])),
        ];
        let name = "a credential in the clear, for a stranger";
        stage.control(&clause, name, &["ciphertexts", "recipients"], look(plain, false)).await?;
        let altered = vec![Alteration::Tampered {
            file: "apps/monitoring/loki/app/secret.sops.yaml".to_owned(),
            from: "kind: Secret".to_owned(),
            to: "kind: Secrets".to_owned(),
        }];
        stage.control(&clause, "a file that was altered", &["decrypts"], look(altered, false)).await?;
        let name = "a reader without the key in the place of one with it";
        stage.control(&clause, name, &["decrypts", "closed"], look(Vec::new(), true)).await?;
        stage.look_once(&clause, look(Vec::new(), false)).await?;
        Ok(())
    })?;
    Ok(scenario.tagged(&["tree"]).only_on(&[Target::Tree]))
}

/// No file of the tree has a credential of its secrets, in whatever form. A credential that nobody uses, added to each file in one form after
/// the other, shows that the check can say no.
fn disclosures() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-004-02/none-inline";
    let scenario = Scenario::new("tree-no-credential-inline", written_here!(), &[CLAUSE], |stage| async move {
        let clause = stage.expect_state(CLAUSE, vec![Rule::new("no credential", "disclosed", Check::Empty)])?;
        for form in Form::ALL {
            let name = format!("a credential that is there, {form}");
            stage.control(&clause, &name, &["no credential"], Look::TreeDisclosures { planted: Some(form) }).await?;
        }
        stage.look_once(&clause, Look::TreeDisclosures { planted: None }).await?;
        Ok(())
    })?;
    Ok(scenario.tagged(&["tree"]).only_on(&[Target::Tree]))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use harness_adapters::targets::tree::TreeFolder;
    use harness_core::{
        ports::Deployment,
        tree::{Tree, findings_of},
    };

    use super::*;

    fn tree() -> Tree {
        let folder = TreeFolder::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../kubernetes")).unwrap();
        futures::executor::block_on(folder.tree()).unwrap()
    }

    /// Which rules of which questions a tree breaks.
    fn broken(tree: &Tree) -> BTreeSet<String> {
        let questions = asked().into_iter().map(|asked| asked.question).chain([Question::Encrypted]);
        let broken = questions.flat_map(|question| {
            let findings = findings_of(tree, question).into_iter().filter(|(_, findings)| !findings.is_empty());
            findings.map(move |(rule, _)| format!("{question:?}: {rule}"))
        });
        broken.collect()
    }

    #[test]
    fn our_tree_breaks_no_rule() {
        assert_eq!(broken(&tree()), BTreeSet::new());
    }

    /// One thing wrong, and the one rule of one question that it breaks; those of more are about the same thing.
    #[test]
    fn each_rule_has_a_tree_that_breaks_it_and_no_other() {
        const STACK: &str = "kube-prometheus-stack";
        const SOURCES: &str = "/datasources/datasources.yaml/datasources";
        const WRITE: &str = "/prometheus/prometheusSpec/remoteWrite/0";
        let file = |file: &str| without(format!("apps/monitoring/{file}"));
        let secret = |name: &str, at: &str, value: Value| set("Secret", name, at, value);
        let table: Vec<(Alteration, &[&str])> = vec![
            (set("Kustomization", "loki", "/spec/path", json!("./x")), &["Folder(Loki): path"]),
            (
                file("loki/app/gateway.yaml"),
                &["Folder(Loki): listed", "DataSources: data sources", "DataSourceAddresses: addresses"],
            ),
            (
                file("tempo/app/ocirepository.yaml"),
                &[
                    "Folder(Tempo): listed",
                    "ChartSource: chart reference",
                    "Resources(Tempo, [100, 256, 1024]): requests",
                    "Replicas: replication factor",
                    "Buckets: own bucket",
                    "OneProcess(Tempo): one workload",
                    "OneProcess(Tempo): target",
                    "OtlpReceiver: receiver",
                    "OtlpReceiver: port of the service",
                    "DataSources: data sources",
                    "DataSourceAddresses: addresses",
                ],
            ),
            (file("mimir/ks.yaml"), &["Folder(Mimir): files", "Depends: dependencies", "Reconciled: not suspended"]),
            (set("OCIRepository", "mimir", "/spec/ref/tag", json!("latest")), &["ChartSource: pinned tag"]),
            (set("HelmRelease", "loki", "/spec/chart", json!({})), &["ChartSource: chart reference"]),
            (
                told("loki", "/backend/resources/requests/cpu", json!("1")),
                &["Resources(Loki, [200, 512, 1536]): requests"],
            ),
            (
                told("loki", "/write/resources/limits/memory", json!("1Gi")),
                &["Resources(Loki, [200, 512, 1536]): memory limit"],
            ),
            (
                told("tempo", "/tempo/resources/limits/cpu", json!("1")),
                &["Resources(Tempo, [100, 256, 1024]): no processor limit"],
            ),
            (
                told("tempo", "/tempo/resources/limits/memory", json!("2Gi")),
                &["Resources(Tempo, [100, 256, 1024]): memory limit", "MemoryLimits: memory limit"],
            ),
            (told("tempo", "/persistence/enabled", json!(true)), &["Persistence: persistence off"]),
            (told("mimir", "/persistence/tmp/type", json!("persistentVolumeClaim")), &["Persistence: no claims"]),
            (told("loki", "/write/replicas", json!(3)), &["Replicas: one replica"]),
            (
                told("loki", "/loki/structuredConfig/common/replication_factor", json!(3)),
                &["Replicas: replication factor"],
            ),
            (
                told("loki", "/loki/structuredConfig/common/storage/s3/bucketnames", json!("x")),
                &["Buckets: own bucket"],
            ),
            (unset("HelmRelease", "loki", "/spec/values/deploymentMode"), &["LokiMode: mode by name"]),
            (
                told("loki", "/global/extraEnvFrom", json!([])),
                &["SecretEnvironment(Loki): environment from the secret"],
            ),
            (
                told("loki", "/loki/structuredConfig/common/storage/s3/secret_access_key", json!("x")),
                &["SecretEnvironment(Loki): variables in the configuration"],
            ),
            (unset("Secret", "mimir-s3-secret", "/stringData/S3_ENDPOINT"), &["Keys: four keys"]),
            (secret("mimir-s3-secret", "/stringData/S3_BUCKET", json!("loki-chunks")), &["Keys: own bucket"]),
            (secret("mimir-s3-secret", "/stringData/S3_SECRET_ACCESS_KEY", json!("x")), &["Encrypted: ciphertexts"]),
            (secret("mimir-s3-secret", "/sops/age/0/recipient", json!("age1x")), &["Encrypted: recipients"]),
            (set("Kustomization", "mimir", "/spec/dependsOn", json!([{"name": "loki"}])), &["Depends: dependencies"]),
            (set("HelmRelease", "grafana", "/spec/suspend", json!(true)), &["Reconciled: not suspended"]),
            (unset("Kustomization", "grafana", "/spec/healthChecks"), &["Reconciled: health checks"]),
            (
                told(STACK, &format!("{WRITE}/url"), json!("http://tempo.monitoring.svc:3200/api/v1/push")),
                &["RemoteWrite: address"],
            ),
            (
                unset("HelmRelease", STACK, &format!("/spec/values{WRITE}/queueConfig/maxBackoff")),
                &["RemoteWriteQueue: queue settings"],
            ),
            (told(STACK, &format!("{WRITE}/queueConfig/minShards"), json!(99)), &["RemoteWriteQueue: consistent"]),
            (
                told(STACK, "/prometheus/additionalServiceMonitors/0/endpoints/0/port", json!("x")),
                &["ServiceMonitor: selects Mimir"],
            ),
            (told("grafana", &format!("{SOURCES}/0/type"), json!("x")), &["DataSources: data sources"]),
            (told("grafana", &format!("{SOURCES}/1/editable"), json!(true)), &["DataSourcesDeclarative: not editable"]),
            (unset("Service", "loki-gateway", "/metadata/annotations"), &["Discovery: annotations"]),
            (
                told("tempo", "/service/annotations/prometheus.io~1port", json!("1")),
                &["Discovery: port of the service"],
            ),
        ];
        for (alteration, rules) in table {
            let altered = tree().altered(std::slice::from_ref(&alteration)).unwrap();
            let wanted: BTreeSet<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
            assert_eq!(broken(&altered), wanted, "{alteration:?}");
        }
    }

    #[test]
    fn a_finding_has_file_and_line() {
        let altered = tree().altered(&[told("loki", "/backend/replicas", json!(2))]).unwrap();
        let findings = findings_of(&altered, Question::Replicas);
        let text = &tree().files["apps/monitoring/loki/app/helmrelease.yaml"];
        let backend = text.lines().position(|line| line.trim() == "backend:").unwrap();
        let replicas = text.lines().skip(backend).position(|line| line.trim() == "replicas: 1").unwrap();
        let line = backend + replicas + 1;
        assert_eq!(findings["one replica"], [format!("apps/monitoring/loki/app/helmrelease.yaml:{line}: 2 replicas")]);
    }
}
