//! Traces stay queryable from the bucket: asked of blocks alone, the answer is the same as what lies in them, and a compaction changes
//! nothing of it.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const FROM_BLOCKS: &str = "AC-lgtm-002-03/from-blocks";

const COMPACTED: &str = "AC-lgtm-002-03/compacted";

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
    // Two blocks of one window of time are compacted. Tempo looks for such when it starts.
    let compacting = Scenario::new("traces-compacted", written_here!(), &[COMPACTED], |stage| async move {
        let spans = shapes::in_two(&stage, "traces-compacted", Signal::Traces)?;
        let looks = vec![spans.in_compacted_blocks(), spans.by_store_only_query()];
        let compacted = stage.expect(COMPACTED, &spans, looks, true).await?;
        stage.absent(&compacted).await?;
        for half in 0..2 {
            stage.push_part(Route::OtlpGrpc, &spans, half).await?;
            stage.gather(&compacted).await?;
        }
        stage.not_compacted_yet(&compacted).await?;
        stage.restart(Component::Tempo, Stop::Graceful, &[compacted.clause()]).await?;
        stage.watch(&compacted).await?;
        Ok(())
    })?;
    Ok(vec![
        compacting
            .about(Signal::Traces)
            .tagged(&["compaction", "forced"])
            .claiming(&[Claim::write(Resource::Tempo), Claim::read(Resource::S3)])
            .needing(&[Component::Tempo])
            .last(),
        scenario
            .about(Signal::Traces)
            .tagged(&["main", "pipelines"])
            .claiming(&[Claim::read(Resource::Tempo), Claim::read(Resource::S3)])
            .needing(&[Component::Tempo]),
    ])
}
