//! Blocks reach the bucket, and hold exactly the samples of the run.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const UPLOAD: &str = "AC-lgtm-003-03/upload";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("metrics-upload", written_here!(), &[UPLOAD], |stage| async move {
        let samples = shapes::samples(&stage, "metrics-upload")?;
        let uploaded = stage.expect(UPLOAD, &samples, vec![samples.in_objects(), samples.by_query()], false).await?;
        stage.absent(&uploaded).await?;
        stage.push(Route::RemoteWriteV1, &samples).await?;
        stage.watch(&uploaded).await?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Metrics)
            .tagged(&["main", "pipelines"])
            .claiming(&[Claim::read(Resource::Mimir), Claim::read(Resource::S3)])
            .needing(&[Component::Mimir]),
    ])
}
