use super::{
    ClauseReport, CriterionReport, Report,
    words::{clause_counts, criterion_counts, is_problem, line, predicted, stack, upper, wrapped},
};
use crate::verdict::Verdict;

/// How a terminal is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns; longer lines are broken between words, a longer word never.
    pub width: usize,
    /// Whether colours are used.
    pub colour: Colour,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences of ECMA-48 (SGR).
    Always,
    /// Plain text.
    Never,
}

/// Columns of the mark in front of a clause.
const MARK_WIDTH: usize = 7;

/// Columns of the clause ids at most; a longer one moves only its own latency.
const MOST_ID_WIDTH: usize = 44;

/// The report for a terminal: what was tried, criterion by criterion, then how much was not, then the sums: the end is what is read
/// first.
pub fn terminal(report: &Report, style: Style) -> String {
    let tried: Vec<&CriterionReport> =
        report.criteria.iter().filter(|criterion| criterion.clauses.iter().any(ClauseReport::was_selected)).collect();
    let ids = tried.iter().flat_map(|criterion| &criterion.clauses).map(|clause| clause.id.as_str().len());
    let page = Page { style, id_width: ids.max().unwrap_or(0).min(MOST_ID_WIDTH) };
    let mut text = page.head(report);
    for criterion in tried {
        text.push('\n');
        text.push_str(&page.criterion(report, criterion));
    }
    text.push('\n');
    text.push_str(&page.end(report));
    text
}

struct Page {
    style: Style,
    id_width: usize,
}

impl Page {
    fn head(&self, report: &Report) -> String {
        let run = &report.run;
        let mut text = self.wrapped(
            "",
            &format!(
                "run {}, seed {}, target {}, profile {}, started {}, took {}",
                run.id,
                run.seed,
                report.target,
                report.profile,
                run.started,
                run.took()
            ),
        );
        text.push_str(&self.wrapped("", &format!("stack: {}", stack(&report.stack))));
        if !run.changes.is_empty() {
            text.push_str(&self.wrapped("", &format!("changes: {}", line(&run.changes.join(", ")))));
        }
        if !run.filters.is_empty() {
            text.push_str(&self.wrapped("", &format!("filters: {}", line(&run.filters.join(", ")))));
        }
        text
    }

    fn criterion(&self, report: &Report, criterion: &CriterionReport) -> String {
        let status = criterion.status.words(&report.profile);
        let mut text = self.wrapped("", &format!("{}  {}: {status}", criterion.id, line(&criterion.title)));
        for clause in criterion.clauses.iter().filter(|clause| clause.was_selected()) {
            text.push_str(&self.clause(clause));
        }
        text
    }

    fn clause(&self, clause: &ClauseReport) -> String {
        let mut told = clause.latency.as_ref().map(|latency| upper(latency) + &predicted(latency)).unwrap_or_default();
        if clause.forced {
            told.push_str("  [forced]");
        }
        let (word, colour) = mark(clause.verdict);
        let plain = format!("  {word:MARK_WIDTH$}  ");
        let id = clause.id.as_str();
        let id_width = self.id_width;
        let mut text = self.wrapped(&plain, &format!("{id:id_width$}  {}", told.trim_start()));
        if self.style.colour == Colour::Always {
            text = text.replacen(word, &coloured(word, colour), 1);
        }
        for measured in &clause.measured {
            text.push_str(&self.wrapped(&" ".repeat(MARK_WIDTH + 6), &line(measured)));
        }
        if is_problem(clause) {
            for finding in &clause.findings {
                text.push_str(&self.wrapped(&" ".repeat(MARK_WIDTH + 6), &line(&finding.to_string())));
            }
        }
        text
    }

    fn end(&self, report: &Report) -> String {
        let count = |wanted: fn(&ClauseReport) -> bool| report.clauses().filter(|clause| wanted(clause)).count();
        let mut text = String::new();
        if !report.run.complete {
            text.push_str(&self.wrapped("", "the record is incomplete: not everything came to its end"));
        }
        text.push_str(&self.wrapped(
            "",
            &format!(
                "clauses not tried: {} uncovered, {} not selected, {} not applicable to target {}",
                count(ClauseReport::is_uncovered),
                count(ClauseReport::is_left_out),
                count(|clause| clause.verdict == Verdict::NotApplicable),
                report.target
            ),
        ));
        text.push_str(&self.wrapped("", &format!("criteria: {}", criterion_counts(report))));
        text.push_str(&self.wrapped("", &format!("clauses: {}", clause_counts(&report.summary))));
        text
    }

    fn wrapped(&self, prefix: &str, text: &str) -> String {
        wrapped(self.style.width, prefix, text)
    }
}

/// `word` between the escape sequences of `colour`, which are SGR parameters.
pub(super) fn coloured(word: &str, colour: &str) -> String {
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}

/// The word in front of a clause, and the SGR parameters of its colour.
pub(super) fn mark(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("ok", "32"),
        Verdict::Fail => ("FAIL", "1;31"),
        Verdict::Inconclusive => ("???", "33"),
        Verdict::Blocked => ("blocked", "35"),
        Verdict::NotApplicable => ("n/a", "2"),
        Verdict::NotRun => ("not run", "2"),
    }
}
