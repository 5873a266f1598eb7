use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quick_junit::{NonSuccessKind, Report as JunitReport, TestCaseStatus};
use serde_json::{Value, json};

use super::*;
use crate::{
    catalogue::{Catalogue, ClauseId, Target},
    lock::Access,
    observation::{Evidence, EvidenceKind},
    ports::Tick,
    record::{Claimed, RunInfo, RunRecord, ScenarioState, Selection},
    verdict::{Finding, Halt, HaltKind, Judgement, Latency, PredictedLatency, Verdict},
};

/// A criterion for every status, a clause for every verdict, and titles that no format may trip over.
const CATALOGUE: &str = "\
# Criteria

## AC-lgtm-001-01 ~1 Loki has the bucket `loki-chunks` | alone
- level: shall
- source: design.md 1

Text.

### AC-lgtm-001-01/bucket ~1 The bucket is its own
- targets: local kind

Text.

### AC-lgtm-001-01/chart-source ~1 The chart comes from its source
- targets: kind

Text.

## AC-lgtm-001-02 ~1 Log lines are in the bucket within five minutes
- level: shall
- source: design.md 2

Text.

### AC-lgtm-001-02/http-json ~1 Over HTTP as JSON
- targets: local kind
- bound: 5m

Text.

### AC-lgtm-001-02/http-protobuf ~1 Over HTTP as protobuf
- targets: local kind
- bound: 5m

Text.

### AC-lgtm-001-02/grpc ~1 Over gRPC
- targets: local kind
- bound: 5m

Text.

### AC-lgtm-001-02/index ~1 By their <index>
- targets: local kind

Text.

## AC-lgtm-001-03 ~1 State is recovered from the bucket
- level: shall
- source: design.md 3

Text.

### AC-lgtm-001-03/recover ~1 After a kill
- targets: local kind

Text.

## AC-lgtm-001-04 ~1 Refusals of the store are told
- level: should
- source: design.md 4

Text.

### AC-lgtm-001-04/outage ~1 While it runs
- targets: local

Text.

### AC-lgtm-001-04/start-write ~1 At the start
- targets: local

Text.

## AC-lgtm-001-05 ~1 Queries answer fast
- level: shall
- source: design.md 5

Text.

### AC-lgtm-001-05/latency ~1 Within three seconds
- targets: local
- bound: 3s

Text.

## AC-lgtm-002-01 ~1 Tempo has its bucket
- level: shall
- source: design.md 6

Text.

### AC-lgtm-002-01/bucket ~1 The bucket is its own
- targets: local

Text.

## AC-lgtm-002-04 ~1 Not said
- level: undefined
- source: design.md 7

Text.

## AC-lgtm-003-01 ~1 Releases come from their charts
- level: shall
- source: design.md 8

Text.

### AC-lgtm-003-01/chart-source ~1 From the charts
- targets: kind cluster

Text.

## REQ-lgtm-d4f8c2a1-001 ~1 Everything about logs
- level: shall
- source: design.md 9
- includes: AC-lgtm-001-01 AC-lgtm-001-02

Text.

## REQ-lgtm-d4f8c2a1-002 ~1 Only the bucket
- level: shall
- source: design.md 10
- includes: AC-lgtm-001-01

Text.

## REQ-lgtm-d4f8c2a1-003 ~1 The bucket, twice over
- level: shall
- source: design.md 11
- includes: AC-lgtm-001-01 REQ-lgtm-d4f8c2a1-002

Text.

## DF-01 The index is slower than the bound
- source: design.md 12
- related: AC-lgtm-001-02/index

Sixteen minutes, where the design says `5m`.
";

