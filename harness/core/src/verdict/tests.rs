use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    ledger::Ledger,
    observation::{Facts, Look, Observation, Oracle, Seen},
    poll::{Ended, Schedule, Step, until, virtual_clock::VirtualClock},
    ports::{Clock, Component, LogLine, PushOutcome, Tick},
    signal::{Labels, LogEntry, Signal, SignalRecord},
    stimulus::{Origin, Route, logs},
};

const BOUND: Duration = Duration::from_secs(300);

fn seconds(seconds: f64) -> Tick {
    Tick::default().after(Duration::from_secs_f64(seconds))
}

fn sent_entries() -> Vec<LogEntry> {
    logs::entries(&Origin::example(7), &logs::LogShape { entries: 4, ..logs::LogShape::default() })
}

/// One clause's case, changed by each test in the one thing it is about. Four log lines were pushed at 10 s and acked at 11 s.
#[derive(Debug, Clone)]
struct Scene {
    case: Case,
    bodies: Memory,
    sent: Vec<LogEntry>,
}

impl Scene {
    /// As good as it can be before anything was seen: shown to be absent, acked, nothing else.
    fn new() -> Self {
        let sent = sent_entries();
        let mut scene = Self {
            case: Case {
                clause: "AC-lgtm-001-02/grpc".parse().unwrap(),
                bound: Some(BOUND),
                patience: Duration::from_secs(600),
                forced: false,
                expectation: Expectation::Records {
                    signal: Signal::Logs,
                    expected: String::new(),
                    count: sent.len() as u64,
                    decisive: Oracle::Objects,
                    oracles: vec![Oracle::Objects],
                    rules: Vec::new(),
                },
                bucket: Some("loki-chunks".into()),
                ledger: Ledger::default(),
                lost: None,
                prediction: None,
                controls: Vec::new(),
                observations: Vec::new(),
                problems: Vec::new(),
                offered: Vec::new(),
                timings: BTreeMap::new(),
                halt: None,
            },
            bodies: Memory::default(),
            sent: sent.clone(),
        };
        scene.answered(PushOutcome::Acked);
        let body = scene.keep(&sent);
        if let Expectation::Records { expected, .. } = &mut scene.case.expectation {
            *expected = body;
        }
        let nothing = scene.records(&[]);
        scene.control(nothing);
        scene
    }

    /// With a no at `no` seconds and a yes at `yes` seconds, both sent and answered at once.
    fn seen(no: f64, yes: f64) -> Self {
        let mut scene = Self::new();
        scene.look(Oracle::Objects, no, &[]);
        scene.look_all(Oracle::Objects, yes);
        scene
    }

    fn keep(&mut self, entries: &[LogEntry]) -> String {
        let body: String = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
        let name = format!("{:08x}", crc32c::crc32c(body.as_bytes()));
        self.bodies.0.insert(name.clone(), body.into_bytes());
        name
    }

    fn records(&mut self, entries: &[LogEntry]) -> Seen {
        Seen::Records { signal: Signal::Logs, body: self.keep(entries), count: entries.len(), defects: Vec::new() }
    }

    fn unreadable(&mut self, entries: &[LogEntry]) -> Seen {
        match self.records(entries) {
            Seen::Records { signal, body, count, .. } => {
                Seen::Records { signal, body, count, defects: vec!["loki-chunks/fake/1: checksum".into()] }
            }
            other => other,
        }
    }

    fn control(&mut self, seen: Seen) {
        self.case.controls.push(Control {
            name: "records that were not sent yet".into(),
            must_break: vec!["missing".into()],
            observation: observation(Oracle::Objects, 1.0, seen),
        });
    }

    fn answered(&mut self, outcome: PushOutcome) {
        self.pushed(0, 3, false, Some(outcome));
    }

    /// A component was lost at `at` seconds, and queries decide.
    fn lost(at: f64) -> Self {
        let mut scene = Self::new();
        scene.case.lost = Some(seconds(at));
        if let Expectation::Records { decisive, oracles, .. } = &mut scene.case.expectation {
            *decisive = Oracle::Query;
            *oracles = vec![Oracle::Query];
        }
        for control in &mut scene.case.controls {
            control.observation.look = look_of(Oracle::Query);
        }
        scene
    }

    /// The only push: records `first..=last`, sent at 10 s, answered at 11 s.
    fn pushed(&mut self, first: u64, last: u64, refusal_wanted: bool, outcome: Option<PushOutcome>) {
        let mut ledger = Ledger::default();
        let number = ledger.intend(Route::LokiGrpc, first, last, refusal_wanted);
        if let Some(outcome) = outcome {
            ledger.answer(number, seconds(10.0), seconds(11.0), outcome);
        }
        self.case.ledger = ledger;
    }

    fn look(&mut self, oracle: Oracle, at: f64, entries: &[LogEntry]) {
        let seen = self.records(entries);
        self.saw(oracle, at, seen);
    }

    fn look_all(&mut self, oracle: Oracle, at: f64) {
        self.look(oracle, at, &self.sent.clone());
    }

    fn saw(&mut self, oracle: Oracle, at: f64, seen: Seen) {
        self.case.observations.push(observation(oracle, at, seen));
    }

    fn oracles(&mut self, wanted: &[Oracle]) {
        if let Expectation::Records { oracles, .. } = &mut self.case.expectation {
            *oracles = wanted.to_vec();
        }
    }

    fn predicted(&mut self, earliest_s: f64, bucket: &str) {
        self.case.prediction = Some(Prediction {
            latency: PredictedLatency { earliest_s, latest_s: earliest_s + 40.0 },
            settings: vec!["ingester.chunk_idle_period=10m0s".into()],
            bucket: Some(bucket.into()),
        });
    }

    fn complained(&mut self, text: &str) {
        self.case.problems = vec![LogLine { component: Component::LokiWrite, text: text.into() }];
    }

    fn judged(&self) -> Judgement {
        judge(&self.case, &self.bodies).unwrap()
    }

