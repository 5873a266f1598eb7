use std::collections::BTreeMap;

use super::{ClauseReport, CriterionStatus, Report, Summary};
use crate::verdict::{Latency, Verdict};

/// Seconds as a number: one decimal, and three where one would hide on which side of `bound` it lies.
fn number(seconds: f64, bound: Option<f64>) -> String {
    let near = bound.is_some_and(|bound| (seconds - bound).abs() < 0.1);
    if near { format!("{seconds:.3}") } else { format!("{seconds:.1}") }
}

/// Seconds as a number, whole ones without decimals.
fn round(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds:.0}") } else { number(seconds, None) }
}

/// `12.4 s of 300 s`, `over 300.2 s of 300 s`, `not measured, bound 300 s`: the upper end, after which it was certainly there.
pub(super) fn upper(latency: &Latency) -> String {
    if latency.upper_s.is_none() && latency.lower_s <= 0.0 {
        let bound = latency.bound_s.map(|bound| format!(", bound {} s", round(bound)));
        return format!("not measured{}", bound.unwrap_or_default());
    }
    time(latency) + &of_bound(latency)
}

/// `12.4 s`, `over 300.2 s`: the upper end, without the bound.
pub(super) fn time(latency: &Latency) -> String {
    match latency.upper_s {
        Some(upper) => format!("{} s", number(upper, latency.bound_s)),
        None => format!("over {} s", number(latency.lower_s, latency.bound_s)),
    }
}

/// `10.1..12.4 s of 300 s`: the whole interval; without an upper end as [`upper`].
pub(super) fn interval(latency: &Latency) -> String {
    match latency.upper_s {
        Some(upper) => {
            let bound = latency.bound_s;
            format!("{}..{} s{}", number(latency.lower_s, bound), number(upper, bound), of_bound(latency))
        }
        None => upper(latency),
    }
}

/// ` (predicted 10..17 s)`, empty where nothing was predicted.
pub(super) fn predicted(latency: &Latency) -> String {
    latency.predicted.map_or_else(String::new, |predicted| {
        format!(" (predicted {}..{} s)", round(predicted.earliest_s), round(predicted.latest_s))
    })
}

/// ` of 300 s`, empty where there is no bound.
pub(super) fn of_bound(latency: &Latency) -> String {
    latency.bound_s.map(|bound| format!(" of {} s", round(bound))).unwrap_or_default()
}

/// The stack's versions: `loki 3.5.1, tempo 2.8.2`.
pub(super) fn stack(stack: &BTreeMap<String, String>) -> String {
    let versions: Vec<String> = stack.iter().map(|(component, version)| format!("{component} {version}")).collect();
    if versions.is_empty() { "unknown".to_owned() } else { versions.join(", ") }
}

/// `3 pass, 1 fail, 0 inconclusive, …`.
pub(super) fn clause_counts(summary: &Summary) -> String {
    let counts = Verdict::ALL
        .map(|verdict| format!("{} {}", count(&summary.clauses, verdict.word()), verdict.word().replace('_', " ")));
    counts.join(", ")
}

/// `1 verified (fast), 1 failed, …`.
pub(super) fn criterion_counts(report: &Report) -> String {
    let counts = CriterionStatus::ALL
        .map(|status| format!("{} {}", count(&report.summary.criteria, status.word()), status.words(&report.profile)));
    counts.join(", ")
}

/// How many there are of `word`.
pub(super) fn count(counts: &BTreeMap<String, usize>, word: &str) -> usize {
    counts.get(word).copied().unwrap_or_default()
}

/// One line of what somebody else wrote: line breaks and tabs as spaces, other control characters spelt out, so that a log line of the
/// stack cannot steer a terminal.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            character if character.is_control() => line.extend(character.escape_default()),
            character => line.push(character),
        }
    }
    line
}

/// At most `limit` characters of `text`.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(limit.saturating_sub(1)).collect::<String>())
    }
}

/// `text` behind `prefix` in lines of `width`, broken between words, the lines that follow indented two columns deeper than the
/// prefix.
pub(super) fn wrapped(width: usize, prefix: &str, text: &str) -> String {
    let indent = " ".repeat(prefix.chars().count() + 2);
    let mut lines = String::new();
    let mut current = prefix.to_owned();
    let mut has_words = false;
    for word in text.split(' ') {
        let length = current.chars().count() + usize::from(has_words) + word.chars().count();
        if has_words && length > width && !word.is_empty() {
            lines.push_str(current.trim_end());
            lines.push('\n');
            current.clone_from(&indent);
        } else if has_words {
            current.push(' ');
        }
        current.push_str(word);
        has_words = true;
    }
    lines.push_str(current.trim_end());
    lines.push('\n');
    lines
}

/// Whether reports name what is wrong with this clause one by one.
pub(super) fn is_problem(clause: &ClauseReport) -> bool {
    clause.was_selected() && clause.verdict != Verdict::Pass
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::PredictedLatency;

    fn latency(lower_s: f64, upper_s: Option<f64>, bound_s: Option<f64>) -> Latency {
        Latency { lower_s, upper_s, bound_s, predicted: None }
    }

    #[test]
    fn a_latency_is_told_with_its_bound() {
        let table = [
            (latency(10.12, Some(12.41), Some(300.0)), "10.1..12.4 s of 300 s", "12.4 s of 300 s"),
            (latency(0.0, Some(12.41), None), "0.0..12.4 s", "12.4 s"),
            (latency(299.96, Some(300.04), Some(300.0)), "299.960..300.040 s of 300 s", "300.040 s of 300 s"),
            (latency(300.01, None, Some(300.0)), "over 300.010 s of 300 s", "over 300.010 s of 300 s"),
            (latency(0.0, None, Some(4.5)), "not measured, bound 4.5 s", "not measured, bound 4.5 s"),
            (latency(0.0, None, None), "not measured", "not measured"),
        ];
        for (latency, whole, end) in table {
            assert_eq!((interval(&latency).as_str(), upper(&latency).as_str()), (whole, end));
        }
    }

    #[test]
    fn a_prediction_is_told_beside_it() {
        let predicted_latency = PredictedLatency { earliest_s: 10.0, latest_s: 17.25 };
        let with = Latency { predicted: Some(predicted_latency), ..latency(0.0, None, None) };
        assert_eq!(predicted(&with), " (predicted 10..17.2 s)");
        assert_eq!(predicted(&latency(0.0, None, None)), "");
    }

    #[test]
    fn a_log_line_cannot_steer_a_terminal() {
        assert_eq!(line("a\x1b[2Jb\r\nc\u{9b}d"), "a\\u{1b}[2Jb  c\\u{9b}d");
        assert_eq!(shortened("größer", 4), "grö…");
        assert_eq!(shortened("größer", 6), "größer");
    }
}
