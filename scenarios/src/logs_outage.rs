//! A store that refuses while Loki runs is complained of, and costs no acked line: what was pushed before, meanwhile and afterwards lies in
//! the bucket in the end, once each.

use harness_core::{
    catalogue::Target,
    observation::Look,
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Outage, Resource, Stage, StageError, Stimulus, Watched, bucket_of},
    stimulus::Route,
    verdict::{Check, Rule},
};

use crate::{shapes, written_here};

const CLAUSE: &str = "AC-lgtm-001-04/outage";

/// In their order; before each, during each and after the last a part of the lines is pushed.
const OUTAGES: [Outage; 2] = [Outage::Denies, Outage::Gone];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("logs-outage", written_here!(), &[CLAUSE], |stage| async move {
        let lines = shapes::log_entries_in_parts(&stage, "logs-outage", 2 * OUTAGES.len() + 1)?;
        let rules = vec![Rule::new("names the store", "store errors", Check::AtLeast(1))];
        let stored = stage.expect_with(CLAUSE, &lines, vec![lines.in_objects()], rules, false).await?;
        stage.absent(&stored).await?;
        let calm = complaints(&stage).await;
        stage.control(stored.clause(), "a store that does not refuse", &["names the store"], calm).await?;
        for (number, outage) in OUTAGES.into_iter().enumerate() {
            stage.push_part(Route::LokiHttpJson, &lines, 2 * number).await?;
            let refused = refused(&stage, outage, &lines, &stored, 2 * number + 1).await;
            // Whatever came of it, the store answers again.
            stage.end_outage(outage, Signal::Logs, stored.clause()).await?;
            refused?;
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

/// While the store refuses, lines are taken all the same, and the trouble is logged.
async fn refused(
    stage: &Stage,
    outage: Outage,
    lines: &Stimulus,
    stored: &Watched,
    part: usize,
) -> Result<(), StageError> {
    let complaints = complaints(stage).await;
    stage.begin_outage(outage, Signal::Logs, stored.clause()).await?;
    stage.push_part(Route::LokiHttpJson, lines, part).await?;
    stage.look_for(stored.clause(), complaints).await
}

/// The look at what Loki logs about its store from now on.
async fn complaints(stage: &Stage) -> Look {
    let component = Component::LokiWrite;
    Look::StoreErrors { component, beyond: stage.store_errors_so_far(component).await }
}
