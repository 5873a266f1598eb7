//! A Loki process whose store refuses it says so, ends, and is never ready: it does not pretend to work.

use harness_core::{
    catalogue::{ClauseId, Target},
    observation::Look,
    ports::{Component, Stop, StoreKeys},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource, Stage, StageError},
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::written_here;

const CLAUSES: [(&str, Component); 3] = [
    ("AC-lgtm-001-04/start-write", Component::LokiWrite),
    ("AC-lgtm-001-04/start-backend", Component::LokiBackend),
    ("AC-lgtm-001-04/start-read", Component::LokiRead),
];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let covers = CLAUSES.map(|(clause, _)| clause);
    let scenario = Scenario::new("logs-start", written_here!(), &covers, |stage| async move { starts(&stage).await })?;
    Ok(vec![
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
        stage.control(clause, "a workload that is not refused", &must_break, look(Component::LokiStoreReader)).await?;
    }
    let refused = refuse(stage, &expected, &clauses).await;
    // Whatever came of it, the stack gets its keys back.
    stage.rekey(Component::LokiWrite, StoreKeys::Own, &clauses).await?;
    for (clause, component) in &expected {
        stage.replace(*component, Stop::Graceful, &[clause]).await?;
    }
    for (clause, component) in &expected {
        stage.ready(*component).await?;
        // Only that: it may have been started again for other reasons, as when a name was not known yet.
        let must_break = ["never ready"];
        stage.control(clause, "the same start with a store that takes it", &must_break, look(*component)).await?;
    }
    refused?;
    for (clause, _) in &expected {
        stage.decide(clause)?;
    }
    Ok(())
}

async fn refuse(stage: &Stage, expected: &[(ClauseId, Component)], clauses: &[&ClauseId]) -> Result<(), StageError> {
    stage.rekey(Component::LokiWrite, StoreKeys::Wrong, clauses).await?;
    for (clause, component) in expected {
        stage.replace(*component, Stop::Kill, &[clause]).await?;
    }
    for (clause, component) in expected {
        stage.look_for(clause, look(*component)).await?;
    }
    Ok(())
}

fn look(component: Component) -> Look {
    Look::Workload { component, credentials: Vec::new() }
}
