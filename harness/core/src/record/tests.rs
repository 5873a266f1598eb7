use std::{fs, path::Path, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    catalogue::Target,
    ledger::LedgerEntry,
    lock::Access,
    observation::{Counted, Evidence, EvidenceKind, Flaw, Look, Observation, Oracle, Question, Seen, Timed, Timings},
    ports::{Component, Cost, LogLine, PushOutcome, Tick, Usage},
    signal::{Labels, LogEntry, Signal},
    stats::Plan,
    stimulus::{
        Origin, Route,
        load::{LoadPlan, examples},
        logs,
    },
    verdict::{
        Case, Check, Control, Expectation, Halt, HaltKind, Judgement, LatencyExpectation, OfferedLoad,
        PredictedLatency, Prediction, ResponseTimes, Rule, Tally, Verdict, judge,
    },
};

const CLAUSE: &str = "AC-lgtm-001-02/grpc";

fn run_info() -> RunInfo {
    RunInfo {
        id: "r1".into(),
        seed: u64::MAX,
        started: "2026-11-23T18:00:00.000Z".into(),
        target: Target::Local,
        profile: "fast".into(),
        stack: [("loki".to_owned(), "3.5.0".to_owned())].into(),
        changes: vec!["--set tempo.credentials=loki".into()],
        selection: Selection { filters: vec!["--tag logs".into()], clauses: vec![CLAUSE.parse().unwrap()] },
    }
}

fn opened() -> Event {
    Event::Opened { schema: SCHEMA.into(), run: run_info() }
}

fn evidence(kind: EvidenceKind) -> Evidence {
    Evidence {
        request: Some("POST http://127.0.0.1:3100/loki/api/v1/push".into()),
        status: Some(204),
        excerpt: Some("a\nb".into()),
        component: Some("loki-write".into()),
        ..Evidence::new(kind, 1_795_000_000_123_456_789)
    }
}

fn objects_look() -> Look {
    Look::LogChunks { bucket: "loki-chunks".into(), selector: Labels::new(), since_ms: 1 }
}

fn observation(look: Look, seen: Seen) -> Observation {
    Observation { look, sent: Tick(1), received: Tick(2), seen, evidence: vec![evidence(EvidenceKind::Object)] }
}

fn every_question() -> Vec<Question> {
    let selector = Labels::from([("run".into(), "r1".into())]);
    let trace_ids = vec!["0123456789abcdef0123456789abcdef".to_owned()];
    let (attributes, expected) = (selector.clone(), u64::MAX);
    vec![
        Question::LogLines { selector: selector.clone(), containing: "x".into(), start_ns: -1, end_ns: 1, expected },
        Question::LogCounts { selector: selector.clone(), start_ns: 0, end_ns: 1, step_s: 900, expected },
        Question::TraceById { trace_ids: trace_ids.clone(), expected },
        Question::Traces { attributes, trace_ids, start_s: 0, end_s: 1, expected },
        Question::SampleCounts { selector: selector.clone(), start_ms: 0, end_ms: 1, step_ms: 1, expected },
        Question::SampleCount { selector, start_ms: 0, end_ms: 1, expected },
    ]
}

fn timed() -> Event {
    let timed = vec![Timed { number: 0, late_us: 1, taken_us: u64::MAX, found: 3 }];
    let flaws = vec![Flaw { number: 0, foreign: 1, failure: Some("status 500".into()) }];
    Event::Timed {
        clause: CLAUSE.parse().unwrap(),
        question: 1,
        timings: Timings { timed, flaws },
        evidence: vec![evidence(EvidenceKind::Query)],
    }
}

