//! Buckets: whose keys they hold, whether they keep versions, which lifecycle they have.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Scene, Told, remove_probes};
use crate::{
    formats::{
        loki_layout::is_loki_key,
        tempo_block::{self, TempoObject},
        tsdb_block::MimirObject,
    },
    observation::{AskedStore, Evidence, EvidenceKind, Facts},
    ports::{Component, ObjectSummary, PortError, Principal, Versioning},
    prediction,
    record::RecordError,
    signal::Signal,
};

/// Facts: `other` (what the component says that it uses, where that is not this bucket), `keys` (how many), `foreign` (keys of
/// another layout), `elsewhere` (keys of this layout in other buckets).
pub(super) async fn usage(
    scene: &mut Scene<'_>,
    bucket: &str,
    component: Component,
    others: &[String],
) -> Result<Told, RecordError> {
    let mut facts = Facts::new();
    match scene.configuration(component).await? {
        Ok(text) => {
            let configured = prediction::configured_bucket(signal_of(component), &text);
            facts.insert("other".into(), json!(other_than(bucket, configured)));
        }
        Err(error) => return Ok(Told::Failed(error)),
    }
    let own = match scene.list(bucket, "").await {
        Ok(objects) => objects,
        Err(error) => return Ok(Told::Failed(error)),
    };
    facts.insert("keys".into(), json!(own.iter().filter(|object| has_layout_of(component, &object.key)).count()));
    facts.insert("foreign".into(), keys(&own, |key| !has_layout_of(component, key)));
    let mut elsewhere = Vec::new();
    for other in others {
        match scene.list(other, "").await {
            Ok(objects) => elsewhere.extend(
                objects
                    .iter()
                    .filter(|object| has_layout_of(component, &object.key))
                    .map(|object| format!("{other}/{}", object.key)),
            ),
            Err(error) => return Ok(Told::Failed(error)),
        }
    }
    facts.insert("elsewhere".into(), json!(elsewhere));
    Ok(scene.facts(facts))
}

