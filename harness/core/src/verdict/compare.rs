//! Records against records: what was sent and what was found, by identity and by content.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use thiserror::Error;

use super::Finding;
use crate::{
    ledger::{Fate, Ledger},
    signal::{LogEntry, Sample, Signal, SignalRecord, Span},
};

/// How many records of a kind a finding names.
const NAMED: usize = 3;

/// Where bodies are kept, by the SHA-256 of their content.
pub trait Bodies {
    /// The body with this hash.
    fn body(&self, sha256: &str) -> Result<Vec<u8>, BodyError>;
}

/// Why a body could not be had.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("body {sha256}: {reason}")]
pub struct BodyError {
    /// The hash asked for.
    pub sha256: String,
    /// Missing, unreadable, altered.
    pub reason: String,
}

/// Bodies in memory.
#[derive(Debug, Default, Clone)]
pub struct Memory(pub HashMap<String, Vec<u8>>);

impl Bodies for Memory {
    fn body(&self, sha256: &str) -> Result<Vec<u8>, BodyError> {
        self.0.get(sha256).cloned().ok_or_else(|| BodyError { sha256: sha256.to_owned(), reason: "missing".into() })
    }
}

/// A record reduced to what comparing needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) identity: String,
    /// `None` for a record that the oracle leaves out, whether it is there or not.
    pub(super) content: Option<Value>,
}

/// Reads the NDJSON body `sha256` as records of `signal`.
pub(super) fn items(bodies: &dyn Bodies, sha256: &str, signal: Signal) -> Result<Vec<Item>, BodyError> {
    let body = bodies.body(sha256)?;
    match signal {
        Signal::Logs => typed_items::<LogEntry>(&body, Some),
        Signal::Traces => typed_items::<Span>(&body, Some),
        Signal::Metrics => typed_items::<Sample>(&body, Some),
    }
    .map_err(|reason| BodyError { sha256: sha256.to_owned(), reason })
}

fn typed_items<R: SignalRecord>(body: &[u8], reduce: impl Fn(R) -> Option<R>) -> Result<Vec<Item>, String> {
    body.split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let told = |error: serde_json::Error| format!("line {}: {error}", number + 1);
            let record: R = serde_json::from_slice(line).map_err(told)?;
            let identity = record.identity();
            let content = reduce(record).map(serde_json::to_value).transpose().map_err(told)?;
            Ok(Item { identity, content })
        })
        .collect()
}

/// Reads the NDJSON body `sha256` as samples, and reduces them to what PromQL tells of them.
pub(super) fn told_by_promql(bodies: &dyn Bodies, sha256: &str) -> Result<Vec<Item>, BodyError> {
    typed_items(&bodies.body(sha256)?, Sample::told_by_promql)
        .map_err(|reason| BodyError { sha256: sha256.to_owned(), reason })
}

/// Everything in which `found` is not what `expected` and the ledger ask for; empty when all is as it should be.
pub(super) fn compare(expected: &[Item], found: &[Item], ledger: &Ledger) -> Vec<Finding> {
    let mut by_identity: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in found {
        by_identity.entry(&item.identity).or_default().push(item);
    }
    let mut missing = Vec::new();
    let mut altered = Vec::new();
    let mut doubled = Vec::new();
    let mut refused = Vec::new();
    let mut acked = 0_usize;
    for (item, sequence) in expected.iter().zip(0_u64..) {
        let Some(content) = &item.content else { continue };
        let fate = ledger.fate(sequence);
        let copies = by_identity.remove(item.identity.as_str()).unwrap_or_default();
        acked += usize::from(fate == Fate::Acked);
        match (fate, copies.as_slice()) {
            (Fate::Acked, []) => missing.push(item.identity.clone()),
            (_, []) => {}
            (Fate::Rejected | Fate::NotSent, [..]) => refused.push(item.identity.clone()),
            (Fate::Acked | Fate::Unknown, copies) => {
                let found = copies.iter().filter_map(|copy| copy.content.as_ref());
                if let Some(copy) = found.into_iter().find(|copy| *copy != content) {
                    altered.push(format!("{}: {}", item.identity, difference(content, copy)));
                }
                if copies.len() > 1 {
                    doubled.push(format!("{} ({} times)", item.identity, copies.len()));
                }
            }
        }
    }
    let unexpected: Vec<String> = by_identity.into_keys().map(str::to_owned).collect();
    [
        ("missing", format!("all {acked} acked records"), missing),
        ("altered", "every record as it was sent".to_owned(), altered),
        ("doubled", "every record once".to_owned(), doubled),
        ("refused", "no record that the stack did not accept".to_owned(), refused),
        ("unexpected", "only records of this stimulus".to_owned(), unexpected),
    ]
    .into_iter()
    .filter(|(_, _, records)| !records.is_empty())
    .map(|(rule, wanted, records)| Finding::new(rule, wanted, count_and_name(rule, &records)))
    .collect()
}

/// `3 missing: a; b; …`
fn count_and_name(rule: &str, records: &[String]) -> String {
    let named = records.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    let rest = if records.len() > NAMED { "; …" } else { "" };
    format!("{} {rule}: {named}{rest}", records.len())
}