fn every_look() -> Vec<Look> {
    let (bucket, selector) = ("loki-chunks".to_owned(), Labels::from([("run".into(), "r1".into())]));
    let trace_ids = vec!["0123456789abcdef0123456789abcdef".to_owned()];
    vec![
        objects_look(),
        Look::IndexedLogChunks { bucket: bucket.clone(), selector: selector.clone(), since_ms: -1 },
        Look::LogQuery { selector: selector.clone(), start_ns: i64::MIN, end_ns: i64::MAX, store_only: true },
        Look::TraceBlocks { bucket: bucket.clone(), trace_ids: trace_ids.clone(), since_s: 0, compacted: true },
        Look::TraceQuery { trace_ids, store_only: false },
        Look::SampleBlocks { bucket: bucket.clone(), selector: selector.clone(), since_ms: 0, compacted: false },
        Look::SampleQuery { selector: selector.clone(), start_ms: 0, end_ms: 1 },
        Look::PromqlQuery { selector, start_ms: 0, end_ms: 1 },
        Look::BucketUse { bucket: bucket.clone(), component: Component::Mimir, others: vec!["other".into()] },
        Look::BucketVersions { bucket: bucket.clone(), probe: "probe".into() },
        Look::BucketLifecycle { bucket: bucket.clone(), rules_alone: true },
        Look::Workload { component: Component::LokiWrite, credentials: vec!["KEY".into()], since_ms: 1 },
        Look::Replicas {
            counted: vec![Counted {
                name: "all".into(),
                components: vec![Component::Tempo],
                factor_of: Some(Signal::Traces),
            }],
        },
        Look::Modules { roles: vec![("write".into(), Component::LokiWrite)] },
        Look::Load { bucket: bucket.clone(), plan: load_plan() },
        Look::Memory {
            asked: vec![(Component::Tempo, 1, vec!["pid 7".into()])],
            sampled: vec![(Component::Tempo, usage())],
        },
        Look::Storage {
            buckets: vec![(bucket.clone(), 5)],
            folders: vec![(Component::Tempo, 7)],
            offered: 1,
            allowance: 2,
        },
        Look::Access { owners: Vec::new(), buckets: vec![bucket], probe: "probe".into() },
        Look::Caches { signal: Signal::Logs, component: Component::LokiRead },
    ]
    .into_iter()
    .chain(every_question().into_iter().map(|question| Look::Asked { question }))
    .collect()
}

fn load_plan() -> LoadPlan {
    LoadPlan { batches: 2, ..examples::plan(Signal::Logs, u64::MAX) }
}

fn usage() -> Usage {
    Usage { process: "pid 7".into(), memory: u64::MAX, is_peak: true }
}

fn every_seen() -> Vec<Seen> {
    vec![
        Seen::Records { signal: Signal::Logs, body: "ab".into(), count: 3, defects: vec!["torn".into()] },
        Seen::Numbers {
            body: "ab".into(),
            count: 3,
            streams: 16,
            doubled: 1,
            altered: 1,
            examples: vec!["7 by its line".into()],
            defects: vec!["torn".into()],
        },
        Seen::Facts { facts: [("keys".to_owned(), json!(["a", 1, null]))].into() },
        Seen::Unseen { reason: "cannot be reached".into() },
    ]
}

fn every_outcome() -> Vec<PushOutcome> {
    vec![
        PushOutcome::Acked,
        PushOutcome::Rejected { reason: "400".into() },
        PushOutcome::Unknown { reason: "time-out".into() },
    ]
}

fn expected(expectation: Expectation, bound: Option<Duration>) -> Event {
    Event::Expected {
        clause: CLAUSE.parse().unwrap(),
        scenario: "logs".into(),
        expectation,
        stimulus: bound.map(|_| "example".to_owned()),
        bound,
        patience: Duration::from_millis(1_500),
        forced: false,
        bucket: bound.map(|_| "loki-chunks".to_owned()),
    }
}

fn intended() -> Event {
    let push =
        LedgerEntry { route: Route::LokiGrpc, first: 0, last: 3, refusal_wanted: false, times: None, outcome: None };
    Event::Intended { stimulus: "example".into(), push }
}

fn answered(outcome: PushOutcome) -> Event {
    Event::Answered {
        stimulus: "example".into(),
        number: 0,
        sent: Tick(10),
        answered: Tick(20),
        outcome,
        evidence: evidence(EvidenceKind::Push),
    }
}

fn offered(cost: Option<Cost>) -> Event {
    let load = OfferedLoad { stimulus: load_plan().stimulus, attempts: "ab".into(), cost };
    Event::Offered { load, evidence: evidence(EvidenceKind::Push) }
}

