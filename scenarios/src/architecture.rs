//! What the design decided is what runs: one replica each, Loki in three roles, Tempo and Mimir in one process, and credentials out of the
//! environment.

use std::collections::BTreeSet;

use harness_core::{
    catalogue::Target,
    observation::{AskedStore, Counted, Look},
    ports::{Component, Interface},
    scenario::Scenario,
    signal::Signal,
    stage::{BUCKETS, Claim, Resource},
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::written_here;

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    Ok(vec![
        loki_in_three_roles()?,
        in_one_process("tempo-monolithic", "ADR-005/monolithic", Component::Tempo, &TEMPO_MODULES)?,
        in_one_process("mimir-monolithic", "ADR-006/monolithic", Component::Mimir, &MIMIR_MODULES)?,
        tempo_takes_otlp()?,
        mimir_takes_remote_write()?,
        a_bucket_and_a_key_each()?,
        one_replica_each()?,
        credentials_from_the_environment()?,
        sized("loki-sized", "TREE-resources/loki", &LOKI, &[Component::Tempo; 3], [200, 512, 1536])?,
        sized("tempo-sized", "TREE-resources/tempo", &[Component::Tempo], &[Component::Mimir], [100, 256, 1024])?,
        sized("mimir-sized", "TREE-resources/mimir", &[Component::Mimir], &[Component::Tempo], [200, 512, 1536])?,
    ])
}

/// Bytes.
const MEBIBYTE: u64 = 1024 * 1024;
const LOKI: [Component; 3] = [Component::LokiWrite, Component::LokiRead, Component::LokiBackend];
const TEMPO_MODULES: [&str; 5] = ["distributor", "ingester", "querier", "query-frontend", "compactor"];
const MIMIR_MODULES: [&str; 6] =
    ["distributor-service", "ingester-service", "querier", "query-frontend", "store-gateway", "compactor"];

fn has(modules: &[&str]) -> Check {
    Check::Has(modules.iter().map(|module| (*module).to_owned()).collect())
}

/// Each process says that it has its role, and runs the modules of it. Asked for the role of another, it has to be seen that it has not.
fn loki_in_three_roles() -> Result<Scenario, String> {
    const CLAUSE: &str = "ADR-004/simple-scalable";
    const ROLES: [(&str, Component, &[&str]); 3] = [
        ("write", Component::LokiWrite, &["distributor", "ingester"]),
        ("read", Component::LokiRead, &["querier", "query-frontend"]),
        ("backend", Component::LokiBackend, &["compactor", "index-gateway", "query-scheduler"]),
    ];
    let scenario = Scenario::new("loki-in-three-roles", written_here!(), &[CLAUSE], |stage| async move {
        let rules: Vec<Rule> = ROLES
            .iter()
            .flat_map(|(role, _, modules)| {
                [
                    Rule::new(&format!("target of {role}"), &format!("{role}.target"), Check::Is(json!(role))),
                    Rule::new(&format!("modules of {role}"), &format!("{role}.modules"), has(modules)),
                ]
            })
            .collect();
        let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        let clause = stage.expect_state(CLAUSE, rules)?;
        let asked = |shift: usize| {
            let components = ROLES.iter().map(|(_, component, _)| *component).cycle().skip(shift);
            let roles = ROLES.iter().zip(components).map(|((role, ..), component)| ((*role).to_owned(), component));
            Look::Modules { roles: roles.collect() }
        };
        stage.control(&clause, "processes asked for each other's roles", &words(&names), asked(1)).await?;
        stage.look_once(&clause, asked(0)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Logs)
        .tagged(&["architecture"])
        .claiming(&[Claim::read(Resource::Loki)])
        .needing(&ROLES.map(|(_, component, _)| component)))
}

/// The component says that it runs everything in one process. A process of Loki, which has one role, shows that the check can say no.
fn in_one_process(
    name: &'static str,
    clause: &'static str,
    component: Component,
    modules: &'static [&'static str],
) -> Result<Scenario, String> {
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let rules = vec![
            Rule::new("target", "all.target", Check::Is(json!("all"))),
            Rule::new("modules of every role", "all.modules", has(modules)),
        ];
        let clause = stage.expect_state(clause, rules)?;
        let look = |component| Look::Modules { roles: vec![("all".to_owned(), component)] };
        let must_break = ["target", "modules of every role"];
        stage.control(&clause, "a process with one role", &must_break, look(Component::LokiWrite)).await?;
        stage.look_once(&clause, look(component)).await?;
        Ok(())
    })?;
    let (signal, resource) = match component {
        Component::Tempo => (Signal::Traces, Resource::Tempo),
        _ => (Signal::Metrics, Resource::Mimir),
    };
    Ok(scenario
        .about(signal)
        .tagged(&["architecture"])
        .claiming(&[Claim::read(resource), Claim::read(Resource::Loki)])
        .needing(&[component, Component::LokiWrite]))
}

