//! The load that the design asks for: ten megabytes a second of logs, and likewise of traces. It is taken whole, in the memory that each
//! component may have, and fills buckets and not disks.

use harness_core::{
    observation::Look,
    ports::{Component, Usage},
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, MEMORY_LIMITS, Resource, bucket_of, owner_of},
    stimulus::load::LoadPlan,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

const INGEST: &str = "NFR-lgtm-d4f8c2a1-PERF-002/ingest";
const MEMORY: &str = "NFR-lgtm-d4f8c2a1-SCALE-002/memory";
const CAPACITY: &str = "NFR-lgtm-d4f8c2a1-SCALE-001/s3-capacity";

const MEBIBYTE: u64 = 1 << 20;
/// The limit of the catalogue's control.
const SMALL: u64 = 64 * MEBIBYTE;
const SIGNALS: [Signal; 2] = [Signal::Logs, Signal::Traces];
/// Thousandths of what was offered that a bucket has to hold of it at least: its words are compressed, and to no less than that.
const GROWTH: u64 = 100;
/// What a local folder may hold more than before the load: a tenth of what was offered, for what its servers write at all times, and
/// never less than this.
const LEAST_ALLOWANCE: u64 = 32 * MEBIBYTE;

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario = Scenario::new("load", written_here!(), &[INGEST, MEMORY, CAPACITY], |stage| async move {
        let plans = SIGNALS.map(|signal| shapes::load(&stage, signal));
        let components = MEMORY_LIMITS.map(|(component, _)| component);
        let takers = SIGNALS.map(owner_of);
        let ingest = stage.expect_loads(INGEST, &plans).await?;
        let memory = stage.expect_state(MEMORY, memory_rules())?;
        let capacity = stage.expect_state(CAPACITY, capacity_rules())?;

        stage.absent_loads(&ingest, &plans).await?;
        let before = stage.used(&components).await?;
        let offered = plans.iter().map(LoadPlan::bytes).min().unwrap_or(0);
        let mut held = Vec::new();
        for signal in SIGNALS {
            held.push((bucket_of(signal).to_owned(), stage.held_by(bucket_of(signal)).await?));
        }
        let folders: Vec<(Component, u64)> =
            takers.iter().map(|component| (*component, disk_of(&before, *component))).collect();
        let storage = |allowance| Look::Storage { buckets: held.clone(), folders: folders.clone(), offered, allowance };
        let allowance = LEAST_ALLOWANCE.max(offered / 10);
        let growth = SIGNALS.map(|signal| format!("growth of {}", bucket_of(signal)));
        stage
            .control(&capacity, "buckets before the load", &growth.each_ref().map(String::as_str), storage(allowance))
            .await?;

        let mut sampled = Vec::new();
        for plan in &plans {
            sampled.extend(stage.offer(plan, &components).await?);
            let full = format!(
                "the folder of {} at the load's end, with nothing more allowed than before",
                owner_of(plan.signal)
            );
            let rule = format!("disk of {}", owner_of(plan.signal));
            stage.control(&capacity, &full, &[&rule], storage(0)).await?;
        }
        stage.count_back(&ingest, &plans).await?;
        let taken = stage.decide(&ingest)?;

        let look = |limit: &dyn Fn(u64) -> u64, of: &dyn Fn(Component) -> Component| Look::Memory {
            asked: MEMORY_LIMITS
                .iter()
                .map(|(component, bytes)| (*component, limit(*bytes), processes_of(&before, of(*component))))
                .collect(),
            sampled: sampled.clone(),
        };
        let named = |beginning: &str| components.map(|component| format!("{beginning} of {component}"));
        let (fits, others) = (named("memory"), named("process"));
        let same = |component| component;
        stage
            .control(&memory, "limits of 64 MiB", &fits.each_ref().map(String::as_str), look(&|_| SMALL, &same))
            .await?;
        let next = |component| {
            components
                .iter()
                .position(|own| *own == component)
                .and_then(|place| components.get((place + 1) % components.len()))
        };
        let other = |component| next(component).copied().unwrap_or(component);
        stage
            .control(
                &memory,
                "processes of other components",
                &others.each_ref().map(String::as_str),
                look(&|bytes| bytes, &other),
            )
            .await?;
        stage.look_at(&memory, look(&|bytes| bytes, &same)).await?;
        stage.decide_under_load(&memory, &ingest, taken)?;

        let within = stage.leaves_folders_within(&takers).await;
        stage.look_for_within(&capacity, storage(allowance), within).await?;
        stage.decide_under_load(&capacity, &ingest, taken)?;
        Ok(())
    })?;
    Ok(vec![
        scenario
            .tagged(&["load"])
            .claiming(&[
                Claim::write(Resource::Loki),
                Claim::write(Resource::Tempo),
                Claim::write(Resource::Mimir),
                Claim::write(Resource::S3),
                Claim::write(Resource::Node),
            ])
            .needing(&MEMORY_LIMITS.map(|(component, _)| component))
            .last(),
    ])
}

/// Each component has the same processes as before, and no more memory than its limit.
fn memory_rules() -> Vec<Rule> {
    let rules = MEMORY_LIMITS.iter().flat_map(|(component, _)| {
        let between = Rule::new(
            &format!("memory of {component} between measurements"),
            &format!("{component}.memory at most"),
            Check::AtMost(1000),
        );
        [
            Rule::new(&format!("memory of {component}"), &format!("{component}.memory"), Check::AtMost(1000)),
            Rule { about_amount: true, ..between },
            Rule::new(&format!("process of {component}"), &format!("{component}.others"), Check::Is(json!([]))),
        ]
    });
    rules.collect()
}

/// Each bucket has grown with what was sent, and each folder is as it was, give or take its allowance.
fn capacity_rules() -> Vec<Rule> {
    let rules = SIGNALS.iter().flat_map(|signal| {
        let (bucket, component) = (bucket_of(*signal), owner_of(*signal));
        [
            Rule::new(&format!("growth of {bucket}"), &format!("{bucket}.grown"), Check::AtLeast(GROWTH)),
            Rule::new(&format!("disk of {component}"), &format!("{component}.kept"), Check::AtMost(1000)),
        ]
    });
    rules.collect()
}

fn disk_of(used: &[(Component, Usage)], component: Component) -> u64 {
    used.iter().filter(|(of, _)| *of == component).filter_map(|(_, usage)| usage.disk).sum()
}

fn processes_of(used: &[(Component, Usage)], component: Component) -> Vec<String> {
    used.iter().filter(|(of, _)| *of == component).map(|(_, usage)| usage.process.clone()).collect()
}