pub(super) fn id(text: &str) -> ClauseId {
    text.parse().unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<ClauseId> {
    texts.iter().copied().map(id).collect()
}

pub(super) fn catalogue() -> Catalogue {
    Catalogue::parse(&[("criteria.md", CATALOGUE)]).unwrap()
}

/// What some scenario decides: all but one criterion.
pub(super) fn covered() -> BTreeSet<ClauseId> {
    let uncovered = id("AC-lgtm-001-05/latency");
    catalogue().clauses().map(|clause| clause.id.clone()).filter(|clause| *clause != uncovered).collect()
}

fn judgement(verdict: Verdict, findings: Vec<Finding>, latency: Option<Latency>) -> Judgement {
    Judgement { verdict, forced: false, findings, latency, response_times: Vec::new() }
}

fn latency(lower_s: f64, upper_s: Option<f64>) -> Option<Latency> {
    let predicted = Some(PredictedLatency { earliest_s: 10.0, latest_s: 17.0 });
    Some(Latency { lower_s, upper_s, bound_s: Some(300.0), predicted })
}

fn measurement(words: &str) -> Evidence {
    Evidence { excerpt: Some(words.into()), ..Evidence::new(EvidenceKind::Measurement, 1_795_000_000_000_000_000) }
}

fn object(key: &str) -> Evidence {
    Evidence { object: Some(key.into()), ..Evidence::new(EvidenceKind::Object, 1_795_000_000_000_000_000) }
}

fn record(profile: &str) -> RunRecord {
    let judgements = [
        ("AC-lgtm-001-01/bucket", judgement(Verdict::Pass, Vec::new(), None)),
        ("AC-lgtm-001-02/http-json", judgement(Verdict::Pass, Vec::new(), latency(10.12, Some(12.43)))),
        (
            "AC-lgtm-001-02/http-protobuf",
            judgement(
                Verdict::Fail,
                vec![
                    Finding::new(
                        "missing",
                        "all 96 acked records",
                        "3 missing: run=r1 stimulus=logs seq=000001; run=r1 stimulus=logs seq=000002; run=r1 \
                         stimulus=logs seq=000003",
                    ),
                    Finding::new("log", "no complaint in the component's log", "loki-write: a|b\n\u{1b}[31m<b>*c*"),
                    Finding::new("in time", "the objects in the bucket within 300 s", "still not after 300 s"),
                ],
                latency(300.02, None),
            ),
        ),
        (
            "AC-lgtm-001-02/grpc",
            judgement(
                Verdict::Inconclusive,
                vec![Finding::new("in time", "within 300 s", "between 290.0 s and 310.0 s")],
                latency(290.0, Some(310.0)),
            ),
        ),
        (
            "AC-lgtm-001-02/index",
            Judgement { forced: true, ..judgement(Verdict::Pass, Vec::new(), latency(0.0, Some(1.5))) },
        ),
    ];
    let blocked = Halt { kind: HaltKind::Blocked, reason: "loki-write is not up: exit code 1".into() };
    let interrupted = Halt { kind: HaltKind::Interrupted, reason: "interrupted".into() };
    RunRecord {
        run: Some(RunInfo {
            id: "r1".into(),
            seed: 7,
            started: "2026-11-23T18:00:00.000Z".into(),
            target: Target::Local,
            profile: profile.into(),
            stack: [("loki".to_owned(), "3.5.0".to_owned()), ("minio".to_owned(), "2025-09".to_owned())].into(),
            changes: vec!["--set loki.ingester.chunk_idle_period=10m".into()],
            selection: Selection {
                filters: vec!["--signal logs".into()],
                clauses: covered().into_iter().filter(|clause| !clause.as_str().contains("-002-01/")).collect(),
            },
        }),
        whole: true,
        last: Tick(318_200_000_000),
        judgements: judgements.into_iter().map(|(clause, judgement)| (id(clause), judgement)).collect(),
        halts: [(id("AC-lgtm-001-03/recover"), blocked), (id("AC-lgtm-001-04/outage"), interrupted)].into(),
        evidence: [
            (
                id("AC-lgtm-001-02/http-json"),
                (1..=5).map(|number| object(&format!("loki-chunks/fake/chunk_{number}|0"))).collect(),
            ),
            (id("AC-lgtm-001-02/index"), vec![measurement("3 of 3 pushes accepted, rate off by 0.0001 %")]),
        ]
        .into(),
        scenarios: [("logs-recover".to_owned(), disturbing())].into(),
        ..RunRecord::default()
    }
}

/// A scenario that had Loki for itself, five minutes long.
fn disturbing() -> ScenarioState {
    let claims = [("loki".to_owned(), Access::Write)].into();
    ScenarioState {
        started: Tick(0),
        ended: Some(Tick(301_500_000_000)),
        covers: Vec::new(),
        claimed: Some(Claimed { at: Tick(1_500_000_000), claims, last: true }),
    }
}

fn report() -> Report {
    Report::of_run(&catalogue(), &covered(), &record("fast"), Target::Local)
}

fn statuses(report: &Report) -> BTreeMap<&str, CriterionStatus> {
    report.criteria.iter().map(|criterion| (criterion.id.as_str(), criterion.status)).collect()
}

#[test]
fn criteria_come_to_what_their_clauses_and_includes_come_to() {
    let report = report();
    let told: Vec<(&str, CriterionStatus, &str)> = report
        .criteria
        .iter()
        .map(|criterion| (criterion.id.as_str(), criterion.status, criterion.reason.as_str()))
        .collect();
    use CriterionStatus::{Failed, NotVerified, Uncovered, Undefined, Verified};
    assert_eq!(
        told,
        [
            ("AC-lgtm-001-01", Verified, "verified (fast): passed 1 of 2 clauses, 1 of which target local can show"),
            ("AC-lgtm-001-02", Failed, "1 failed; passed 2 of 4 clauses, 4 of which target local can show"),
            ("AC-lgtm-001-03", NotVerified, "1 blocked; passed 0 of 1 clauses, 1 of which target local can show"),
            ("AC-lgtm-001-04", NotVerified, "2 not run; passed 0 of 2 clauses, 2 of which target local can show"),
            ("AC-lgtm-001-05", Uncovered, "no scenario covers any of the 1 clauses that target local can show"),
            ("AC-lgtm-002-01", NotVerified, "1 not run; passed 0 of 1 clauses, 1 of which target local can show"),
            ("AC-lgtm-002-04", Undefined, "the design numbers it and defines it nowhere"),
            ("AC-lgtm-003-01", NotVerified, "target local can show none of its 1 clauses"),
            ("REQ-lgtm-d4f8c2a1-001", Failed, "1 failed; passed 3 of 6 clauses, 5 of which target local can show"),
            (
                "REQ-lgtm-d4f8c2a1-002",
                Verified,
                "verified (fast): passed 1 of 2 clauses, 1 of which target local can show"
            ),
            (
                "REQ-lgtm-d4f8c2a1-003",
                Verified,
                "verified (fast): passed 1 of 2 clauses, 1 of which target local can show"
            ),
        ]
    );
}

#[test]
fn only_the_deployed_profile_verifies_without_a_reservation() {
    let deployed = Report::of_run(&catalogue(), &covered(), &record("deployed"), Target::Local);
    assert!(deployed.criteria[0].reason.starts_with("verified: "));
    for (text, word) in [(markdown(&deployed), "| verified |"), (markdown(&report()), "| verified (fast) |")] {
        assert!(text.contains(word), "{text}");
    }
    for (status, words) in [
        (CriterionStatus::Verified, "verified (fast)"),
        (CriterionStatus::Failed, "failed"),
        (CriterionStatus::NotVerified, "not verified"),
        (CriterionStatus::Uncovered, "uncovered"),
        (CriterionStatus::Undefined, "undefined"),
    ] {
        assert_eq!(status.words("fast"), words);
    }
    assert_eq!(CriterionStatus::Verified.words("deployed"), "verified");
}

/// Why a clause without a judgement has none, in the order in which the reasons count.
#[test]
fn a_clause_that_was_not_judged_says_why() {
    let report = report();
    let told: BTreeMap<&str, (Verdict, String)> = report
        .clauses()
        .filter(|clause| clause.latency.is_none() && clause.verdict != Verdict::Pass)
        .map(|clause| (clause.id.as_str(), (clause.verdict, clause.findings[0].to_string())))
        .collect();
    let expected = [
        ("AC-lgtm-001-01/chart-source", Verdict::NotApplicable, "target: expected one of: kind, found local"),
        (
            "AC-lgtm-001-03/recover",
            Verdict::Blocked,
            "set-up: expected a check that can take place, found loki-write is not up: exit code 1",
        ),
        ("AC-lgtm-001-04/outage", Verdict::NotRun, "carried out: expected a judgement, found interrupted"),
        (
            "AC-lgtm-001-04/start-write",
            Verdict::NotRun,
            "carried out: expected a judgement, found the record ends before one",
        ),
        ("AC-lgtm-001-05/latency", Verdict::NotRun, "covered: expected a scenario, found none"),
        ("AC-lgtm-002-01/bucket", Verdict::NotRun, "selected: expected a run that selects it, found other filters"),
        ("AC-lgtm-003-01/chart-source", Verdict::NotApplicable, "target: expected one of: kind, cluster, found local"),
    ];
    let expected = expected.map(|(clause, verdict, text)| (clause, (verdict, text.to_owned())));
    assert_eq!(told, BTreeMap::from(expected));
}

#[test]
fn a_partly_covered_criterion_is_not_verified_and_one_pass_does_not_verify_it() {
    let mut record = record("fast");
    record.judgements.retain(|clause, _| clause.name() == "http-json");
    let covered = ids(&["AC-lgtm-001-02/http-json", "AC-lgtm-001-02/grpc"]);
    let report = Report::of_run(&catalogue(), &covered, &record, Target::Local);
    let criterion = &report.criteria[1];
    assert_eq!(criterion.status, CriterionStatus::NotVerified);
    assert_eq!(criterion.reason, "2 uncovered, 1 not run; passed 1 of 4 clauses, 4 of which target local can show");
    assert_eq!(statuses(&report)["AC-lgtm-001-01"], CriterionStatus::Uncovered);
}

#[test]
fn without_a_record_nothing_is_verified() {
    let report = Report::of_run(&catalogue(), &covered(), &RunRecord::default(), Target::Kind);
    assert!(!report.run.complete);
    assert_eq!(report.target, Target::Kind);
    assert_eq!((report.summary.criteria["verified"], report.summary.clauses["pass"]), (0, 0));
    assert_eq!(exit_status(&report, &covered()), ExitStatus::NotVerified);
}

/// Adds the dotted path of every field below `value`; the keys of maps are told as `*`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let is_map = ["stack", "summary.clauses", "summary.criteria"].contains(&path);
            for (key, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                let path = if is_map { format!("{path}{dot}*") } else { format!("{path}{dot}{key}") };
                fields(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, path, found)),
        _ => {}
    }
}

