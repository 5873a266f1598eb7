use std::collections::BTreeSet;

use super::{
    ClauseReport, CriterionReport, CriterionStatus, Report,
    words::{clause_counts, criterion_counts, interval, is_problem, line, predicted, shortened, stack},
};
use crate::verdict::Verdict;

/// Characters of a finding in the table at most; whole findings stand in the criterion's section.
const SHORT_FINDING: usize = 90;

/// Keys of objects in the table at most; all are in the JSON report.
const MOST_KEYS: usize = 3;

/// The report as Markdown (GitHub's dialect): the run, the sums, one table row a criterion, what is wrong, failures first, and what
/// the design itself gets wrong.
pub fn markdown(report: &Report) -> String {
    [head(report), table(report), details(report), measurements(report), design(report)].concat()
}

fn head(report: &Report) -> String {
    let run = &report.run;
    let changes = if run.changes.is_empty() { "none".to_owned() } else { escaped(&run.changes.join(", ")) };
    let filters = if run.filters.is_empty() { "none".to_owned() } else { escaped(&run.filters.join(", ")) };
    format!(
        "# Acceptance report\n\n\
         - run: {}\n- seed: {}\n- target: {}\n- profile: {}\n- started: {}\n- duration: {}\n- record: {}\n\
         - filters: {filters}\n- changes: {changes}\n- stack: {}\n\n\
         Criteria: {}. Clauses: {}.\n",
        escaped(&run.id),
        run.seed,
        report.target,
        escaped(&report.profile),
        escaped(&run.started),
        run.took(),
        if run.complete { "complete" } else { "**incomplete**: not everything came to its end" },
        escaped(&stack(&report.stack)),
        escaped(&criterion_counts(report)),
        clause_counts(&report.summary),
    )
}

fn table(report: &Report) -> String {
    let rows: String = report.criteria.iter().map(|criterion| row(report, criterion)).collect();
    format!(
        "\n## Criteria\n\n\
         | Criterion | Title | Status | Reason | Clauses | Findings | Latency | Objects |\n\
         |---|---|---|---|---|---|---|---|\n\
         {rows}\n{}\n",
        legend()
    )
}

/// What the marks mean.
pub(super) fn legend() -> String {
    Verdict::ALL.map(|verdict| format!("{} {}", mark(verdict), verdict.word().replace('_', " "))).join(", ")
}

