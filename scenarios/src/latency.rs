//! Answers come complete and in time, over records that span the design's range and lie in the store. One question after the other: two
//! that are measured at once would measure each other.

use std::time::Duration;

use harness_core::{
    ports::{Component, Stop},
    scenario::Scenario,
    signal::Signal,
    stage::ALONE,
    stimulus::Route,
};

use crate::{shapes, written_here};

const LOGS: &str = "AC-lgtm-001-05/latency";
const TRACES: &str = "AC-lgtm-002-05/latency";
const METRICS: &str = "AC-lgtm-003-05/latency";

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    Ok(vec![logs()?, traces()?, metrics()?])
}

fn logs() -> Result<Scenario, String> {
    let scenario = Scenario::new("latency-logs", written_here!(), &[LOGS], |stage| async move {
        let entries = shapes::a_day_of_log_entries(&stage, "latency-logs")?;
        let stored = vec![entries.in_objects(), entries.in_index(), entries.by_store_only_query()];
        let timed = stage.expect_latency(LOGS, &entries, shapes::DAY, stored, Component::LokiRead).await?;
        stage.unanswered(&timed).await?;
        stage.push(Route::LokiHttpProtobuf, &entries).await?;
        if stage.is_fast() {
            // What is timed is the way out of the store; the way into it may be forced.
            stage.restart(Component::LokiWrite, Stop::Graceful, &[timed.clause()]).await?;
        }
        stage.time(&timed).await?;
        stage.decide(timed.clause())?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Logs)
        .tagged(&["latency"])
        .claiming(&ALONE)
        .needing(&[Component::LokiWrite, Component::LokiRead, Component::LokiStoreReader])
        .last())
}

fn traces() -> Result<Scenario, String> {
    let scenario = Scenario::new("latency-traces", written_here!(), &[TRACES], |stage| async move {
        let spans = shapes::many_spans(&stage, "latency-traces")?;
        let stored = vec![spans.in_objects(), spans.by_store_only_query()];
        let timed = stage.expect_latency(TRACES, &spans, Duration::ZERO, stored, Component::Tempo).await?;
        stage.unanswered(&timed).await?;
        stage.push(Route::OtlpGrpc, &spans).await?;
        stage.time(&timed).await?;
        stage.decide(timed.clause())?;
        Ok(())
    })?;
    Ok(scenario.about(Signal::Traces).tagged(&["latency"]).claiming(&ALONE).needing(&[Component::Tempo]).last())
}

fn metrics() -> Result<Scenario, String> {
    let scenario = Scenario::new("latency-metrics", written_here!(), &[METRICS], |stage| async move {
        let samples = shapes::a_week_of_samples(&stage, "latency-metrics")?;
        let stored = vec![samples.in_objects()];
        let timed = stage.expect_latency(METRICS, &samples, shapes::WEEK, stored, Component::Mimir).await?;
        stage.unanswered(&timed).await?;
        stage.push(Route::RemoteWriteV1, &samples).await?;
        stage.time(&timed).await?;
        stage.decide(timed.clause())?;
        Ok(())
    })?;
    Ok(scenario.about(Signal::Metrics).tagged(&["latency"]).claiming(&ALONE).needing(&[Component::Mimir]).last())
}
