//! What processes use: memory held against limits, buckets and local folders beside what they held before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::{Evidence, EvidenceKind, Facts},
    ports::{Component, PortError, Usage},
};

/// By how much the most memory ever had may be above the most that was measured, where it is only measured from time to time: a
/// tenth.
const BETWEEN_SAMPLES: u64 = 10;

/// Facts: for each component `COMPONENT.memory` and `COMPONENT.memory at most` (thousandths of its limit: what was measured, and what it
/// can have been between two measurements) and `COMPONENT.others` (processes that were not there before, and those that are not any more).
pub(super) async fn memory(
    scene: &mut Scene<'_>,
    asked: &[(Component, u64, Vec<String>)],
    sampled: &[(Component, Usage)],
) -> Told {
    let mut facts = Facts::new();
    for (component, limit, before) in asked {
        let now = match measured(scene, *component).await {
            Ok(now) => now,
            Err(error) => return Told::Failed(error),
        };
        let earlier = sampled.iter().filter(|(of, _)| of == component).map(|(_, usage)| usage);
        let all = || now.iter().chain(earlier.clone());
        let most = all().map(|usage| usage.memory).max().unwrap_or(0);
        let at_most = if all().all(|usage| usage.is_peak) { most } else { most + most / BETWEEN_SAMPLES };
        let of_limit = |bytes: u64| bytes.saturating_mul(1000).div_ceil((*limit).max(1));
        let processes: BTreeSet<&str> = all().map(|usage| usage.process.as_str()).collect();
        let before: BTreeSet<&str> = before.iter().map(String::as_str).collect();
        let others: Vec<&&str> = processes.symmetric_difference(&before).collect();
        facts.insert(format!("{component}.memory"), json!(of_limit(most)));
        facts.insert(format!("{component}.memory at most"), json!(of_limit(at_most)));
        facts.insert(format!("{component}.others"), json!(others));
        let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
        evidence.component = Some(component.to_string());
        evidence.request = Some(format!("memory of {component} held against {} MiB", limit >> 20));
        evidence.excerpt = Some(format!("{} MiB at most, {} of 1000", most >> 20, of_limit(most)));
        scene.evidence.push(evidence);
    }
    scene.facts(facts)
}

/// Facts: for each bucket `BUCKET.grown` (thousandths of what was offered), for each component `COMPONENT.kept` (thousandths of the
/// allowance by which its folder is larger than before).
pub(super) async fn storage(
    scene: &mut Scene<'_>,
    buckets: &[(String, u64)],
    folders: &[(Component, u64)],
    offered: u64,
    allowance: u64,
) -> Told {
    let mut facts = Facts::new();
    for (bucket, before) in buckets {
        let now: u64 = match scene.list(bucket, "").await {
            Ok(objects) => objects.iter().map(|object| object.size).sum(),
            Err(error) => return Told::Failed(error),
        };
        let grown = now.saturating_sub(*before);
        facts.insert(format!("{bucket}.grown"), json!(grown.saturating_mul(1000) / offered.max(1)));
        let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
        evidence.request = Some(format!("bytes of s3://{bucket}"));
        evidence.excerpt = Some(format!("{before} before, {now} now, {grown} for {offered} offered"));
        scene.evidence.push(evidence);
    }
    for (component, before) in folders {
        let now = match folder(scene, *component).await {
            Ok(now) => now,
            Err(error) => return Told::Failed(error),
        };
        let kept = now.saturating_sub(*before);
        facts.insert(format!("{component}.kept"), json!(kept.saturating_mul(1000).div_ceil(allowance.max(1))));
        let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
        evidence.component = Some(component.to_string());
        evidence.request = Some(format!("local folder of {component}"));
        evidence.excerpt = Some(format!("{before} bytes before, {now} now, {allowance} more are allowed"));
        scene.evidence.push(evidence);
    }
    scene.facts(facts)
}

async fn measured(scene: &Scene<'_>, component: Component) -> Result<Vec<Usage>, PortError> {
    scene.ports.meter.usage(component).await
}

/// Bytes of all local folders of a component.
async fn folder(scene: &Scene<'_>, component: Component) -> Result<u64, PortError> {
    let used = measured(scene, component).await?;
    let told: Option<Vec<u64>> = used.iter().map(|usage| usage.disk).collect();
    told.map(|bytes| bytes.iter().sum()).ok_or_else(|| PortError::Unsupported {
        reason: format!("nobody tells what the local folder of {component} holds"),
    })
}