fn row(report: &Report, criterion: &CriterionReport) -> String {
    let clauses = criterion.clauses.iter().map(|clause| {
        let forced = if clause.forced { " (forced)" } else { "" };
        format!("{} {}{forced}", mark(clause.verdict), clause.id.name())
    });
    let findings = criterion.clauses.iter().filter(|clause| is_problem(clause)).filter_map(|clause| {
        let first = clause.findings.first()?;
        let text = shortened(&line(&format!("{}: {}", first.rule, first.found)), SHORT_FINDING);
        let more = match clause.findings.len() {
            1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        Some(format!("{}: {}{more}", clause.id.name(), escaped(&text)))
    });
    let latencies = criterion.clauses.iter().filter_map(|clause| {
        let latency = clause.latency.as_ref()?;
        Some(format!("{}: {}{}", clause.id.name(), interval(latency), predicted(latency)))
    });
    let cells = [
        criterion.id.to_string(),
        escaped(&criterion.title),
        escaped(&criterion.status.words(&report.profile)),
        escaped(&criterion.reason),
        lines(clauses),
        lines(findings),
        lines(latencies),
        lines(keys(criterion)),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// The lines of one cell.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("<br>")
}

/// The objects in which something was seen, and how many more there are.
fn keys(criterion: &CriterionReport) -> Vec<String> {
    let evidence = criterion.clauses.iter().flat_map(|clause| &clause.evidence);
    let keys: BTreeSet<&str> = evidence.filter_map(|evidence| evidence.object.as_deref()).collect();
    let more = keys.len().saturating_sub(MOST_KEYS);
    let named = keys.into_iter().take(MOST_KEYS).map(escaped);
    named.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

fn details(report: &Report) -> String {
    [CriterionStatus::Failed, CriterionStatus::NotVerified, CriterionStatus::Uncovered, CriterionStatus::Undefined]
        .map(|status| section(report, status))
        .concat()
}

/// What was measured, clause by clause.
fn measurements(report: &Report) -> String {
    let measured = report.clauses().filter(|clause| !clause.measured.is_empty());
    let told: String = measured
        .map(|clause| {
            let lines = clause.measured.iter().map(|text| format!("  - {}\n", escaped(text)));
            format!("- {} ({})\n{}", clause.id, escaped(&clause.title), lines.collect::<String>())
        })
        .collect();
    if told.is_empty() { told } else { format!("\n## Measured\n\n{told}") }
}

/// The criteria of one status: those with findings about the stack in a section each, the others in a line each.
fn section(report: &Report, status: CriterionStatus) -> String {
    let criteria = report.criteria.iter().filter(|criterion| criterion.status == status);
    let (told, listed): (Vec<&CriterionReport>, Vec<&CriterionReport>) =
        criteria.partition(|criterion| criterion.clauses.iter().any(is_problem));
    if told.is_empty() && listed.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {}\n", capitalised(&status.words(&report.profile)));
    // The lines come first: behind a section they would read as part of it.
    if !listed.is_empty() {
        text.push('\n');
        text.extend(listed.into_iter().map(|criterion| {
            format!("- {} {}: {}\n", criterion.id, escaped(&criterion.title), escaped(&criterion.reason))
        }));
    }
    for criterion in told {
        text.push_str(&format!(
            "\n### {} {}\n\n{}: {}.\n\n",
            criterion.id,
            escaped(&criterion.title),
            criterion.level,
            escaped(&criterion.reason)
        ));
        text.extend(criterion.clauses.iter().filter(|clause| is_problem(clause)).map(problem));
    }
    text
}

fn problem(clause: &ClauseReport) -> String {
    let latency = clause.latency.as_ref().map(|latency| format!(", {}{}", interval(latency), predicted(latency)));
    let forced = if clause.forced { ", forced" } else { "" };
    let mut text = format!(
        "- {} {} ({}): {}{forced}{}\n",
        mark(clause.verdict),
        clause.id,
        escaped(&clause.title),
        clause.verdict.word().replace('_', " "),
        latency.unwrap_or_default()
    );
    text.extend(clause.findings.iter().map(|finding| format!("  - {}\n", escaped(&finding.to_string()))));
    text
}

fn design(report: &Report) -> String {
    if report.findings_about_design.is_empty() {
        return String::new();
    }
    let findings = report.findings_about_design.iter().map(|finding| {
        let related = if finding.related.is_empty() {
            String::new()
        } else {
            format!("\n\nAbout: {}.", escaped(&finding.related.join(", ")))
        };
        // The text is the catalogue's own Markdown.
        format!("\n### {} {}\n\n{}{related}\n", finding.id, escaped(&finding.title), finding.text.trim())
    });
    format!("\n## Findings about the design\n{}", findings.collect::<String>())
}

/// The mark of a verdict in the table.
pub(super) fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => '✓',
        Verdict::Fail => '✗',
        Verdict::Inconclusive => '?',
        Verdict::Blocked => '!',
        Verdict::NotApplicable => '–',
        Verdict::NotRun => '·',
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Text that reads as it is, in one line, wherever it stands: in a paragraph, an item, a cell.
pub(super) fn escaped(text: &str) -> String {
    let text = line(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // An underscore within a word means nothing to Markdown.
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => escaped.push('_'),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => escaped.extend(['\\', character]),
            character => escaped.push(character),
        }
        before = character;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_its_cell_and_means_nothing_to_markdown() {
        for (text, expected) in [
            ("a|b\nc\r\nd", "a\\|b c  d"),
            ("{__name__=\"chunk_idle\"}", "{\\_\\_name\\_\\_=\"chunk_idle\"}"),
            ("<br>&amp;", "&lt;br&gt;&amp;amp;"),
            ("`*[x]~\\", "\\`\\*\\[x\\]\\~\\\\"),
            ("größer", "größer"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
