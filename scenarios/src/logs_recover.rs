//! What had reached the bucket survives the loss of every Loki process with its disk; what had not is lost, and not found. Loki is back
//! when it takes a push again and answers with all that was there.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const RECOVER: &str = "AC-lgtm-001-03/recover";
const BACK: &str = "NFR-lgtm-d4f8c2a1-RECOVER-001/loki";

/// In the order in which they can become ready: queries are scheduled by the backend.
const LOKI: [Component; 3] = [Component::LokiWrite, Component::LokiBackend, Component::LokiRead];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("logs-recover", written_here!(), &[RECOVER, BACK], |stage| async move {
        let kept = shapes::log_entries(&stage, "logs-recover")?;
        let lost = shapes::log_entries(&stage, "logs-recover-lost")?;
        let answers = vec![kept.by_query(), kept.by_store_only_query()];
        let recovered = stage.expect(RECOVER, &kept, answers.clone(), stage.is_fast()).await?;
        let renewed = shapes::in_two(&stage, "logs-recover-renewed", Signal::Logs)?;
        let back = stage.expect(BACK, &renewed, vec![renewed.by_query(), renewed.in_objects()], false).await?;
        let both = [recovered.clause(), back.clause()];
        stage.absent(&recovered).await?;
        stage.absent(&back).await?;
        stage.push(Route::LokiHttpJson, &kept).await?;
        stage.push_part(Route::LokiHttpJson, &renewed, 0).await?;
        if stage.is_fast() {
            // Only a graceful stop ships the index before its quarter of an hour.
            stage.restart(Component::LokiWrite, Stop::Graceful, &both).await?;
        }
        let persisted = stage.seen(&recovered, vec![kept.in_objects(), kept.in_index()]).await?
            && stage.seen(&back, vec![renewed.in_objects(), renewed.in_index()]).await?;
        if persisted {
            stage.push(Route::LokiHttpJson, &lost).await?;
            stage.lose(&LOKI, &both).await?;
            let flushed = stage.is_in_the_bucket(&lost).await?;
            stage.start_anew(&LOKI, &both).await?;
            stage.takes_pushes(&back, Signal::Logs).await?;
            stage.push_part(Route::LokiHttpJson, &renewed, 1).await?;
            stage.watch(&back).await?;
            stage.seen(&recovered, answers).await?;
            stage.lost_for_good(&recovered, &lost, flushed).await?;
        }
        for clause in both {
            stage.decide(clause)?;
        }
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Logs)
            .tagged(&["faults", "forced"])
            .claiming(&[Claim::write(Resource::Loki), Claim::read(Resource::S3)])
            .needing(&[Component::LokiWrite, Component::LokiBackend, Component::LokiRead, Component::LokiStoreReader])
            .last(),
    ])
}
