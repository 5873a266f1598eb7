//! Blocks reach the bucket, are compacted there, and hold exactly the samples of the run.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const UPLOAD: &str = "AC-lgtm-003-03/upload";

const COMPACTED: &str = "AC-lgtm-003-03/compacted";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("metrics-upload", written_here!(), &[UPLOAD], |stage| async move {
        let samples = shapes::samples(&stage, "metrics-upload")?;
        let uploaded = stage.expect(UPLOAD, &samples, vec![samples.in_objects(), samples.by_query()], false).await?;
        stage.absent(&uploaded).await?;
        stage.push(Route::RemoteWriteV1, &samples).await?;
        stage.watch(&uploaded).await?;
        Ok(())
    })?;
    // Blocks of one time range are compacted once there are two: each half of the series is one. Mimir looks for such when it starts.
    let compacting = Scenario::new("metrics-compacted", written_here!(), &[COMPACTED], |stage| async move {
        let samples = shapes::in_two(&stage, "metrics-compacted", Signal::Metrics)?;
        let looks = vec![samples.in_compacted_blocks(), samples.by_query()];
        let compacted = stage.expect(COMPACTED, &samples, looks, true).await?;
        stage.absent(&compacted).await?;
        for half in 0..2 {
            stage.push_part(Route::RemoteWriteV1, &samples, half).await?;
            stage.gather(&compacted).await?;
        }
        stage.not_compacted_yet(&compacted).await?;
        stage.restart(Component::Mimir, Stop::Graceful, &[compacted.clause()]).await?;
        stage.watch(&compacted).await?;
        Ok(())
    })?;
    Ok(vec![
        compacting
            .about(Signal::Metrics)
            .tagged(&["compaction", "forced"])
            .claiming(&[Claim::write(Resource::Mimir), Claim::read(Resource::S3)])
            .needing(&[Component::Mimir])
            .last(),
        scenario
            .about(Signal::Metrics)
            .tagged(&["main", "pipelines"])
            .claiming(&[Claim::read(Resource::Mimir), Claim::read(Resource::S3)])
            .needing(&[Component::Mimir]),
    ])
}
