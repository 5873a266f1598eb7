//! A Loki process whose store refuses it says so, ends, and is never ready: it does not pretend to work.

use harness_core::{
    catalogue::{ClauseId, Target},
    observation::{Look, exit_code_fact, ready_fact, store_errors_fact},
    ports::{Component, Stop, StoreKeys},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Outage, Resource, Stage, StageError, bucket_of},
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::written_here;

const CLAUSES: [(&str, Component); 3] = [
    ("AC-lgtm-001-04/start-write", Component::LokiWrite),
    ("AC-lgtm-001-04/start-read", Component::LokiRead),
    ("AC-lgtm-001-04/start-backend", NEEDED),
];

/// The process without which the one that reads is never ready.
const NEEDED: Component = Component::LokiBackend;

/// How far the clock of a node may be behind.
const CLOCKS_APART_MS: i64 = 60_000;

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let covers = CLAUSES.map(|(clause, _)| clause);
    let scenario = Scenario::new("logs-start", written_here!(), &covers, |stage| async move { starts(&stage).await })?;
    let local = Scenario::new("logs-start-processes", written_here!(), &covers, |stage| async move {
        processes_start(&stage).await
    })?;
    Ok(vec![
        local
            .about(Signal::Logs)
            .tagged(&["faults"])
            .claiming(&[Claim::write(Resource::Loki), Claim::write(Resource::Bucket(bucket_of(Signal::Logs)))])
            .needing(&CLAUSES.map(|(_, component)| component))
            .only_on(&[Target::Local])
            .last(),
        scenario
            .about(Signal::Logs)
            .tagged(&["faults"])
            .claiming(&[Claim::write(Resource::Loki)])
            .needing(&CLAUSES.map(|(_, component)| component))
            .needing(&[Component::LokiStoreReader])
            // Keys that change while the stack runs are what an orchestrator has.
            .only_on(&[Target::Kind, Target::Cluster])
            .last(),
    ])
}

/// The store refuses each process as it starts, then takes it again. The second start shows that the check can say no.
async fn starts(stage: &Stage) -> Result<(), StageError> {
    let begun = stage.unix_ns() / 1_000_000;
    let mut expected = Vec::new();
    for (clause, component) in CLAUSES {
        let rules = vec![
            Rule::new("started again and again", "crash-looping", Check::AtLeast(1)),
            Rule::new("exit code", "exit codes", Check::AtLeast(1)),
            Rule::new("names the store", "store errors", Check::AtLeast(1)),
            Rule::new("never ready", "ready", Check::Is(json!(false))),
        ];
        expected.push((stage.expect_state(clause, rules)?, component));
    }
    let clauses: Vec<&ClauseId> = expected.iter().map(|(clause, _)| clause).collect();
    for clause in &clauses {
        let must_break = ["started again and again", "exit code", "names the store"];
        stage
            .control(clause, "a workload that is not refused", &must_break, look(Component::LokiStoreReader, begun))
            .await?;
    }
    let refused = refuse(stage, &expected, &clauses, begun).await;
    // Whatever came of it, the stack gets its keys back.
    stage.rekey(Component::LokiWrite, StoreKeys::Own, &clauses).await?;
    for (clause, component) in &expected {
        stage.replace(*component, Stop::Graceful, &[clause]).await?;
    }
    for (clause, component) in &expected {
        stage.ready(*component).await?;
        // Only that: it may have been started again for other reasons, as when a name was not known yet.
        let must_break = ["never ready"];
        stage
            .control(clause, "the same start with a store that takes it", &must_break, look(*component, begun))
            .await?;
    }
    refused?;
    for (clause, _) in &expected {
        stage.decide(clause)?;
    }
    Ok(())
}

async fn refuse(
    stage: &Stage,
    expected: &[(ClauseId, Component)],
    clauses: &[&ClauseId],
    begun: i64,
) -> Result<(), StageError> {
    stage.rekey(Component::LokiWrite, StoreKeys::Wrong, clauses).await?;
    for (clause, component) in expected {
        stage.replace(*component, Stop::Kill, &[clause]).await?;
    }
    for (clause, component) in expected {
        stage.look_for(clause, look(*component, begun)).await?;
    }
    Ok(())
}

