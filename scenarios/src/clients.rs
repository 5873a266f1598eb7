//! What real clients send arrives, exactly as what the harness itself sends.

use harness_core::{
    catalogue::Target,
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource, Stage, StageError, Stimulus},
    stimulus::Route,
};

use crate::{shapes, written_here};

/// Where programs can be built and started: not in a pod.
const TARGETS: [Target; 3] = [Target::Local, Target::Containers, Target::Kind];

/// Brings records into a bucket by a client that is not ours.
struct Client {
    name: &'static str,
    /// The clause of the pipeline.
    clause: &'static str,
    /// The clause of the row of the API matrix.
    row: &'static str,
    route: Route,
    signal: Signal,
    stimulus: fn(&Stage, &str) -> Result<Stimulus, StageError>,
}

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    [Client {
        name: "logs-promtail",
        clause: "AC-lgtm-001-02/agent",
        row: "API-2/client",
        route: Route::Promtail,
        signal: Signal::Logs,
        stimulus: shapes::log_entries,
    }]
    .into_iter()
    .map(delivered)
    .collect()
}

fn delivered(client: Client) -> Result<Scenario, String> {
    let Client { name, clause, row, route, signal, stimulus } = client;
    let scenario = Scenario::new(name, written_here!(), &[clause, row], move |stage| async move {
        let records = stimulus(&stage, name)?;
        let looks = match signal {
            Signal::Metrics => vec![records.by_query(), records.by_promql()],
            Signal::Logs | Signal::Traces => vec![records.in_objects(), records.by_query()],
        };
        let expected = [
            stage.expect(clause, &records, looks, false).await?,
            stage.expect(row, &records, vec![records.by_query()], false).await?,
        ];
        for watched in &expected {
            stage.absent(watched).await?;
        }
        stage.push(route, &records).await?;
        for watched in &expected {
            stage.watch(watched).await?;
        }
        Ok(())
    })?;
    let (receiver, resource) = match signal {
        Signal::Logs => (Component::LokiWrite, Resource::Loki),
        Signal::Traces => (Component::Tempo, Resource::Tempo),
        Signal::Metrics => (Component::Mimir, Resource::Mimir),
    };
    Ok(scenario
        .about(signal)
        .tagged(&["clients", "pipelines"])
        .claiming(&[Claim::read(resource), Claim::read(Resource::S3)])
        .needing(&[receiver])
        .sending_by(route)
        .only_on(&TARGETS))
}