    fn verdict_and_rules(&self) -> (Verdict, Vec<String>) {
        let judgement = self.judged();
        (judgement.verdict, judgement.findings.into_iter().map(|finding| finding.rule).collect())
    }
}

fn look_of(oracle: Oracle) -> Look {
    let (bucket, selector) = ("loki-chunks".to_owned(), Labels::new());
    match oracle {
        Oracle::Objects => Look::LogChunks { bucket, selector, since_ms: 0 },
        Oracle::Index => Look::IndexedLogChunks { bucket, selector, since_ms: 0 },
        Oracle::Query => Look::LogQuery { selector, start_ns: 0, end_ns: 1, store_only: false },
        Oracle::Promql => Look::PromqlQuery { selector, start_ms: 0, end_ms: 1 },
        Oracle::StoreOnly => Look::LogQuery { selector, start_ns: 0, end_ns: 1, store_only: true },
        Oracle::Counts => Look::Asked {
            question: crate::observation::Question::LogCounts {
                selector,
                start_ns: 0,
                end_ns: 1,
                step_s: 1,
                expected: 1,
            },
        },
        Oracle::State => Look::BucketLifecycle { bucket, rules_alone: false },
    }
}

fn observation(oracle: Oracle, at: f64, seen: Seen) -> Observation {
    Observation { look: look_of(oracle), sent: seconds(at), received: seconds(at), seen, evidence: Vec::new() }
}

fn unseen() -> Seen {
    Seen::Unseen { reason: "http://127.0.0.1:9000 cannot be reached: connection refused".into() }
}

fn facts(facts: &[(&str, serde_json::Value)]) -> Seen {
    Seen::Facts { facts: facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Facts>() }
}

fn interrupted() -> Halt {
    Halt { kind: HaltKind::Interrupted, reason: "interrupted".into() }
}

type Change = fn(&mut Scene);

/// Each row changes a scene in which everything was seen between 20 s and 21 s, and says what that comes to.
#[test]
fn a_yes_in_time_passes_and_every_single_doubt_about_it_is_told() {
    let table: &[(&str, Change, Verdict, &[&str])] = &[
        ("untouched", |_| {}, Verdict::Pass, &[]),
        ("no control", |scene| scene.case.controls.clear(), Verdict::Inconclusive, &["shown to fail"]),
        (
            "the control's look failed",
            |scene| scene.case.controls[0].observation.seen = unseen(),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "the control found some of the records",
            |scene| scene.case.controls[0].observation.seen = scene.records(&scene.sent.clone()[..1]),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "the control could not read everything",
            |scene| scene.case.controls[0].observation.seen = scene.unreadable(&[]),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "one control of two said yes",
            |scene| {
                let all = scene.records(&scene.sent.clone());
                scene.control(all);
            },
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "a second oracle was not asked",
            |scene| scene.oracles(&[Oracle::Objects, Oracle::Query]),
            Verdict::Inconclusive,
            &["oracles agree"],
        ),
        (
            "a second oracle misses a record",
            |scene| {
                scene.oracles(&[Oracle::Objects, Oracle::Query]);
                scene.look(Oracle::Query, 21.0, &scene.sent.clone()[1..]);
            },
            Verdict::Inconclusive,
            &["oracles agree"],
        ),
        (
            "a second oracle agrees",
            |scene| {
                scene.oracles(&[Oracle::Objects, Oracle::Query]);
                scene.look_all(Oracle::Query, 400.0);
            },
            Verdict::Pass,
            &[],
        ),
        ("an oracle that nobody asked for disagrees", |scene| scene.look(Oracle::Query, 22.0, &[]), Verdict::Pass, &[]),
        (
            "the push was not clearly answered",
            |scene| scene.answered(PushOutcome::Unknown { reason: "time-out".into() }),
            Verdict::Inconclusive,
            // Of what was not acked nothing can be missing, so the absence before it shows nothing either.
            &["answered", "shown to fail"],
        ),
        (
            "the push was not answered at all",
            |scene| scene.pushed(0, 3, false, None),
            Verdict::Inconclusive,
            &["answered", "shown to fail"],
        ),
        (
            "the push was rejected",
            |scene| scene.answered(PushOutcome::Rejected { reason: "429: rate limit".into() }),
            Verdict::Fail,
            &["accepted"],
        ),
        (
            "set-up did not succeed",
            |scene| scene.case.halt = Some(Halt { kind: HaltKind::Blocked, reason: "loki-write is not up".into() }),
            Verdict::Blocked,
            &["set-up"],
        ),
        (
            "set-up did not succeed, and the component says why",
            |scene| {
                scene.case.halt = Some(Halt { kind: HaltKind::Blocked, reason: "loki-write did not end".into() });
                scene.complained("level=error AccessDenied");
            },
            Verdict::Blocked,
            &["set-up", "log"],
        ),
        (
            "set-up did not succeed, and the component warns of something",
            |scene| {
                scene.case.halt = Some(Halt { kind: HaltKind::Blocked, reason: "loki-write did not end".into() });
                scene.complained("level=warn slow");
            },
            Verdict::Blocked,
            &["set-up"],
        ),
        ("interrupted after everything was seen", |scene| scene.case.halt = Some(interrupted()), Verdict::Pass, &[]),
        (
            "a configuration that cannot meet the bound",
            |scene| scene.predicted(600.0, "loki-chunks"),
            Verdict::Fail,
            &["impossible by configuration"],
        ),
        (
            "a configuration that meets the bound exactly",
            |scene| scene.predicted(300.0, "loki-chunks"),
            Verdict::Pass,
            &[],
        ),
        (
            "the same configuration where persistence is forced",
            |scene| {
                scene.predicted(600.0, "loki-chunks");
                scene.case.forced = true;
            },
            Verdict::Pass,
            &[],
        ),
        (
            "the same configuration where the design sets no bound",
            |scene| {
                scene.predicted(600.0, "loki-chunks");
                scene.case.bound = None;
            },
            Verdict::Pass,
            &[],
        ),
        (
            "the decisive oracle is none of those that count",
            |scene| scene.oracles(&[Oracle::Query]),
            Verdict::Inconclusive,
            &["seen"],
        ),
    ];
    for (name, change, verdict, rules) in table {
        let mut scene = Scene::seen(20.0, 21.0);
        change(&mut scene);
        assert_eq!(scene.verdict_and_rules(), (*verdict, rules.iter().map(ToString::to_string).collect()), "{name}");
    }
}

