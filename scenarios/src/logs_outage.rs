//! A store that refuses or is slow while Loki runs is complained of, and costs no acked line: what was pushed before, meanwhile and afterwards lies in
//! the bucket in the end, once each.

use harness_core::{
    catalogue::Target,
    observation::{Look, Stretch, store_errors_fact},
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Outage, Resource, Stage, StageError, Stimulus, Watched, bucket_of},
    stimulus::Route,
    verdict::{Check, Rule},
};

use crate::{shapes, written_here};

const CLAUSE: &str = "AC-lgtm-001-04/outage";

const WRITER: Component = Component::LokiWrite;

/// In their order; before each, during each and after the last a part of the lines is pushed. Nobody has to complain of a store that is slow.
const OUTAGES: [Outage; 5] =
    [Outage::UserDisabled, Outage::PolicyRemoved, Outage::Unavailable, Outage::Slow, Outage::Gone];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("logs-outage", written_here!(), &[CLAUSE], |stage| async move {
        let lines = shapes::log_entries_in_parts(&stage, "logs-outage", 2 * OUTAGES.len() + 1)?;
        let refusals: Vec<String> = Outage::REFUSALS.map(Outage::describe).to_vec();
        let complaints: Vec<String> = refusals.iter().map(|when| store_errors_fact(when)).collect();
        let rules = complaints.iter().map(|fact| Rule::new(fact, fact, Check::AtLeast(1))).collect();
        let stored = stage.expect_with(CLAUSE, &lines, vec![lines.in_objects()], rules, false).await?;
        stage.absent(&stored).await?;
        let after = stage.store_errors_so_far(WRITER).await;
        let calm = refusals.iter().map(|when| Stretch { when: when.clone(), after, until: None }).collect();
        let must_break: Vec<&str> = complaints.iter().map(String::as_str).collect();
        stage.control(stored.clause(), "a store that does not refuse", &must_break, logged(calm)).await?;
        let mut stretches = Vec::new();
        for (number, outage) in OUTAGES.into_iter().enumerate() {
            stage.push_part(Route::LokiHttpJson, &lines, 2 * number).await?;
            let endured = endured(&stage, outage, &lines, &stored, 2 * number + 1).await;
            // Whatever came of it, the store answers again.
            stage.end_outage(outage, Signal::Logs, stored.clause()).await?;
            stretches.push(endured?);
            stage.look_at(stored.clause(), logged(stretches.clone())).await?;
        }
        stage.push_part(Route::LokiHttpJson, &lines, 2 * OUTAGES.len()).await?;
        stage.watch(&stored).await?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Logs)
            .tagged(&["faults"])
            .claiming(&[
                Claim::write(Resource::Loki),
                Claim::write(Resource::S3),
                Claim::write(Resource::Bucket(bucket_of(Signal::Logs))),
            ])
            .needing(&[Component::LokiWrite])
            // The store of a pod or container has no disk that outlives it: killed, it has lost its buckets.
            .only_on(&[Target::Local])
            .last(),
    ])
}

/// While something is wrong with the store, lines are taken all the same, and the trouble is logged.
async fn endured(
    stage: &Stage,
    outage: Outage,
    lines: &Stimulus,
    stored: &Watched,
    part: usize,
) -> Result<Stretch, StageError> {
    stage.begin_outage(outage, Signal::Logs, stored.clause()).await?;
    let so_far = stage.store_errors_so_far(WRITER).await;
    stage.push_part(Route::LokiHttpJson, lines, part).await?;
    stage.outlast(outage, WRITER, so_far).await
}

/// The look at what Loki logged about its store.
fn logged(stretches: Vec<Stretch>) -> Look {
    Look::StoreErrors { component: WRITER, stretches }
}