/// Tempo's configuration enables the receiver, and an export to its port is acked. Mimir, which has no receivers, shows that the check
/// can say no of the first; Tempo's other port, of the second.
fn tempo_takes_otlp() -> Result<Scenario, String> {
    const CLAUSE: &str = "ADR-005/otlp";
    let scenario = Scenario::new("tempo-takes-otlp", written_here!(), &[CLAUSE], |stage| async move {
        let rules = vec![
            Rule::new("receiver enabled", "receivers", has(&["otlp/grpc"])),
            Rule::new("export acked", "answered", Check::Is(json!(true))),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look =
            |at, component| Look::Interface { interface: Interface::SpanPushes, at, receivers_of: Some(component) };
        let without = look(Interface::SpanPushes, Component::Mimir);
        stage.control(&clause, "a configuration without that receiver", &["receiver enabled"], without).await?;
        let elsewhere = look(Interface::TraceQueries, Component::Tempo);
        stage.control(&clause, "the port for queries", &["export acked"], elsewhere).await?;
        stage.look_once(&clause, look(Interface::SpanPushes, Component::Tempo)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Traces)
        .tagged(&["architecture"])
        .claiming(&[Claim::read(Resource::Tempo), Claim::read(Resource::Mimir)])
        .needing(&[Component::Tempo, Component::Mimir]))
}

/// A remote write to Mimir's push path is acked; the same request to Tempo, which has no such path, is not.
fn mimir_takes_remote_write() -> Result<Scenario, String> {
    const CLAUSE: &str = "ADR-006/remote-write";
    let scenario = Scenario::new("mimir-takes-remote-write", written_here!(), &[CLAUSE], |stage| async move {
        let rules = vec![Rule::new("remote write acked", "answered", Check::Is(json!(true)))];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look = |at| Look::Interface { interface: Interface::SamplePushes, at, receivers_of: None };
        let elsewhere = look(Interface::TraceQueries);
        stage.control(&clause, "a server without that path", &["remote write acked"], elsewhere).await?;
        stage.look_once(&clause, look(Interface::SamplePushes)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Metrics)
        .tagged(&["architecture"])
        .claiming(&[Claim::read(Resource::Tempo), Claim::read(Resource::Mimir)])
        .needing(&[Component::Tempo, Component::Mimir]))
}

/// Each of the three buckets is there, its owner is configured for it, and no two owners have the same bucket or key. One component asked
/// for all, each asked for the next, and buckets that nobody made show that the check can say no.
fn a_bucket_and_a_key_each() -> Result<Scenario, String> {
    const CLAUSE: &str = "ADR-003/buckets";
    let scenario = Scenario::new("a-bucket-and-a-key-each", written_here!(), &[CLAUSE], |stage| async move {
        let mut rules = vec![
            Rule::new("no bucket of two", "shared buckets", Check::Empty),
            Rule::new("no key of two", "shared keys", Check::Empty),
        ];
        for (bucket, owner) in BUCKETS {
            let (exists, configured) = (format!("{owner}.exists"), format!("{owner}.configured"));
            rules.push(Rule::new(&format!("bucket of {owner}"), &exists, Check::Is(json!(true))));
            rules.push(Rule::new(&format!("configuration of {owner}"), &configured, Check::Is(json!(bucket))));
        }
        let named = |beginning: &str| -> Vec<String> {
            rules.iter().map(|rule| rule.name.clone()).filter(|name| name.starts_with(beginning)).collect()
        };
        let (made, configured) = (named("bucket of"), named("configuration of"));
        let clause = stage.expect_state(CLAUSE, rules)?;
        let asked = |suffix: &str, component: fn(usize) -> Component| {
            let owners = BUCKETS.into_iter().enumerate();
            let asked = owners.map(|(place, (bucket, owner))| AskedStore {
                owner,
                bucket: format!("{bucket}{suffix}"),
                component: component(place),
            });
            Look::Stores { asked: asked.collect() }
        };
        let must_break = ["no bucket of two", "no key of two"];
        stage.control(&clause, "one component asked for all", &must_break, asked("", |_| BUCKETS[0].1)).await?;
        let next = asked("", |place| BUCKETS[(place + 1) % BUCKETS.len()].1);
        stage.control(&clause, "each asked for another's", &words(&configured), next).await?;
        let not_made = asked("-not-made", |place| BUCKETS[place].1);
        stage.control(&clause, "buckets that nobody made", &words(&made), not_made).await?;
        stage.look_once(&clause, asked("", |place| BUCKETS[place].1)).await?;
        Ok(())
    })?;
    Ok(scenario
        .tagged(&["architecture"])
        .claiming(&[
            Claim::read(Resource::Loki),
            Claim::read(Resource::Tempo),
            Claim::read(Resource::Mimir),
            Claim::read(Resource::S3),
        ])
        .needing(&BUCKETS.map(|(_, owner)| owner)))
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Each component is declared once, is there once, and keeps each record once. Two workloads counted as one, and a configuration that
/// says nothing of the setting, show that the check can say no.
fn one_replica_each() -> Result<Scenario, String> {
    const CLAUSE: &str = "ADR-002/replicas";
    const COMPONENTS: [(Component, Option<Signal>, Component); 5] = [
        (Component::LokiWrite, Some(Signal::Logs), Component::Mimir),
        (Component::LokiRead, None, Component::LokiWrite),
        (Component::LokiBackend, None, Component::LokiWrite),
        (Component::Tempo, Some(Signal::Traces), Component::Mimir),
        (Component::Mimir, Some(Signal::Metrics), Component::Tempo),
    ];
    let scenario = Scenario::new("one-replica-each", written_here!(), &[CLAUSE], |stage| async move {
        let mut rules = Vec::new();
        for (component, factor_of, _) in COMPONENTS {
            let rule = |what: &str| {
                Rule::new(&format!("{what} of {component}"), &format!("{component}.{what}"), Check::Is(json!(1)))
            };
            rules.extend([rule("declared"), rule("there")]);
            rules.extend(factor_of.map(|_| rule("replication-factor")));
        }
        let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        let clause = stage.expect_state(CLAUSE, rules)?;
        let counted = |components: fn(Component, Component) -> Vec<Component>| Look::Replicas {
            counted: COMPONENTS
                .iter()
                .map(|(component, factor_of, other)| Counted {
                    name: component.to_string(),
                    components: components(*component, *other),
                    factor_of: *factor_of,
                })
                .collect(),
        };
        let two_as_one = counted(|component, other| vec![other, component]);
        stage.control(&clause, "two workloads counted as one", &words(&names), two_as_one).await?;
        stage.look_once(&clause, counted(|component, _| vec![component])).await?;
        Ok(())
    })?;
    Ok(scenario
        .tagged(&["architecture", "kubernetes"])
        .claiming(&[Claim::read(Resource::Loki), Claim::read(Resource::Tempo), Claim::read(Resource::Mimir)])
        .needing(&COMPONENTS.map(|(component, ..)| component))
        .only_on(&[Target::Local, Target::Kind, Target::Cluster]))
}

/// Each component's container requests what the design says and is limited as it says: `figures` are thousandths of a core, MiB requested
/// and MiB at most. `others`, which the design gives other figures, show that the check can say no.
fn sized(
    name: &'static str,
    clause: &'static str,
    components: &'static [Component],
    others: &'static [Component],
    figures: [u64; 3],
) -> Result<Scenario, String> {
    let [cpu, requested, limit] = figures;
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let demands =
            [("cpu requests", cpu), ("memory requests", requested * MEBIBYTE), ("memory limits", limit * MEBIBYTE)];
        let rules: Vec<Rule> = components
            .iter()
            .flat_map(|component| {
                demands.map(|(what, figure)| {
                    let fact = format!("{component}.{what}");
                    Rule::new(&format!("{what} of {component}"), &fact, Check::Is(json!([figure])))
                })
            })
            .collect();
        let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        let clause = stage.expect_state(clause, rules)?;
        let look = |asked: &[Component]| Look::Resources {
            asked: components.iter().copied().zip(asked.iter().copied()).collect(),
        };
        stage.control(&clause, "components that are sized otherwise", &words(&names), look(others)).await?;
        stage.look_once(&clause, look(components)).await?;
        Ok(())
    })?;
    let resources = components.iter().chain(others).map(|component| match component {
        Component::Tempo => Resource::Tempo,
        Component::Mimir => Resource::Mimir,
        _ => Resource::Loki,
    });
    let claims: BTreeSet<Claim> = resources.map(Claim::read).collect();
    Ok(scenario
        .tagged(&["architecture", "kubernetes"])
        .claiming(&claims.into_iter().collect::<Vec<_>>())
        .needing(components)
        .needing(others)
        .only_on(&[Target::Kind, Target::Cluster]))
}

/// Loki's containers take every key of Loki's secret as a variable, and none of the credentials is written into a pod; processes likewise. The
/// store, which has a secret of its own, and a variable that is written into the pod show that the check can say no.
fn credentials_from_the_environment() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-001-01/secret-env";
    let scenario = Scenario::new("credentials-from-the-environment", written_here!(), &[CLAUSE], |stage| async move {
        let secret = if stage.target() == Target::Local { "credentials of loki" } else { "loki-s3-secret" };
        let rules = vec![
            Rule::new("environment out of the secret", "secrets", has(&[secret])),
            Rule::new("nothing written into the pod", "literals", Check::Empty),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look = |component, names: &[&str]| Look::Workload {
            component,
            credentials: names.iter().map(|name| (*name).to_owned()).collect(),
            since_ms: 0,
        };
        let credentials = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];
        stage
            .control(
                &clause,
                "a workload with another secret",
                &["environment out of the secret"],
                look(Component::Minio, &credentials),
            )
            .await?;
        let written = look(Component::LokiWrite, &["SSL_CERT_FILE"]);
        stage
            .control(&clause, "a variable that is written into the pod", &["nothing written into the pod"], written)
            .await?;
        stage.look_once(&clause, look(Component::LokiWrite, &credentials)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Logs)
        .tagged(&["architecture", "kubernetes"])
        .claiming(&[Claim::read(Resource::Loki)])
        .needing(&[Component::LokiWrite])
        .only_on(&[Target::Local, Target::Kind, Target::Cluster]))
}
