//! Loads: whether the rate was kept, every push accepted, and every acked record found, by numbers alone.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Bodies, BodyError, Case, Finding, OfferedLoad, Verdict,
    controls::{SHOWN_TO_FAIL, controls_that_said_yes, rules_of},
    words::{not_looked, seconds},
};
use crate::{
    ledger::{Attempt, Pacing},
    observation::{Look, Observation, Seen},
    ports::{PushOutcome, Tick},
    signal::Signal,
    stimulus::load::{LoadPlan, Numbers},
};

/// By how much the rate may differ from the plan's.
const MOST_ERROR: f64 = 0.001;
/// Reasons of refusals that are told, at most; the commonest first.
const REASONS: usize = 3;
/// Ranges of numbers that a finding names.
const NAMED: usize = 3;

/// What was offered of one load, and what was said to it.
struct Offered<'a> {
    plan: &'a LoadPlan,
    attempts: Vec<Attempt>,
    /// Must be found.
    acked: Numbers,
    /// Must not be found.
    rejected: Numbers,
}

impl<'a> Offered<'a> {
    /// The load of `plan`; with nothing sent where none was offered.
    fn read(plan: &'a LoadPlan, offered: &[OfferedLoad], bodies: &dyn Bodies) -> Result<Self, BodyError> {
        let attempts = match offered.iter().find(|offered| offered.stimulus == plan.stimulus) {
            Some(offered) => attempts(&offered.attempts, bodies)?,
            None => Vec::new(),
        };
        let of = |wanted: fn(&PushOutcome) -> bool| {
            let batches = attempts.iter().filter(|attempt| wanted(&attempt.outcome));
            let ranges =
                batches.map(|attempt| plan.numbers_of(attempt.batch)).map(|range| (range.start, range.end - 1));
            Numbers::gather(ranges.collect()).0
        };
        let acked = of(|outcome| matches!(outcome, PushOutcome::Acked));
        let rejected = of(|outcome| matches!(outcome, PushOutcome::Rejected { .. }));
        Ok(Self { plan, attempts, acked, rejected })
    }

    fn last_answered(&self) -> Option<Tick> {
        self.attempts.iter().filter_map(|attempt| Some(attempt.times?.1)).max()
    }

    /// Everything in which `observation` is not what the pushes ask for.
    fn differences(&self, observation: &Observation, bodies: &dyn Bodies) -> Result<Vec<Finding>, BodyError> {
        let name = self.plan.signal.name();
        let (body, streams, doubled, altered, examples, defects) = match &observation.seen {
            Seen::Numbers { body, streams, doubled, altered, examples, defects, .. } => {
                (body, *streams, *doubled, *altered, examples, defects)
            }
            Seen::Unseen { reason } => return Ok(vec![Finding::new("seen", "an answer", reason)]),
            Seen::Records { .. } | Seen::Facts { .. } => {
                return Ok(vec![Finding::new("seen", "numbers of records", "something else")]);
            }
        };
        let seen = numbers(body, bodies)?;
        let mut findings = Vec::new();
        let missing = self.acked.without(&seen);
        if !missing.is_empty() {
            let wanted = format!("all {} acked records of {name}", self.acked.len());
            findings.push(Finding::new("missing", wanted, count_and_name("missing", &missing)));
        }
        if altered > 0 {
            let found = format!("{altered} altered: {}", examples.join("; "));
            findings.push(Finding::new("altered", format!("every record of {name} as it was sent"), found));
        }
        if doubled > 0 {
            let found = format!("{doubled} more than once");
            findings.push(Finding::new("doubled", format!("every record of {name} once"), found));
        }
        let refused = seen.both(&self.rejected);
        if !refused.is_empty() {
            let wanted = format!("no record of {name} that the stack did not accept");
            findings.push(Finding::new("refused", wanted, count_and_name("refused", &refused)));
        }
        if self.plan.signal == Signal::Logs && streams < self.plan.streams as usize && !seen.is_empty() {
            let wanted = format!("logs in {} streams", self.plan.streams);
            findings.push(Finding::new("streams", wanted, streams.to_string()));
        }
        if let Some(first) = defects.first() {
            let found = format!("{} unreadable: {first}", defects.len());
            findings.push(Finding::new("readable", "objects that can be read", found));
        }
        Ok(findings)
    }

