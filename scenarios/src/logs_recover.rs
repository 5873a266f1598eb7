//! What had reached the bucket survives the loss of every Loki process with its disk; what had not is lost, and not found.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const CLAUSE: &str = "AC-lgtm-001-03/recover";

/// In the order in which they can become ready: queries are scheduled by the backend.
const LOKI: [Component; 3] = [Component::LokiWrite, Component::LokiBackend, Component::LokiRead];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("logs-recover", written_here!(), &[CLAUSE], |stage| async move {
        let kept = shapes::log_entries(&stage, "logs-recover")?;
        let lost = shapes::log_entries(&stage, "logs-recover-lost")?;
        let answers = vec![kept.by_query(), kept.by_store_only_query()];
        let recovered = stage.expect(CLAUSE, &kept, answers.clone(), stage.is_fast()).await?;
        stage.absent(&recovered).await?;
        stage.push(Route::LokiHttpJson, &kept).await?;
        if stage.is_fast() {
            // Only a graceful stop ships the index before its quarter of an hour.
            stage.restart(Component::LokiWrite, Stop::Graceful, &[recovered.clause()]).await?;
        }
        if stage.seen(&recovered, vec![kept.in_objects(), kept.in_index()]).await? {
            stage.push(Route::LokiHttpJson, &lost).await?;
            stage.stop(&LOKI, Stop::Kill, &[recovered.clause()]).await?;
            // A node asks before it kills, and what is asked may flush: then there is nothing that could have been lost.
            let flushed = stage.is_in_the_bucket(&lost).await?;
            stage.start_anew(&LOKI, &[recovered.clause()]).await?;
            stage.seen(&recovered, answers).await?;
            if flushed {
                stage.progress(
                    "found that what was to be lost had been flushed while its process was killed".to_owned(),
                )?;
            } else {
                let name = "records that were not persisted when everything was lost";
                stage.still_absent(&recovered, &lost, name).await?;
            }
        }
        stage.decide(recovered.clause())?;
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
