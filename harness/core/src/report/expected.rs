use std::fmt;

use thiserror::Error;

use super::Report;
use crate::{
    catalogue::{Catalogue, ClauseId, FindingId, Reference, Target},
    verdict::Verdict,
};

/// A verdict other than a pass that a stack as it is deployed here has for a reason of the design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedVerdict {
    /// Where the stack is.
    pub target: Target,
    /// Its timers.
    pub profile: String,
    /// The clause.
    pub clause: ClauseId,
    /// What is expected of it.
    pub verdict: Verdict,
    /// What of the design explains it.
    pub finding: FindingId,
}

/// A line of the list of expected verdicts that makes no sense, or not any more.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{file}:{line}: {reason}")]
pub struct ExpectedError {
    /// The list.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// How a verdict stands to what was expected of its clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectedness {
    /// A pass of which nothing else was expected, or what was expected instead of one.
    AsExpected,
    /// It is not what was expected, or not a pass and nothing was expected.
    News,
}

impl ExpectedVerdict {
    /// The expected verdicts in `text`, a line each: targets and profiles (each a list, with commas), clause, verdict, finding. Each has to be
    /// about a clause that the targets can show, and explained by a finding about that clause.
    ///
    /// # Errors
    /// Every line that makes no sense.
    pub fn read(file: &str, text: &str, catalogue: &Catalogue) -> Result<Vec<Self>, Vec<ExpectedError>> {
        let mut expected: Vec<Self> = Vec::new();
        let mut errors = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = Self::read_line(line, catalogue).and_then(|read| {
                let same = |one: &Self, other: &Self| {
                    (one.target, &one.profile, &one.clause) == (other.target, &other.profile, &other.clause)
                };
                match read.iter().find(|read| expected.iter().any(|known| same(known, read))) {
                    Some(read) => Err(format!("{} is there twice for {}/{}", read.clause, read.target, read.profile)),
                    None => Ok(read),
                }
            });
            match read {
                Ok(read) => expected.extend(read),
                Err(reason) => errors.push(ExpectedError { file: file.to_owned(), line: number + 1, reason }),
            }
        }
        if errors.is_empty() { Ok(expected) } else { Err(errors) }
    }

    fn read_line(line: &str, catalogue: &Catalogue) -> Result<Vec<Self>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [targets, profiles, clause, verdict, finding] = words[..] else {
            return Err(format!("{line:?} is not TARGETS PROFILES CLAUSE VERDICT FINDING"));
        };
        let targets = targets.split(',').map(str::parse).collect::<Result<Vec<Target>, _>>()?;
        let clause: ClauseId = clause.parse().map_err(|error| format!("{error}"))?;
        let finding: FindingId = finding.parse().map_err(|error| format!("{error}"))?;
        let known = catalogue.clause(&clause).ok_or_else(|| format!("there is no clause {clause}"))?;
        if let Some(target) = targets.iter().find(|target| !known.applies_to(**target)) {
            return Err(format!("target {target} cannot show {clause}"));
        }
        let verdict = Verdict::ALL
            .into_iter()
            .find(|known| known.word() == verdict)
            .filter(|verdict| matches!(verdict, Verdict::Fail | Verdict::Inconclusive | Verdict::Blocked))
            .ok_or_else(|| format!("{verdict:?} is none of fail, inconclusive, blocked"))?;
        let explained = catalogue
            .findings
            .iter()
            .find(|known| known.id == finding)
            .ok_or_else(|| format!("there is no finding {finding}"))?;
        let is_about = explained.related.iter().any(|related| match related {
            Reference::Clause(id) => *id == clause,
            Reference::Criterion(id) => catalogue
                .criterion(id)
                .is_some_and(|criterion| criterion.clauses.iter().any(|known| known.id == clause)),
        });
        if !is_about {
            return Err(format!("{finding} says nothing of {clause}"));
        }
        let places = targets.iter().flat_map(|target| profiles.split(',').map(|profile| (*target, profile.to_owned())));
        let expected =
            |(target, profile)| Self { target, profile, clause: clause.clone(), verdict, finding: finding.clone() };
        Ok(places.map(expected).collect())
    }

    /// What is expected of `clause` there, where it is something else than a pass.
    pub fn of<'a>(expected: &'a [Self], target: Target, profile: &str, clause: &ClauseId) -> Option<&'a Self> {
        expected.iter().find(|known| known.target == target && known.profile == profile && known.clause == *clause)
    }

    /// How `verdict` stands to this, where there is something, or to a pass.
    pub fn compare(expected: Option<&Self>, verdict: Verdict) -> Expectedness {
        if expected.map_or(Verdict::Pass, |expected| expected.verdict) == verdict {
            Expectedness::AsExpected
        } else {
            Expectedness::News
        }
    }
}

