//! A compaction makes one block of several, and of what they hold it loses, doubles and changes nothing.

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

/// Who compacts, and how records come to it.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    clause: &'static str,
    signal: Signal,
    route: Route,
    component: Component,
    resource: Resource,
}

const ROWS: [Row; 2] = [
    Row {
        name: "traces-compacted",
        clause: "AC-lgtm-002-03/compacted",
        signal: Signal::Traces,
        route: Route::OtlpGrpc,
        component: Component::Tempo,
        resource: Resource::Tempo,
    },
    Row {
        name: "metrics-compacted",
        clause: "AC-lgtm-003-03/compacted",
        signal: Signal::Metrics,
        route: Route::RemoteWriteV1,
        component: Component::Mimir,
        resource: Resource::Mimir,
    },
];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    ROWS.into_iter().map(compacted).collect()
}

/// Blocks of one range of time are compacted once there are two: each half of the records becomes one. Tempo and Mimir look for such when
/// they start. What is asked for at the end comes from the store alone, as far as the component can be asked so.
fn compacted(row: Row) -> Result<Scenario, String> {
    let Row { name, clause, signal, route, component, resource } = row;
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let records = shapes::in_two(&stage, name, signal)?;
        let looks = vec![records.in_compacted_blocks(), records.by_store_only_query()];
        let compacted = stage.expect(clause, &records, looks, true).await?;
        stage.absent(&compacted).await?;
        for half in 0..2 {
            stage.push_part(route, &records, half).await?;
            stage.gather(&compacted).await?;
        }
        stage.not_compacted_yet(&compacted).await?;
        // Everything is in the bucket: nothing has to be asked to end, and Tempo now and then does not when it is.
        stage.restart(component, Stop::Kill, &[compacted.clause()]).await?;
        stage.watch(&compacted).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(signal)
        .tagged(&["compaction", "forced"])
        .claiming(&[Claim::write(resource), Claim::read(Resource::S3)])
        .needing(&[component])
        .last())
}