/// Each row adds what was seen at 311 s, when the bound had passed since the answer at 11 s, to nothing.
#[test]
fn what_is_not_there_at_the_bound_fails_and_every_rule_is_named() {
    let table: &[(&str, Change, Verdict, &[&str])] = &[
        (
            "a line is missing",
            |scene| scene.look(Oracle::Objects, 311.0, &scene.sent.clone()[1..]),
            Verdict::Fail,
            &["missing", "in time"],
        ),
        (
            "a line is altered",
            |scene| {
                let mut entries = scene.sent.clone();
                entries[0].timestamp_ns += 1;
                scene.look(Oracle::Objects, 311.0, &entries);
            },
            Verdict::Fail,
            &["altered", "in time"],
        ),
        (
            "a line is there twice",
            |scene| {
                let mut entries = scene.sent.clone();
                entries.push(entries[0].clone());
                scene.look(Oracle::Objects, 311.0, &entries);
            },
            Verdict::Fail,
            &["doubled", "in time"],
        ),
        (
            "a line that nobody sent",
            |scene| {
                let mut entries = scene.sent.clone();
                entries.push(LogEntry { line: "foreign".into(), ..entries[0].clone() });
                scene.look(Oracle::Objects, 311.0, &entries);
            },
            Verdict::Fail,
            &["unexpected", "in time"],
        ),
        (
            "everything is there, beside an object that cannot be read",
            |scene| {
                let seen = scene.unreadable(&scene.sent.clone());
                scene.saw(Oracle::Objects, 311.0, seen);
            },
            Verdict::Fail,
            &["readable", "in time"],
        ),
        (
            "records of another signal",
            |scene| {
                let seen = Seen::Records { signal: Signal::Traces, body: "x".into(), count: 4, defects: Vec::new() };
                scene.saw(Oracle::Objects, 311.0, seen);
            },
            Verdict::Fail,
            &["seen", "in time"],
        ),
        (
            "the last no was sent before the bound",
            |scene| scene.look(Oracle::Objects, 310.9, &[]),
            Verdict::Inconclusive,
            &["waited", "missing"],
        ),
        (
            "the look at the bound failed",
            |scene| {
                scene.look(Oracle::Objects, 310.0, &[]);
                scene.saw(Oracle::Objects, 311.0, unseen());
            },
            Verdict::Inconclusive,
            &["waited", "seen"],
        ),
        ("nobody looked", |_| {}, Verdict::Inconclusive, &["waited"]),
        (
            "interrupted before the bound",
            |scene| {
                scene.look(Oracle::Objects, 100.0, &[]);
                scene.case.halt = Some(interrupted());
            },
            Verdict::Inconclusive,
            &["waited", "missing"],
        ),
        (
            "interrupted after the bound",
            |scene| {
                scene.look(Oracle::Objects, 311.0, &[]);
                scene.case.halt = Some(interrupted());
            },
            Verdict::Fail,
            &["missing", "in time"],
        ),
        (
            "the query API has everything, the bucket has not",
            |scene| {
                scene.oracles(&[Oracle::Objects, Oracle::Query]);
                scene.look_all(Oracle::Query, 12.0);
                scene.look(Oracle::Objects, 311.0, &[]);
            },
            Verdict::Fail,
            &["missing", "first broken link", "in time"],
        ),
        (
            "the component writes elsewhere and complains",
            |scene| {
                scene.predicted(10.0, "loki-elsewhere");
                scene.complained("level=error failed to flush");
                scene.look(Oracle::Objects, 311.0, &[]);
            },
            Verdict::Fail,
            &["missing", "bucket", "log", "in time"],
        ),
        (
            "the process that took the records is gone",
            |scene| {
                scene.complained(&format!("{REPLACED}pid 1, now pid 2"));
                scene.look(Oracle::Objects, 311.0, &[]);
            },
            Verdict::Fail,
            &["missing", "process", "in time"],
        ),
        (
            "a push of which nothing is known, and nothing found",
            |scene| {
                scene.pushed(0, 3, false, Some(PushOutcome::Unknown { reason: "time-out".into() }));
                scene.look(Oracle::Objects, 21.0, &[]);
            },
            Verdict::Inconclusive,
            &["answered", "shown to fail"],
        ),
        (
            "forced, the bound has passed but not the patience",
            |scene| {
                scene.case.forced = true;
                scene.look(Oracle::Objects, 311.0, &[]);
            },
            Verdict::Inconclusive,
            &["waited", "missing"],
        ),
        (
            "forced, the patience has passed but not the bound",
            |scene| {
                scene.case.forced = true;
                scene.case.patience = Duration::from_secs(60);
                scene.look(Oracle::Objects, 71.0, &[]);
            },
            Verdict::Fail,
            &["missing", "in time"],
        ),
        (
            "without a bound, the patience has passed",
            |scene| {
                scene.case.bound = None;
                scene.look(Oracle::Objects, 611.0, &[]);
            },
            Verdict::Fail,
            &["missing", "in time"],
        ),
    ];
    for (name, change, verdict, rules) in table {
        let mut scene = Scene::new();
        change(&mut scene);
        assert_eq!(scene.verdict_and_rules(), (*verdict, rules.iter().map(ToString::to_string).collect()), "{name}");
    }
}

