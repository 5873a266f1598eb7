use std::fmt;

use harness_core::{
    report::ClauseReport,
    verdict::{Finding, Verdict},
};

use super::Blamed;

/// What a run against a broken stack came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Every clause that was selected.
    pub clauses: Vec<ClauseReport>,
    /// How often the saboteur's fault took place, where there is a saboteur.
    pub injected: Option<u64>,
}

/// Something that is not as a sabotage should leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surprise {
    /// There was no run.
    NoRun {
        /// Why.
        reason: String,
    },
    /// The saboteur never got to do anything.
    NoFault,
    /// No clause was decided at all.
    NothingDecided,
    /// A clause that must not pass is not in the report.
    Undecided {
        /// The clause.
        clause: String,
    },
    /// A clause passed that must not.
    Passed {
        /// The clause.
        clause: String,
    },
    /// A clause did not pass, as it should, but no finding names the cause.
    OtherCause {
        /// The clause.
        clause: String,
        /// The rule of the finding that should, and what it should say.
        wanted: String,
        /// What the findings say instead.
        found: String,
    },
    /// A clause did not pass that the sabotage leaves alone.
    NotPassed {
        /// The clause.
        clause: String,
        /// What it came to.
        verdict: Verdict,
        /// What the findings say.
        found: String,
    },
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRun { reason } => write!(f, "no run: {reason}"),
            Self::NoFault => f.write_str("the fault never took place: this proves nothing"),
            Self::NothingDecided => f.write_str("no clause was decided: this proves nothing"),
            Self::Undecided { clause } => write!(f, "{clause} must not pass and was not decided"),
            Self::Passed { clause } => write!(f, "{clause} passed and must not"),
            Self::OtherCause { clause, wanted, found } => {
                write!(f, "{clause} names another cause than {wanted}: {found}")
            }
            Self::NotPassed { clause, verdict, found } => write!(f, "{clause} must pass, but {verdict}: {found}"),
        }
    }
}

impl std::error::Error for Surprise {}

/// Everything in which the outcome is not what the sabotage should bring about: the `blamed` clauses not passed, each with a finding
/// that names the cause, all others passed, and the fault proved.
pub fn surprises(blamed: &[Blamed], outcome: &Outcome) -> Vec<Surprise> {
    let mut surprises = Vec::new();
    if outcome.injected == Some(0) {
        surprises.push(Surprise::NoFault);
    }
    if outcome.clauses.is_empty() {
        surprises.push(Surprise::NothingDecided);
    }
    for clause in &outcome.clauses {
        let id = clause.id.to_string();
        let expected = blamed.iter().find(|blamed| blamed.clause == id);
        surprises.extend(match (expected, clause.verdict) {
            (Some(_), Verdict::Pass) => Some(Surprise::Passed { clause: id }),
            (Some(expected), _) => expected.named_by(&clause.findings).is_none().then(|| Surprise::OtherCause {
                clause: id,
                wanted: format!("{} … {}", expected.rule, expected.says),
                found: told(&clause.findings),
            }),
            (None, Verdict::Pass) => None,
            (None, verdict) => Some(Surprise::NotPassed { clause: id, verdict, found: told(&clause.findings) }),
        });
    }
    let undecided = |expected: &&Blamed| outcome.clauses.iter().all(|clause| clause.id.as_str() != expected.clause);
    surprises.extend(
        blamed.iter().filter(undecided).map(|expected| Surprise::Undecided { clause: expected.clause.to_owned() }),
    );
    surprises
}

