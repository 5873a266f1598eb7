//! Each component is alone in the bucket that the design gives it, and the bucket has the properties that the design asks for.

use harness_core::{
    observation::Look,
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{BUCKETS, Claim, Resource, bucket_of, owner_of},
    stimulus::Route,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    Ok(vec![
        alone("bucket-of-loki", "AC-lgtm-001-01/bucket", Signal::Logs)?,
        alone("bucket-of-tempo", "AC-lgtm-002-01/bucket", Signal::Traces)?,
        alone("bucket-of-mimir", "AC-lgtm-003-01/bucket", Signal::Metrics)?,
        versioning()?,
        lifecycle()?,
    ])
}

fn resource_of(signal: Signal) -> Resource {
    match signal {
        Signal::Logs => Resource::Loki,
        Signal::Traces => Resource::Tempo,
        Signal::Metrics => Resource::Mimir,
    }
}

/// The component says that it uses the bucket, its keys are there, no other keys are, and none of its keys are elsewhere.
fn alone(name: &'static str, clause: &'static str, signal: Signal) -> Result<Scenario, String> {
    let bucket = bucket_of(signal);
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let rules = vec![
            Rule::new("configured bucket", "config.bucket", Check::Is(json!(bucket))),
            Rule::enough("keys of its own", "keys", 1),
            Rule::new("no foreign keys", "foreign", Check::Empty),
            Rule::new("nothing elsewhere", "elsewhere", Check::Empty),
        ];
        let others = BUCKETS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != bucket).collect();
        let usage = Look::BucketUse { bucket: bucket.to_owned(), component: owner_of(signal), others };
        let clause = stage.expect_state(clause, rules)?;
        stage.with_foreign_key(bucket, &clause, &["no foreign keys"], usage.clone()).await?;
        let (route, records) = match signal {
            Signal::Logs => (Route::LokiHttpJson, shapes::log_entries(&stage, name)?),
            Signal::Traces => (Route::OtlpGrpc, shapes::spans(&stage, name)?),
            Signal::Metrics => (Route::RemoteWriteV1, shapes::samples(&stage, name)?),
        };
        stage.push(route, &records).await?;
        stage.look_until(&clause, usage).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(signal)
        .tagged(&["main", "buckets"])
        .claiming(&[
            Claim::read(resource_of(signal)),
            Claim::read(Resource::S3),
            Claim::write(Resource::Bucket(bucket)),
        ])
        .needing(&[owner_of(signal)])
        // There is more to look at once all others have written.
        .last())
}

/// Overwritten and deleted keys keep their versions. The bucket of Mimir, for which the design asks no versions, shows that the
/// check can say no.
fn versioning() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-001-01/versioning";
    let (versioned, plain) = (bucket_of(Signal::Logs), bucket_of(Signal::Metrics));
    let scenario = Scenario::new("bucket-versioning", written_here!(), &[CLAUSE], move |stage| async move {
        let rules = vec![
            Rule::new("versioning", "versioning", Check::Is(json!("enabled"))),
            Rule::new("versions kept", "versions", Check::AtLeast(2)),
            Rule::new("probe removed", "left", Check::Empty),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let probe = stage.probe_key("versions");
        let look = |bucket: &str| Look::BucketVersions { bucket: bucket.to_owned(), probe: probe.clone() };
        stage.control(&clause, "a bucket without versions", &["versioning", "versions kept"], look(plain)).await?;
        stage.look_once(&clause, look(versioned)).await?;
        Ok(())
    })?;
    Ok(scenario.about(Signal::Logs).tagged(&["main", "buckets"]).claiming(&[
        Claim::read(Resource::S3),
        Claim::write(Resource::Bucket(versioned)),
        Claim::write(Resource::Bucket(plain)),
    ]))
}

/// Noncurrent versions and incomplete uploads expire, live blocks never before Tempo itself deletes them. The bucket of Mimir, for
/// which the design asks no lifecycle, shows that the check can say no.
fn lifecycle() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-002-01/lifecycle";
    let scenario = Scenario::new("bucket-lifecycle", written_here!(), &[CLAUSE], |stage| async move {
        let rules = vec![
            Rule::new("noncurrent versions expire", "noncurrent", Check::AtLeast(1)),
            Rule::new("incomplete uploads expire", "incomplete", Check::AtLeast(1)),
            Rule::new("live blocks stay", "early", Check::Empty),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look = |signal| Look::BucketLifecycle { bucket: bucket_of(signal).to_owned() };
        let must_break = ["noncurrent versions expire"];
        stage.control(&clause, "a bucket without lifecycle", &must_break, look(Signal::Metrics)).await?;
        stage.look_once(&clause, look(Signal::Traces)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Traces)
        .tagged(&["main", "buckets"])
        .claiming(&[Claim::read(Resource::S3), Claim::read(Resource::Tempo)])
        .needing(&[Component::Tempo]))
}