    /// Pushes that were refused, by what was said: the stack does not take the load.
    fn refusals(&self) -> Option<Finding> {
        let refused = self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            PushOutcome::Rejected { reason } | PushOutcome::Refused { reason } => Some(reason.as_str()),
            PushOutcome::Unknown { reason } if attempt.status.is_some() => Some(reason.as_str()),
            PushOutcome::Unknown { .. } | PushOutcome::Acked => None,
        });
        let wanted = format!("all {} pushes of {} accepted", self.plan.batches, self.plan.signal.name());
        counted(refused).map(|found| Finding::new("accepted", wanted, found))
    }

    /// What keeps the load from saying anything of the stack: pushes that nobody answered, and a rate that was not kept.
    fn doubts(&self) -> Vec<Finding> {
        let name = self.plan.signal.name();
        let unanswered = self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            PushOutcome::Unknown { reason } if attempt.status.is_none() => Some(reason.as_str()),
            _ => None,
        });
        let mut doubts: Vec<Finding> = counted(unanswered)
            .map(|found| Finding::new("answered", format!("an answer to every push of {name}"), found))
            .into_iter()
            .collect();
        if self.attempts.len() != self.plan.batches as usize {
            let wanted = format!("{} pushes of {name}", self.plan.batches);
            doubts.push(Finding::new("offered", wanted, self.attempts.len().to_string()));
        }
        let wanted = format!("{name} offered within {:.1} % of the rate", MOST_ERROR * 100.0);
        match Pacing::of(&self.attempts) {
            Some(pacing) if pacing.error <= MOST_ERROR => {}
            Some(pacing) => {
                let found = format!("{:.3} % beside it", pacing.error * 100.0);
                doubts.push(Finding::new("rate", wanted, found));
            }
            None => doubts.push(Finding::new("rate", wanted, "no rate")),
        }
        doubts
    }
}

/// Whether this look, taken alone, shows everything that was acked of its load.
pub(super) fn satisfied(
    case: &Case,
    loads: &[LoadPlan],
    observation: &Observation,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    match loads.iter().find(|plan| is_of(observation, plan)) {
        Some(plan) => Offered::read(plan, &case.offered, bodies)?.differences(observation, bodies),
        None => Ok(vec![Finding::new("seen", "a look at one of the loads", "another")]),
    }
}

/// The word on all loads: that on the worst of them, with what is to be said of each.
pub(super) fn judge_loads(
    case: &Case,
    loads: &[LoadPlan],
    bodies: &dyn Bodies,
) -> Result<(Verdict, Vec<Finding>), BodyError> {
    let mut failures = Vec::new();
    let mut doubts = Vec::new();
    for plan in loads {
        let offered = Offered::read(plan, &case.offered, bodies)?;
        match judge_one(case, &offered, bodies)? {
            (Verdict::Fail, findings) => failures.extend(findings),
            (_, findings) => doubts.extend(findings),
        }
    }
    Ok(match (failures.is_empty(), doubts.is_empty()) {
        (true, true) => (Verdict::Pass, Vec::new()),
        (true, false) => (Verdict::Inconclusive, doubts),
        (false, _) => {
            failures.extend(doubts);
            (Verdict::Fail, failures)
        }
    })
}

fn judge_one(case: &Case, offered: &Offered<'_>, bodies: &dyn Bodies) -> Result<(Verdict, Vec<Finding>), BodyError> {
    let mut doubts = offered.doubts();
    if let Some(refusals) = offered.refusals() {
        doubts.insert(0, refusals);
        return Ok((Verdict::Fail, doubts));
    }
    if offered.acked.is_empty() {
        doubts.push(Finding::new("sent", format!("{} accepted", offered.plan.signal.name()), "none"));
        return Ok((Verdict::Inconclusive, doubts));
    }
    let looks: Vec<&Observation> = case.observations.iter().filter(|seen| is_of(seen, offered.plan)).collect();
    let Some(last) = looks.last() else {
        doubts.push(not_looked(case));
        return Ok((Verdict::Inconclusive, doubts));
    };
    let objections = offered.differences(last, bodies)?;
    if !objections.is_empty() {
        let waited = offered.last_answered().map(|answered| last.sent.since(answered)).unwrap_or_default();
        let blind = matches!(last.seen, Seen::Unseen { .. });
        doubts.splice(0..0, objections);
        doubts.push(waited_for(case, waited));
        let verdict = if waited >= case.limit() && !blind { Verdict::Fail } else { Verdict::Inconclusive };
        return Ok((verdict, doubts));
    }
    doubts.extend(unshown(case, offered, last, bodies)?);
    Ok((if doubts.is_empty() { Verdict::Pass } else { Verdict::Inconclusive }, doubts))
}