/// The names are an interface. Those that stand in the last list are additions to the schema that other readers ignore.
#[test]
fn the_json_report_has_exactly_the_agreed_fields() {
    let agreed = "schema run run.id run.seed run.started run.duration_s target profile stack stack.* criteria criteria.id \
        criteria.title criteria.level criteria.status criteria.reason criteria.clauses criteria.clauses.id \
        criteria.clauses.verdict criteria.clauses.forced criteria.clauses.findings criteria.clauses.findings.rule \
        criteria.clauses.findings.expected criteria.clauses.findings.found criteria.clauses.latency \
        criteria.clauses.latency.lower_s criteria.clauses.latency.upper_s criteria.clauses.latency.bound_s \
        criteria.clauses.latency.predicted criteria.clauses.latency.predicted.earliest_s \
        criteria.clauses.latency.predicted.latest_s criteria.clauses.evidence criteria.clauses.evidence.kind \
        criteria.clauses.evidence.at criteria.clauses.evidence.request criteria.clauses.evidence.status \
        criteria.clauses.evidence.excerpt criteria.clauses.evidence.body criteria.clauses.evidence.object \
        criteria.clauses.evidence.component findings_about_design summary summary.clauses summary.clauses.* \
        summary.criteria summary.criteria.*";
    let added = "run.changes run.least_s run.complete run.filters criteria.clauses.title criteria.clauses.measured findings_about_design.id findings_about_design.title \
        findings_about_design.text findings_about_design.related";
    let mut found = BTreeSet::new();
    fields(&serde_json::from_str(&report().to_json().unwrap()).unwrap(), "", &mut found);
    let expected: BTreeSet<String> = format!("{agreed} {added}").split_whitespace().map(str::to_owned).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_json_report_has_the_agreed_words() {
    let report = report();
    let text = report.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "lgtm-verify/1");
    assert_eq!((&value["target"], &value["criteria"][0]["level"]), (&json!("local"), &json!("shall")));
    for (verdict, word) in
        Verdict::ALL.iter().zip(["pass", "fail", "inconclusive", "blocked", "not_applicable", "not_run"])
    {
        assert_eq!((serde_json::to_value(verdict).unwrap(), verdict.word()), (json!(word), word));
        assert!(value["summary"]["clauses"][word].is_u64());
    }
    for (status, word) in
        CriterionStatus::ALL.iter().zip(["verified", "failed", "not_verified", "uncovered", "undefined"])
    {
        assert_eq!((serde_json::to_value(status).unwrap(), status.word()), (json!(word), word));
        assert!(value["summary"]["criteria"][word].is_u64());
    }
}

