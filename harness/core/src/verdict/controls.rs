//! Whether a check was shown to be able to say no.

use super::{Control, Finding, Rule};

/// What findings call it when the check was not shown to be able to say no.
pub(super) const SHOWN_TO_FAIL: &str = "shown to fail";

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
pub(super) fn rules_that_none_broke(rules: &[Rule], controls: &[Control]) -> Option<Finding> {
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