/// Every kind of event, and of what events carry.
fn every_event() -> Vec<Event> {
    let clause = || CLAUSE.parse().unwrap();
    let checks = [
        Check::Is(json!({"a": [1.5, null]})),
        Check::Empty,
        Check::AtLeast(3),
        Check::AtMost(3),
        Check::Has(vec!["a".into()]),
    ];
    let rules = checks.map(|check| Rule::new("rule", "fact", check)).to_vec();
    let records = Expectation::Records {
        signal: Signal::Metrics,
        expected: "ab".into(),
        count: 96,
        decisive: Oracle::Objects,
        oracles: vec![Oracle::Objects, Oracle::Query, Oracle::Promql, Oracle::StoreOnly, Oracle::Index, Oracle::State],
        rules: Vec::new(),
    };
    let mut events = vec![
        opened(),
        Event::ScenarioStarted { scenario: "logs".into(), covers: vec![clause()] },
        Event::Claimed {
            scenario: "logs".into(),
            claims: [("loki".to_owned(), Access::Write), ("s3".to_owned(), Access::Read)].into(),
            last: true,
        },
        Event::Progress { scenario: "logs".into(), status: "waits".into() },
        expected(records, Some(Duration::new(300, 1))),
        expected(Expectation::Facts { rules }, None),
        expected(Expectation::Loads { loads: vec![load_plan()] }, None),
        timed(),
        expected(
            Expectation::Latency(Box::new(LatencyExpectation {
                plan: Plan::FULL,
                gap: Duration::from_millis(125),
                signal: Signal::Logs,
                records: "ab".into(),
                range: Duration::from_secs(86_400),
                stored: vec![Oracle::Objects, Oracle::Counts],
                questions: every_question(),
                rules: vec![Rule::new("rule", "fact", Check::Empty)],
            })),
            Some(Duration::from_secs(3)),
        ),
        offered(Some(Cost { processor: Duration::new(1, 2), peak_memory: 3 })),
        offered(None),
        Event::Predicted {
            clause: clause(),
            prediction: Prediction {
                latency: PredictedLatency { earliest_s: 0.1, latest_s: 641.0 },
                settings: vec!["a=b".into()],
                bucket: None,
            },
            evidence: evidence(EvidenceKind::Configuration),
        },
        intended(),
        Event::Complained {
            clause: clause(),
            lines: vec![LogLine { component: Component::LokiStoreReader, text: "level=error\u{1b}".into() }],
        },
        Event::Lost { clauses: vec![clause()] },
        Event::Moved { clauses: vec![clause()], evidence: evidence(EvidenceKind::Process) },
        Event::Halted { clause: clause(), halt: Halt { kind: HaltKind::Blocked, reason: "no".into() } },
        Event::Halted { clause: clause(), halt: Halt { kind: HaltKind::Interrupted, reason: "no".into() } },
        Event::ScenarioEnded { scenario: "logs".into() },
    ];
    events.extend(every_outcome().into_iter().map(answered));
    events.extend(every_look().into_iter().map(|look| Event::Observed {
        clause: clause(),
        observation: observation(look, Seen::Unseen { reason: "x".into() }),
    }));
    events.extend(every_seen().into_iter().map(|seen| Event::Controlled {
        clause: clause(),
        control: Control {
            name: "before".into(),
            must_break: vec!["missing".into()],
            observation: observation(objects_look(), seen),
        },
    }));
    events.extend(Verdict::ALL.map(|verdict| Event::Judged {
        clause: clause(),
        judgement: Judgement {
            verdict,
            forced: true,
            findings: vec![crate::verdict::Finding::new("missing", "all", "3 missing: a; b; …")],
            latency: Some(crate::verdict::Latency {
                lower_s: 0.1 + 0.2,
                upper_s: None,
                bound_s: Some(300.0),
                predicted: Some(PredictedLatency { earliest_s: 1.0, latest_s: 2.0 }),
            }),
            response_times: vec![ResponseTimes {
                question: "LogQL filter".into(),
                plan: Plan::QUICK,
                every_s: 0.25,
                bound_s: 3.0,
                tally: Tally { taken: 59, slow: 1, late: 2, incomplete: 3, failed: 4, wrong: 5 },
                quantile_s: None,
                lower_s: Some(0.1 + 0.2),
                upper_s: None,
                longest_s: Some(6.0),
                latest_s: 0.0,
                claim: "none".into(),
            }],
        },
    }));
    events.push(Event::Closed);
    events
}