impl fmt::Display for ExpectedVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}/{} because of {}", self.verdict, self.target, self.profile, self.finding)
    }
}

/// Lines that hold the verdicts of `report` against what was expected of them; only clauses of which something else than a pass was
/// expected, or that were tried and did not pass. Empty where there are none.
pub fn expectations(report: &Report, expected: &[ExpectedVerdict]) -> Vec<String> {
    let tried = report.clauses().filter(|clause| !matches!(clause.verdict, Verdict::NotRun | Verdict::NotApplicable));
    tried
        .filter_map(|clause| {
            let wanted = ExpectedVerdict::of(expected, report.target, &report.profile, &clause.id);
            match (wanted, ExpectedVerdict::compare(wanted, clause.verdict)) {
                (None, Expectedness::AsExpected) => None,
                (Some(wanted), Expectedness::AsExpected) => {
                    Some(format!("as expected  {}: {} ({})", clause.id, clause.verdict, wanted.finding))
                }
                (Some(wanted), Expectedness::News) => {
                    Some(format!("news         {}: {}, expected {wanted}", clause.id, clause.verdict))
                }
                (None, Expectedness::News) => Some(format!("news         {}: {}", clause.id, clause.verdict)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRITERIA: &str = "# Logs

## AC-lgtm-001-04 ~1 A refusing store is loud
- level: shall
- source: design.md 164

Loud.

### AC-lgtm-001-04/start-write ~1 The write path does not start
- targets: local kind

It does not.

### AC-lgtm-001-04/outage ~1 An outage is logged
- targets: local

It is.

## DF-09 Only some stop
- source: design.md 164
- related: AC-lgtm-001-04/start-write

Only some.
";

    fn read(text: &str) -> Result<Vec<ExpectedVerdict>, Vec<String>> {
        let catalogue = Catalogue::parse(&[("logs.md", CRITERIA)]).unwrap();
        ExpectedVerdict::read("expected.txt", text, &catalogue)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let everywhere = read("local,kind fast,deployed AC-lgtm-001-04/start-write fail DF-09").unwrap();
        let places = everywhere.iter().map(|read| format!("{}/{}", read.target, read.profile)).collect::<Vec<_>>();
        assert_eq!(places, ["local/fast", "local/deployed", "kind/fast", "kind/deployed"]);
        let read = read("# why\n\nlocal fast AC-lgtm-001-04/start-write fail DF-09\n").unwrap();
        let clause = read[0].clause.clone();
        assert_eq!(read[0].to_string(), "fail on local/fast because of DF-09");
        let of = |target, profile| ExpectedVerdict::of(&read, target, profile, &clause);
        assert!(of(Target::Local, "fast").is_some());
        assert!(of(Target::Kind, "fast").is_none() && of(Target::Local, "deployed").is_none());
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let line = "local fast AC-lgtm-001-04/start-write fail DF-09";
        for (text, reason) in [
            ("local fast", "\"local fast\" is not TARGETS PROFILES CLAUSE VERDICT FINDING"),
            ("local fast AC-lgtm-001-04/none fail DF-09", "there is no clause AC-lgtm-001-04/none"),
            ("kind fast AC-lgtm-001-04/outage fail DF-09", "target kind cannot show AC-lgtm-001-04/outage"),
            ("local fast AC-lgtm-001-04/outage fail DF-09", "DF-09 says nothing of AC-lgtm-001-04/outage"),
            ("local fast AC-lgtm-001-04/start-write fail DF-10", "there is no finding DF-10"),
            ("local fast AC-lgtm-001-04/start-write pass DF-09", "\"pass\" is none of fail, inconclusive, blocked"),
            (
                "local,none fast AC-lgtm-001-04/start-write fail DF-09",
                "unknown target \"none\", expected tree, local, containers, kind or cluster",
            ),
            (&format!("{line}\n{line}"), "AC-lgtm-001-04/start-write is there twice for local/fast"),
        ] {
            let errors = read(text).unwrap_err();
            let number = text.lines().count();
            assert_eq!(errors, [format!("expected.txt:{number}: {reason}")]);
        }
    }

    #[test]
    fn both_ways_are_news() {
        let read = read("local fast AC-lgtm-001-04/start-write fail DF-09").unwrap();
        let compare = ExpectedVerdict::compare;
        assert_eq!(compare(None, Verdict::Pass), Expectedness::AsExpected);
        assert_eq!(compare(None, Verdict::Fail), Expectedness::News);
        assert_eq!(compare(read.first(), Verdict::Fail), Expectedness::AsExpected);
        assert_eq!(compare(read.first(), Verdict::Pass), Expectedness::News);
        assert_eq!(compare(read.first(), Verdict::Inconclusive), Expectedness::News);
    }
}