#[test]
fn the_words_on_a_missing_line_name_it() {
    let mut scene = Scene::new();
    scene.look(Oracle::Objects, 311.0, &scene.sent.clone()[1..]);
    let told: Vec<String> = scene.judged().findings.iter().map(ToString::to_string).collect();
    let identity = scene.sent[0].identity();
    assert_eq!(
        told,
        [
            format!("missing: expected all 4 acked records, found 1 missing: {identity}"),
            "in time: expected the objects in the bucket within 300 s, found still not after 300 s".to_owned(),
        ]
    );
}

/// The push was sent at 10 s and answered at 11 s, so a no sent at `n` and a yes received at `y` leave [n - 11, y - 10].
#[test]
fn the_interval_decides_against_the_bound_or_says_what_would() {
    for (no, yes, verdict, lower_s, upper_s) in [
        (20.0, 21.0, Verdict::Pass, 9.0, 11.0),
        (300.0, 310.0, Verdict::Pass, 289.0, 300.0),
        (300.0, 310.1, Verdict::Inconclusive, 289.0, 300.1),
        (311.0, 340.0, Verdict::Inconclusive, 300.0, 330.0),
        (311.1, 340.0, Verdict::Fail, 300.1, 330.0),
        (5.0, 40.0, Verdict::Pass, 0.0, 30.0),
    ] {
        let judgement = Scene::seen(no, yes).judged();
        let latency = judgement.latency.unwrap();
        assert_eq!(judgement.verdict, verdict, "no at {no}, yes at {yes}");
        assert!((latency.lower_s - lower_s).abs() < 1e-6, "{latency:?}");
        assert!((latency.upper_s.unwrap() - upper_s).abs() < 1e-6, "{latency:?}");
        assert_eq!(latency.bound_s, Some(300.0));
    }
    let straddling = Scene::seen(301.0, 340.0).judged();
    assert_eq!(
        straddling.findings[0].to_string(),
        "in time: expected within 300 s, found between 290.0 s and 330.0 s; looks no further apart than 10.0 s around the \
         bound would decide"
    );
    let late = Scene::seen(321.0, 340.0).judged();
    assert_eq!(late.findings[0].to_string(), "in time: expected within 300 s, found between 310.0 s and 330.0 s");
}

#[test]
fn a_forced_clause_never_decides_its_bound() {
    let mut scene = Scene::seen(321.0, 340.0);
    scene.case.forced = true;
    let judgement = scene.judged();
    assert_eq!((judgement.verdict, judgement.forced), (Verdict::Pass, true));
}

/// What a look could not see or read may have been there already: it must not make the wait look longer than it was shown to be.
#[test]
fn a_failed_or_unreadable_look_is_no_proof_of_absence() {
    for blind in [true, false] {
        let mut scene = Scene::new();
        scene.look(Oracle::Objects, 211.0, &[]);
        let seen = if blind { unseen() } else { scene.unreadable(&[]) };
        scene.saw(Oracle::Objects, 321.0, seen);
        scene.look_all(Oracle::Objects, 340.0);
        let judgement = scene.judged();
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:?}");
        assert!((judgement.latency.unwrap().lower_s - 200.0).abs() < 1e-6);
    }
}

#[test]
fn a_push_that_must_be_refused_and_is_not_fails() {
    // The first two lines are meant to be accepted, the last two to be refused.
    for (outcome, verdict, rules) in [
        (PushOutcome::Rejected { reason: "400: out of order".into() }, Verdict::Pass, vec![]),
        (PushOutcome::Acked, Verdict::Fail, vec!["refused"]),
        (PushOutcome::Unknown { reason: "time-out".into() }, Verdict::Inconclusive, vec!["answered"]),
    ] {
        let mut scene = Scene::new();
        let mut ledger = Ledger::default();
        for (first, wanted, outcome) in [(0, false, PushOutcome::Acked), (2, true, outcome)] {
            let number = ledger.intend(Route::LokiGrpc, first, first + 1, wanted);
            ledger.answer(number, seconds(10.0), seconds(11.0), outcome);
        }
        scene.case.ledger = ledger;
        scene.look(Oracle::Objects, 21.0, &scene.sent.clone()[..2]);
        assert_eq!(scene.verdict_and_rules(), (verdict, rules.into_iter().map(str::to_owned).collect()));
    }
}

#[test]
fn a_refused_line_that_is_found_fails_at_the_bound() {
    let mut scene = Scene::new();
    let mut ledger = Ledger::default();
    for (first, wanted, outcome) in
        [(0, false, PushOutcome::Acked), (2, true, PushOutcome::Rejected { reason: "400".into() })]
    {
        let number = ledger.intend(Route::LokiGrpc, first, first + 1, wanted);
        ledger.answer(number, seconds(10.0), seconds(11.0), outcome);
    }
    scene.case.ledger = ledger;
    scene.look_all(Oracle::Objects, 311.0);
    assert_eq!(scene.verdict_and_rules(), (Verdict::Fail, vec!["refused".into(), "in time".into()]));
}

#[test]
fn nothing_offered_is_nothing_shown() {
    let mut nothing_pushed = Scene::seen(20.0, 21.0);
    nothing_pushed.case.ledger = Ledger::default();
    let mut only_refusals = Scene::new();
    only_refusals.pushed(0, 3, true, Some(PushOutcome::Rejected { reason: "400".into() }));
    only_refusals.look(Oracle::Objects, 21.0, &[]);
    for scene in [nothing_pushed, only_refusals] {
        assert_eq!(scene.verdict_and_rules(), (Verdict::Inconclusive, vec!["sent".into()]));
    }
}

/// A comparison over which a record that was never sent can be missing without a word could not have said no.
#[test]
fn a_yes_to_nothing_is_caught_by_the_phantom() {
    let mut scene = Scene::seen(20.0, 21.0);
    // Every line acked, none of them expected: the record names an empty stimulus.
    let empty = scene.keep(&[]);
    if let Expectation::Records { expected, .. } = &mut scene.case.expectation {
        *expected = empty;
    }
    scene.case.observations.clear();
    scene.look(Oracle::Objects, 21.0, &[]);
    // The absence was never shown either: nothing can be missing of nothing.
    assert_eq!(scene.verdict_and_rules(), (Verdict::Inconclusive, vec!["shown to fail".into()]));
}

