//! What had reached the bucket survives the loss of Mimir with its disk. Mimir is back when it takes a push again and answers with all
//! that was there.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const BACK: &str = "NFR-lgtm-d4f8c2a1-RECOVER-001/mimir";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("metrics-recover", written_here!(), &[BACK], |stage| async move {
        let renewed = shapes::in_two(&stage, "metrics-recover-renewed", Signal::Metrics)?;
        let looks = vec![renewed.by_query(), renewed.by_promql(), renewed.in_objects()];
        let back = stage.expect(BACK, &renewed, looks, false).await?;
        stage.absent(&back).await?;
        stage.push_part(Route::RemoteWriteV1, &renewed, 0).await?;
        if stage.seen(&back, vec![renewed.in_objects()]).await? {
            stage.lose(&[Component::Mimir], &[back.clause()]).await?;
            stage.start_anew(&[Component::Mimir], &[back.clause()]).await?;
            stage.takes_pushes(&back, Signal::Metrics).await?;
            stage.push_part(Route::RemoteWriteV1, &renewed, 1).await?;
            stage.watch(&back).await?;
        }
        stage.decide(back.clause())?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Metrics)
            .tagged(&["faults"])
            .claiming(&[Claim::write(Resource::Mimir), Claim::read(Resource::S3)])
            .needing(&[Component::Mimir])
            .last(),
    ])
}
