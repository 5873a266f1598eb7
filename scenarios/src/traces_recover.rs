//! What had reached the bucket survives the loss of Tempo with its disk; what had not is lost, and not found. Tempo is back when it takes
//! a push again and answers with all that was there.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

const RESTART: &str = "AC-lgtm-002-03/restart";
const SEARCH: &str = "AC-lgtm-002-03/search";
const BACK: &str = "NFR-lgtm-d4f8c2a1-RECOVER-001/tempo";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("traces-recover", written_here!(), &[RESTART, SEARCH, BACK], |stage| async move {
        let kept = shapes::spans(&stage, "traces-recover")?;
        let lost = shapes::spans(&stage, "traces-recover-lost")?;
        let renewed = shapes::in_two(&stage, "traces-recover-renewed", Signal::Traces)?;
        let answers = vec![kept.by_query(), kept.by_store_only_query()];
        let restarted = stage.expect(RESTART, &kept, answers.clone(), false).await?;
        let back = stage.expect(BACK, &renewed, vec![renewed.by_query(), renewed.in_objects()], false).await?;
        let by_attributes = vec![Rule::new("the run's traces", "found", Check::Is(json!(kept.trace_ids())))];
        let searched = stage.expect_state(SEARCH, by_attributes)?;
        let clauses = [restarted.clause(), back.clause(), &searched];
        stage.absent(&restarted).await?;
        stage.absent(&back).await?;
        stage.push(Route::OtlpGrpc, &kept).await?;
        stage.push_part(Route::OtlpGrpc, &renewed, 0).await?;
        let persisted = stage.seen(&restarted, vec![kept.in_objects()]).await?
            && stage.seen(&back, vec![renewed.in_objects()]).await?;
        if persisted {
            stage.push(Route::OtlpGrpc, &lost).await?;
            stage.lose(&[Component::Tempo], &clauses).await?;
            let flushed = stage.is_in_the_bucket(&lost).await?;
            stage.start_anew(&[Component::Tempo], &clauses).await?;
            stage.takes_pushes(&back, Signal::Traces).await?;
            stage.push_part(Route::OtlpGrpc, &renewed, 1).await?;
            stage.watch(&back).await?;
            stage.seen(&restarted, answers).await?;
            // What is left of the run is in the bucket alone.
            let another = kept.search("another-run", kept.name());
            stage.control(&searched, "another run's value", &["the run's traces"], another).await?;
            stage.look_for(&searched, kept.search(stage.run_id(), kept.name())).await?;
            stage.lost_for_good(&restarted, &lost, flushed).await?;
        }
        for clause in clauses {
            stage.decide(clause)?;
        }
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Traces)
            .tagged(&["faults"])
            .claiming(&[Claim::write(Resource::Tempo), Claim::read(Resource::S3)])
            .needing(&[Component::Tempo])
            .last(),
    ])
}