fn waited_for(case: &Case, waited: Duration) -> Finding {
    let found = match &case.halt {
        Some(halt) => halt.reason.clone(),
        None => format!("the last no was sent after {}", seconds(waited)),
    };
    Finding::new("in time", format!("every record within {}", seconds(case.limit())), found)
}

/// What of the controls, or of the last look itself, does not show that the check can say no.
fn unshown(
    case: &Case,
    offered: &Offered<'_>,
    yes: &Observation,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    let controls: Vec<_> = case.controls.iter().filter(|control| is_of(&control.observation, offered.plan)).collect();
    let mut answers = Vec::new();
    for control in &controls {
        answers.push(match &control.observation.seen {
            Seen::Unseen { reason } => Err(format!("the look failed: {reason}")),
            Seen::Numbers { count: 1.., .. } => Err("records were there already".to_owned()),
            _ => Ok(rules_of(offered.differences(&control.observation, bodies)?)),
        });
    }
    let mut findings = controls_that_said_yes(&controls, answers);
    let phantom = offered.plan.records();
    let ranges = offered.acked.ranges().iter().copied().chain([(phantom, phantom)]).collect();
    let with_phantom = Offered {
        plan: offered.plan,
        attempts: Vec::new(),
        acked: Numbers::gather(ranges).0,
        rejected: Numbers::default(),
    };
    if !rules_of(with_phantom.differences(yes, bodies)?).iter().any(|rule| rule == "missing") {
        findings.push(Finding::new(SHOWN_TO_FAIL, "a record that was never sent to be reported missing", "it was not"));
    }
    Ok(findings)
}

/// Whether an observation is a look at the load of `plan`.
fn is_of(observation: &Observation, plan: &LoadPlan) -> bool {
    matches!(&observation.look, Look::Load { plan: looked, .. } if looked.stimulus == plan.stimulus)
}

fn attempts(sha256: &str, bodies: &dyn Bodies) -> Result<Vec<Attempt>, BodyError> {
    let body = bodies.body(sha256)?;
    let lines = body.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let read = lines.map(|(number, line)| {
        let told = |error: serde_json::Error| format!("line {}: {error}", number + 1);
        serde_json::from_slice(line).map_err(told)
    });
    read.collect::<Result<_, _>>().map_err(|reason| BodyError { sha256: sha256.to_owned(), reason })
}

fn numbers(sha256: &str, bodies: &dyn Bodies) -> Result<Numbers, BodyError> {
    let told = |reason: String| BodyError { sha256: sha256.to_owned(), reason };
    let text = String::from_utf8(bodies.body(sha256)?).map_err(|error| told(error.to_string()))?;
    text.parse().map_err(|error: crate::stimulus::load::NumbersError| told(error.to_string()))
}

/// `3 missing: 17; 20 to 21`
fn count_and_name(rule: &str, numbers: &Numbers) -> String {
    let name =
        |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first} to {last}") };
    let named: Vec<String> = numbers.ranges().iter().take(NAMED).map(name).collect();
    let rest = if numbers.ranges().len() > NAMED { "; …" } else { "" };
    format!("{} {rule}: {}{rest}", numbers.len(), named.join("; "))
}