/// The first place where two records differ.
fn difference(sent: &Value, found: &Value) -> String {
    match (sent, found) {
        (Value::Object(sent), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<&String> = sent.keys().chain(found.keys()).collect();
            keys.into_iter()
                .find_map(|key| match (sent.get(key), found.get(key)) {
                    (Some(sent), Some(found)) if sent == found => None,
                    (Some(sent), Some(found)) => Some(format!("{key}: {}", difference(sent, found))),
                    (Some(sent), None) => Some(format!("{key}: sent {}, found nothing", excerpt(sent))),
                    (None, Some(found)) => Some(format!("{key}: sent nothing, found {}", excerpt(found))),
                    (None, None) => None,
                })
                .unwrap_or_default()
        }
        _ => format!("sent {}, found {}", excerpt(sent), excerpt(found)),
    }
}

fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        text
    } else {
        format!("{}…", text.chars().take(LONGEST).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ports::{PushOutcome, Tick},
        signal::{Labels, STALE_MARKER, SampleValue},
        stimulus::Route,
    };

    fn item(identity: &str, content: &str) -> Item {
        Item { identity: identity.into(), content: Some(serde_json::json!({ "line": content })) }
    }

    fn acked(count: u64) -> Ledger {
        let mut ledger = Ledger::default();
        let number = ledger.intend(Route::LokiHttpJson, 0, count - 1, false);
        ledger.answer(number, Tick(0), Tick(1), PushOutcome::Acked);
        ledger
    }

    fn rules(expected: &[Item], found: &[Item], ledger: &Ledger) -> Vec<String> {
        compare(expected, found, ledger).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_has_a_case_that_breaks_it_and_only_it() {
        let sent = [item("a", "1"), item("b", "2")];
        let ledger = acked(2);
        let table: [(&str, Vec<Item>); 4] = [
            ("missing", vec![item("a", "1")]),
            ("altered", vec![item("a", "1"), item("b", "3")]),
            ("doubled", vec![item("a", "1"), item("b", "2"), item("b", "2")]),
            ("unexpected", vec![item("a", "1"), item("b", "2"), item("c", "2")]),
        ];
        for (rule, found) in table {
            assert_eq!(rules(&sent, &found, &ledger), [rule]);
        }
        assert!(compare(&sent, &sent, &ledger).is_empty());
        assert_eq!(rules(&sent, &sent, &acked(1)), ["refused"]);
    }

    #[test]
    fn an_unknown_record_may_be_there_or_not_but_not_altered() {
        let sent = [item("a", "1")];
        let mut ledger = Ledger::default();
        ledger.intend(Route::LokiHttpJson, 0, 0, false);
        assert!(compare(&sent, &[], &ledger).is_empty());
        assert!(compare(&sent, &sent, &ledger).is_empty());
        assert_eq!(rules(&sent, &[item("a", "2")], &ledger), ["altered"]);
    }

    #[test]
    fn what_an_oracle_leaves_out_is_not_missed_but_noticed_where_it_is_told() {
        let left_out = Item { identity: "b".to_owned(), content: None };
        let sent = [item("a", "1"), left_out];
        assert!(compare(&sent, &[item("a", "1")], &acked(2)).is_empty());
        assert_eq!(rules(&sent, &[], &acked(2)), ["missing"]);
        assert_eq!(rules(&sent, &[item("a", "1"), item("b", "2")], &acked(2)), ["unexpected"]);
    }

    #[test]
    fn promql_is_asked_for_what_it_tells() {
        let sample =
            |timestamp_ms, value| Sample { labels: Labels::new(), timestamp_ms, value: SampleValue::float(value) };
        let told_of = |values: &[f64]| {
            let samples = values.iter().zip(0..).map(|(value, timestamp_ms)| sample(timestamp_ms, *value));
            let body: String = samples.map(|sample| serde_json::to_string(&sample).unwrap() + "\n").collect();
            Memory([("sent".to_owned(), body.into_bytes())].into())
        };
        let sent =
            told_by_promql(&told_of(&[1.0, STALE_MARKER, f64::from_bits(0x7ff8_0000_dead_beef)]), "sent").unwrap();
        let found = |values: &[f64]| items(&told_of(values), "sent", Signal::Metrics).unwrap();
        let mut answered = found(&[1.0, 0.0, f64::from_bits(0x7ff8_0000_0000_0001)]);
        assert_eq!(rules(&sent, &answered, &acked(3)), ["unexpected"]);
        answered.remove(1);
        assert!(compare(&sent, &answered, &acked(3)).is_empty());
        answered.remove(0);
        assert_eq!(rules(&sent, &answered, &acked(3)), ["missing"]);
    }

    #[test]
    fn an_alteration_is_named_by_field() {
        let finding = compare(&[item("a", "1")], &[item("a", "2")], &acked(1));
        assert_eq!(finding[0].found, r#"1 altered: a: line: sent "1", found "2""#);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_one_loss_is_always_seen(count in 1_u64..60, lost in 0_usize..60, seed in 0_usize..60) {
            let sent: Vec<Item> = (0..count).map(|n| item(&n.to_string(), &n.to_string())).collect();
            let ledger = acked(count);
            let mut found = sent.clone();
            let length = found.len();
            found.rotate_left(seed % length);
            prop_assert!(compare(&sent, &found, &ledger).is_empty());
            found.remove(lost % length);
            prop_assert_eq!(rules(&sent, &found, &ledger), ["missing"]);
        }
    }
}
