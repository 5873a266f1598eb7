//! Each component is alone in the bucket that the design gives it, and the bucket has the properties that the design asks for.

use harness_core::{
    observation::Look,
    ports::{Component, LifecycleRule},
    scenario::Scenario,
    signal::Signal,
    stage::{BUCKETS, Claim, Resource, Scratch, bucket_of, owner_of},
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

/// A key as the component writes it that owns the bucket of `signal`.
fn key_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "fake/9b9933e62a5293f9/1a209ac6693:1a209ac74a4:6991f34c",
        Signal::Traces => "single-tenant/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/meta.json",
        Signal::Metrics => "anonymous/01KB0Q4C9YQ5QZ0R8Y0G3J7T2W/meta.json",
    }
}

/// The component says that it uses the bucket, its keys are there, no other keys are, and none of its keys are elsewhere.
fn alone(name: &'static str, clause: &'static str, signal: Signal) -> Result<Scenario, String> {
    let bucket = bucket_of(signal);
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let rules = vec![
            Rule::new("no other bucket configured", "other", Check::Empty),
            Rule::enough("keys of its own", "keys", 1),
            Rule::new("no foreign keys", "foreign", Check::Empty),
            Rule::new("nothing elsewhere", "elsewhere", Check::Empty),
        ];
        let component = owner_of(signal);
        let others: Vec<String> =
            BUCKETS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != bucket).collect();
        let usage = Look::BucketUse { bucket: bucket.to_owned(), component, others: others.clone() };
        let clause = stage.expect_state(clause, rules)?;
        stage.with_foreign_key(bucket, &clause, &["no foreign keys"], usage.clone()).await?;
        let scratch = Scratch { keys: vec![key_of(signal).to_owned()], ..Scratch::default() };
        let not_its_own = |scratch| Look::BucketUse { bucket: scratch, component, others: Vec::new() };
        let with_scratch = |scratch| Look::BucketUse {
            bucket: bucket.to_owned(),
            component,
            others: others.into_iter().chain([scratch]).collect(),
        };
        let (state, must_break) = ("a bucket that the component is not configured for", ["no other bucket configured"]);
        stage.control_with_scratch_bucket(&clause, state, &must_break, &scratch, not_its_own).await?;
        let (state, must_break) = ("another bucket with a key of the component in it", ["nothing elsewhere"]);
        stage.control_with_scratch_bucket(&clause, state, &must_break, &scratch, with_scratch).await?;
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
/// check can say no; a bucket with versions in which the probe stays shows it of the probe's removal.
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
        let scratch = Scratch { versioned: true, ..Scratch::default() };
        // Only keys that begin as all probes do are removed by the look.
        let stays = |scratch| Look::BucketVersions { bucket: scratch, probe: "stays".to_owned() };
        stage.control_with_scratch_bucket(&clause, "a probe that stays", &["probe removed"], &scratch, stays).await?;
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
/// which the design asks no lifecycle, shows that the check can say no; so does a bucket whose only rule expires live objects, looked
/// at for its rules alone: the store's own expiry of incomplete uploads holds for that bucket too.
fn lifecycle() -> Result<Scenario, String> {
    const CLAUSE: &str = "AC-lgtm-002-01/lifecycle";
    let scenario = Scenario::new("bucket-lifecycle", written_here!(), &[CLAUSE], |stage| async move {
        let rules = vec![
            Rule::new("noncurrent versions expire", "noncurrent", Check::AtLeast(1)),
            Rule::new("incomplete uploads expire", "incomplete", Check::AtLeast(1)),
            Rule::new("live blocks stay", "early", Check::Empty),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look = |signal| Look::BucketLifecycle { bucket: bucket_of(signal).to_owned(), rules_alone: false };
        let must_break = ["noncurrent versions expire"];
        stage.control(&clause, "a bucket without lifecycle", &must_break, look(Signal::Metrics)).await?;
        // The shortest that a rule can say.
        let a_day =
            LifecycleRule { id: "a-day".to_owned(), enabled: true, expire_days: Some(1), ..LifecycleRule::default() };
        let scratch = Scratch { lifecycle: vec![a_day], ..Scratch::default() };
        let name = "a bucket whose only rule expires live objects after a day, rules alone";
        let must_break = ["noncurrent versions expire", "incomplete uploads expire", "live blocks stay"];
        let rules_alone = |scratch| Look::BucketLifecycle { bucket: scratch, rules_alone: true };
        stage.control_with_scratch_bucket(&clause, name, &must_break, &scratch, rules_alone).await?;
        stage.look_once(&clause, look(Signal::Traces)).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Traces)
        .tagged(&["main", "buckets"])
        .claiming(&[Claim::read(Resource::S3), Claim::read(Resource::Tempo)])
        .needing(&[Component::Tempo]))
}

#[cfg(test)]
mod tests {
    use harness_core::formats::{
        loki_layout::is_loki_key,
        tempo_block::{TempoObject, classify},
        tsdb_block::MimirObject,
    };

    use super::*;

    #[test]
    fn the_key_of_each_component_has_the_layout_of_that_component_alone() {
        for signal in [Signal::Logs, Signal::Traces, Signal::Metrics] {
            let key = key_of(signal);
            let layouts = [
                (Signal::Logs, is_loki_key(key)),
                (Signal::Traces, classify(key) != TempoObject::Foreign),
                (Signal::Metrics, MimirObject::parse(key) != MimirObject::Foreign),
            ];
            for (layout, has) in layouts {
                assert_eq!(has, layout == signal, "{key} as {layout:?}");
            }
        }
    }
}