/// The fixture with these verdicts for its first clauses and nothing else selected.
fn with_verdicts(verdicts: &[Verdict]) -> (Report, BTreeSet<ClauseId>) {
    let mut report = report();
    let mut selected = BTreeSet::new();
    let clauses = report.criteria.iter_mut().flat_map(|criterion| &mut criterion.clauses);
    for (clause, verdict) in clauses.zip(verdicts) {
        clause.verdict = *verdict;
        selected.insert(clause.id.clone());
    }
    (report, selected)
}

#[test]
fn the_exit_status_tells_the_worst_of_what_was_selected() {
    use Verdict::{Blocked, Fail, Inconclusive, NotApplicable, NotRun, Pass};
    let table: &[(&[Verdict], ExitStatus, u8)] = &[
        (&[], ExitStatus::NothingSelected, 4),
        (&[NotApplicable, NotApplicable], ExitStatus::NothingSelected, 4),
        (&[Pass, Pass], ExitStatus::Passed, 0),
        (&[Pass, NotApplicable], ExitStatus::Passed, 0),
        (&[Pass, Inconclusive], ExitStatus::NotVerified, 5),
        (&[Pass, NotRun], ExitStatus::NotVerified, 5),
        (&[NotRun], ExitStatus::NotVerified, 5),
        (&[Pass, Blocked], ExitStatus::NotVerified, 5),
        (&[Inconclusive, Blocked], ExitStatus::NotVerified, 5),
        (&[Blocked, Blocked], ExitStatus::SetUpRefused, 96),
        (&[Blocked, NotApplicable], ExitStatus::SetUpRefused, 96),
        (&[Fail], ExitStatus::Failed, 100),
        (&[Pass, Inconclusive, Blocked, Fail, NotRun], ExitStatus::Failed, 100),
    ];
    for (verdicts, status, code) in table {
        let (report, selected) = with_verdicts(verdicts);
        let ended = exit_status(&report, &selected);
        assert_eq!((ended, ended.code()), (*status, *code), "{verdicts:?}");
    }
    let (report, _) = with_verdicts(&[Pass, Fail]);
    assert_eq!(exit_status(&report, &ids(&["AC-lgtm-001-01/bucket"])), ExitStatus::Passed, "a failure not selected");
    assert_eq!(exit_status(&report, &ids(&["AC-lgtm-009-09/none"])), ExitStatus::NothingSelected);
    for (status, code) in [(ExitStatus::Bug, 1), (ExitStatus::Usage, 2), (ExitStatus::NotWritten, 110)] {
        assert_eq!(status.code(), code);
    }
}