/// The store refuses in each way while each process starts, is slow, and then takes it. Nobody stands before them here and asks the store
/// first, as an init container does.
async fn processes_start(stage: &Stage) -> Result<(), StageError> {
    let ways = Outage::REFUSALS.map(Outage::describe);
    let rules = ways.iter().flat_map(|when| {
        [
            (exit_code_fact(when), Check::AtLeast(1)),
            (store_errors_fact(when), Check::AtLeast(1)),
            (ready_fact(when), Check::Is(json!(false))),
        ]
    });
    let rules: Vec<Rule> = rules.map(|(fact, check)| Rule::new(&fact, &fact, check)).collect();
    let mut expected = Vec::new();
    for (clause, component) in CLAUSES {
        expected.push((stage.expect_state(clause, rules.clone())?, component));
    }
    let Some((first, _)) = expected.first() else { return Ok(()) };
    let clauses: Vec<&ClauseId> = expected.iter().map(|(clause, _)| clause).collect();
    let mut so_far = Ok(());
    for outage in Outage::REFUSALS {
        if so_far.is_ok() {
            so_far = start_refused(stage, outage, &expected).await;
            // Whatever came of it, the store takes Loki again, and the process without which no other is ready has started.
            stage.end_outage(outage, Signal::Logs, first).await?;
            stage.kill_if_it_runs(NEEDED, &clauses).await?;
            stage.try_to_start(NEEDED, &clauses).await?;
        }
    }
    if so_far.is_ok() {
        so_far = start_slowly(stage, first, &expected, &ways).await;
    }
    // And Loki runs.
    for (clause, component) in &expected {
        let beyond = start_again(stage, clause, *component).await?;
        let facts = [exit_code_fact, store_errors_fact, ready_fact];
        started(stage, clause, "the same start with a store that takes it", &facts, (*component, beyond, &ways))
            .await?;
    }
    so_far?;
    for (clause, _) in &expected {
        stage.decide(clause)?;
    }
    Ok(())
}

/// Starts a process, however it stands; how much it had logged about its store before.
async fn start_again(stage: &Stage, clause: &ClauseId, component: Component) -> Result<usize, StageError> {
    stage.kill_if_it_runs(component, &[clause]).await?;
    let beyond = stage.store_errors_so_far(component).await;
    stage.try_to_start(component, &[clause]).await?;
    Ok(beyond)
}

async fn start_refused(stage: &Stage, outage: Outage, expected: &[(ClauseId, Component)]) -> Result<(), StageError> {
    let Some((first, _)) = expected.first() else { return Ok(()) };
    stage.begin_outage(outage, Signal::Logs, first).await?;
    for (clause, component) in expected {
        let beyond = start_again(stage, clause, *component).await?;
        let look = Look::Start { component: *component, beyond, when: outage.describe() };
        stage.look_at(clause, look).await?;
    }
    Ok(())
}

/// Starts while the store keeps everybody waiting, and then answers: they are late, and starts all the same. They may be complained of.
async fn start_slowly(
    stage: &Stage,
    first: &ClauseId,
    expected: &[(ClauseId, Component)],
    ways: &[String],
) -> Result<(), StageError> {
    let begun = stage.begin_outage(Outage::Slow, Signal::Logs, first).await;
    let starts = expected.iter().map(|(clause, component)| start_again(stage, clause, *component));
    let ended = async {
        let waited = stage.outlast(Outage::Slow, NEEDED, 0).await;
        stage.end_outage(Outage::Slow, Signal::Logs, first).await.and(waited)
    };
    let (starts, ended) = futures::join!(futures::future::join_all(starts), ended);
    begun.and(ended)?;
    for ((clause, component), beyond) in expected.iter().zip(starts) {
        let facts = [exit_code_fact, ready_fact];
        let start = (*component, beyond?, ways);
        started(stage, clause, "the same start with a store that is slow", &facts, start).await?;
    }
    Ok(())
}

/// A control by a start that succeeded, which breaks the rules about these facts for each way in which it can be refused.
async fn started(
    stage: &Stage,
    clause: &ClauseId,
    name: &str,
    facts: &[fn(&str) -> String],
    (component, beyond, ways): (Component, usize, &[String]),
) -> Result<(), StageError> {
    for when in ways {
        let look = Look::Start { component, beyond, when: when.clone() };
        let must_break: Vec<String> = facts.iter().map(|fact| fact(when)).collect();
        let must_break: Vec<&str> = must_break.iter().map(String::as_str).collect();
        stage.control(clause, name, &must_break, look).await?;
    }
    Ok(())
}

/// What ended before this scenario began ended for another reason: a node that was restarted ends every container.
fn look(component: Component, begun_ms: i64) -> Look {
    Look::Workload { component, credentials: Vec::new(), since_ms: begun_ms - CLOCKS_APART_MS }
}