/// `1800 times: status 429: …`, the commonest reasons first; reasons that differ in their figures alone are one, told by the first.
fn counted<'a>(reasons: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut known: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for reason in reasons {
        let kind = reason.chars().filter(|character| !character.is_ascii_digit()).collect();
        known.entry(kind).or_insert((0, reason)).0 += 1;
    }
    let mut known: Vec<(usize, &str)> = known.into_values().collect();
    known.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let told: Vec<String> =
        known.iter().take(REASONS).map(|(count, reason)| format!("{count} times: {reason}")).collect();
    let rest = if known.len() > REASONS { "; …" } else { "" };
    (!told.is_empty()).then(|| format!("{}{rest}", told.join("; ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        observation::Facts,
        stimulus::load::examples,
        verdict::{Control, Expectation, Halt, HaltKind, Memory, judge},
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// One load: how its pushes were answered, and what was seen how long after.
    struct Scene {
        plan: LoadPlan,
        attempts: Vec<Attempt>,
        controls: Vec<Seen>,
        looks: Vec<(u32, Seen)>,
        halt: Option<Halt>,
        bodies: Memory,
    }

    impl Scene {
        /// Everything acked in time, nothing found before and all of it after a second.
        fn taken(signal: Signal) -> Self {
            let plan = examples::plan(signal, 1);
            let attempts = (0..plan.batches).map(|batch| {
                let due = Tick(0).after(plan.gap() * batch);
                let times = Some((due, due.after(SECOND / 100)));
                Attempt { batch, due, times, status: Some(204), outcome: PushOutcome::Acked }
            });
            let attempts = attempts.collect();
            let mut scene =
                Self { plan, attempts, controls: Vec::new(), looks: Vec::new(), halt: None, bodies: Memory::default() };
            let (nothing, all) = (scene.seen(&[]), scene.seen(&[(0, scene.plan.records() - 1)]));
            scene.controls.push(nothing);
            scene.looks.push((1, all));
            scene
        }

        fn seen(&mut self, ranges: &[(u64, u64)]) -> Seen {
            let (numbers, _) = Numbers::gather(ranges.to_vec());
            let body = format!("numbers {}", self.bodies.0.len());
            self.bodies.0.insert(body.clone(), numbers.to_string().into_bytes());
            let streams = if self.plan.signal == Signal::Logs && !numbers.is_empty() { 16 } else { 0 };
            let (examples, defects) = (Vec::new(), Vec::new());
            Seen::Numbers { body, count: numbers.len(), streams, doubled: 0, altered: 0, examples, defects }
        }

        /// The only look saw `ranges`, this long after the last answer.
        fn saw(mut self, after_s: u32, ranges: &[(u64, u64)]) -> Self {
            let seen = self.seen(ranges);
            self.looks = vec![(after_s, seen)];
            self
        }

        fn answered(mut self, batch: usize, status: Option<u16>, outcome: PushOutcome) -> Self {
            self.attempts[batch] = Attempt { status, outcome, ..self.attempts[batch].clone() };
            self
        }

        fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }

        fn observation(&self, sent: Tick, seen: &Seen) -> Observation {
            let look = Look::Load { bucket: "bucket".into(), plan: self.plan.clone() };
            Observation { look, sent, received: sent, seen: seen.clone(), evidence: Vec::new() }
        }

        fn case(&self, bodies: &mut Memory) -> Case {
            let lines = self.attempts.iter().map(|attempt| serde_json::to_string(attempt).unwrap() + "\n");
            bodies.0.insert(self.plan.stimulus.clone(), lines.collect::<String>().into_bytes());
            bodies.0.extend(self.bodies.0.clone());
            let last = self.attempts.iter().filter_map(|attempt| attempt.times).map(|(_, answered)| answered).max();
            let looks = self.looks.iter();
            Case {
                clause: "NFR-lgtm-d4f8c2a1-PERF-002/ingest".parse().unwrap(),
                bound: None,
                patience: SECOND * 30,
                forced: false,
                expectation: Expectation::Loads { loads: vec![self.plan.clone()] },
                bucket: None,
                ledger: crate::ledger::Ledger::default(),
                offered: vec![OfferedLoad {
                    stimulus: self.plan.stimulus.clone(),
                    attempts: self.plan.stimulus.clone(),
                    cost: None,
                }],
                lost: None,
                prediction: None,
                timings: BTreeMap::new(),
                controls: self
                    .controls
                    .iter()
                    .map(|seen| Control {
                        name: "records that were not sent yet".into(),
                        must_break: vec!["missing".into()],
                        observation: self.observation(Tick(0), seen),
                    })
                    .collect(),
                observations: looks
                    .map(|(after_s, seen)| self.observation(last.unwrap_or_default().after(SECOND * *after_s), seen))
                    .collect(),
                problems: Vec::new(),
                halt: self.halt.clone(),
            }
        }

        fn judged(&self) -> (Verdict, Vec<Finding>) {
            let mut bodies = Memory::default();
            let judgement = judge(&self.case(&mut bodies), &bodies).unwrap();
            (judgement.verdict, judgement.findings)
        }
    }

    fn rejected(reason: &str) -> PushOutcome {
        PushOutcome::Rejected { reason: reason.into() }
    }

    fn unknown(reason: &str) -> PushOutcome {
        PushOutcome::Unknown { reason: reason.into() }
    }

    #[test]
    fn each_rule_has_a_case_that_breaks_it() {
        let logs = || Scene::taken(Signal::Logs);
        let change = |change: fn(&mut Seen)| logs().with(|scene| change(&mut scene.looks[0].1));
        // Records 0 to 39 are those of the first push, of 25.
        let table: Vec<(&str, Verdict, &str, Scene)> = vec![
            ("accepted", Verdict::Fail, "status 429", logs().answered(0, Some(429), rejected("status 429: limit"))),
            ("accepted", Verdict::Fail, "status 503", logs().answered(0, Some(503), unknown("status 503: no"))),
            ("answered", Verdict::Inconclusive, "timed out", logs().answered(0, None, unknown("timed out"))),
            ("offered", Verdict::Inconclusive, "24", logs().with(|scene| drop(scene.attempts.pop()))),
            ("sent", Verdict::Inconclusive, "none", logs().with(|scene| scene.attempts.clear())),
            (
                "rate",
                Verdict::Inconclusive,
                "beside it",
                logs().with(|scene| {
                    for (attempt, number) in scene.attempts.iter_mut().zip(0..) {
                        let late = attempt.due.after(Duration::from_micros(10) * number);
                        attempt.times = Some((late, late));
                    }
                }),
            ),
            ("missing", Verdict::Fail, "1 missing: 7", logs().saw(31, &[(0, 6), (8, 999)])),
            ("missing", Verdict::Inconclusive, "1 missing: 7", logs().saw(29, &[(0, 6), (8, 999)])),
            ("in time", Verdict::Inconclusive, "after 29 s", logs().saw(29, &[(0, 998)])),
            (
                "altered",
                Verdict::Inconclusive,
                "1 altered: 3 by its line",
                change(|seen| {
                    if let Seen::Numbers { altered, examples, .. } = seen {
                        (*altered, *examples) = (1, vec!["3 by its line".into()]);
                    }
                }),
            ),
            (
                "doubled",
                Verdict::Inconclusive,
                "2 more than once",
                change(|seen| {
                    if let Seen::Numbers { doubled, .. } = seen {
                        *doubled = 2;
                    }
                }),
            ),
            (
                "streams",
                Verdict::Inconclusive,
                "15",
                change(|seen| {
                    if let Seen::Numbers { streams, .. } = seen {
                        *streams = 15;
                    }
                }),
            ),
            (
                "readable",
                Verdict::Inconclusive,
                "1 unreadable: torn",
                change(|seen| {
                    if let Seen::Numbers { defects, .. } = seen {
                        defects.push("torn".into());
                    }
                }),
            ),
            ("seen", Verdict::Inconclusive, "gone", change(|seen| *seen = Seen::Unseen { reason: "gone".into() })),
            (
                "seen",
                Verdict::Inconclusive,
                "something else",
                change(|seen| *seen = Seen::Facts { facts: Facts::new() }),
            ),
            ("seen", Verdict::Inconclusive, "none", logs().with(|scene| scene.looks.clear())),
            (SHOWN_TO_FAIL, Verdict::Inconclusive, "none was tried", logs().with(|scene| scene.controls.clear())),
            (
                SHOWN_TO_FAIL,
                Verdict::Inconclusive,
                "there already",
                logs().with(|scene| scene.controls[0] = scene.looks[0].1.clone()),
            ),
            (
                "in time",
                Verdict::Inconclusive,
                "interrupted",
                logs().saw(1, &[]).with(|scene| {
                    scene.halt = Some(Halt { kind: HaltKind::Interrupted, reason: "interrupted".into() });
                }),
            ),
        ];
        for (rule, verdict, says, scene) in table {
            let (found, findings) = scene.judged();
            assert_eq!(found, verdict, "{rule} {says}: {findings:?}");
            let named = findings.iter().any(|finding| finding.rule == rule && finding.found.contains(says));
            assert!(named, "{rule} {says}: {findings:?}");
        }
        for signal in [Signal::Logs, Signal::Traces] {
            assert_eq!(Scene::taken(signal).judged(), (Verdict::Pass, Vec::new()));
        }
    }

    #[test]
    fn a_record_of_a_refused_push_must_not_be_there_and_one_of_a_push_refused_in_part_may() {
        let refusals: [(PushOutcome, u64, &[&str]); 3] = [
            (rejected("status 413: too large"), 0, &["refused"]),
            (rejected("status 413: too large"), 40, &[]),
            (PushOutcome::Refused { reason: "status 429: limit".into() }, 0, &[]),
        ];
        for (outcome, first, expected) in refusals {
            let scene = Scene::taken(Signal::Logs).answered(0, Some(413), outcome).saw(40, &[(first, 999)]);
            let mut bodies = Memory::default();
            let case = scene.case(&mut bodies);
            let findings = satisfied(&case, case.expectation.loads(), &case.observations[0], &bodies).unwrap();
            assert_eq!(rules_of(findings), expected);
        }
    }

    #[test]
    fn refusals_are_counted_by_what_was_said() {
        let reasons = ["a 1", "b", "a 22", "c", "d", "a 3", "b"];
        assert_eq!(counted(reasons.into_iter()).unwrap(), "3 times: a 1; 2 times: b; 1 times: c; …");
        assert_eq!(counted([].into_iter()), None);
    }

    #[test]
    fn the_worst_load_decides_and_all_are_told() {
        let mut bodies = Memory::default();
        let good = Scene::taken(Signal::Logs).case(&mut bodies);
        let mut bad = Scene::taken(Signal::Traces).answered(3, Some(429), rejected("status 429"));
        bad.plan.stimulus = "other".into();
        let bad = bad.case(&mut bodies);
        let both = Case {
            expectation: Expectation::Loads { loads: [good.expectation.loads(), bad.expectation.loads()].concat() },
            offered: [good.offered.clone(), bad.offered.clone()].concat(),
            controls: [good.controls.clone(), bad.controls.clone()].concat(),
            observations: [good.observations.clone(), bad.observations].concat(),
            ..good
        };
        let judgement = judge(&both, &bodies).unwrap();
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert!(judgement.findings[0].expected.contains("traces"), "{:?}", judgement.findings);
        let unoffered = Case { offered: good.offered, ..both };
        let judgement = judge(&unoffered, &bodies).unwrap();
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
        assert!(judgement.findings.iter().any(|finding| finding.rule == "sent"));
    }

    #[test]
    fn an_altered_body_is_no_verdict() {
        let scene = Scene::taken(Signal::Logs);
        let mut bodies = Memory::default();
        let case = scene.case(&mut bodies);
        bodies.0.insert("load".into(), b"{}\n".to_vec());
        assert!(judge(&case, &bodies).unwrap_err().reason.starts_with("line 1: "));
    }

    proptest! {
        #[test]
        fn one_lost_record_is_always_seen(lost in 0_u64..1000) {
            let ranges: Vec<(u64, u64)> =
                [(0, lost.saturating_sub(1)), (lost + 1, 999)].into_iter().filter(|(first, last)| first <= last && *last != lost && *first != lost).collect();
            let (verdict, findings) = Scene::taken(Signal::Logs).saw(31, &ranges).judged();
            prop_assert_eq!(verdict, Verdict::Fail);
            prop_assert_eq!(&findings[0].found, &format!("1 missing: {lost}"));
        }
    }
}
