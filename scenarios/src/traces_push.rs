//! Spans sent to each of Tempo's OTLP receivers are in the bucket within the bound.

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
        ("traces-otlp-grpc", "AC-lgtm-002-02/otlp-grpc", Route::OtlpGrpc),
        ("traces-otlp-http", "AC-lgtm-002-02/otlp-http", Route::OtlpHttp),
    ]
    .into_iter()
    .map(|(name, clause, route)| persisted(name, clause, route))
    .collect()
}

fn persisted(name: &'static str, clause: &'static str, route: Route) -> Result<Scenario, String> {
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let spans = shapes::spans(&stage, name)?;
        let stored = stage.expect(clause, &spans, vec![spans.in_objects(), spans.by_query()], false).await?;
        stage.absent(&stored).await?;
        stage.push(route, &spans).await?;
        stage.watch(&stored).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Traces)
        .tagged(&["main", "pipelines"])
        .claiming(&[Claim::read(Resource::Tempo), Claim::read(Resource::S3)])
        .needing(&[Component::Tempo]))
}