#[test]
fn a_body_that_is_gone_is_an_error_and_no_verdict() {
    let scene = Scene::seen(20.0, 21.0);
    for name in scene.bodies.0.keys() {
        let mut bodies = scene.bodies.clone();
        bodies.0.remove(name);
        assert_eq!(judge(&scene.case, &bodies).unwrap_err().sha256, *name);
        bodies.0.insert(name.clone(), b"{\"no\": \"entry\"}\n".to_vec());
        assert!(judge(&scene.case, &bodies).unwrap_err().reason.starts_with("line 1: "));
    }
}

/// Records that were seen in time, and a rule about the stack's state beside them that held and was shown to fail.
fn records_and_state() -> Scene {
    let mut scene = Scene::seen(20.0, 25.0);
    if let Expectation::Records { rules, .. } = &mut scene.case.expectation {
        *rules = vec![Rule::new("complains", "errors", Check::AtLeast(1))];
    }
    scene.case.controls.push(Control {
        name: "before the fault".into(),
        must_break: vec!["complains".into()],
        observation: observation(Oracle::State, 1.0, facts(&[("errors", json!(0))])),
    });
    scene.saw(Oracle::State, 15.0, facts(&[("errors", json!(2))]));
    scene
}

#[test]
fn records_and_state_have_to_hold_both() {
    let table: &[(&str, Change, Verdict, &[&str])] = &[
        ("both hold", |_| {}, Verdict::Pass, &[]),
        (
            "the state does not",
            |scene| scene.saw(Oracle::State, 16.0, facts(&[("errors", json!(0))])),
            Verdict::Fail,
            &["complains"],
        ),
        (
            "the records do not",
            |scene| {
                scene.case.observations.retain(|seen| seen.look.oracle() == Oracle::State);
                scene.look(Oracle::Objects, 311.0, &[]);
            },
            Verdict::Fail,
            &["missing", "in time"],
        ),
        (
            "nobody looked at the state",
            |scene| scene.case.observations.retain(|seen| seen.look.oracle() != Oracle::State),
            Verdict::Inconclusive,
            &["seen"],
        ),
        (
            "the state was not shown to fail",
            |scene| scene.case.controls.retain(|control| control.observation.look.oracle() != Oracle::State),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "the records were not shown to be missed",
            |scene| scene.case.controls.retain(|control| control.observation.look.oracle() == Oracle::State),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
    ];
    for (name, change, verdict, rules) in table {
        let mut scene = records_and_state();
        change(&mut scene);
        assert_eq!(
            scene.verdict_and_rules(),
            (*verdict, rules.iter().map(|rule| (*rule).to_owned()).collect()),
            "{name}"
        );
    }
}

fn facts_scene() -> Scene {
    let mut scene = Scene::new();
    scene.case.bound = None;
    scene.case.expectation = Expectation::Facts {
        rules: vec![
            Rule::new("configured", "config.bucket", Check::Is(json!("loki-chunks"))),
            Rule::new("alone", "foreign", Check::Empty),
            Rule::enough("used", "keys", 1),
        ],
    };
    scene.case.controls = vec![Control {
        name: "a bucket with a foreign key in it".into(),
        must_break: vec!["configured".into(), "alone".into()],
        observation: observation(Oracle::State, 1.0, facts(&[("foreign", json!(["probe"])), ("keys", json!(1))])),
    }];
    scene.saw(Oracle::State, 5.0, good_facts());
    scene
}

fn good_facts() -> Seen {
    facts(&[("config.bucket", json!("loki-chunks")), ("foreign", json!([])), ("keys", json!(3))])
}

#[test]
fn facts_hold_or_break_rule_by_rule() {
    let table: &[(&str, Change, Verdict, &[&str])] = &[
        ("all hold", |_| {}, Verdict::Pass, &[]),
        (
            "another bucket",
            |scene| {
                let seen = facts(&[("config.bucket", json!("other")), ("foreign", json!([])), ("keys", json!(3))]);
                scene.case.observations[0].seen = seen;
            },
            Verdict::Fail,
            &["configured"],
        ),
        (
            "a foreign key, and none of its own",
            |scene| {
                let seen =
                    facts(&[("config.bucket", json!("loki-chunks")), ("foreign", json!(["x"])), ("keys", json!(0))]);
                scene.case.observations[0].seen = seen;
            },
            Verdict::Fail,
            &["alone", "used"],
        ),
        (
            "facts of other kinds than the rules ask about",
            |scene| {
                let seen = facts(&[("config.bucket", json!(null)), ("foreign", json!({})), ("keys", json!(-1))]);
                scene.case.observations[0].seen = seen;
            },
            Verdict::Fail,
            &["configured", "alone", "used"],
        ),
        (
            "a fact that nobody looked at",
            |scene| {
                let seen = facts(&[("config.bucket", json!("loki-chunks")), ("keys", json!(3))]);
                scene.case.observations[0].seen = seen;
            },
            Verdict::Fail,
            &["alone"],
        ),
        (
            "only the last look counts, and it holds",
            |scene| {
                let seen = facts(&[]);
                scene.case.observations.insert(0, observation(Oracle::State, 4.0, seen));
            },
            Verdict::Pass,
            &[],
        ),
        (
            "too little to look at, and nothing else amiss",
            |scene| {
                let seen =
                    facts(&[("config.bucket", json!("loki-chunks")), ("foreign", json!([])), ("keys", json!(0))]);
                scene.case.observations[0].seen = seen;
            },
            Verdict::Inconclusive,
            &["used"],
        ),
        (
            "too little to look at, and the component says why",
            |scene| {
                let seen =
                    facts(&[("config.bucket", json!("loki-chunks")), ("foreign", json!([])), ("keys", json!(0))]);
                scene.case.observations[0].seen = seen;
                scene.complained("level=error AccessDenied");
            },
            Verdict::Inconclusive,
            &["used", "log"],
        ),
        ("complaints while all rules hold", |scene| scene.complained("level=error late"), Verdict::Pass, &[]),
        ("no look", |scene| scene.case.observations.clear(), Verdict::Inconclusive, &["seen"]),
        ("a failed look", |scene| scene.case.observations[0].seen = unseen(), Verdict::Inconclusive, &["seen"]),
        (
            "interrupted while a rule did not hold yet",
            |scene| {
                let seen =
                    facts(&[("config.bucket", json!("loki-chunks")), ("foreign", json!([])), ("keys", json!(0))]);
                scene.case.observations[0].seen = seen;
                scene.case.halt = Some(interrupted());
            },
            Verdict::Inconclusive,
            &["waited", "used"],
        ),
        ("interrupted when all rules held", |scene| scene.case.halt = Some(interrupted()), Verdict::Pass, &[]),
        ("no control", |scene| scene.case.controls.clear(), Verdict::Inconclusive, &["shown to fail"]),
        (
            "a control that holds",
            |scene| scene.case.controls[0].observation.seen = good_facts(),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "a control in which another rule than the one in question breaks",
            |scene| {
                let seen = facts(&[("foreign", json!([])), ("keys", json!(0))]);
                scene.case.controls[0].observation.seen = seen;
            },
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "a rule that broke in a control that was not made to break it",
            |scene| scene.case.controls[0].must_break = vec!["alone".into()],
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "one control for each rule",
            |scene| {
                let mut other = scene.case.controls[0].clone();
                other.must_break = vec!["configured".into()];
                scene.case.controls[0].must_break = vec!["alone".into()];
                scene.case.controls.push(other);
            },
            Verdict::Pass,
            &[],
        ),
        (
            "one control for each rule, of which one holds",
            |scene| {
                let mut other = scene.case.controls[0].clone();
                other.must_break = vec!["configured".into()];
                other.observation.seen = good_facts();
                scene.case.controls[0].must_break = vec!["alone".into()];
                scene.case.controls.push(other);
            },
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "a control whose look failed",
            |scene| scene.case.controls[0].observation.seen = unseen(),
            Verdict::Inconclusive,
            &["shown to fail"],
        ),
        (
            "blocked",
            |scene| scene.case.halt = Some(Halt { kind: HaltKind::Blocked, reason: "no bucket".into() }),
            Verdict::Blocked,
            &["set-up"],
        ),
    ];
    for (name, change, verdict, rules) in table {
        let mut scene = facts_scene();
        change(&mut scene);
        assert_eq!(scene.verdict_and_rules(), (*verdict, rules.iter().map(ToString::to_string).collect()), "{name}");
    }
}

#[test]
fn the_rules_that_no_control_was_made_to_break_are_named_but_for_those_about_amounts() {
    for (must_break, named) in [
        (vec!["configured", "alone"], None),
        (vec!["configured", "alone", "used"], None),
        (vec!["configured"], Some("none was made to break: alone")),
        (vec!["alone"], Some("none was made to break: configured")),
        (vec![], Some("none was made to break: configured, alone")),
    ] {
        let mut scene = facts_scene();
        scene.case.controls[0].must_break = must_break.iter().map(ToString::to_string).collect();
        scene.case.controls[0].observation.seen = facts(&[]);
        let found: Vec<String> = scene.judged().findings.into_iter().map(|finding| finding.found).collect();
        assert_eq!(found, named.into_iter().collect::<Vec<_>>(), "{must_break:?}");
    }
}

#[test]
fn one_look_is_judged_as_it_stands() {
    let scene = Scene::seen(20.0, 21.0);
    let [no, yes] = scene.case.observations.as_slice() else { panic!("two looks") };
    assert_eq!(satisfied(&scene.case, no, &scene.bodies).unwrap()[0].rule, "missing");
    assert_eq!(satisfied(&scene.case, yes, &scene.bodies).unwrap(), []);
    let facts = facts_scene();
    assert_eq!(satisfied(&facts.case, &facts.case.observations[0], &facts.bodies).unwrap(), []);
    assert_eq!(satisfied(&facts.case, no, &facts.bodies).unwrap()[0].rule, "seen");
}

/// What a look of a generated case sees.
#[derive(Debug, Clone, Copy)]
enum Sight {
    All,
    Nothing,
    OneMissing,
    OneAltered,
    OneTwice,
    OneForeign,
    Unreadable,
    Unseen,
    OtherSignal,
}

impl Sight {
    const EVERY: [Self; 9] = [
        Self::All,
        Self::Nothing,
        Self::OneMissing,
        Self::OneAltered,
        Self::OneTwice,
        Self::OneForeign,
        Self::Unreadable,
        Self::Unseen,
        Self::OtherSignal,
    ];

    fn seen(self, scene: &mut Scene) -> Seen {
        let mut entries = scene.sent.clone();
        match self {
            Self::All => {}
            Self::Nothing => entries.clear(),
            Self::OneMissing => {
                entries.remove(1);
            }
            Self::OneAltered => entries[1].structured_metadata = [("altered".to_owned(), "yes".to_owned())].into(),
            Self::OneTwice => entries.push(entries[1].clone()),
            Self::OneForeign => entries.push(LogEntry { line: "foreign".into(), ..entries[1].clone() }),
            Self::Unreadable => return scene.unreadable(&entries),
            Self::Unseen => return unseen(),
            Self::OtherSignal => {
                return Seen::Records { signal: Signal::Metrics, body: "x".into(), count: 1, defects: Vec::new() };
            }
        }
        scene.records(&entries)
    }
}

fn any_sight() -> impl Strategy<Value = Sight> {
    prop::sample::select(Sight::EVERY.to_vec())
}

fn any_oracle() -> impl Strategy<Value = Oracle> {
    prop::sample::select(vec![Oracle::Objects, Oracle::Query, Oracle::StoreOnly])
}

fn any_outcome() -> impl Strategy<Value = Option<PushOutcome>> {
    prop_oneof![
        6 => Just(Some(PushOutcome::Acked)),
        1 => Just(Some(PushOutcome::Rejected { reason: "400".into() })),
        1 => Just(Some(PushOutcome::Unknown { reason: "time-out".into() })),
        1 => Just(None),
    ]
}

fn any_halt() -> impl Strategy<Value = Option<Halt>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(interrupted())),
        1 => Just(Some(Halt { kind: HaltKind::Blocked, reason: "down".into() })),
    ]
}