const PLAIN: Style = Style { width: 100, colour: Colour::Never };

/// Cells of a Markdown table's row.
fn cells(row: &str) -> Vec<String> {
    let inner = row.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")).unwrap();
    let mut cells = vec![String::new()];
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => cells.last_mut().unwrap().extend(characters.next()),
            '|' => cells.push(String::new()),
            character => cells.last_mut().unwrap().push(character),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn rows(markdown: &str) -> Vec<Vec<String>> {
    let rows = markdown.lines().skip_while(|line| !line.starts_with("|---"));
    rows.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// `name: 3 pass, 1 fail`, up to a full stop or the line's end, as counts by word.
fn sums(text: &str, name: &str) -> BTreeMap<String, usize> {
    let (_, sums) = text.rsplit_once(&format!("{name}: ")).unwrap();
    let counts = sums.split(['.', '\n']).next().unwrap().split(", ").map(|sum| {
        let (number, words) = sum.split_once(' ').unwrap();
        (words.replace(" (fast)", "").replace(' ', "_"), number.parse().unwrap())
    });
    counts.collect()
}

/// Every format is parsed back and must come to the numbers of the summary, and the summary to those of the clauses.
#[test]
fn all_formats_tell_the_same_numbers() {
    let report = report();
    let summary = &report.summary;
    let mut clauses = BTreeMap::from(Verdict::ALL.map(|verdict| (verdict.word().to_owned(), 0)));
    for clause in report.clauses() {
        *clauses.get_mut(clause.verdict.word()).unwrap() += 1;
    }
    assert_eq!(summary.clauses, clauses);
    assert_eq!(summary.criteria.values().sum::<usize>(), report.criteria.len());

    let markdown = markdown(&report);
    let rows = rows(&markdown);
    assert!(rows.iter().all(|row| row.len() == 8), "{rows:?}");
    for (verdict, mark) in Verdict::ALL.iter().zip(["✓", "✗", "?", "!", "–", "·"]) {
        let marked = rows.iter().flat_map(|row| row[4].split("<br>")).filter(|clause| clause.starts_with(mark));
        assert_eq!(marked.count(), clauses[verdict.word()], "{verdict} in Markdown");
    }
    for status in CriterionStatus::ALL {
        let told = rows.iter().filter(|row| row[2] == status.words("fast")).count();
        assert_eq!(told, summary.criteria[status.word()], "{} in Markdown", status.word());
    }

    let terminal = terminal(&report, PLAIN);
    let marked = |mark: &str| terminal.lines().filter(|line| line.starts_with(&format!("  {mark} "))).count();
    for (verdict, mark) in
        [(Verdict::Pass, "ok"), (Verdict::Fail, "FAIL"), (Verdict::Inconclusive, "???"), (Verdict::Blocked, "blocked")]
    {
        assert_eq!(marked(mark), clauses[verdict.word()], "{verdict} on the terminal");
    }
    assert!(terminal.contains("clauses not tried: 1 uncovered, 1 not selected, 2 not applicable to target local\n"));
    assert_eq!(marked("not run") + 1 + 1, clauses["not_run"]);

    for text in [&markdown.replace("Clauses: ", "clauses: ").replace("Criteria: ", "criteria: "), &terminal] {
        let head = text.split("\n## ").next().unwrap();
        assert_eq!(sums(head, "clauses"), summary.clauses, "{head}");
        assert_eq!(sums(head, "criteria"), summary.criteria, "{head}");
    }

    let junit = JunitReport::deserialize_from_str(&junit(&report).unwrap()).unwrap();
    assert_eq!((junit.tests, junit.test_suites.len()), (report.clauses().count(), report.criteria.len()));
    assert_eq!(junit.failures, clauses["fail"]);
    assert_eq!(junit.errors, clauses["inconclusive"] + clauses["blocked"]);
    assert_eq!(junit.skipped, clauses["not_applicable"] + clauses["not_run"]);
}

#[test]
fn junit_has_a_case_for_each_clause_with_its_requirement_and_reason() {
    let report = report();
    let junit = JunitReport::deserialize_from_str(&junit(&report).unwrap()).unwrap();
    let cases = junit.test_suites.iter().flat_map(|suite| &suite.test_cases);
    for (case, clause) in cases.zip(report.clauses()) {
        assert_eq!(case.name.as_str(), clause.id.as_str());
        let property = |name: &str| {
            let found = case.properties.iter().find(|property| property.name.as_str() == name);
            found.map(|property| property.value.as_str().to_owned())
        };
        assert_eq!(property("requirement").as_deref(), Some(clause.id.criterion().as_str()));
        assert_eq!(property("verdict").as_deref(), Some(clause.verdict.word()));
        let message = match (&case.status, clause.verdict) {
            (TestCaseStatus::Success { .. }, Verdict::Pass) => continue,
            (TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, message, .. }, Verdict::Fail)
            | (
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, message, .. },
                Verdict::Inconclusive | Verdict::Blocked,
            )
            | (TestCaseStatus::Skipped { message, .. }, Verdict::NotApplicable | Verdict::NotRun) => message,
            (status, verdict) => panic!("{verdict} is told as {status:?}"),
        };
        assert_eq!(message.as_deref(), Some(clause.findings[0].to_string().as_str()));
    }
}

