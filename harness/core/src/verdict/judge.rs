//! The judge: one clause's case in, the word on it out.

use super::{
    Bodies, BodyError, Case, Expectation, Finding, HaltKind, Judgement, Rule, Verdict,
    causes::causes,
    facts::{broken_rules, judge_facts},
    latency::{judge_latency, objections},
    load::{self, judge_loads},
    records::{Sent, is_about_state, judge_records, latency_of},
    words::seconds,
};
use crate::observation::Observation;

/// Judges one clause. An error means that the record is incomplete or was altered, never that the stack did wrong.
pub fn judge(case: &Case, bodies: &dyn Bodies) -> Result<Judgement, BodyError> {
    let judgement = |verdict, findings, latency| Judgement::new(case, verdict, findings, latency);
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