prop_compose! {
    /// Any case that can be put together.
    fn any_scene()(
        looks in prop::collection::vec((any_oracle(), any_sight(), 1_u32..120), 0..8),
        controls in prop::collection::vec(any_sight(), 0..3),
        outcome in any_outcome(),
        halt in any_halt(),
        second_oracle in any::<bool>(),
        bound_s in prop::option::of(1_u64..400),
        forced in any::<bool>(),
        earliest_s in prop::option::of(0_u32..500),
    ) -> Scene {
        let mut scene = Scene::new();
        scene.case.controls.clear();
        for sight in controls {
            let seen = sight.seen(&mut scene);
            scene.control(seen);
        }
        scene.pushed(0, 3, false, outcome);
        if second_oracle {
            scene.oracles(&[Oracle::Objects, Oracle::Query]);
        }
        scene.case.bound = bound_s.map(Duration::from_secs);
        scene.case.patience = Duration::from_secs(200);
        scene.case.forced = forced;
        scene.case.halt = halt;
        if let Some(earliest_s) = earliest_s {
            scene.predicted(f64::from(earliest_s), "loki-chunks");
        }
        let mut now = 11.0;
        for (oracle, sight, gap) in looks {
            now += f64::from(gap);
            let seen = sight.seen(&mut scene);
            scene.saw(oracle, now, seen);
        }
        scene
    }
}