fn told(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "no finding".to_owned();
    }
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLAMED: [Blamed; 2] = [
        Blamed { clause: "AC-lgtm-001-01/versioning", rule: "versioning", says: "suspended" },
        Blamed { clause: "AC-lgtm-001-02/grpc", rule: "log", says: "AccessDenied" },
    ];

    fn clause(id: &str, verdict: Verdict, findings: &[(&str, &str)]) -> ClauseReport {
        ClauseReport {
            id: id.parse().unwrap(),
            title: String::new(),
            verdict,
            forced: false,
            findings: findings.iter().map(|(rule, found)| Finding::new(rule, "otherwise", *found)).collect(),
            latency: None,
            measured: Vec::new(),
            response_times: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Both blamed clauses not passed with their causes, a third one passed.
    fn as_expected() -> Outcome {
        let clauses = vec![
            clause("AC-lgtm-001-01/versioning", Verdict::Fail, &[("versioning", "suspended")]),
            clause(
                "AC-lgtm-001-02/grpc",
                Verdict::Inconclusive,
                &[("missing", "96"), ("log", "AccessDenied: denied"), ("in time", "not")],
            ),
            clause("AC-lgtm-002-02/otlp-grpc", Verdict::Pass, &[]),
        ];
        Outcome { clauses, injected: None }
    }

    type Change = fn(&mut Outcome);

    #[test]
    fn exactly_the_blamed_clauses_not_passed_is_no_surprise_and_each_deviation_is_one() {
        let table: &[(&str, Change, &[&str])] = &[
            ("untouched", |_| {}, &[]),
            ("a fault that took place", |outcome| outcome.injected = Some(1), &[]),
            (
                "a fault that did not",
                |outcome| outcome.injected = Some(0),
                &["the fault never took place: this proves nothing"],
            ),
            (
                "a blamed clause passed",
                |outcome| outcome.clauses[0] = clause("AC-lgtm-001-01/versioning", Verdict::Pass, &[]),
                &["AC-lgtm-001-01/versioning passed and must not"],
            ),
            (
                "a blamed clause is not there",
                |outcome| drop(outcome.clauses.remove(0)),
                &["AC-lgtm-001-01/versioning must not pass and was not decided"],
            ),
            (
                "the right rule with another reason",
                |outcome| outcome.clauses[1].findings = vec![Finding::new("log", "no error", "connection refused")],
                &[
                    "AC-lgtm-001-02/grpc names another cause than log … AccessDenied: log: expected no error, found connection refused",
                ],
            ),
            (
                "the right reason under another rule",
                |outcome| outcome.clauses[1].findings[1].rule = "seen".into(),
                &[
                    "AC-lgtm-001-02/grpc names another cause than log … AccessDenied: missing: expected otherwise, found 96; \
                   seen: expected otherwise, found AccessDenied: denied; in time: expected otherwise, found not",
                ],
            ),
            (
                "no reason",
                |outcome| outcome.clauses[1].findings.clear(),
                &["AC-lgtm-001-02/grpc names another cause than log … AccessDenied: no finding"],
            ),
            (
                "another clause failed",
                |outcome| {
                    outcome.clauses[2] = clause("AC-lgtm-002-02/otlp-grpc", Verdict::Fail, &[("missing", "1")]);
                },
                &["AC-lgtm-002-02/otlp-grpc must pass, but fail: missing: expected otherwise, found 1"],
            ),
            (
                "another clause was not run",
                |outcome| outcome.clauses[2] = clause("AC-lgtm-002-02/otlp-grpc", Verdict::NotRun, &[]),
                &["AC-lgtm-002-02/otlp-grpc must pass, but not_run: no finding"],
            ),
            (
                "an empty report",
                |outcome| outcome.clauses.clear(),
                &[
                    "no clause was decided: this proves nothing",
                    "AC-lgtm-001-01/versioning must not pass and was not decided",
                    "AC-lgtm-001-02/grpc must not pass and was not decided",
                ],
            ),
        ];
        for (name, change, expected) in table {
            let mut outcome = as_expected();
            change(&mut outcome);
            let found: Vec<String> = surprises(&BLAMED, &outcome).iter().map(ToString::to_string).collect();
            assert_eq!(found, *expected, "{name}");
        }
    }

    #[test]
    fn without_sabotage_everything_must_pass() {
        let mut outcome = as_expected();
        assert_eq!(surprises(&[], &outcome).len(), 2);
        outcome.clauses.retain(|clause| clause.verdict == Verdict::Pass);
        assert_eq!(surprises(&[], &outcome), []);
        outcome.clauses.clear();
        assert_eq!(surprises(&[], &outcome), [Surprise::NothingDecided]);
    }
}