fn written(folder: &Path, events: &[Event]) -> std::path::PathBuf {
    let recorder = Recorder::open(folder, "logs", &run_info(), Redactor::default(), Tick(0)).unwrap();
    for (at, event) in (1..).zip(events.iter().filter(|event| !matches!(event, Event::Opened { .. }))) {
        recorder.append(&Entry { at: Tick(at), event: event.clone() }).unwrap();
    }
    folder.join("events/logs.ndjson")
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let events = every_event();
    let (entries, whole) = read_file(&written(folder.path(), &events)).unwrap();
    let read: Vec<Event> = entries.iter().map(|entry| entry.event.clone()).collect();
    assert_eq!(read, events);
    assert!(whole);
    assert!(entries.iter().map(|entry| entry.at).is_sorted());
}

#[test]
fn a_look_at_a_lifecycle_of_a_record_that_does_not_know_rules_alone_is_one_that_counts_everything() {
    let read = |text: &str| serde_json::from_str::<Look>(text).map_err(|error| error.to_string());
    let look = |rules_alone| Ok(Look::BucketLifecycle { bucket: "b".into(), rules_alone });
    assert_eq!(read(r#"{"look":"bucket-lifecycle","bucket":"b"}"#), look(false));
    assert_eq!(read(r#"{"look":"bucket-lifecycle","bucket":"b","rules_alone":true}"#), look(true));
}

#[test]
fn an_offered_load_belongs_to_the_clause_that_expects_it() {
    let at = |event| Entry { at: Tick(1), event };
    let loads = |plan| expected(Expectation::Loads { loads: vec![plan] }, None);
    let other = LoadPlan { stimulus: "other".into(), ..load_plan() };
    for (plan, belongs) in [(load_plan(), true), (other, false)] {
        let record = assemble(&[at(loads(plan)), at(offered(None))], true);
        let clause = CLAUSE.parse().unwrap();
        assert_eq!(record.cases[&clause].offered.len(), usize::from(belongs));
        assert_eq!(record.evidence_of(&clause).len(), usize::from(belongs));
    }
}

/// The table above must not fall behind the enum: each of the names under which events are recorded stands in it.
#[test]
fn the_table_has_every_event() {
    let names: std::collections::BTreeSet<String> = every_event()
        .iter()
        .map(|event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    let error = serde_json::from_value::<Event>(json!({ "event": "none-of-them" })).unwrap_err().to_string();
    let known: std::collections::BTreeSet<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert_eq!(names, known, "{error}");
}

#[test]
fn a_record_exists_once() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), &[]);
    let again = Recorder::open(folder.path(), "logs", &run_info(), Redactor::default(), Tick(0)).unwrap_err();
    assert!(matches!(again, RecordError::Io { action: "create the record", .. }), "{again}");
}

fn read_text(text: &[u8]) -> Result<(Vec<Entry>, bool), RecordError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.ndjson");
    fs::write(&path, text).unwrap();
    read_file(&path)
}

fn text_of(events: &[Event]) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, event) in (0..).zip(events) {
        text.extend(serde_json::to_vec(&Entry { at: Tick(at), event: event.clone() }).unwrap());
        text.push(b'\n');
    }
    text
}

#[test]
fn a_record_without_its_end_is_incomplete() {
    let events = [opened(), intended(), Event::Closed];
    let whole = text_of(&events);
    assert!(read_text(&whole).unwrap().1);
    assert_eq!(read_text(&text_of(&events[..2])).unwrap().0.len(), 2);
    assert!(!read_text(&text_of(&events[..2])).unwrap().1);
    assert!(!read_text(&text_of(&[opened(), Event::Closed, intended()])).unwrap().1);
    // A writer that was killed before its first line was out.
    assert_eq!(read_text(b"").unwrap(), (Vec::new(), false));
    // A file system that lost what it had not yet written.
    assert_eq!(read_text(&[&whole[..], &[0; 512]].concat()).unwrap().0.len(), 3);
    assert!(!read_text(&[&whole[..], &[0; 512]].concat()).unwrap().1);
}