#[test]
fn failures_come_first_in_the_details() {
    let text = markdown(&report());
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        headings,
        [
            "# Acceptance report",
            "## Criteria",
            "## Failed",
            "### AC-lgtm-001-02 Log lines are in the bucket within five minutes",
            "## Not verified",
            "### AC-lgtm-001-03 State is recovered from the bucket",
            "### AC-lgtm-001-04 Refusals of the store are told",
            "## Uncovered",
            "## Undefined",
            "## Measured",
            "## Findings about the design",
            "### DF-01 The index is slower than the bound",
        ]
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    let report = report();
    let coloured = terminal(&report, Style { colour: Colour::Always, ..PLAIN });
    assert!(coloured.contains("\u{1b}[1;31mFAIL\u{1b}[0m"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = sequence.split_once('m').unwrap().1;
    }
    assert_eq!(plain + rest, terminal(&report, PLAIN));
}

#[test]
fn an_incomplete_record_is_told_everywhere() {
    let mut report = report();
    report.run.complete = false;
    assert!(markdown(&report).contains("**incomplete**"));
    assert!(terminal(&report, PLAIN).contains("the record is incomplete"));
    report.run.complete = true;
    assert!(!markdown(&report).contains("incomplete"));
    assert!(!terminal(&report, PLAIN).contains("incomplete"));
}

#[test]
fn nothing_tried_is_still_a_report() {
    let report = Report::of_run(&catalogue(), &covered(), &RunRecord::default(), Target::Tree);
    assert!(terminal(&report, PLAIN).ends_with(", 12 not applicable, 0 not run\n"));
    assert_eq!(rows(&markdown(&report)).len(), report.criteria.len());
    assert_eq!(JunitReport::deserialize_from_str(&junit(&report).unwrap()).unwrap().skipped, 12);
    let empty = Report::of_run(&Catalogue::default(), &BTreeSet::new(), &RunRecord::default(), Target::Local);
    assert!(rows(&markdown(&empty)).is_empty());
    assert!(!terminal(&empty, PLAIN).is_empty());
    assert_eq!(JunitReport::deserialize_from_str(&junit(&empty).unwrap()).unwrap().tests, 0);
}

proptest! {
    /// Whatever the stack writes into its logs and answers.
    #[test]
    fn no_text_breaks_a_format(text in any::<String>(), title in any::<String>(), width in 20_usize..140) {
        let mut report = report();
        report.criteria[1].title = title;
        report.criteria[1].clauses[1].findings[0].found = text;
        let markdown = markdown(&report);
        let rows = rows(&markdown);
        prop_assert_eq!(rows.len(), report.criteria.len());
        prop_assert!(rows.iter().all(|row| row.len() == 8), "{:?}", rows);
        prop_assert!(JunitReport::deserialize_from_str(&junit(&report).unwrap()).is_ok());
        let terminal = terminal(&report, Style { width, ..PLAIN });
        prop_assert!(!terminal.chars().any(|character| character.is_control() && character != '\n'));
        for line in terminal.lines().filter(|line| line.chars().count() > width) {
            // Only a word that is too long on its own, behind what has to stand in front of it, exceeds the width.
            let words = line.trim_start().split(' ').filter(|word| !word.is_empty()).count();
            prop_assert!(words <= 3, "{:?}", line);
        }
    }
}

#[test]
fn the_formats_look_as_they_always_did() {
    let report = report();
    insta::assert_snapshot!("terminal", terminal(&report, PLAIN));
    insta::assert_snapshot!("markdown", markdown(&report));
    insta::assert_snapshot!("junit", junit(&report).unwrap());
    insta::assert_snapshot!("json", report.to_json().unwrap());
}
