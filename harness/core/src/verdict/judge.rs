//! The judge: one clause's case in, the word on it out.

use std::time::Duration;

use super::{
    Bodies, BodyError, Case, Check, Control, Expectation, Finding, HaltKind, Judgement, Latency, Rule, Verdict,
    compare::{Item, compare, items, told_by_promql},
    latency::{judge_latency, objections},
    load::{self, judge_loads},
};
use crate::{
    ledger::Ledger,
    observation::{Observation, Oracle, Seen},
    ports::{PushOutcome, Tick},
    signal::Signal,
};

/// What findings call it when the check was not shown to be able to say no.
pub(super) const SHOWN_TO_FAIL: &str = "shown to fail";

/// Judges one clause. An error means that the record is incomplete or was altered, never that the stack did wrong.
pub fn judge(case: &Case, bodies: &dyn Bodies) -> Result<Judgement, BodyError> {
    let judgement = |verdict, findings, latency| Judgement {
        verdict,
        forced: case.forced,
        findings,
        latency,
        response_times: Vec::new(),
    };
    if let Some(halt) = case.halt.as_ref().filter(|halt| halt.kind == HaltKind::Blocked) {
        let mut findings = vec![Finding::new("set-up", "a check that can take place", &halt.reason)];
        findings.extend(causes(case));
        return Ok(judgement(Verdict::Blocked, findings, None));
    }
    if let Some(finding) = impossible_by_configuration(case) {
        return Ok(judgement(Verdict::Fail, vec![finding], latency_of(case, None, None)));
    }
    match &case.expectation {
        Expectation::Facts { rules } => {
            let (verdict, findings) = judge_facts(case, rules);
            Ok(judgement(verdict, findings, None))
        }
        Expectation::Records { signal, expected, decisive, oracles, rules, .. } => {
            let sent = Sent::read(*signal, expected, &case.ledger, bodies)?;
            Ok(with_state(case, rules, judge_records(case, &sent, *decisive, oracles, bodies)?))
        }
        Expectation::Loads { loads } => {
            let (verdict, mut findings) = judge_loads(case, loads, bodies)?;
            if verdict == Verdict::Fail {
                findings.extend(causes(case));
            }
            Ok(judgement(verdict, findings, None))
        }
        Expectation::Latency(wanted) => judge_latency(case, wanted, bodies),
    }
}

/// Whether this observation, taken alone, shows everything that the case expects of its oracle.
pub fn satisfied(case: &Case, observation: &Observation, bodies: &dyn Bodies) -> Result<Vec<Finding>, BodyError> {
    match &case.expectation {
        Expectation::Facts { rules } => Ok(broken_rules(rules, observation)),
        Expectation::Records { rules, .. } if is_about_state(observation) => Ok(broken_rules(rules, observation)),
        Expectation::Latency(wanted) => objections(case, wanted, observation, bodies),
        Expectation::Records { signal, expected, .. } => {
            Sent::read(*signal, expected, &case.ledger, bodies)?.differences(observation, bodies)
        }
        Expectation::Loads { loads } => load::satisfied(case, loads, observation, bodies),
    }
}

/// A bound that the live configuration cannot meet is missed whatever happens.
fn impossible_by_configuration(case: &Case) -> Option<Finding> {
    let (bound, prediction) = (case.bound?, case.prediction.as_ref()?);
    let is_about_persistence = !case.forced && !matches!(case.expectation, Expectation::Latency(_));
    (is_about_persistence && prediction.latency.earliest_s > bound.as_secs_f64()).then(|| {
        Finding::new(
            "impossible by configuration",
            format!("a configuration that can persist within {}", seconds(bound)),
            format!("earliest after {:.0} s: {}", prediction.latency.earliest_s, prediction.settings.join(", ")),
        )
    })
}

fn is_about_state(observation: &Observation) -> bool {
    observation.look.oracle() == Oracle::State
}

