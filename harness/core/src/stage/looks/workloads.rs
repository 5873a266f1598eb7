//! How components are run: by the orchestrator's word, and by their own.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Scene, Told, refusal};
use crate::{
    observation::{
        Counted, Evidence, EvidenceKind, Facts, Stretch, answers, exit_code_fact, ready_fact, store_errors_fact,
    },
    ports::{Component, PortError, Ports, QueryRequest, Workload},
    prediction,
    record::RecordError,
};

/// How many lines of a component's log are looked through.
const LINES: usize = 50;

/// Words of a log line that is about the object store.
const STORE_WORDS: [&str; 8] =
    ["s3", "bucket", "object store", "storage client", "signature", "access denied", "accessdenied", "list folder"];

/// Facts: `ready` (whether a pod is), `crash-looping` (containers that wait in `CrashLoopBackOff`, which shows for moments only, and
/// the `BackOff` events that the node notes each time), `exit codes` other
/// than 0 of containers that ended since, `store errors` (how many log lines name the store), `secrets` (whose keys the main container's environment is taken from),
/// `literals` (those of `credentials` whose values are written into the pod).
pub(super) async fn workload(
    scene: &mut Scene<'_>,
    component: Component,
    credentials: &[String],
    since_ms: i64,
) -> Told {
    let workload = match known(scene, component).await {
        Ok(workload) => workload,
        Err(error) => return Told::Failed(error),
    };
    let about_store = lines_about_the_store(scene.ports, component, LINES).await;
    note_log(scene, component, "", about_store.last());
    let pods: Vec<_> = workload.pods.iter().filter(|pod| !pod.ending).collect();
    let containers: Vec<_> = pods.iter().flat_map(|pod| &pod.containers).collect();
    let back_offs = match scene.ports.workloads.events(component).await {
        Ok(events) => events.into_iter().filter(|event| event.contains("BackOff")).collect::<Vec<_>>(),
        Err(error) => return Told::Failed(error),
    };
    let mut noted = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
    noted.component = Some(component.to_string());
    noted.request = Some(format!("events of {component}"));
    noted.excerpt = Some(back_offs.last().map_or("no BackOff", String::as_str).to_owned());
    scene.evidence.push(noted);
    let crash_looping = containers
        .iter()
        .filter(|container| container.waiting.as_ref().is_some_and(|waiting| waiting.reason == "CrashLoopBackOff"));
    let ended = containers.iter().filter_map(|container| container.ended.as_ref());
    let exit_codes = ended.filter(|ended| ended.at_ms.is_none_or(|at| at >= since_ms)).map(|ended| ended.exit_code);
    let main = containers.iter().filter(|container| !container.init);
    let literals =
        containers.iter().flat_map(|container| &container.literals).filter(|name| credentials.contains(name));
    let facts = Facts::from([
        ("ready".to_owned(), json!(pods.iter().any(|pod| pod.ready))),
        ("crash-looping".to_owned(), json!(crash_looping.count() + back_offs.len())),
        ("exit codes".to_owned(), json!(exit_codes.filter(|code| *code != 0).collect::<Vec<_>>().len())),
        ("store errors".to_owned(), json!(about_store.len())),
        ("secrets".to_owned(), json!(main.flat_map(|container| &container.secrets).collect::<Vec<_>>())),
        ("literals".to_owned(), json!(literals.collect::<Vec<_>>())),
    ]);
    scene.facts(facts)
}

