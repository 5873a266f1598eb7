//! Which scenario is driven next. Must not know what any of them does, nor wait.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use crate::{lock::Access, scenario::Scenario, stage::Claim};

/// How long scenarios took in earlier runs, by name.
pub type Durations = BTreeMap<String, Duration>;

/// Scenarios that wait to be driven, those first that take longest: what is left at the end, while others have nothing to do, is short.
/// One of which nothing is known may be long.
pub(super) struct Waiting {
    scenarios: Vec<Scenario>,
}

impl Waiting {
    pub(super) fn new(mut scenarios: Vec<Scenario>, durations: &Durations) -> Self {
        scenarios.sort_by_key(|scenario| Reverse(durations.get(&scenario.name).copied().unwrap_or(Duration::MAX)));
        Self { scenarios }
    }

    /// Takes out every scenario that can be driven beside those that are, which hold `claimed`, and beside each other.
    pub(super) fn take_free(&mut self, claimed: &[Claim]) -> Vec<Scenario> {
        let mut claimed = claimed.to_vec();
        let (free, waiting) = std::mem::take(&mut self.scenarios).into_iter().partition(|scenario| {
            let free = scenario.claims.iter().all(|claim| claimed.iter().all(|held| !excludes(*claim, *held)));
            if free {
                claimed.extend(&scenario.claims);
            }
            free
        });
        self.scenarios = waiting;
        free
    }
}

fn excludes(one: Claim, other: Claim) -> bool {
    one.resource == other.resource && (one.access == Access::Write || other.access == Access::Write)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stage::Resource;

    fn scenario(name: &str, claims: &[Claim]) -> Scenario {
        Scenario::new(name, "here:1", &[], |_| async { Ok(()) }).unwrap().claiming(claims)
    }

    fn names(scenarios: &[Scenario]) -> Vec<&str> {
        scenarios.iter().map(|scenario| scenario.name.as_str()).collect()
    }

    #[test]
    fn the_longest_is_first_and_nobody_is_let_in_beside_a_writer() {
        let durations =
            Durations::from([("short".into(), Duration::from_secs(1)), ("long".into(), Duration::from_secs(9))]);
        let loki = |name: &str, access| scenario(name, &[Claim { resource: Resource::Loki, access }]);
        let tempo = scenario("tempo", &[Claim::write(Resource::Tempo)]);
        let all = vec![loki("short", Access::Write), loki("long", Access::Read), tempo, loki("new", Access::Read)];
        let mut waiting = Waiting::new(all, &durations);
        assert_eq!(names(&waiting.take_free(&[])), ["tempo", "new", "long"]);
        assert!(waiting.take_free(&[Claim::read(Resource::Loki)]).is_empty());
        assert_eq!(names(&waiting.take_free(&[Claim::write(Resource::Tempo)])), ["short"]);
    }

    proptest! {
        /// Whatever is claimed, everything is driven, and nothing beside what it excludes.
        #[test]
        fn everything_is_driven_once(wanted in prop::collection::vec(prop::collection::vec((0_usize..3, any::<bool>()), 0..3), 0..12)) {
            const PARTS: [Resource; 3] = [Resource::Loki, Resource::Tempo, Resource::Mimir];
            let claim = |(part, alone): (usize, bool)| {
                Claim { resource: PARTS[part], access: if alone { Access::Write } else { Access::Read } }
            };
            let claims: Vec<Vec<Claim>> = wanted.into_iter().map(|claims| claims.into_iter().map(claim).collect()).collect();
            let scenarios = claims.iter().enumerate().map(|(number, claims)| scenario(&number.to_string(), claims));
            let mut waiting = Waiting::new(scenarios.collect(), &Durations::new());
            let mut driven = 0;
            while driven < claims.len() {
                let free = waiting.take_free(&[]);
                prop_assert!(!free.is_empty());
                for (place, one) in free.iter().enumerate() {
                    let others = free.iter().skip(place + 1).flat_map(|other| &other.claims);
                    prop_assert!(others.into_iter().all(|other| one.claims.iter().all(|claim| !excludes(*claim, *other))));
                }
                driven += free.len();
            }
            prop_assert!(waiting.take_free(&[]).is_empty());
        }
    }
}