/// The word on records, and on the state that has to hold beside them: the worse of both, with the reasons of both.
fn with_state(case: &Case, rules: &[Rule], records: Judgement) -> Judgement {
    if rules.is_empty() {
        return records;
    }
    let state = Case {
        controls: case.controls.iter().filter(|control| is_about_state(&control.observation)).cloned().collect(),
        observations: case.observations.iter().filter(|seen| is_about_state(seen)).cloned().collect(),
        ..case.clone()
    };
    let (verdict, findings) = judge_facts(&state, rules);
    let either = |word| verdict == word || records.verdict == word;
    let worse = match (either(Verdict::Fail), either(Verdict::Pass)) {
        (true, _) => Verdict::Fail,
        (false, true) if verdict == records.verdict => Verdict::Pass,
        (false, _) => Verdict::Inconclusive,
    };
    let mut all = records.findings;
    all.extend(findings.into_iter().filter(|finding| !all.contains(finding)).collect::<Vec<_>>());
    Judgement { verdict: worse, findings: all, ..records }
}

fn judge_facts(case: &Case, rules: &[Rule]) -> (Verdict, Vec<Finding>) {
    let Some(observation) = case.observations.last() else {
        return (Verdict::Inconclusive, vec![not_looked(case)]);
    };
    if let Seen::Unseen { reason } = &observation.seen {
        return (Verdict::Inconclusive, vec![Finding::new("seen", "an answer", reason)]);
    }
    let mut findings = broken_rules(rules, observation);
    if let (Some(halt), false) = (&case.halt, findings.is_empty()) {
        // What does not hold yet may have come to hold in the time that was left.
        findings.insert(0, Finding::new("waited", format!("looks for {}", seconds(case.limit())), &halt.reason));
        return (Verdict::Inconclusive, findings);
    }
    if !findings.is_empty() {
        let too_little = |finding: &Finding| rules.iter().any(|rule| rule.about_amount && rule.name == finding.rule);
        let verdict = if findings.iter().all(too_little) { Verdict::Inconclusive } else { Verdict::Fail };
        findings.extend(causes(case));
        return (verdict, findings);
    }
    let answers = case.controls.iter().map(|control| match &control.observation.seen {
        Seen::Unseen { reason } => Err(format!("the look failed: {reason}")),
        Seen::Facts { .. } | Seen::Records { .. } | Seen::Numbers { .. } => {
            Ok(rules_of(broken_rules(rules, &control.observation)))
        }
    });
    let mut unshown = controls_that_said_yes(&case.controls.iter().collect::<Vec<_>>(), answers.collect());
    if unshown.is_empty() {
        unshown.extend(rules_that_none_broke(rules, &case.controls));
    }
    if unshown.is_empty() { (Verdict::Pass, Vec::new()) } else { (Verdict::Inconclusive, unshown) }
}

pub(super) fn broken_rules(rules: &[Rule], observation: &Observation) -> Vec<Finding> {
    let Seen::Facts { facts } = &observation.seen else {
        return vec![Finding::new("seen", "facts", "something else")];
    };
    rules
        .iter()
        .filter_map(|rule| match facts.get(&rule.fact) {
            Some(value) if rule.check.holds(value) => None,
            Some(value) => Some(Finding::new(&rule.name, rule.check.describe(), describe_fact(&rule.check, value))),
            None => Some(Finding::new(&rule.name, rule.check.describe(), format!("nothing called {}", rule.fact))),
        })
        .collect()
}

fn describe_fact(check: &Check, value: &serde_json::Value) -> String {
    match (check, value.as_array()) {
        (Check::Empty, Some(values)) => {
            let named: Vec<String> = values.iter().take(3).map(ToString::to_string).collect();
            format!("{}: {}{}", values.len(), named.join(", "), if values.len() > 3 { ", …" } else { "" })
        }
        _ => value.to_string(),
    }
}