#[test]
fn a_line_that_is_no_event_is_told_with_its_file_and_number() {
    let good = text_of(&[opened(), intended(), Event::Closed]);
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    let torn = [&lines[1][..20], b"\n"].concat();
    let unknown = br#"{"at":1,"event":"unheard-of"}"#;
    for (text, told) in [
        ([lines[0], &torn, lines[2]].concat(), "logs.ndjson:2: "),
        ([lines[0], lines[1], unknown, b"\n"].concat(), "logs.ndjson:3: unknown variant `unheard-of`"),
        ([lines[0], b"\n", lines[2]].concat(), "logs.ndjson:2: "),
        ([lines[1], lines[2]].concat(), "logs.ndjson:1: expected an opening event"),
        (b"{}\n".to_vec(), "logs.ndjson:1: "),
    ] {
        let error = read_text(&text).unwrap_err();
        assert!(matches!(error, RecordError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(told), "{error} does not tell {told}");
    }
}

#[test]
fn another_schema_is_refused_whatever_its_events_look_like() {
    let events = String::from_utf8(text_of(&[opened(), Event::Closed])).unwrap();
    let newer = events.replace(SCHEMA, "lgtm-verify-record/2");
    for text in [
        newer.clone(),
        newer.replace("\"seed\":18446744073709551615,", ""),
        newer + "{\"at\":1,\"event\":\"of the future\"}\n",
    ] {
        let error = read_text(text.as_bytes()).unwrap_err().to_string();
        let told = "logs.ndjson:1: expected schema lgtm-verify-record/1, found lgtm-verify-record/2";
        assert!(error.ends_with(told), "{error}");
    }
}

#[test]
fn a_run_is_whole_if_each_of_its_files_is() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read_run(folder.path()), Err(RecordError::NoRun { .. })));
    let events = folder.path().join("events");
    fs::create_dir_all(&events).unwrap();
    assert!(matches!(read_run(folder.path()), Err(RecordError::NoRun { .. })));
    fs::write(events.join("b.ndjson"), text_of(&[opened(), intended(), Event::Closed])).unwrap();
    fs::write(events.join("a.ndjson"), text_of(&[opened(), Event::Closed])).unwrap();
    fs::write(events.join("notes.txt"), "no record").unwrap();
    let (entries, whole) = read_run(folder.path()).unwrap();
    assert_eq!((entries.len(), whole), (5, true));
    assert_eq!(entries[1].event, Event::Closed);
    fs::write(events.join("c.ndjson"), "").unwrap();
    let (entries, whole) = read_run(folder.path()).unwrap();
    assert_eq!((entries.len(), whole), (5, false));
}

proptest! {
    #[test]
    fn wherever_a_record_breaks_off_what_stands_before_is_read(cut in 0_usize..10_000) {
        let events = every_event();
        let text = text_of(&events);
        let cut = cut % text.len();
        let (entries, whole) = read_text(&text[..cut]).unwrap();
        // A last line of which only the line break is gone is whole.
        let complete = text[..cut].iter().filter(|byte| **byte == b'\n').count();
        prop_assert!(entries.len() == complete || (text[cut] == b'\n' && entries.len() == complete + 1));
        prop_assert_eq!(whole, cut + 1 == text.len());
        prop_assert!(entries.iter().map(|entry| &entry.event).eq(&events[..entries.len()]));
    }

    #[test]
    fn nothing_that_a_file_may_hold_is_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_text(&text);
    }
}

/// A run of one clause, recorded as a stage does it: four log lines pushed, found in the bucket, judged.
struct Recorded {
    folder: tempfile::TempDir,
    expected_body: String,
}

