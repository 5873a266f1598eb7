use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JunitReport, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{ClauseReport, CriterionReport, Report, words::line};
use crate::verdict::Verdict;

/// The report as JUnit XML (the dialect of the `quick-junit` crate): a suite is a criterion, a case is a clause. Fail is a failure,
/// inconclusive and blocked are errors, not run and not applicable are skipped.
///
/// # Errors
/// None that a report can cause: its text is made fit for XML.
pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut told = JunitReport::new(format!("lgtm-verify {} {}", report.target, report.profile));
    told.timestamp = report.run.started.parse().ok();
    told.time = Duration::try_from_secs_f64(report.run.duration_s).ok();
    told.add_test_suites(report.criteria.iter().map(|criterion| suite(report, criterion)));
    told.to_string()
}

fn suite(report: &Report, criterion: &CriterionReport) -> TestSuite {
    let mut suite = TestSuite::new(criterion.id.as_str());
    for (name, value) in [
        ("title", criterion.title.as_str()),
        ("level", criterion.level.name()),
        ("status", criterion.status.word()),
        ("reason", &criterion.reason),
        ("run", &report.run.id),
        ("seed", &report.run.seed.to_string()),
    ] {
        suite.add_property((name, fit(value).as_str()));
    }
    suite.add_test_cases(criterion.clauses.iter().map(|clause| case(criterion, clause)));
    suite
}

fn case(criterion: &CriterionReport, clause: &ClauseReport) -> TestCase {
    let mut case = TestCase::new(clause.id.as_str(), status(clause));
    case.set_classname(criterion.id.as_str());
    case.add_property(("requirement", criterion.id.as_str()));
    case.add_property(("verdict", clause.verdict.word()));
    case.add_property(("forced", if clause.forced { "true" } else { "false" }));
    if let Some(time) = clause.latency.and_then(|latency| Duration::try_from_secs_f64(latency.upper_s?).ok()) {
        case.set_time(time);
    }
    case
}

fn status(clause: &ClauseReport) -> TestCaseStatus {
    let mut status = match clause.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive | Verdict::Blocked => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::NotApplicable | Verdict::NotRun => TestCaseStatus::skipped(),
    };
    let findings: Vec<String> = clause.findings.iter().map(|finding| fit(&finding.to_string())).collect();
    let reason = findings.first().map_or(clause.verdict.word(), String::as_str);
    status.set_type(
        clause.findings.first().map_or_else(|| clause.verdict.word().to_owned(), |finding| fit(&finding.rule)),
    );
    status.set_message(reason);
    status.set_description(findings.join("\n"));
    status
}

/// One line that XML can hold: control characters spelt out, where `quick-junit` would drop them and what they seem to escape, and
/// the two characters replaced that XML 1.0 excludes beside them.
fn fit(text: &str) -> String {
    line(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_swallows_nothing() {
        assert_eq!(fit("a\u{1b}]0;b\nc\u{ffff}d"), "a\\u{1b}]0;b c\u{fffd}d");
    }
}