/// One finding for each control in which the check failed to say no, and one if there was no control at all. `answers` holds the
/// rules that each control broke, in the order of the controls, or why what it saw does not count.
pub(super) fn controls_that_said_yes(controls: &[&Control], answers: Vec<Result<Vec<String>, String>>) -> Vec<Finding> {
    if controls.is_empty() {
        return vec![Finding::new(SHOWN_TO_FAIL, "a state in which the check says no", "none was tried")];
    }
    controls
        .iter()
        .zip(answers)
        .filter_map(|(control, answer)| {
            let found = match answer {
                Err(reason) => reason,
                Ok(broken) => {
                    let silent: Vec<&str> =
                        control.must_break.iter().filter(|rule| !broken.contains(rule)).map(String::as_str).collect();
                    if silent.is_empty() {
                        return None;
                    }
                    format!("no objection by: {}", silent.join(", "))
                }
            };
            Some(Finding::new(SHOWN_TO_FAIL, format!("the check says no to {}", control.name), found))
        })
        .collect()
}

/// A finding that names the rules that no control was made to break. Rules that only ask for enough to look at need none: breaking
/// them never turns a clause red.
fn rules_that_none_broke(rules: &[Rule], controls: &[Control]) -> Option<Finding> {
    let shown: Vec<&String> = controls.iter().flat_map(|control| &control.must_break).collect();
    let unshown: Vec<&str> = rules
        .iter()
        .filter(|rule| !rule.about_amount && !shown.contains(&&rule.name))
        .map(|rule| rule.name.as_str())
        .collect();
    (!unshown.is_empty()).then(|| {
        Finding::new(
            SHOWN_TO_FAIL,
            "each rule broken by some control",
            format!("none was made to break: {}", unshown.join(", ")),
        )
    })
}

/// The rules that these findings say are broken.
pub(super) fn rules_of(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|finding| finding.rule).collect()
}

/// What was sent, ready to be compared with.
pub(super) struct Sent<'a> {
    signal: Signal,
    pub(super) items: Vec<Item>,
    /// The same, as PromQL tells them; empty for other signals than metrics.
    by_promql: Vec<Item>,
    ledger: &'a Ledger,
}

impl<'a> Sent<'a> {
    pub(super) fn read(
        signal: Signal,
        expected: &str,
        ledger: &'a Ledger,
        bodies: &dyn Bodies,
    ) -> Result<Self, BodyError> {
        let by_promql = if signal == Signal::Metrics { told_by_promql(bodies, expected)? } else { Vec::new() };
        Ok(Self { signal, items: items(bodies, expected, signal)?, by_promql, ledger })
    }

    /// What `oracle` has to tell.
    fn items(&self, oracle: Oracle) -> &[Item] {
        if oracle == Oracle::Promql { &self.by_promql } else { &self.items }
    }

    pub(super) fn differences(
        &self,
        observation: &Observation,
        bodies: &dyn Bodies,
    ) -> Result<Vec<Finding>, BodyError> {
        match &observation.seen {
            Seen::Records { signal, body, defects, .. } if *signal == self.signal => {
                let mut findings =
                    compare(self.items(observation.look.oracle()), &items(bodies, body, *signal)?, self.ledger);
                if let Some(first) = defects.first() {
                    let found = format!("{} unreadable: {first}", defects.len());
                    findings.push(Finding::new("readable", "objects and answers that can be read", found));
                }
                Ok(findings)
            }
            Seen::Unseen { reason } => Ok(vec![Finding::new("seen", "an answer", reason)]),
            Seen::Records { .. } | Seen::Numbers { .. } | Seen::Facts { .. } => {
                Ok(vec![Finding::new("seen", "records of this signal", "something else")])
            }
        }
    }

    /// Whether comparing would notice that one record more, never sent, is not there.
    fn notices_a_phantom(&self, observation: &Observation, bodies: &dyn Bodies) -> Result<bool, BodyError> {
        let Seen::Records { signal, body, .. } = &observation.seen else { return Ok(false) };
        let mut with_phantom = self.items(observation.look.oracle()).to_vec();
        let identity = "a record that was never sent".to_owned();
        with_phantom.push(Item { identity, content: Some(serde_json::Value::Null) });
        let mut ledger = self.ledger.clone();
        let sequence = self.items.len() as u64;
        let Some(route) = ledger.entries().first().map(|entry| entry.route) else { return Ok(false) };
        let number = ledger.intend(route, sequence, sequence, false);
        ledger.answer(number, Tick(0), Tick(0), PushOutcome::Acked);
        let findings = compare(&with_phantom, &items(bodies, body, *signal)?, &ledger);
        Ok(findings.iter().any(|finding| finding.rule == "missing"))
    }
}

