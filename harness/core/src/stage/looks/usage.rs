//! What processes use: memory held against limits, buckets and local folders beside what they held before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::{Evidence, EvidenceKind, Facts},
    ports::{Component, PortError, Usage},
};

const MEBIBYTE: u64 = 1 << 20;

/// By how much the most memory ever had may be above the most that was measured, where it is only measured from time to time: a
/// tenth.
const BETWEEN_SAMPLES: u64 = 10;

/// Facts: for each component `COMPONENT.memory` and `COMPONENT.memory between` (thousandths of its limit: what was measured, and what it
/// can have been between two measurements, 0 where the most that it ever had is known) and `COMPONENT.others` (processes that were not there before, and those that are not any more).
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
        let all: Vec<&Usage> = now.iter().chain(earlier).collect();
        let most = all.iter().map(|usage| usage.memory).max().unwrap_or(0);
        facts.extend(of_limit(*component, *limit, before, &all));
        let said =
            format!("{component} took {} MiB of memory at most, of {} MiB", most.div_ceil(MEBIBYTE), limit >> 20);
        measurement(scene, Some(*component), said);
    }
    scene.facts(facts)
}

/// What of `used` is told of a component's memory, and of the processes that it had `before`.
fn of_limit(component: Component, limit: u64, before: &[String], used: &[&Usage]) -> Facts {
    let most = used.iter().map(|usage| usage.memory).max().unwrap_or(0);
    let between = if used.iter().all(|usage| usage.is_peak) { 0 } else { most.saturating_add(most / BETWEEN_SAMPLES) };
    let share = |bytes: u64| bytes.saturating_mul(1000).div_ceil(limit.max(1));
    let processes: BTreeSet<&str> = used.iter().map(|usage| usage.process.as_str()).collect();
    let before: BTreeSet<&str> = before.iter().map(String::as_str).collect();
    let others: Vec<&&str> = processes.symmetric_difference(&before).collect();
    Facts::from([
        (format!("{component}.memory"), json!(share(most))),
        (format!("{component}.memory between"), json!(share(between))),
        (format!("{component}.others"), json!(others)),
    ])
}

/// Thousandths of `whole` by which `now` is more than `before`.
fn more_by(now: u64, before: u64, whole: u64) -> u64 {
    now.saturating_sub(before).saturating_mul(1000).div_ceil(whole.max(1))
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
        facts.insert(format!("{bucket}.grown"), json!(more_by(now, *before, offered)));
        let said = format!(
            "s3://{bucket} grew from {} to {}, {} were offered",
            megabytes(*before),
            megabytes(now),
            megabytes(offered)
        );
        measurement(scene, None, said);
    }
    for (component, before) in folders {
        let now = match scene.ports.meter.folder(*component).await {
            Ok(now) => now,
            Err(error) => return Told::Failed(error),
        };
        facts.insert(format!("{component}.kept"), json!(more_by(now, *before, allowance)));
        let said = format!(
            "the folder of {component} held {} before and {} after, {} more are allowed",
            megabytes(*before),
            megabytes(now),
            megabytes(allowance)
        );
        measurement(scene, Some(*component), said);
    }
    scene.facts(facts)
}

fn measurement(scene: &mut Scene<'_>, component: Option<Component>, said: String) {
    let mut evidence = Evidence::new(EvidenceKind::Measurement, scene.keeper.unix_ns());
    evidence.component = component.map(|component| component.to_string());
    evidence.excerpt = Some(said);
    scene.evidence.push(evidence);
}

/// `600.0 MB`
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

async fn measured(scene: &Scene<'_>, component: Component) -> Result<Vec<Usage>, PortError> {
    scene.ports.meter.usage(component).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_as_a_share_of_the_limit_and_bounded_where_it_was_only_sampled() {
        let usage = |process: &str, memory, is_peak| Usage { process: process.into(), memory, is_peak };
        let table = [
            (vec![usage("a", 500, true)], 500, 0, json!([])),
            (vec![usage("a", 500, false)], 500, 550, json!([])),
            (vec![usage("a", 950, false), usage("a", 400, false)], 950, 1045, json!([])),
            (vec![usage("a", 1001, true)], 1001, 0, json!([])),
            (vec![usage("a", 10, true), usage("b", 20, true)], 20, 0, json!(["b"])),
            (vec![usage("b", 10, true)], 10, 0, json!(["a", "b"])),
            (Vec::new(), 0, 0, json!(["a"])),
        ];
        for (used, memory, between, others) in table {
            let facts = of_limit(Component::Tempo, 1000, &["a".into()], &used.iter().collect::<Vec<_>>());
            let expected = Facts::from([
                ("tempo.memory".to_owned(), json!(memory)),
                ("tempo.memory between".to_owned(), json!(between)),
                ("tempo.others".to_owned(), json!(others)),
            ]);
            assert_eq!(facts, expected);
        }
    }

    #[test]
    fn what_is_more_than_before_is_told_in_thousandths_rounded_up() {
        for (now, before, whole, expected) in [
            (5, 5, 10, 0),
            (3, 5, 10, 0),
            (10, 5, 10, 500),
            (6, 5, 10_000, 1),
            (6, 5, 0, 1000),
            (u64::MAX, 0, 1, u64::MAX),
        ] {
            assert_eq!(more_by(now, before, whole), expected);
        }
    }
}
