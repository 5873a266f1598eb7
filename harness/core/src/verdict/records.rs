//! The word on records: whether all that were sent are there, once and unaltered, in time.

use std::time::Duration;

use super::{
    Bodies, BodyError, Case, Control, Finding, Judgement, Latency, Verdict,
    causes::causes,
    compare::{Item, compare, items, told_by_promql},
    controls::{SHOWN_TO_FAIL, controls_that_said_yes, rules_of},
    words::{not_looked, seconds},
};
use crate::{
    ledger::Ledger,
    observation::{Observation, Oracle, Seen},
    ports::{PushOutcome, Tick},
    signal::Signal,
};

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

pub(super) fn judge_records(
    case: &Case,
    sent: &Sent<'_>,
    decisive: Oracle,
    oracles: &[Oracle],
    bodies: &dyn Bodies,
) -> Result<Judgement, BodyError> {
    let judgement = |verdict, findings, latency| Judgement::new(case, verdict, findings, latency);
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
pub(super) fn latency_of(case: &Case, last_no: Option<Tick>, first_yes: Option<Tick>) -> Option<Latency> {
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
pub(super) fn unshown_controls(
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
pub(super) fn broken_link(main: &Timeline<'_>, timelines: &[Timeline<'_>]) -> Option<Finding> {
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

pub(super) fn unfinished(case: &Case, main: &Timeline<'_>) -> Finding {
    let expected = format!("looks at {} until {}", main.oracle.describe(), seconds(case.limit()));
    let found = match (&case.halt, main.waited(case)) {
        (Some(halt), _) => halt.reason.clone(),
        (None, Some(waited)) => format!("the last no was sent after {}", seconds(waited)),
        (None, None) => "no clear answer".to_owned(),
    };
    Finding::new("waited", expected, found)
}

pub(super) fn is_about_state(observation: &Observation) -> bool {
    observation.look.oracle() == Oracle::State
}