fn judge_records(
    case: &Case,
    sent: &Sent<'_>,
    decisive: Oracle,
    oracles: &[Oracle],
    bodies: &dyn Bodies,
) -> Result<Judgement, BodyError> {
    let judgement = |verdict, findings, latency| Judgement {
        verdict,
        forced: case.forced,
        findings,
        latency,
        response_times: Vec::new(),
    };
    let mut timelines = Vec::new();
    for oracle in oracles {
        timelines.push(Timeline::of(*oracle, case, sent, bodies)?);
    }
    let Some(main) = timelines.iter().find(|timeline| timeline.oracle == decisive) else {
        return Ok(judgement(Verdict::Inconclusive, vec![not_looked(case)], None));
    };
    let latency = latency_of(case, main.last_clear_no, main.first_yes.map(|yes| yes.received));
    let refusals = refusals(&case.ledger);
    if refusals.iter().any(|finding| finding.rule != "answered") {
        return Ok(judgement(Verdict::Fail, refusals, latency));
    }
    if case.ledger.offered() == 0 {
        return Ok(judgement(Verdict::Inconclusive, vec![Finding::new("sent", "records offered", "none")], latency));
    }
    let Some(yes) = main.first_yes else {
        let mut findings = main.objections.clone();
        findings.extend(refusals);
        findings.extend(broken_link(main, &timelines));
        findings.extend(causes(case));
        let waited_to_the_end = main.waited(case).is_some_and(|waited| waited >= case.limit());
        if !waited_to_the_end || main.blind {
            findings.insert(0, unfinished(case, main));
            return Ok(judgement(Verdict::Inconclusive, findings, latency));
        }
        findings.push(Finding::new(
            "in time",
            format!("{} within {}", decisive.describe(), seconds(case.limit())),
            format!("still not after {}", main.waited(case).map_or_else(|| "no look".to_owned(), seconds)),
        ));
        return Ok(judgement(Verdict::Fail, findings, latency));
    };
    let mut doubts = refusals;
    for timeline in timelines.iter().filter(|timeline| timeline.first_yes.is_none()) {
        let objections = timeline.objections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        doubts.push(Finding::new(
            "oracles agree",
            format!("{} to agree with {}", timeline.oracle.describe(), decisive.describe()),
            if objections.is_empty() { "it was not asked".to_owned() } else { objections },
        ));
    }
    doubts.extend(unshown_controls(case, sent, yes, bodies)?);
    if let (Some(bound), Some(latency)) = (case.bound.filter(|_| !case.forced), &latency) {
        let bound_s = bound.as_secs_f64();
        let upper = latency.upper_s.unwrap_or(f64::INFINITY);
        if latency.lower_s > bound_s {
            let found = format!("between {:.1} s and {upper:.1} s", latency.lower_s);
            return Ok(judgement(
                Verdict::Fail,
                vec![Finding::new("in time", format!("within {}", seconds(bound)), found)],
                Some(*latency),
            ));
        }
        if upper > bound_s {
            doubts.push(Finding::new(
                "in time",
                format!("within {}", seconds(bound)),
                format!(
                    "between {:.1} s and {upper:.1} s; looks no further apart than {:.1} s around the bound would decide",
                    latency.lower_s,
                    (upper - bound_s).min(bound_s - latency.lower_s).max(0.1)
                ),
            ));
        }
    }
    let verdict = if doubts.is_empty() { Verdict::Pass } else { Verdict::Inconclusive };
    Ok(judgement(verdict, doubts, latency))
}

