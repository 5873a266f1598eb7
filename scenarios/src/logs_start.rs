//! A Loki process whose store refuses it says so, ends, and is never ready: it does not pretend to work.

use harness_core::{
    catalogue::{ClauseId, Target},
    observation::Look,
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
    ("AC-lgtm-001-04/start-backend", Component::LokiBackend),
    ("AC-lgtm-001-04/start-read", Component::LokiRead),
];

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

/// The store denies Loki everything while each of its processes starts, then takes it again. Nobody stands before them here and asks the
/// store first, as an init container does.
async fn processes_start(stage: &Stage) -> Result<(), StageError> {
    let mut expected = Vec::new();
    for (clause, component) in CLAUSES {
        let rules = vec![
            Rule::new("exit code", "exit code", Check::AtLeast(1)),
            Rule::new("names the store", "store errors", Check::AtLeast(1)),
            Rule::new("never ready", "ready", Check::Is(json!(false))),
        ];
        expected.push((stage.expect_state(clause, rules)?, component));
    }
    let Some((first, _)) = expected.first() else { return Ok(()) };
    let refused = start_refused(stage, first, &expected).await;
    // Whatever came of it, the store takes Loki again, and Loki runs.
    stage.end_outage(Outage::Denies, Signal::Logs, first).await?;
    for (clause, component) in &expected {
        stage.kill_if_it_runs(*component, &[clause]).await?;
    }
    for (clause, component) in &expected {
        let beyond = stage.store_errors_so_far(*component).await;
        stage.try_to_start(*component, &[clause]).await?;
        let look = Look::Start { component: *component, beyond };
        let must_break = ["exit code", "names the store", "never ready"];
        stage.control(clause, "the same start with a store that takes it", &must_break, look).await?;
    }
    refused?;
    for (clause, _) in &expected {
        stage.decide(clause)?;
    }
    Ok(())
}

async fn start_refused(stage: &Stage, first: &ClauseId, expected: &[(ClauseId, Component)]) -> Result<(), StageError> {
    for (clause, component) in expected {
        stage.kill_if_it_runs(*component, &[clause]).await?;
    }
    stage.begin_outage(Outage::Denies, Signal::Logs, first).await?;
    for (clause, component) in expected {
        let beyond = stage.store_errors_so_far(*component).await;
        stage.try_to_start(*component, &[clause]).await?;
        stage.look_at(clause, Look::Start { component: *component, beyond }).await?;
    }
    Ok(())
}

/// What ended before this scenario began ended for another reason: a node that was restarted ends every container.
fn look(component: Component, begun_ms: i64) -> Look {
    Look::Workload { component, credentials: Vec::new(), since_ms: begun_ms - CLOCKS_APART_MS }
}
