//! How long the scenarios of a run had to take at least, by how long each held what it claimed.

use std::{collections::BTreeMap, time::Duration};

use super::{RunRecord, ScenarioState};
use crate::lock::Access;

impl RunRecord {
    /// No schedule could have driven the run's scenarios in less time, had each taken as long as it did: those that disturb others wait for
    /// the rest, who uses a part of the stack alone does so after everybody else who does, and who shares it does so after each of them.
    /// `None` where no scenario held its claims to its end.
    pub fn least_duration(&self) -> Option<Duration> {
        let phase = |last| least(self.scenarios.values().filter(|state| is_of(state, last)));
        let (together, last) = (phase(false), phase(true));
        (together.is_some() || last.is_some()).then(|| together.unwrap_or_default() + last.unwrap_or_default())
    }
}

fn is_of(state: &ScenarioState, last: bool) -> bool {
    state.claimed.as_ref().is_some_and(|claimed| claimed.last == last)
}

fn least<'a>(states: impl Iterator<Item = &'a ScenarioState>) -> Option<Duration> {
    let mut longest = None;
    let mut alone: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut shared: BTreeMap<&str, Duration> = BTreeMap::new();
    for state in states {
        let (Some(lasted), Some(claimed)) = (state.lasted(), &state.claimed) else { continue };
        longest = longest.max(Some(lasted));
        for (resource, access) in &claimed.claims {
            match access {
                Access::Write => *alone.entry(resource).or_default() += lasted,
                Access::Read => {
                    let longest = shared.entry(resource).or_default();
                    *longest = lasted.max(*longest);
                }
            }
        }
    }
    let used = alone.into_iter().map(|(resource, alone)| alone + shared.get(resource).copied().unwrap_or_default());
    used.map(Some).chain([longest]).max().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports::Tick, record::Claimed};

    const SECOND: u64 = 1_000_000_000;

    fn state(seconds: u64, last: bool, claims: &[(&str, Access)]) -> ScenarioState {
        let claims = claims.iter().map(|(resource, access)| ((*resource).to_owned(), *access)).collect();
        ScenarioState {
            started: Tick(0),
            ended: Some(Tick((100 + seconds) * SECOND)),
            covers: Vec::new(),
            claimed: Some(Claimed { at: Tick(100 * SECOND), claims, last }),
        }
    }

    fn of(states: Vec<ScenarioState>) -> Option<Duration> {
        let scenarios = states.into_iter().enumerate().map(|(number, state)| (number.to_string(), state)).collect();
        RunRecord { scenarios, ..RunRecord::default() }.least_duration()
    }

    #[test]
    fn the_part_that_is_used_alone_the_longest_decides() {
        use Access::{Read, Write};
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(of(Vec::new()), None);
        assert_eq!(of(vec![ScenarioState { ended: None, ..state(5, false, &[]) }]), None);
        assert_eq!(of(vec![state(5, false, &[]), state(7, false, &[])]), seconds(7));
        let readers = vec![state(5, false, &[("loki", Read)]), state(7, false, &[("loki", Read)])];
        assert_eq!(of(readers.clone()), seconds(7));
        let writers = vec![state(4, false, &[("loki", Write), ("s3", Read)]), state(3, false, &[("loki", Write)])];
        assert_eq!(of([readers.clone(), writers.clone()].concat()), seconds(14));
        let last = vec![state(6, true, &[("tempo", Write)]), state(8, true, &[("mimir", Write), ("loki", Read)])];
        assert_eq!(of([readers, writers, last].concat()), seconds(22));
    }
}
