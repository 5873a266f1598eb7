//! The word on a state: whether rules hold of facts.

use super::{
    Case, Check, Finding, Rule, Verdict,
    causes::causes,
    controls::{controls_that_said_yes, rules_of, rules_that_none_broke},
    words::{not_looked, seconds},
};
use crate::observation::{Facts, Observation, Seen};

pub(super) fn judge_facts(case: &Case, rules: &[Rule]) -> (Verdict, Vec<Finding>) {
    let Some(observation) = case.observations.last() else {
        return (Verdict::Inconclusive, vec![not_looked(case)]);
    };
    let facts = newest_facts(&case.observations);
    let untold = |rule: &Rule| !facts.contains_key(&rule.fact);
    let unseen = case.observations.iter().rev().find_map(|observation| match &observation.seen {
        Seen::Unseen { reason } => Some(reason),
        _ => None,
    });
    if let Some(reason) = unseen
        && (matches!(observation.seen, Seen::Unseen { .. }) || rules.iter().any(untold))
    {
        return (Verdict::Inconclusive, vec![Finding::new("seen", "an answer", reason)]);
    }
    let mut findings = broken(rules, &facts);
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

/// The newest word on each fact, so that what was looked at in parts, one after the other, is judged as a whole.
fn newest_facts(observations: &[Observation]) -> Facts {
    let told = observations.iter().filter_map(|observation| match &observation.seen {
        Seen::Facts { facts } => Some(facts),
        _ => None,
    });
    told.flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn broken_rules(rules: &[Rule], observation: &Observation) -> Vec<Finding> {
    match &observation.seen {
        Seen::Facts { facts } => broken(rules, facts),
        _ => vec![Finding::new("seen", "facts", "something else")],
    }
}

fn broken(rules: &[Rule], facts: &Facts) -> Vec<Finding> {
    rules
        .iter()
        .filter_map(|rule| match facts.get(&rule.fact) {
            Some(value) if rule.check.holds(value) => None,
            Some(value) => Some(Finding::new(&rule.name, rule.check.describe(), describe_fact(&rule.check, value))),
            None => Some(Finding::new(&rule.name, rule.check.describe(), format!("nothing called {}", rule.fact))),
        })
        .collect()
}

pub(super) fn describe_fact(check: &Check, value: &serde_json::Value) -> String {
    match (check, value.as_array()) {
        (Check::Empty, Some(values)) => {
            let named: Vec<String> = values.iter().take(3).map(ToString::to_string).collect();
            format!("{}: {}{}", values.len(), named.join(", "), if values.len() > 3 { ", …" } else { "" })
        }
        _ => value.to_string(),
    }
}