/// What one oracle said over time, up to its first yes.
pub(super) struct Timeline<'a> {
    oracle: Oracle,
    /// When the last look that was answered, and not with a yes, was sent.
    last_no: Option<Tick>,
    /// As `last_no`, of looks that could read all that they found: what could not be read may have been what was looked for.
    last_clear_no: Option<Tick>,
    pub(super) first_yes: Option<&'a Observation>,
    pub(super) objections: Vec<Finding>,
    /// Whether the last look failed, so that its no says nothing about the stack's data.
    blind: bool,
}

impl<'a> Timeline<'a> {
    pub(super) fn of(oracle: Oracle, case: &'a Case, sent: &Sent<'_>, bodies: &dyn Bodies) -> Result<Self, BodyError> {
        let mut timeline =
            Self { oracle, last_no: None, last_clear_no: None, first_yes: None, objections: Vec::new(), blind: false };
        let counts = |observation: &&Observation| observation.look.oracle() == oracle && case.counts(observation);
        for observation in case.observations.iter().filter(counts) {
            let objections = sent.differences(observation, bodies)?;
            if objections.is_empty() {
                timeline.first_yes = Some(observation);
                timeline.objections.clear();
                break;
            }
            timeline.blind = matches!(observation.seen, Seen::Unseen { .. });
            if !timeline.blind {
                timeline.last_no = Some(observation.sent);
            }
            if matches!(&observation.seen, Seen::Records { defects, .. } if defects.is_empty()) {
                timeline.last_clear_no = Some(observation.sent);
            }
            timeline.objections = objections;
        }
        Ok(timeline)
    }

    /// How long after the last answer the last no was sent.
    fn waited(&self, case: &Case) -> Option<Duration> {
        Some(self.last_no?.since(case.clock_start()?))
    }
}

/// The latency interval; `None` before anything was answered.
fn latency_of(case: &Case, last_no: Option<Tick>, first_yes: Option<Tick>) -> Option<Latency> {
    let predicted = case.prediction.as_ref().map(|prediction| prediction.latency);
    let bound_s = case.bound.filter(|_| !case.forced).map(|bound| bound.as_secs_f64());
    let (Some(earliest), Some(latest)) = (case.lost.or(case.ledger.first_sent()), case.clock_start()) else {
        return predicted.map(|predicted| Latency { lower_s: 0.0, upper_s: None, bound_s, predicted: Some(predicted) });
    };
    Some(Latency {
        lower_s: last_no.map_or(0.0, |no| no.since(latest).as_secs_f64()),
        upper_s: first_yes.map(|yes| yes.since(earliest).as_secs_f64()),
        bound_s,
        predicted,
    })
}

/// Pushes that were answered otherwise than they were meant to be.
pub(super) fn refusals(ledger: &Ledger) -> Vec<Finding> {
    ledger
        .entries()
        .iter()
        .filter_map(|entry| {
            let records = format!("records {} to {}", entry.first, entry.last);
            match (&entry.outcome, entry.refusal_wanted) {
                (Some(PushOutcome::Acked), false)
                | (Some(PushOutcome::Rejected { .. } | PushOutcome::Refused { .. }), true) => None,
                (Some(PushOutcome::Acked), true) => Some(Finding::new(
                    "refused",
                    format!("{records}, which break the protocol's rules, to be refused"),
                    "accepted",
                )),
                (Some(PushOutcome::Rejected { reason } | PushOutcome::Refused { reason }), false) => {
                    Some(Finding::new("accepted", format!("{records} accepted"), reason))
                }
                (Some(PushOutcome::Unknown { reason }), _) => {
                    Some(Finding::new("answered", format!("an answer to {records}"), reason))
                }
                (None, _) => Some(Finding::new("answered", format!("an answer to {records}"), "none")),
            }
        })
        .collect()
}

