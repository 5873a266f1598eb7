//! How long scenarios took in the runs that are kept here: what a run's order is made of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use harness_core::{
    record::{RunInfo, assemble, read_file},
    runner::Durations,
    scenario::Scenario,
};

/// Runs that are looked into, at most, the newest first.
const RUNS: usize = 10;

/// How long each of `scenarios` took the last time it was driven to its end on the same target with the same timers. What cannot be read
/// tells nothing: an order is all that hangs on it.
pub(super) fn recorded(runs: &Path, current: &RunInfo, scenarios: &[Scenario]) -> Durations {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    // Their names begin with the time.
    folders.sort_unstable_by(|one, other| other.cmp(one));
    let mut durations = Durations::new();
    for folder in folders.iter().filter(|folder| is_alike(folder, current)).take(RUNS) {
        for Scenario { name, .. } in scenarios {
            if !durations.contains_key(name) {
                durations.extend(lasted(folder, name).map(|lasted| (name.clone(), lasted)));
            }
        }
    }
    durations
}

fn is_alike(folder: &Path, current: &RunInfo) -> bool {
    let run = fs::read(folder.join("run.json")).ok().and_then(|text| serde_json::from_slice::<RunInfo>(&text).ok());
    run.is_some_and(|run| run.target == current.target && run.profile == current.profile && run.id != current.id)
}

fn lasted(folder: &Path, scenario: &str) -> Option<std::time::Duration> {
    let (entries, whole) = read_file(&folder.join("events").join(format!("{scenario}.ndjson"))).ok()?;
    assemble(&entries, whole).scenarios.get(scenario)?.lasted()
}
