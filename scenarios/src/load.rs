//! The load that the design asks for: ten megabytes a second of logs, and likewise of traces. It is taken whole, in the memory that each
//! component may have, and fills buckets and not disks.

use harness_core::{
    observation::Look,
    ports::{Component, Usage},
    scenario::Scenario,
    signal::Signal,
    stage::{ALONE, MEMORY_LIMITS, Stage, StageError, bucket_of, owner_of},
    stimulus::load::LoadPlan,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

const INGEST: &str = "NFR-lgtm-d4f8c2a1-PERF-002/ingest";
const MEMORY: &str = "NFR-lgtm-d4f8c2a1-SCALE-002/memory";
const CAPACITY: &str = "NFR-lgtm-d4f8c2a1-SCALE-001/s3-capacity";

const MEBIBYTE: u64 = 1 << 20;
/// The limit of the catalogue's control, which no program of the stack can keep.
const SMALL: u64 = 16 * MEBIBYTE;
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
        let ingest = stage.expect_loads(INGEST, &plans).await?;
        let memory = stage.expect_state(MEMORY, memory_rules())?;
        let capacity = stage.expect_state(CAPACITY, capacity_rules())?;
        stage.absent_loads(&ingest, &plans).await?;
        let before = stage.used(&components).await?;
        let room = Room::before(&stage, &plans).await?;
        let grown = SIGNALS.map(|signal| grows(bucket_of(signal)));
        stage.control(&capacity, "buckets before the load", &words(&grown), room.look(room.allowance)).await?;

        let mut sampled = Vec::new();
        for plan in &plans {
            sampled.extend(stage.offer(plan, &components).await?);
            let owner = owner_of(plan.signal);
            let full = format!("the folder of {owner} at the load's end, with no more allowed than before");
            stage.control(&capacity, &full, &[&empties(owner)], room.look(0)).await?;
        }
        stage.count_back(&ingest, &plans).await?;
        let taken = stage.decide(&ingest)?;

        let look = |limit: fn(u64) -> u64, processes_of: fn(Component) -> Component| Look::Memory {
            asked: MEMORY_LIMITS
                .iter()
                .map(|(component, bytes)| (*component, limit(*bytes), processes(&before, processes_of(*component))))
                .collect(),
            sampled: sampled.clone(),
        };
        let fit = MEMORY_LIMITS.map(|(component, limit)| fits(component, limit));
        stage.control(&memory, "limits of 16 MiB", &words(&fit), look(|_| SMALL, |own| own)).await?;
        let stay = components.map(stays);
        stage.control(&memory, "processes of other components", &words(&stay), look(|limit| limit, another)).await?;
        stage.look_at(&memory, look(|limit| limit, |own| own)).await?;
        stage.decide_under_load(&memory, &ingest, taken)?;

        let within = stage.leaves_folders_within(&SIGNALS.map(owner_of)).await;
        stage.look_for_within(&capacity, room.look(room.allowance), within).await?;
        stage.decide_under_load(&capacity, &ingest, taken)
    })?;
    Ok(vec![scenario.tagged(&["load"]).claiming(&ALONE).needing(&MEMORY_LIMITS.map(|(component, _)| component)).last()])
}

/// What buckets and folders held before the load, and what may be more afterwards.
struct Room {
    buckets: Vec<(String, u64)>,
    folders: Vec<(Component, u64)>,
    offered: u64,
    allowance: u64,
}

impl Room {
    async fn before(stage: &Stage, plans: &[LoadPlan]) -> Result<Self, StageError> {
        let mut room = Self {
            buckets: Vec::new(),
            folders: Vec::new(),
            offered: plans.iter().map(LoadPlan::bytes).min().unwrap_or(0),
            allowance: 0,
        };
        room.allowance = LEAST_ALLOWANCE.max(room.offered / 10);
        for plan in plans {
            let (bucket, owner) = (bucket_of(plan.signal), owner_of(plan.signal));
            room.buckets.push((bucket.to_owned(), stage.held_by(bucket).await?));
            room.folders.push((owner, stage.kept_by(owner).await?));
        }
        Ok(room)
    }

    fn look(&self, allowance: u64) -> Look {
        Look::Storage { buckets: self.buckets.clone(), folders: self.folders.clone(), offered: self.offered, allowance }
    }
}

/// Each component has the same processes as before, and no more memory than its limit.
fn memory_rules() -> Vec<Rule> {
    let rules = MEMORY_LIMITS.iter().flat_map(|(component, limit)| {
        let between = format!("{}, between measurements", fits(*component, *limit));
        [
            Rule::new(&fits(*component, *limit), &format!("{component}.memory"), Check::AtMost(1000)),
            Rule {
                about_amount: true,
                ..Rule::new(&between, &format!("{component}.memory between"), Check::AtMost(1000))
            },
            Rule::new(&stays(*component), &format!("{component}.others"), Check::Is(json!([]))),
        ]
    });
    rules.collect()
}

/// Each bucket has grown with what was sent, and each folder is as it was, give or take its allowance.
fn capacity_rules() -> Vec<Rule> {
    let rules = SIGNALS.iter().flat_map(|signal| {
        let (bucket, owner) = (bucket_of(*signal), owner_of(*signal));
        [
            Rule::new(&grows(bucket), &format!("{bucket}.grown"), Check::AtLeast(GROWTH)),
            Rule::new(&empties(owner), &format!("{owner}.kept"), Check::AtMost(1000)),
        ]
    });
    rules.collect()
}

/// The rule that a component has no more memory than its limit.
fn fits(component: Component, limit: u64) -> String {
    format!("memory of {component} in thousandths of its {} MiB", limit / MEBIBYTE)
}

/// The rule that a component has the processes that it had.
fn stays(component: Component) -> String {
    format!("other processes of {component} than before")
}

/// The rule that a bucket grows with what is sent.
fn grows(bucket: &str) -> String {
    format!("growth of {bucket} in thousandths of what was offered")
}

/// The rule that a component's folder holds no more than before.
fn empties(component: Component) -> String {
    format!("disk of {component} in thousandths of its allowance")
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn processes(used: &[(Component, Usage)], component: Component) -> Vec<String> {
    used.iter().filter(|(of, _)| *of == component).map(|(_, usage)| usage.process.clone()).collect()
}

/// Another component, which has other processes.
fn another(component: Component) -> Component {
    if component == Component::Tempo { Component::Mimir } else { Component::Tempo }
}