/// Facts, told of these circumstances: `ready`, `exit code` (`null` where it has not ended by itself), `store errors` as
/// [`store_errors`].
pub(super) async fn start(scene: &mut Scene<'_>, component: Component, beyond: usize, when: &str) -> Told {
    let standing = match scene.ports.lifecycle.standing(component).await {
        Ok(standing) => standing,
        Err(error) => return Told::Failed(error),
    };
    let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
    evidence.component = Some(component.to_string());
    evidence.request = Some(format!("process of {component}"));
    evidence.excerpt = Some(match standing.exit_code {
        Some(code) => format!("ended with exit code {code}"),
        None if standing.ready => "runs and is ready".to_owned(),
        None => "is not ready".to_owned(),
    });
    scene.evidence.push(evidence);
    let lines = lines_about_the_store(scene.ports, component, usize::MAX).await;
    let news = between(&lines, beyond, None);
    note_log(scene, component, when, news.last());
    scene.facts(Facts::from([
        (ready_fact(when), json!(standing.ready)),
        (exit_code_fact(when), json!(standing.exit_code)),
        (store_errors_fact(when), json!(news.len())),
    ]))
}

/// Facts: `store errors` of each stretch (how many log lines name the store); the last line of each is kept as evidence.
pub(super) async fn store_errors(scene: &mut Scene<'_>, component: Component, stretches: &[Stretch]) -> Told {
    let lines = lines_about_the_store(scene.ports, component, usize::MAX).await;
    let mut facts = Facts::new();
    for Stretch { when, after, until } in stretches {
        let logged = between(&lines, *after, *until);
        note_log(scene, component, when, logged.last());
        facts.insert(store_errors_fact(when), json!(logged.len()));
    }
    scene.facts(facts)
}

/// The lines of a stretch, as far as there are any.
fn between(lines: &[String], after: usize, until: Option<usize>) -> &[String] {
    let end = until.map_or(lines.len(), |until| until.min(lines.len()));
    lines.get(after.min(end)..end).unwrap_or_default()
}

/// Of the newest `limit` problems in a component's log those about the object store.
pub(in crate::stage) async fn lines_about_the_store(ports: &Ports, component: Component, limit: usize) -> Vec<String> {
    let lines = ports.logs.problems(component, limit).await;
    lines.into_iter().map(|line| line.text).filter(|line| is_about_the_store(line)).collect()
}

/// Keeps the last of these lines as evidence, told of the circumstances in which they were logged, where that counts.
fn note_log(scene: &mut Scene<'_>, component: Component, when: &str, last: Option<&String>) {
    let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
    evidence.component = Some(component.to_string());
    let told_of = if when.is_empty() { String::new() } else { format!(" ({when})") };
    evidence.request = Some(format!("log of {component}{told_of}"));
    evidence.excerpt = Some(last.map_or("no error about the store", String::as_str).to_owned());
    scene.evidence.push(evidence);
}

fn is_about_the_store(line: &str) -> bool {
    let line = line.to_lowercase();
    STORE_WORDS.iter().any(|word| line.contains(word))
}

/// Facts: for each name, `NAME.declared`, `NAME.there` (pods that were not asked to end) and, where one is asked for,
/// `NAME.replication-factor`.
pub(super) async fn replicas(scene: &mut Scene<'_>, counted: &[Counted]) -> Result<Told, RecordError> {
    let mut facts = Facts::new();
    for Counted { name, components, factor_of } in counted {
        let (mut declared, mut there) = (0, 0);
        for component in components {
            match known(scene, *component).await {
                Ok(workload) => {
                    declared += workload.replicas;
                    there += workload.pods.iter().filter(|pod| !pod.ending).count();
                }
                Err(error) => return Ok(Told::Failed(error)),
            }
        }
        facts.insert(format!("{name}.declared"), json!(declared));
        facts.insert(format!("{name}.there"), json!(there));
        if let (Some(signal), Some(component)) = (factor_of, components.first()) {
            match scene.configuration(*component).await? {
                Ok(text) => {
                    let factor = prediction::replication_factor(*signal, &text);
                    facts.insert(format!("{name}.replication-factor"), json!(factor));
                }
                Err(error) => return Ok(Told::Failed(error)),
            }
        }
    }
    Ok(scene.facts(facts))
}