/// Facts: for each owner, `OWNER.configured` (the bucket that the component asked for it says it uses) and `OWNER.exists`; then
/// `shared buckets` and `shared keys` (those that more than one of the components asked has).
pub(super) async fn stores(scene: &mut Scene<'_>, asked: &[AskedStore]) -> Result<Told, RecordError> {
    let mut facts = Facts::new();
    let present = match scene.ports.objects.buckets().await {
        Ok(present) => present,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
    evidence.request = Some("list buckets".to_owned());
    evidence.excerpt = Some(present.join(", "));
    scene.evidence.push(evidence);
    let (mut buckets, mut keys) = (Vec::new(), Vec::new());
    for AskedStore { owner, bucket, component } in asked {
        let configured = match scene.configuration(*component).await? {
            Ok(text) => prediction::configured_bucket(signal_of(*component), &text),
            Err(error) => return Ok(Told::Failed(error)),
        };
        match scene.ports.objects.fingerprint(Principal::Component(*component)) {
            Ok(key) => keys.push(key),
            Err(error) => return Ok(Told::Failed(error)),
        }
        facts.insert(format!("{owner}.configured"), json!(configured));
        facts.insert(format!("{owner}.exists"), json!(present.contains(bucket)));
        buckets.extend(configured);
    }
    facts.insert("shared buckets".to_owned(), json!(repeated(buckets)));
    facts.insert("shared keys".to_owned(), json!(repeated(keys)));
    Ok(scene.facts(facts))
}

/// What occurs more than once, each once.
fn repeated(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
        .chunk_by(|one, next| one == next)
        .filter(|same| same.len() > 1)
        .filter_map(|same| same.first().cloned())
        .collect()
}

/// Facts: `versioning` (the bucket's own word), `versions` (how many an overwritten and deleted key still lists), `left` (what is
/// left of the probe afterwards).
pub(super) async fn versions(scene: &mut Scene<'_>, bucket: &str, probe: &str) -> Told {
    match try_versions(scene, bucket, probe).await {
        Ok(facts) => scene.facts(facts),
        Err(error) => Told::Failed(error),
    }
}

async fn try_versions(scene: &mut Scene<'_>, bucket: &str, probe: &str) -> Result<Facts, PortError> {
    let objects = &scene.ports.objects;
    remove_probes(scene.ports, bucket).await?;
    let state = objects.versioning(bucket).await?;
    for body in ["first", "second"] {
        objects.put(Principal::Harness, bucket, probe, body.into()).await?;
    }
    objects.delete(Principal::Harness, bucket, probe, None).await?;
    let listed = objects.versions(bucket, probe).await?;
    let kept = listed.iter().filter(|version| !version.delete_marker).count();
    remove_probes(scene.ports, bucket).await?;
    let left: Vec<String> =
        scene.ports.objects.versions(bucket, probe).await?.into_iter().map(|version| version.version).collect();
    let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
    evidence.request = Some(format!("versioning of s3://{bucket}; put, put, delete, list versions of {probe}"));
    evidence.object = Some(format!("{bucket}/{probe}"));
    evidence.excerpt =
        Some(format!("{state:?}; {} entries: {kept} versions, {} delete markers", listed.len(), listed.len() - kept));
    scene.evidence.push(evidence);
    let state = match state {
        Versioning::Enabled => "enabled",
        Versioning::Suspended => "suspended",
        Versioning::Off => "off",
    };
    Ok(Facts::from([
        ("versioning".to_owned(), json!(state)),
        ("versions".to_owned(), json!(kept)),
        ("left".to_owned(), json!(left)),
    ]))
}

/// Facts: `noncurrent` (enabled rules for all noncurrent versions), `incomplete` (what removes incomplete uploads: enabled rules, or the
/// store itself, as MinIO does, which drops such rules; not the store with `rules_alone`), `early` (enabled rules that
/// delete live objects before Tempo's own retention does).
pub(super) async fn lifecycle(scene: &mut Scene<'_>, bucket: &str, rules_alone: bool) -> Result<Told, RecordError> {
    let rules = match scene.ports.objects.lifecycle(bucket).await {
        Ok(rules) => rules,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let retention = match scene.configuration(Component::Tempo).await? {
        Ok(text) => prediction::tempo_retention(&text),
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
    evidence.request = Some(format!("lifecycle of s3://{bucket}"));
    let own_expiry = scene.ports.objects.incomplete_upload_expiry().await;
    let counted = if rules_alone { ", which does not count here" } else { "" };
    evidence.excerpt =
        Some(format!("{rules:?}; incomplete uploads removed by the store itself after {own_expiry:?}{counted}"));
    scene.evidence.push(evidence);
    let enabled: Vec<_> = rules.iter().filter(|rule| rule.enabled).collect();
    let early: Vec<String> = enabled
        .iter()
        .filter_map(|rule| {
            let days = rule.expire_days.and_then(|days| u64::try_from(days).ok());
            let expiry = days.map(|days| Duration::from_secs(days * 86_400));
            let too_soon = |expiry| retention.is_none_or(|retention| retention.is_zero() || expiry < retention);
            match (rule.expires_by_date, expiry) {
                (true, _) => Some(format!("{}: live objects on a date", rule.id)),
                (false, Some(expiry)) if too_soon(expiry) => {
                    Some(format!("{}: live objects after {} days", rule.id, expiry.as_secs() / 86_400))
                }
                _ => None,
            }
        })
        .collect();
    // A rule for some of the objects leaves the others as they are.
    let whole: Vec<_> = enabled.iter().filter(|rule| rule.prefix.is_empty() && !rule.limited).collect();
    let aborting = whole.iter().filter(|rule| rule.abort_incomplete_days.is_some()).map(|rule| rule.id.clone());
    let facts = Facts::from([
        ("noncurrent".to_owned(), json!(whole.iter().filter(|rule| rule.noncurrent_expire_days.is_some()).count())),
        ("incomplete".to_owned(), json!(aborting.chain(own_expiry.filter(|_| !rules_alone)).collect::<Vec<_>>().len())),
        ("early".to_owned(), json!(early)),
    ]);
    Ok(scene.facts(facts))
}

/// The bucket that a component is configured for, unless it is `bucket`.
fn other_than(bucket: &str, configured: Option<String>) -> Vec<String> {
    let configured = configured.unwrap_or_else(|| "no bucket at all".to_owned());
    if configured == bucket { Vec::new() } else { vec![configured] }
}

fn keys(objects: &[ObjectSummary], wanted: impl Fn(&str) -> bool) -> Value {
    objects.iter().map(|object| object.key.as_str()).filter(|key| wanted(key)).collect()
}

fn signal_of(component: Component) -> Signal {
    match component {
        Component::Tempo => Signal::Traces,
        Component::Mimir => Signal::Metrics,
        _ => Signal::Logs,
    }
}

fn has_layout_of(component: Component, key: &str) -> bool {
    match signal_of(component) {
        Signal::Logs => is_loki_key(key),
        Signal::Traces => tempo_block::classify(key) != TempoObject::Foreign,
        Signal::Metrics => MimirObject::parse(key) != MimirObject::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_have_is_told_once() {
        for (names, expected) in
            [(&["a", "b", "c"][..], &[][..]), (&["a", "b", "a"], &["a"]), (&["a", "a", "a"], &["a"]), (&[], &[])]
        {
            assert_eq!(repeated(names.iter().map(|name| (*name).to_owned()).collect()), expected, "{names:?}");
        }
    }

    #[test]
    fn a_component_that_is_configured_otherwise_is_told_from_one_that_is_not() {
        for (configured, told) in [
            (Some("loki-chunks"), None),
            (Some("loki-chunks-2"), Some("loki-chunks-2")),
            (Some(""), Some("")),
            (None, Some("no bucket at all")),
        ] {
            let found = other_than("loki-chunks", configured.map(str::to_owned));
            assert_eq!(found, told.into_iter().collect::<Vec<_>>(), "{configured:?}");
        }
    }
}
