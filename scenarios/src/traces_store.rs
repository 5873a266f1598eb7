//! Traces stay queryable from the bucket: asked of blocks alone, the answer is the same as what lies in them.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const FROM_BLOCKS: &str = "AC-lgtm-002-03/from-blocks";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("traces-from-blocks", written_here!(), &[FROM_BLOCKS], |stage| async move {
        let spans = shapes::spans(&stage, "traces-from-blocks")?;
        let looks = vec![spans.by_store_only_query(), spans.in_objects()];
        let found = stage.expect(FROM_BLOCKS, &spans, looks, false).await?;
        stage.absent(&found).await?;
        stage.push(Route::OtlpGrpc, &spans).await?;
        stage.watch(&found).await?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Traces)
            .tagged(&["main", "pipelines"])
            .claiming(&[Claim::read(Resource::Tempo), Claim::read(Resource::S3)])
            .needing(&[Component::Tempo]),
    ])
}