proptest! {
    #[test]
    fn the_verdict_is_a_function_of_the_case(scene in any_scene()) {
        let judgement = scene.judged();
        let read_back: Case = serde_json::from_str(&serde_json::to_string(&scene.case).unwrap()).unwrap();
        prop_assert_eq!(&read_back, &scene.case);
        prop_assert_eq!(judge(&read_back, &scene.bodies).unwrap(), judgement);
    }

    #[test]
    fn nothing_passes_without_a_whole_yes_a_control_and_its_bound(scene in any_scene()) {
        let judgement = scene.judged();
        prop_assert_eq!(judgement.verdict == Verdict::Pass, judgement.findings.is_empty());
        if judgement.verdict == Verdict::Pass {
            let case = &scene.case;
            let whole_yes = case
                .observations
                .iter()
                .filter(|observation| observation.look.oracle() == Oracle::Objects)
                .any(|observation| satisfied(case, observation, &scene.bodies).unwrap().is_empty());
            prop_assert!(whole_yes);
            prop_assert!(!case.controls.is_empty());
            for control in &case.controls {
                let seen = &control.observation.seen;
                let clear = matches!(seen, Seen::Records { count: 0, defects, .. } if defects.is_empty());
                prop_assert!(clear, "{:?}", seen);
            }
            prop_assert_eq!(&case.ledger.entries()[0].outcome, &Some(PushOutcome::Acked));
            let upper_s = judgement.latency.and_then(|latency| latency.upper_s).unwrap();
            prop_assert!(case.forced || case.bound.is_none_or(|bound| upper_s <= bound.as_secs_f64()));
        }
    }

    #[test]
    fn nothing_seen_after_the_first_yes_changes_the_word(
        no in 12_u32..400,
        gap in 1_u32..60,
        later in prop::collection::vec((any_oracle(), any_sight()), 1..5),
    ) {
        let mut scene = Scene::seen(f64::from(no), f64::from(no + gap));
        scene.oracles(&[Oracle::Objects, Oracle::Query]);
        scene.look_all(Oracle::Query, f64::from(no + gap));
        let judgement = scene.judged();
        for (oracle, sight) in later {
            let seen = sight.seen(&mut scene);
            scene.saw(oracle, f64::from(no + gap + 1), seen);
        }
        prop_assert_eq!(scene.judged(), judgement);
    }
}

/// A stack that persists a push `latency` after the moment within the push, `origin` of its way from sent to answered, at which it
/// took the records; each look takes `look` and sees what is there after `sight` of that. Shares are between 0 and 1.
#[derive(Debug, Clone, Copy)]
struct VirtualStack {
    bound: Duration,
    latency: Duration,
    push: Duration,
    origin: f64,
    look: Duration,
    sight: f64,
}

impl VirtualStack {
    /// Pushes, looks as a scenario does with the default schedule, and judges.
    fn run(self) -> Judgement {
        let clock = VirtualClock::default();
        let mut scene = Scene::new();
        scene.case.bound = Some(self.bound);
        let sent = clock.now();
        block_on(clock.sleep_until(sent.after(self.push)));
        let answered = clock.now();
        let mut ledger = Ledger::default();
        let number = ledger.intend(Route::LokiGrpc, 0, 3, false);
        ledger.answer(number, sent, answered, PushOutcome::Acked);
        scene.case.ledger = ledger;
        let persisted = sent.after(self.push.mul_f64(self.origin)).after(self.latency);
        let (nothing, all) = (scene.records(&[]), scene.records(&scene.sent.clone()));
        let observations = Mutex::new(Vec::new());
        let ended = block_on(until(&clock, Schedule::default(), answered.after(self.bound), || async {
            let sent = clock.now();
            let there = sent.after(self.look.mul_f64(self.sight)) >= persisted;
            clock.sleep_until(sent.after(self.look)).await;
            let seen = if there { all.clone() } else { nothing.clone() };
            let received = clock.now();
            let observation =
                Observation { look: look_of(Oracle::Objects), sent, received, seen, evidence: Vec::new() };
            observations.lock().unwrap().push(observation);
            if there { Step::Ready(()) } else { Step::NotYet("nothing yet".into()) }
        }));
        assert!(!matches!(ended, Ended::Never(_)));
        scene.case.observations = observations.into_inner().unwrap();
        scene.judged()
    }
}