impl Recorded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(folder.path(), "logs", &run_info(), Redactor::default(), Tick(0)).unwrap();
        let sent = logs::entries(&Origin::example(7), &logs::LogShape { entries: 4, ..logs::LogShape::default() });
        let expected_body = recorder.bodies().keep(&ndjson(&sent)).unwrap();
        let records = |entries: &[LogEntry]| Seen::Records {
            signal: Signal::Logs,
            body: recorder.bodies().keep(&ndjson(entries)).unwrap(),
            count: entries.len(),
            defects: Vec::new(),
        };
        let clause = || CLAUSE.parse().unwrap();
        let object = recorder.bodies().keep(b"the object").unwrap();
        let mut yes = observation(objects_look(), records(&sent));
        (yes.sent, yes.received) = (Tick(30), Tick(40));
        yes.evidence[0].object = Some("loki-chunks/fake/1".into());
        yes.evidence[0].body = Some(object);
        let mut push = answered(PushOutcome::Acked);
        if let Event::Answered { evidence, .. } = &mut push {
            evidence.body = Some("0".repeat(64));
        }
        let events = [
            Event::ScenarioStarted { scenario: "logs".into(), covers: vec![clause()] },
            expected(
                Expectation::Records {
                    signal: Signal::Logs,
                    expected: expected_body.clone(),
                    count: 4,
                    decisive: Oracle::Objects,
                    oracles: vec![Oracle::Objects],
                    rules: Vec::new(),
                },
                Some(Duration::from_secs(300)),
            ),
            Event::Controlled {
                clause: clause(),
                control: Control {
                    name: "before".into(),
                    must_break: vec!["missing".into()],
                    observation: observation(objects_look(), records(&[])),
                },
            },
            intended(),
            push,
            Event::Observed { clause: clause(), observation: yes },
        ];
        for (at, event) in (1..).zip(events) {
            recorder.append(&Entry { at: Tick(at), event }).unwrap();
        }
        let recorded = Self { folder, expected_body };
        let judgement = judge(&recorded.case(), recorder.bodies()).unwrap();
        assert_eq!(judgement.verdict, Verdict::Pass);
        for event in [
            Event::Judged { clause: clause(), judgement },
            Event::ScenarioEnded { scenario: "logs".into() },
            Event::Closed,
        ] {
            recorder.append(&Entry { at: Tick(50), event }).unwrap();
        }
        recorded
    }

    fn case(&self) -> Case {
        self.record().cases.remove(&CLAUSE.parse().unwrap()).unwrap()
    }

    fn record(&self) -> RunRecord {
        let (entries, whole) = read_run(self.folder.path()).unwrap();
        assemble(&entries, whole)
    }

    /// Rewrites the recorded lines that `change` changes.
    fn edit(&self, change: impl Fn(&mut Value)) {
        let path = self.folder.path().join("events/logs.ndjson");
        let text: String = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                change(&mut value);
                value.to_string() + "\n"
            })
            .collect();
        fs::write(path, text).unwrap();
    }

    fn recheck(&self) -> (usize, Vec<crate::report::Disagreement>) {
        crate::report::recheck(&self.record(), &BodyStore::of_run(self.folder.path()))
    }

    fn alter_body(&self, sha256: &str) {
        let path = self.folder.path().join("bodies").join(sha256);
        let mut body = fs::read(&path).unwrap();
        body[0] ^= 1;
        fs::write(path, body).unwrap();
    }
}

fn ndjson(entries: &[LogEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| serde_json::to_vec(entry).unwrap().into_iter().chain([b'\n'])).collect()
}

#[test]
fn what_was_recorded_is_put_back_together() {
    let recorded = Recorded::new();
    let record = recorded.record();
    let clause = CLAUSE.parse().unwrap();
    assert_eq!(record.run, Some(run_info()));
    assert_eq!((record.whole, record.last), (true, Tick(50)));
    let case = &record.cases[&clause];
    assert_eq!((case.ledger.offered(), case.ledger.first_sent()), (4, Some(Tick(10))));
    assert_eq!((case.controls.len(), case.observations.len()), (1, 1));
    assert_eq!(record.scenarios["logs"].ended, Some(Tick(50)));
    let kinds: Vec<_> = record.evidence_of(&clause).iter().map(|evidence| evidence.kind).collect();
    assert_eq!(kinds, [EvidenceKind::Push, EvidenceKind::Object, EvidenceKind::Object]);
}

#[test]
fn an_untouched_record_is_agreed_with() {
    assert_eq!(Recorded::new().recheck(), (1, Vec::new()));
}

#[test]
fn an_altered_or_lost_body_is_disagreed_with() {
    let object = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(b"the object"));
    for (named, lost) in [(None, false), (None, true), (Some(object.clone()), false), (Some(object), true)] {
        let recorded = Recorded::new();
        let sha256 = named.unwrap_or_else(|| recorded.expected_body.clone());
        if lost {
            fs::remove_file(recorded.folder.path().join("bodies").join(&sha256)).unwrap();
        } else {
            recorded.alter_body(&sha256);
        }
        let (judged, disagreements) = recorded.recheck();
        assert_eq!((judged, disagreements.len()), (1, 1));
        let told = disagreements[0].again.as_ref().unwrap_err();
        assert!(told.contains(&sha256), "{told}");
        assert!(lost || told.contains("altered after it was recorded"), "{told}");
    }
}