/// What of the controls, or of the `yes` itself, does not show that the check can say no.
fn unshown_controls(
    case: &Case,
    sent: &Sent<'_>,
    yes: &Observation,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    let controls: Vec<&Control> =
        case.controls.iter().filter(|control| !is_about_state(&control.observation)).collect();
    let mut answers = Vec::new();
    for control in &controls {
        answers.push(match &control.observation.seen {
            Seen::Unseen { reason } => Err(format!("the look failed: {reason}")),
            Seen::Records { count: 1.., .. } => Err("records were there already".to_owned()),
            Seen::Records { defects, .. } if !defects.is_empty() => {
                Err(format!("the look could not read everything: {}", defects.join("; ")))
            }
            Seen::Records { .. } | Seen::Numbers { .. } | Seen::Facts { .. } => {
                Ok(rules_of(sent.differences(&control.observation, bodies)?))
            }
        });
    }
    let mut findings = controls_that_said_yes(&controls, answers);
    if !sent.notices_a_phantom(yes, bodies)? {
        findings.push(Finding::new(SHOWN_TO_FAIL, "a record that was never sent to be reported missing", "it was not"));
    }
    Ok(findings)
}

/// Where the records got lost, as far as the oracles tell.
fn broken_link(main: &Timeline<'_>, timelines: &[Timeline<'_>]) -> Option<Finding> {
    let elsewhere: Vec<&str> = timelines
        .iter()
        .filter(|timeline| timeline.first_yes.is_some())
        .map(|timeline| timeline.oracle.describe())
        .collect();
    (!elsewhere.is_empty()).then(|| {
        Finding::new(
            "first broken link",
            format!("records in {}", main.oracle.describe()),
            format!("accepted and complete by {}, so lost or late on the way from there", elsewhere.join(" and ")),
        )
    })
}

/// What the stack itself says about why.
pub(super) fn causes(case: &Case) -> Vec<Finding> {
    let configured = case.prediction.as_ref().and_then(|prediction| prediction.bucket.as_ref());
    let other_bucket = match (&case.bucket, configured) {
        (Some(wanted), Some(configured)) if wanted != configured => Some(Finding::new(
            "bucket",
            format!("a component configured for {wanted}"),
            format!("configured for {configured}"),
        )),
        _ => None,
    };
    let logged = case.problems.iter().rev().find(|line| is_telling(&line.text)).map(|line| {
        let (rule, expected) = match line.text.starts_with(REPLACED) {
            true => ("process", "the process that took the records"),
            false => ("log", "no error in the component's log"),
        };
        Finding::new(rule, expected, format!("{}: {}", line.component, line.text))
    });
    other_bucket.into_iter().chain(logged).collect()
}

/// How a line begins that says that the component is gone.
pub const NOT_UP: &str = "is not up: ";

/// How a line begins that says that records may have gone with the process that took them.
pub const REPLACED: &str = "is another process: before ";

/// Whether a line can be about why records did not reach the store: one that says that the component is gone, or an error about the
/// way there. Errors about other things, such as a push that was made to be refused, explain nothing.
fn is_telling(line: &str) -> bool {
    const WAY: [&str; 7] = ["s3", "bucket", "flush", "upload", "ship", "object store", "denied"];
    let lower = line.to_lowercase();
    line.starts_with(NOT_UP)
        || line.starts_with(REPLACED)
        || (lower.contains("level=error") && WAY.iter().any(|word| lower.contains(word)))
}

fn unfinished(case: &Case, main: &Timeline<'_>) -> Finding {
    let expected = format!("looks at {} until {}", main.oracle.describe(), seconds(case.limit()));
    let found = match (&case.halt, main.waited(case)) {
        (Some(halt), _) => halt.reason.clone(),
        (None, Some(waited)) => format!("the last no was sent after {}", seconds(waited)),
        (None, None) => "no clear answer".to_owned(),
    };
    Finding::new("waited", expected, found)
}

pub(super) fn not_looked(case: &Case) -> Finding {
    let found = case.halt.as_ref().map_or_else(|| "none".to_owned(), |halt| halt.reason.clone());
    Finding::new("seen", "a look", found)
}

/// `300 s`, `4.5 s`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 || duration.subsec_millis() == 0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