/// Facts: for each component, `COMPONENT.memory limits`, `COMPONENT.memory requests` (bytes) and `COMPONENT.cpu requests` (thousandths of
/// a core), each the value of every container that goes on running; a container that is not given one tells `null`.
pub(super) async fn resources(scene: &mut Scene<'_>, asked: &[(Component, Component)]) -> Told {
    let mut facts = Facts::new();
    for (named, component) in asked {
        let workload = match known(scene, *component).await {
            Ok(workload) => workload,
            Err(error) => return Told::Failed(error),
        };
        let pods = workload.pods.iter().filter(|pod| !pod.ending);
        let given: Vec<_> = pods.flat_map(|pod| &pod.containers).filter(|container| !container.init).collect();
        let mut tell = |what: &str, values: Vec<Option<u64>>| facts.insert(format!("{named}.{what}"), json!(values));
        tell("memory limits", given.iter().map(|container| container.memory_limit).collect());
        tell("memory requests", given.iter().map(|container| container.memory_request).collect());
        tell("cpu requests", given.iter().map(|container| container.cpu_request_millis).collect());
        let mut used = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
        used.component = Some(component.to_string());
        used.request = Some(format!("working set of {component}"));
        used.excerpt = Some(match scene.ports.workloads.working_set(*component).await {
            Ok(pods) => pods.iter().map(|(pod, bytes)| format!("{pod}: {bytes} bytes")).collect::<Vec<_>>().join(", "),
            // Not every cluster tells it, and nothing is decided by it.
            Err(error) => error.to_string(),
        });
        scene.evidence.push(used);
    }
    scene.facts(facts)
}

/// Facts: for each role, `ROLE.target` and `ROLE.modules` (those that run).
pub(super) async fn modules(scene: &mut Scene<'_>, roles: &[(String, Component)]) -> Result<Told, RecordError> {
    let mut facts = Facts::new();
    for (role, component) in roles {
        match scene.configuration(*component).await? {
            Ok(text) => facts.insert(format!("{role}.target"), json!(prediction::configured_target(&text))),
            Err(error) => return Ok(Told::Failed(error)),
        };
        let answer = match scene.ports.query.query(&QueryRequest::Services { component: *component }).await {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => return Ok(Told::Failed(refusal(&answer))),
            Err(error) => return Ok(Told::Failed(error)),
        };
        let running: Vec<String> = match scene.read(answer, answers::services)? {
            Ok(told) => running(told),
            Err(reason) => return Ok(Told::Failed(PortError::Refused { target: component.to_string(), reason })),
        };
        facts.insert(format!("{role}.modules"), json!(running));
    }
    Ok(scene.facts(facts))
}

fn running(services: BTreeMap<String, String>) -> Vec<String> {
    services.into_iter().filter(|(_, status)| status == "Running").map(|(name, _)| name).collect()
}

/// The component's workload, with its words as evidence.
async fn known(scene: &mut Scene<'_>, component: Component) -> Result<Workload, PortError> {
    let workload = scene.ports.workloads.workload(component).await?;
    let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
    evidence.component = Some(component.to_string());
    evidence.request = Some(workload.name.clone());
    // Made of texts and numbers: it always has a JSON form.
    evidence.excerpt = serde_json::to_string(&workload).ok();
    scene.evidence.push(evidence);
    Ok(workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_a_log_ends_where_the_log_does() {
        let lines = ["a", "b", "c"].map(str::to_owned);
        for (after, until, expected) in
            [(0, None, 3), (1, None, 2), (1, Some(2), 1), (1, Some(9), 2), (3, None, 0), (9, None, 0), (2, Some(1), 0)]
        {
            assert_eq!(between(&lines, after, until).len(), expected, "{after}..{until:?}");
        }
    }

    #[test]
    fn lines_about_the_store_are_told_from_others() {
        for line in [
            "mc: <ERROR> Unable to list folder. The request signature we calculated does not match",
            "level=error msg=\"failed to get s3 object\"",
            "level=error caller=a.go msg=\"bucket not found\"",
        ] {
            assert!(is_about_the_store(line), "{line}");
        }
        assert!(!is_about_the_store("level=warn msg=\"ring is empty\""));
    }
}
