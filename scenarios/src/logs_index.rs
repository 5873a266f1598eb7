//! Log entries can be found again from the bucket alone: the index object lists their chunks, and a reader that cannot ask an
//! ingester returns them. The index is cut on a fixed quarter of an hour by the wall clock; only a graceful stop ships it earlier, and
//! that is done only under the fast profile, by who can.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

const CLAUSE: &str = "AC-lgtm-001-02/index";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("logs-index", written_here!(), &[CLAUSE], |stage| async move {
        let entries = shapes::log_entries(&stage, "logs-index")?;
        let looks = vec![entries.in_index(), entries.by_store_only_query()];
        let found = stage.expect(CLAUSE, &entries, looks, stage.forces()).await?;
        stage.absent(&found).await?;
        stage.push(Route::LokiHttpJson, &entries).await?;
        if stage.forces() {
            stage.restart(Component::LokiWrite, Stop::Graceful, &[found.clause()]).await?;
        }
        stage.watch(&found).await?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .about(Signal::Logs)
            .tagged(&["main", "pipelines", "forced"])
            .claiming(&[Claim::write(Resource::Loki), Claim::read(Resource::S3)])
            .needing(&[Component::LokiWrite, Component::LokiStoreReader])
            .last(),
    ])
}