prop_compose! {
    fn any_stack()(
        bound_ms in 1_000_u64..1_200_000,
        push_ms in 0_u64..5_000,
        origin in 0.0..=1.0,
        look_ms in 0_u64..20_000,
        sight in 0.0..=1.0,
    ) -> VirtualStack {
        let bound = Duration::from_millis(bound_ms);
        let (push, look) = (Duration::from_millis(push_ms), Duration::from_millis(look_ms));
        VirtualStack { bound, latency: bound, push, origin, look, sight }
    }
}

proptest! {
    #[test]
    fn a_percent_inside_the_bound_never_fails_and_a_percent_outside_never_passes(stack in any_stack()) {
        let inside = VirtualStack { latency: stack.bound.mul_f64(0.99), ..stack }.run();
        prop_assert_ne!(inside.verdict, Verdict::Fail, "{:?}", inside);
        let outside = VirtualStack { latency: stack.bound.mul_f64(1.01), ..stack }.run();
        prop_assert_ne!(outside.verdict, Verdict::Pass, "{:?}", outside);
    }

    /// The twin of the above: it must not be by never deciding.
    #[test]
    fn with_short_looks_and_pushes_what_is_far_from_the_bound_is_decided(stack in any_stack()) {
        let quick = VirtualStack { push: Duration::from_millis(1), look: Duration::from_millis(1), ..stack };
        let early = VirtualStack { latency: stack.bound.mul_f64(0.7), ..quick }.run();
        prop_assert_eq!(early.verdict, Verdict::Pass, "{:?}", early);
        let late = VirtualStack { latency: stack.bound.mul_f64(1.3), ..quick }.run();
        prop_assert_eq!(late.verdict, Verdict::Fail, "{:?}", late);
    }
}

#[test]
fn what_was_answered_before_a_loss_says_nothing_of_after_it() {
    let mut scene = Scene::lost(100.0);
    scene.look_all(Oracle::Query, 99.0);
    assert_ne!(scene.judged().verdict, Verdict::Pass);
    scene.look(Oracle::Query, 110.0, &[]);
    scene.look_all(Oracle::Query, 120.0);
    let judgement = scene.judged();
    assert_eq!(judgement.verdict, Verdict::Pass);
    let latency = judgement.latency.unwrap();
    assert_eq!((latency.lower_s, latency.upper_s), (10.0, Some(20.0)));
}

#[test]
fn a_component_that_never_comes_back_fails_at_the_bound() {
    let bound = BOUND.as_secs_f64();
    for (last_no, verdict) in
        [(bound - 1.0, Verdict::Inconclusive), (bound, Verdict::Fail), (bound + 1.0, Verdict::Fail)]
    {
        let mut scene = Scene::lost(100.0);
        scene.look(Oracle::Query, 100.0 + last_no, &[]);
        assert_eq!(scene.judged().verdict, verdict, "{last_no}");
    }
}

#[test]
fn what_lies_in_the_bucket_is_not_lost_with_a_component() {
    let mut scene = Scene::lost(100.0);
    scene.oracles(&[Oracle::Query, Oracle::Objects]);
    scene.look_all(Oracle::Objects, 50.0);
    scene.look_all(Oracle::Query, 120.0);
    assert_eq!(scene.judged().verdict, Verdict::Pass);
}

/// A clause of two facts, which are told by looks of their own.
fn told_in_parts(seen: Vec<Seen>) -> (Verdict, String) {
    let mut scene = Scene::new();
    scene.case.expectation =
        Expectation::Facts { rules: ["first", "second"].map(|name| Rule::new(name, name, Check::AtLeast(1))).to_vec() };
    scene.case.controls = vec![Control {
        name: "neither".into(),
        must_break: vec!["first".into(), "second".into()],
        observation: observation(Oracle::State, 1.0, told(&[("first", 0), ("second", 0)])),
    }];
    scene.case.observations = seen.into_iter().map(|seen| observation(Oracle::State, 2.0, seen)).collect();
    let judgement = judge(&scene.case, &scene.bodies).unwrap();
    (judgement.verdict, judgement.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn told(facts: &[(&str, u64)]) -> Seen {
    Seen::Facts { facts: facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect() }
}

#[test]
fn what_is_told_in_parts_is_judged_as_a_whole() {
    let unseen = || Seen::Unseen { reason: "nobody there".into() };
    let (good, bad) = (|name| told(&[(name, 1)]), |name| told(&[(name, 0)]));
    for (seen, verdict, words) in [
        (vec![good("first"), good("second")], Verdict::Pass, ""),
        (vec![bad("first"), good("second")], Verdict::Fail, "first: expected at least 1, found 0"),
        // The newest word on each fact counts.
        (vec![bad("first"), good("second"), good("first")], Verdict::Pass, ""),
        (vec![good("first"), good("second"), bad("first")], Verdict::Fail, "first: expected at least 1, found 0"),
        (vec![good("first")], Verdict::Fail, "second: expected at least 1, found nothing called second"),
        // A look that failed has told nothing, which is no failure of the stack.
        (vec![unseen(), good("second")], Verdict::Inconclusive, "seen: expected an answer, found nobody there"),
        (vec![good("first"), unseen()], Verdict::Inconclusive, "seen: expected an answer, found nobody there"),
        (vec![unseen(), good("first"), good("second")], Verdict::Pass, ""),
    ] {
        let described = format!("{seen:?}");
        assert_eq!(told_in_parts(seen), (verdict, words.to_owned()), "{described}");
    }
}