#[test]
fn an_answer_to_a_query_is_verified_too() {
    for (status, disagreements) in [(200, 1), (404, 0)] {
        let recorded = Recorded::new();
        recorded.edit(|line| {
            if line["event"] == "observed" {
                let evidence = &mut line["observation"]["evidence"][0];
                evidence["kind"] = json!("query");
                evidence["object"] = Value::Null;
                evidence["status"] = json!(status);
                evidence["body"] = json!("1".repeat(64));
            }
        });
        assert_eq!(recorded.recheck().1.len(), disagreements, "status {status}");
    }
}

#[test]
fn an_edited_word_is_disagreed_with() {
    let edits: [fn(&mut Value); 5] = [
        |line| line["judgement"]["verdict"] = json!("fail"),
        |line| line["judgement"]["forced"] = json!(true),
        |line| line["judgement"]["latency"]["upper_s"] = json!(1.0),
        |line| line["judgement"]["findings"] = json!([{ "rule": "a", "expected": "b", "found": "c" }]),
        // A word on a clause of which nothing was expected.
        |line| line["clause"] = json!("AC-lgtm-001-02/http-json"),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let recorded = Recorded::new();
        recorded.edit(|line| {
            if line["event"] == "judged" {
                edit(line);
            }
        });
        let disagreements = recorded.recheck().1;
        assert!(!disagreements.is_empty(), "edit {number}");
        assert!(disagreements.iter().any(|disagreement| disagreement.recorded.is_some()), "edit {number}");
    }
}

#[test]
fn an_edited_observation_is_disagreed_with() {
    let recorded = Recorded::new();
    recorded.edit(|line| {
        if line["event"] == "answered" {
            line["outcome"] = json!({ "outcome": "rejected", "reason": "400" });
        }
    });
    let disagreements = recorded.recheck().1;
    assert_eq!(disagreements[0].again.as_ref().unwrap().verdict, Verdict::Fail);
}

#[test]
fn what_was_said_before_a_clause_is_expected_anew_is_void() {
    let clause = || CLAUSE.parse().unwrap();
    let judged = Event::Judged {
        clause: clause(),
        judgement: Judgement {
            verdict: Verdict::Pass,
            forced: false,
            findings: Vec::new(),
            latency: None,
            response_times: Vec::new(),
        },
    };
    let facts = || expected(Expectation::Facts { rules: Vec::new() }, None);
    let records = expected(
        Expectation::Records {
            signal: Signal::Logs,
            expected: String::new(),
            count: 4,
            decisive: Oracle::Objects,
            oracles: vec![Oracle::Objects],
            rules: Vec::new(),
        },
        Some(Duration::from_secs(1)),
    );
    let halted = Event::Halted { clause: clause(), halt: Halt { kind: HaltKind::Blocked, reason: "down".into() } };
    let moved = Event::Moved { clauses: vec![clause()], evidence: evidence(EvidenceKind::Process) };
    let events = [opened(), halted, records, intended(), moved, judged, facts()];
    let entries: Vec<Entry> = events.into_iter().map(|event| Entry { at: Tick(1), event }).collect();
    let record = assemble(&entries, false);
    assert!(record.judgements.is_empty());
    assert!(record.halts.is_empty());
    assert!(record.evidence_of(&clause()).is_empty());
    let case = &record.cases[&clause()];
    assert_eq!((case.ledger.offered(), case.halt.is_none()), (0, true));
}

#[test]
fn evidence_is_told_once() {
    let observed = || Event::Observed {
        clause: CLAUSE.parse().unwrap(),
        observation: observation(objects_look(), Seen::Unseen { reason: "x".into() }),
    };
    let facts = expected(Expectation::Facts { rules: Vec::new() }, None);
    let entries: Vec<Entry> =
        [opened(), facts, observed(), observed()].into_iter().map(|event| Entry { at: Tick(1), event }).collect();
    assert_eq!(assemble(&entries, true).evidence_of(&CLAUSE.parse().unwrap()).len(), 1);
}
