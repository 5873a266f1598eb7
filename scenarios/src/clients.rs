//! What real clients send arrives, exactly as what the harness itself sends.

use harness_core::{
    catalogue::Target,
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource, Stage, StageError, Stimulus},
    stimulus::{Route, traces::Vocabulary},
};

use crate::{shapes, written_here};

/// Where programs can be built and started: not in a pod.
const TARGETS: [Target; 3] = [Target::Local, Target::Containers, Target::Kind];

/// Brings records into a bucket by a client that is not ours.
struct Client {
    name: &'static str,
    /// The clause of the pipeline.
    clause: &'static str,
    /// The clause of the row of the API matrix, where one is about it.
    row: Option<&'static str>,
    route: Route,
    /// By which records are given to the client when it has ended: they must not arrive.
    after_its_end: Option<Route>,
    signal: Signal,
    stimulus: fn(&Stage, &str) -> Result<Stimulus, StageError>,
}

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    [
        Client {
            name: "logs-promtail",
            clause: "AC-lgtm-001-02/agent",
            row: Some("API-2/client"),
            route: Route::Promtail,
            after_its_end: Some(Route::EndedPromtail),
            signal: Signal::Logs,
            stimulus: shapes::log_entries,
        },
        Client {
            name: "traces-otel-sdk",
            clause: "AC-lgtm-002-02/sdk",
            row: None,
            route: Route::OtelSdk,
            after_its_end: None,
            signal: Signal::Traces,
            stimulus: |stage, name| shapes::spans_in(stage, name, Vocabulary::Sdk),
        },
        Client {
            name: "traces-otel-cli",
            clause: "AC-lgtm-002-02/client",
            row: Some("API-3/client"),
            route: Route::OtelCli,
            after_its_end: None,
            signal: Signal::Traces,
            stimulus: |stage, name| shapes::spans_in(stage, name, Vocabulary::CommandLine),
        },
        Client {
            name: "metrics-prometheus",
            clause: "AC-lgtm-003-02/prometheus",
            row: Some("API-5/client"),
            route: Route::Prometheus,
            after_its_end: None,
            signal: Signal::Metrics,
            stimulus: shapes::samples_ahead,
        },
    ]
    .into_iter()
    .map(delivered)
    .collect()
}

fn delivered(client: Client) -> Result<Scenario, String> {
    let Client { name, clause, row, route, after_its_end, signal, stimulus } = client;
    let covers: Vec<&str> = [Some(clause), row].into_iter().flatten().collect();
    let scenario = Scenario::new(name, written_here!(), &covers, move |stage| async move {
        let records = stimulus(&stage, name)?;
        let looks = match signal {
            Signal::Metrics => vec![records.by_query(), records.by_promql()],
            Signal::Logs | Signal::Traces => vec![records.in_objects(), records.by_query()],
        };
        let stored = stage.expect(clause, &records, looks.clone(), false).await?;
        stage.absent(&stored).await?;
        let answered = match row {
            Some(row) => Some(stage.expect(row, &records, vec![records.by_query()], false).await?),
            None => None,
        };
        if let Some(answered) = &answered {
            stage.absent(answered).await?;
        }
        stage.push(route, &records).await?;
        let late = match after_its_end {
            Some(route) => {
                let late = stimulus(&stage, &format!("{name}-late"))?;
                stage.push(route, &late).await?;
                Some(late)
            }
            None => None,
        };
        let persisted = async {
            let Some(late) = late else { return stage.watch(&stored).await };
            stage.seen(&stored, looks).await?;
            stage.still_absent(&stored, &late, "records that the client was given after its end").await?;
            stage.decide(stored.clause())
        };
        let queried = async {
            match &answered {
                Some(answered) => stage.watch(answered).await.map(Some),
                None => Ok(None),
            }
        };
        futures::try_join!(persisted, queried)?;
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
