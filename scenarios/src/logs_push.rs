//! Log entries pushed through each of Loki's doors are in the bucket within the bound.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    [
        ("logs-http-json", "AC-lgtm-001-02/http-json", Route::LokiHttpJson),
        ("logs-http-protobuf", "AC-lgtm-001-02/http-protobuf", Route::LokiHttpProtobuf),
        ("logs-grpc", "AC-lgtm-001-02/grpc", Route::LokiGrpc),
    ]
    .into_iter()
    .map(|(name, clause, route)| persisted(name, clause, route))
    .collect()
}

fn persisted(name: &'static str, clause: &'static str, route: Route) -> Result<Scenario, String> {
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let entries = shapes::log_entries(&stage, name)?;
        let stored = stage.expect(clause, &entries, vec![entries.in_objects(), entries.by_query()], false).await?;
        stage.absent(&stored).await?;
        stage.push(route, &entries).await?;
        stage.watch(&stored).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Logs)
        .tagged(&["main", "pipelines"])
        .claiming(&[Claim::read(Resource::Loki), Claim::read(Resource::S3)])
        // Only who takes the push: where the read path is down, what was pushed still has to reach the bucket.
        .needing(&[Component::LokiWrite]))
}
