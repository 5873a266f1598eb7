use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use proptest::prelude::*;

use super::*;
use crate::{
    catalogue::{Catalogue, ClauseId, Target},
    ports::Tick,
    record::{RunInfo, RunRecord, Selection},
    report::{
        Colour, CriterionStatus, ExitStatus, Report, Style, exit_status, matrix_exit_status,
        tests::{catalogue, covered, id},
    },
    verdict::{Finding, Halt, HaltKind, Judgement, Latency, Verdict},
};

/// Parsed once, not for each of many runs.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(catalogue);
static COVERED: LazyLock<BTreeSet<ClauseId>> = LazyLock::new(covered);

const PLAIN: Style = Style { width: 110, colour: Colour::Never };

/// What a run came to for a clause that it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Pass,
    Forced,
    Fail,
    Inconclusive,
    Blocked,
    Interrupted,
}

impl Came {
    const ALL: [Self; 6] = [Self::Pass, Self::Forced, Self::Fail, Self::Inconclusive, Self::Blocked, Self::Interrupted];

    fn verdict(self) -> Verdict {
        match self {
            Self::Pass | Self::Forced => Verdict::Pass,
            Self::Fail => Verdict::Fail,
            Self::Inconclusive => Verdict::Inconclusive,
            Self::Blocked => Verdict::Blocked,
            Self::Interrupted => Verdict::NotRun,
        }
    }
}

/// Run `r<number>`, started at that minute. Each number has latencies of its own.
fn run(number: u32, target: Target, profile: &str, came: &[(&str, Came)]) -> Source {
    let clauses: BTreeMap<ClauseId, Came> = came.iter().map(|(clause, came)| (id(clause), *came)).collect();
    of_clauses(number, target, profile, clauses)
}

fn of_clauses(number: u32, target: Target, profile: &str, came: BTreeMap<ClauseId, Came>) -> Source {
    let mut record = RunRecord {
        run: Some(RunInfo {
            id: format!("r{number}"),
            seed: u64::from(number),
            started: format!("2026-11-23T18:{number:02}:00.000Z"),
            target,
            profile: profile.to_owned(),
            stack: [("loki".to_owned(), "3.5.0".to_owned())].into(),
            changes: Vec::new(),
            selection: Selection { filters: Vec::new(), clauses: came.keys().cloned().collect() },
        }),
        whole: true,
        last: Tick(1_000_000_000),
        ..RunRecord::default()
    };
    for (clause, came) in came {
        let bound = CATALOGUE.clause(&clause).unwrap().bound.map(|bound| bound.as_secs_f64());
        let halt = |kind| Halt { kind, reason: format!("in r{number}") };
        let judgement = |findings: &[&str], lower_s, upper_s| Judgement {
            verdict: came.verdict(),
            forced: came == Came::Forced,
            findings: findings.iter().map(|found| Finding::new("in time", "within the bound", *found)).collect(),
            latency: bound.map(|bound| Latency { lower_s, upper_s, bound_s: Some(bound), predicted: None }),
            response_times: Vec::new(),
        };
        let seconds = 10.0 + f64::from(number);
        match came {
            Came::Pass | Came::Forced => drop(record.judgements.insert(clause, judgement(&[], 0.0, Some(seconds)))),
            Came::Fail => drop(record.judgements.insert(clause, judgement(&["still not after 300 s"], 300.4, None))),
            Came::Inconclusive => {
                let found = ["between 290.0 s and 310.0 s"];
                drop(record.judgements.insert(clause, judgement(&found, 290.0, Some(310.0))));
            }
            Came::Blocked => drop(record.halts.insert(clause, halt(HaltKind::Blocked))),
            Came::Interrupted => drop(record.halts.insert(clause, halt(HaltKind::Interrupted))),
        }
    }
    Source { name: format!("runs/r{number}"), record, problem: None }
}

fn merged(sources: &[Source]) -> Matrix {
    Matrix::of_runs(&CATALOGUE, |_| COVERED.clone(), sources)
}

fn report(source: &Source) -> Report {
    Report::of_run(&CATALOGUE, &COVERED, &source.record, Target::Local)
}

fn cell<'a>(matrix: &'a Matrix, clause: &str, column: &str) -> &'a Cell {
    &matrix.clauses().find(|other| other.id == id(clause)).unwrap().cells[column]
}

fn criterion<'a>(matrix: &'a Matrix, criterion: &str) -> &'a MatrixCriterion {
    matrix.criteria.iter().find(|other| other.id.as_str() == criterion).unwrap()
}

const JSON: &str = "AC-lgtm-001-02/http-json";
const PROTOBUF: &str = "AC-lgtm-001-02/http-protobuf";
const GRPC: &str = "AC-lgtm-001-02/grpc";
const INDEX: &str = "AC-lgtm-001-02/index";

#[test]
fn columns_stand_in_one_order_and_a_target_without_timers_has_one() {
    let every = [Target::Cluster, Target::Kind, Target::Tree, Target::Containers, Target::Local];
    let sources: Vec<Source> = every
        .into_iter()
        .flat_map(|target| ["deployed", "fast"].map(|profile| (target, profile)))
        .zip(1..)
        .map(|((target, profile), number)| run(number, target, profile, &[]))
        .collect();
    let matrix = merged(&sources);
    let columns: Vec<&str> = matrix.columns.iter().map(|column| column.id.as_str()).collect();
    let expected = [
        "tree",
        "local/fast",
        "local/deployed",
        "containers/fast",
        "containers/deployed",
        "kind/fast",
        "kind/deployed",
        "cluster/fast",
        "cluster/deployed",
    ];
    assert_eq!(columns, expected);
    assert_eq!(matrix.columns[0].runs, ["r5", "r6"]);
    let as_deployed = matrix.columns.iter().filter(|column| column.is_as_deployed()).map(|column| column.id.as_str());
    assert!(as_deployed.eq(expected.into_iter().filter(|column| !column.ends_with("fast"))));
}

/// What two runs of one column come to, the older first.
#[test]
fn newer_runs_decide_only_what_they_decided_and_no_failure_is_forgotten() {
    use Came::{Blocked, Fail, Inconclusive, Interrupted, Pass};
    let table = [
        ((Some(Pass), None), (Verdict::Pass, "r1", false)),
        ((None, Some(Pass)), (Verdict::Pass, "r2", false)),
        ((Some(Pass), Some(Pass)), (Verdict::Pass, "r2", false)),
        ((Some(Pass), Some(Inconclusive)), (Verdict::Inconclusive, "r2", false)),
        ((Some(Inconclusive), Some(Pass)), (Verdict::Pass, "r2", false)),
        ((Some(Pass), Some(Blocked)), (Verdict::Pass, "r1", false)),
        ((Some(Pass), Some(Interrupted)), (Verdict::Pass, "r1", false)),
        ((Some(Blocked), Some(Pass)), (Verdict::Pass, "r2", false)),
        ((Some(Inconclusive), Some(Blocked)), (Verdict::Inconclusive, "r1", false)),
        ((Some(Blocked), Some(Interrupted)), (Verdict::NotRun, "r2", false)),
        ((Some(Interrupted), Some(Blocked)), (Verdict::Blocked, "r2", false)),
        ((Some(Fail), None), (Verdict::Fail, "r1", false)),
        ((Some(Fail), Some(Fail)), (Verdict::Fail, "r2", false)),
        ((Some(Fail), Some(Inconclusive)), (Verdict::Fail, "r1", false)),
        ((Some(Fail), Some(Blocked)), (Verdict::Fail, "r1", false)),
        ((Some(Fail), Some(Pass)), (Verdict::Fail, "r1", true)),
        ((Some(Pass), Some(Fail)), (Verdict::Fail, "r2", true)),
    ];
    for ((older, newer), expected) in table {
        let came = |came: Option<Came>| came.map(|came| (JSON, came)).into_iter().collect::<Vec<_>>();
        let runs = [(1, older), (2, newer)].map(|(number, one)| run(number, Target::Local, "fast", &came(one)));
        let matrix = merged(&runs);
        let cell = cell(&matrix, JSON, "local/fast");
        let told = (cell.verdict, cell.run.as_deref().unwrap(), cell.unstable);
        assert_eq!(told, expected, "{older:?} then {newer:?}");
        let others = usize::from(older.is_some() && newer.is_some());
        assert_eq!(cell.others.len(), others, "{older:?} then {newer:?}: both stay named");
    }
}

#[test]
fn newer_is_who_started_later_whatever_it_is_called() {
    let mut older = run(1, Target::Local, "fast", &[(JSON, Came::Pass)]);
    let newer = run(2, Target::Local, "fast", &[(JSON, Came::Inconclusive)]);
    if let Some(run) = &mut older.record.run {
        run.id = "z".to_owned();
    }
    let matrix = merged(&[older, newer]);
    assert_eq!(matrix.columns[0].runs, ["z", "r2"]);
    assert_eq!(cell(&matrix, JSON, "local/fast").verdict, Verdict::Inconclusive);
}

#[test]
fn what_nobody_tried_is_told_apart_from_what_a_target_cannot_show() {
    let matrix =
        merged(&[run(1, Target::Local, "fast", &[(JSON, Came::Pass)]), run(2, Target::Cluster, "deployed", &[])]);
    for (clause, column, verdict) in [
        (GRPC, "local/fast", Verdict::NotRun),
        (GRPC, "cluster/deployed", Verdict::NotApplicable),
        ("AC-lgtm-003-01/chart-source", "local/fast", Verdict::NotApplicable),
        ("AC-lgtm-003-01/chart-source", "cluster/deployed", Verdict::NotRun),
    ] {
        let cell = cell(&matrix, clause, column);
        assert_eq!((cell.verdict, &cell.run, cell.findings.len()), (verdict, &None, 0), "{clause} in {column}");
    }
}

#[test]
fn a_criterion_is_verified_by_all_its_clauses_wherever_each_passed() {
    use Came::{Fail, Inconclusive, Pass};
    let all = [JSON, PROTOBUF, GRPC, INDEX];
    let local = |profile: &str, came: [Option<Came>; 4]| {
        let came: Vec<(&str, Came)> =
            all.into_iter().zip(came).filter_map(|(clause, came)| Some((clause, came?))).collect();
        run(1, Target::Local, profile, &came)
    };
    let kind = |profile: &str, came: &[(&str, Came)]| run(2, Target::Kind, profile, came);
    let some = Some(Pass);
    use MatrixStatus::{Failed, NotVerified, Uncovered, Verified, VerifiedFast};
    let table = [
        (vec![local("deployed", [some; 4])], Verified, "passed 4 of 4 clauses"),
        (
            vec![local("fast", [some; 4])],
            VerifiedFast,
            "passed 4 of 4 clauses, 4 of them only with other timers than the deployment's",
        ),
        (
            vec![local("fast", [some; 4]), kind("deployed", &[(JSON, Pass), (GRPC, Pass), (INDEX, Pass)])],
            VerifiedFast,
            "passed 4 of 4 clauses, 1 of them only with other timers than the deployment's",
        ),
        (
            vec![local("deployed", [some, some, None, None]), kind("deployed", &[(GRPC, Pass), (INDEX, Pass)])],
            Verified,
            "passed 4 of 4 clauses",
        ),
        (
            vec![local("fast", [some, Some(Inconclusive), some, some]), kind("deployed", &[(PROTOBUF, Pass)])],
            VerifiedFast,
            "passed 4 of 4 clauses, 3 of them only with other timers than the deployment's",
        ),
        (
            vec![local("deployed", [some, some, Some(Inconclusive), None])],
            NotVerified,
            "1 inconclusive, 1 not run; passed 2 of 4 clauses",
        ),
        (vec![local("deployed", [some; 4]), kind("fast", &[(GRPC, Fail)])], Failed, "1 failed; passed 3 of 4 clauses"),
        (
            vec![local("deployed", [some; 4]), run(3, Target::Local, "deployed", &[(GRPC, Fail)])],
            Failed,
            "1 failed (1 unstable); passed 3 of 4 clauses",
        ),
    ];
    for (sources, status, reason) in table {
        let matrix = merged(&sources);
        let told = criterion(&matrix, "AC-lgtm-001-02");
        assert_eq!((told.status, told.reason.as_str()), (status, reason));
    }
    // A single report leaves out what its target cannot show; together nothing is left out.
    let bucket = run(1, Target::Local, "deployed", &[("AC-lgtm-001-01/bucket", Pass)]);
    assert_eq!(report(&bucket).criteria[0].status, CriterionStatus::Verified);
    let matrix = merged(&[bucket]);
    let told = |id: &str| (criterion(&matrix, id).status, criterion(&matrix, id).reason.as_str());
    let not_shown = (NotVerified, "1 not applicable to these targets; passed 1 of 2 clauses");
    assert_eq!(told("AC-lgtm-001-01"), not_shown);
    assert_eq!(told("REQ-lgtm-d4f8c2a1-003"), not_shown, "each clause once, however often it is included");
    assert_eq!(told("AC-lgtm-001-05"), (Uncovered, "no scenario covers any of its 1 clauses"));
    assert_eq!(told("AC-lgtm-002-04").0, MatrixStatus::Undefined);
}

#[test]
fn a_target_without_timers_verifies_without_a_reservation() {
    let text = "# Criteria\n\n## AC-lgtm-001-01 ~1 Files\n- level: shall\n- source: design.md 1\n\nText.\n\n\
                ### AC-lgtm-001-01/files ~1 Files\n- targets: tree kind\n\nText.\n";
    let catalogue = Catalogue::parse(&[("criteria.md", text)]).unwrap();
    let clause = id("AC-lgtm-001-01/files");
    for (target, status) in [(Target::Tree, MatrixStatus::Verified), (Target::Kind, MatrixStatus::VerifiedFast)] {
        let mut source = run(1, target, "fast", &[]);
        let passed = Judgement {
            verdict: Verdict::Pass,
            forced: false,
            findings: Vec::new(),
            latency: None,
            response_times: Vec::new(),
        };
        source.record.judgements.insert(clause.clone(), passed);
        let matrix = Matrix::of_runs(&catalogue, |_| [clause.clone()].into(), &[source]);
        assert_eq!(matrix.criteria[0].status, status, "{target}");
    }
}

/// A run whose record cannot be read, known from its own word beside it or not at all.
fn unread(number: u32, is_known: bool, came: &[(&str, Came)]) -> Source {
    let known = run(number, Target::Local, "fast", came).record.run.filter(|_| is_known);
    Source {
        name: format!("runs/r{number}"),
        record: RunRecord { run: known, ..RunRecord::default() },
        problem: Some("events/1.ndjson:7: expected value at line 1 column 1".to_owned()),
    }
}

#[test]
fn a_run_that_cannot_be_read_is_named_and_verifies_nothing() {
    let good = run(1, Target::Local, "fast", &[(JSON, Came::Pass)]);
    assert_eq!(matrix_exit_status(&merged(std::slice::from_ref(&good))), ExitStatus::Passed);
    for (broken, name) in [(unread(2, true, &[(JSON, Came::Pass)]), "r2"), (unread(2, false, &[]), "runs/r2")] {
        let matrix = merged(&[good.clone(), broken.clone()]);
        let told = matrix.runs.iter().find(|run| run.id == name).unwrap();
        assert!(!told.complete && told.problem.is_some());
        assert_eq!(cell(&matrix, JSON, "local/fast").run.as_deref(), Some("r1"));
        assert_eq!(matrix_exit_status(&matrix), ExitStatus::NotVerified);
        assert_eq!(matrix_exit_status(&merged(&[broken])), ExitStatus::NotVerified);
        for text in [matrix_terminal(&matrix, PLAIN), matrix_markdown(&matrix)] {
            assert!(text.contains(name) && text.contains("incomplete: events/1.ndjson:7: "), "{text}");
        }
    }
    let mut broken_off = good;
    broken_off.record.whole = false;
    let text = matrix_terminal(&merged(&[broken_off]), PLAIN);
    assert!(text.contains("run r1 is incomplete: not everything came to its end"), "{text}");
}

#[test]
fn the_longer_record_of_a_run_counts() {
    let whole = run(1, Target::Local, "fast", &[(JSON, Came::Pass), (GRPC, Came::Fail)]);
    let mut copy = run(1, Target::Local, "fast", &[(JSON, Came::Pass)]);
    copy.record.whole = false;
    copy.record.last = Tick(5);
    let unread = unread(1, true, &[]);
    let expected = merged(std::slice::from_ref(&whole));
    assert_eq!(merged(&[copy.clone(), whole.clone(), unread.clone()]), expected);
    assert_eq!(merged(&[unread, whole, copy]), expected);
}

#[test]
fn the_exit_status_tells_the_worst_of_what_any_run_was_asked_for() {
    use Came::{Blocked, Fail, Inconclusive, Pass};
    let local = |number, came: &[(&str, Came)]| run(number, Target::Local, "fast", came);
    let deployed = |number, came: &[(&str, Came)]| run(number, Target::Local, "deployed", came);
    let table = [
        (vec![local(1, &[]), deployed(2, &[])], ExitStatus::NothingSelected),
        (vec![local(1, &[(JSON, Pass)]), deployed(2, &[(GRPC, Pass)])], ExitStatus::Passed),
        (vec![local(1, &[(JSON, Inconclusive)]), deployed(2, &[(JSON, Pass)])], ExitStatus::Passed),
        (vec![local(1, &[(JSON, Pass)]), deployed(2, &[(GRPC, Inconclusive)])], ExitStatus::NotVerified),
        (vec![local(1, &[(JSON, Blocked)]), deployed(2, &[(GRPC, Blocked)])], ExitStatus::SetUpRefused),
        (vec![local(1, &[(JSON, Pass)]), deployed(2, &[(JSON, Fail)])], ExitStatus::Failed),
        (vec![local(1, &[(JSON, Fail)]), local(2, &[(JSON, Pass)])], ExitStatus::Failed),
    ];
    for (sources, expected) in table {
        assert_eq!(matrix_exit_status(&merged(&sources)), expected, "{sources:?}");
    }
}

/// A small hand-made set: two runs that disagree, other timers, another target, the files alone, and a record that nobody can read.
fn example() -> Vec<Source> {
    use Came::{Blocked, Fail, Forced, Inconclusive, Interrupted, Pass};
    let bucket = "AC-lgtm-001-01/bucket";
    let mut cut = run(
        3,
        Target::Local,
        "deployed",
        &[(JSON, Pass), (GRPC, Inconclusive), ("AC-lgtm-001-04/outage", Interrupted)],
    );
    cut.record.whole = false;
    if let Some(run) = &mut cut.record.run {
        run.stack.insert("loki".to_owned(), "3.6.0".to_owned());
        run.changes.push("--set loki.ingester.chunk_idle_period=10m".to_owned());
        run.selection.filters.push("--signal logs".to_owned());
    }
    vec![
        run(1, Target::Local, "fast", &[(bucket, Pass), (JSON, Pass), (PROTOBUF, Fail), (GRPC, Pass)]),
        run(
            2,
            Target::Local,
            "fast",
            &[(PROTOBUF, Pass), (GRPC, Blocked), (INDEX, Forced), ("AC-lgtm-002-01/bucket", Pass)],
        ),
        cut,
        run(4, Target::Kind, "deployed", &[(bucket, Pass), ("AC-lgtm-001-01/chart-source", Pass), (JSON, Pass)]),
        run(5, Target::Tree, "fast", &[]),
        unread(6, false, &[]),
    ]
}

#[test]
fn the_formats_look_as_they_always_did() {
    let matrix = merged(&example());
    insta::assert_snapshot!("matrix_terminal", matrix_terminal(&matrix, PLAIN));
    insta::assert_snapshot!("matrix_markdown", matrix_markdown(&matrix));
    insta::assert_snapshot!("matrix_json", matrix.to_json().unwrap());
}

/// A set of columns as wide as it gets leaves words only, and still fits.
#[test]
fn every_target_and_profile_fits_on_a_terminal() {
    let every = Target::ALL.into_iter().flat_map(|target| ["deployed", "fast"].map(|profile| (target, profile)));
    let came = [(JSON, Came::Fail), (PROTOBUF, Came::Forced), (GRPC, Came::Blocked)];
    let sources: Vec<Source> = every
        .zip(1..)
        .flat_map(|((target, profile), number)| {
            [run(number, target, profile, &came), run(number + 20, target, profile, &[(JSON, Came::Pass)])]
        })
        .collect();
    let text = matrix_terminal(&merged(&sources), PLAIN);
    assert!(text.contains("UNSTABLE") && text.contains("ok*") && !text.contains("ok* #"), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= PLAIN.width, "{widest} columns:\n{text}");
}

#[test]
fn colours_change_nothing_but_colours() {
    let matrix = merged(&example());
    let coloured = matrix_terminal(&matrix, Style { colour: Colour::Always, ..PLAIN });
    assert!(coloured.contains("\u{1b}[1;31mUNSTABLE\u{1b}[0m"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = sequence.split_once('m').unwrap().1;
    }
    let untrimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(untrimmed(&(plain + rest)), untrimmed(&matrix_terminal(&matrix, PLAIN)));
}

#[test]
fn the_json_matrix_reads_back_and_counts_what_it_shows() {
    let matrix = merged(&example());
    let text = matrix.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Matrix>(&text).unwrap(), matrix);
    assert_eq!(matrix.schema, "lgtm-verify-matrix/1");
    for status in MatrixStatus::ALL {
        let shown = matrix.criteria.iter().filter(|criterion| criterion.status == status).count();
        assert_eq!(matrix.summary.criteria[status.word()], shown);
        assert_eq!(serde_json::to_value(status).unwrap(), status.word());
    }
    for verdict in Verdict::ALL {
        let shown = matrix.clauses().filter(|clause| clause.verdict == verdict).count();
        assert_eq!(matrix.summary.clauses[verdict.word()], shown);
    }
    let columns: Vec<&str> = matrix.columns.iter().map(|column| column.id.as_str()).collect();
    assert!(matrix.clauses().all(|clause| columns.iter().all(|column| clause.cells.contains_key(*column))));
}

/// How good a status is.
fn rank(status: MatrixStatus) -> u8 {
    match status {
        MatrixStatus::Failed => 0,
        MatrixStatus::NotVerified | MatrixStatus::Uncovered | MatrixStatus::Undefined => 1,
        MatrixStatus::VerifiedFast => 2,
        MatrixStatus::Verified => 3,
    }
}

fn clauses_of_target(target: Target) -> Vec<ClauseId> {
    let shown = CATALOGUE.clauses().filter(|clause| clause.applies_to(target) && COVERED.contains(&clause.id));
    shown.map(|clause| clause.id.clone()).collect()
}

fn any_run(number: u32) -> impl Strategy<Value = Source> {
    let target = prop::sample::select(Target::ALL.to_vec());
    let profile = prop::sample::select(vec!["fast", "deployed"]);
    // Passes are frequent, so that criteria are verified now and then.
    let came =
        prop::option::weighted(0.8, prop_oneof![3 => Just(Came::Pass), 1 => prop::sample::select(Came::ALL.to_vec())]);
    let came = prop::collection::vec(came, 16);
    (target, profile, came).prop_map(move |(target, profile, came)| {
        let came = clauses_of_target(target).into_iter().zip(came).filter_map(|(clause, came)| Some((clause, came?)));
        of_clauses(number, target, profile, came.collect())
    })
}

fn any_runs() -> impl Strategy<Value = Vec<Source>> {
    (1_usize..6).prop_flat_map(|length| (1..).take(length).map(any_run).collect::<Vec<_>>())
}

/// The clauses of a criterion and of all that it includes.
fn clauses_under(name: &str) -> Vec<ClauseId> {
    let criterion = CATALOGUE.criteria.iter().find(|criterion| criterion.id.as_str() == name).unwrap();
    let included = criterion.includes.iter().flat_map(|included| clauses_under(included.as_str()));
    criterion.clauses.iter().map(|clause| clause.id.clone()).chain(included).collect()
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_matters(runs in any_runs().prop_shuffle(), again in any::<prop::sample::Index>()) {
        let matrix = merged(&runs);
        let mut reversed: Vec<Source> = runs.iter().rev().cloned().collect();
        prop_assert_eq!(&merged(&reversed), &matrix);
        reversed.push(again.get(&runs).clone());
        prop_assert_eq!(&merged(&reversed), &matrix);
    }

    #[test]
    fn one_run_says_what_its_own_report_says(run in any_run(1)) {
        let matrix = merged(std::slice::from_ref(&run));
        let report = report(&run);
        let column = matrix.columns[0].id.as_str();
        for (clause, own) in matrix.clauses().zip(report.clauses()) {
            let cell = &clause.cells[column];
            prop_assert_eq!(&clause.id, &own.id);
            prop_assert_eq!((clause.verdict, cell.verdict, cell.forced), (own.verdict, own.verdict, own.forced));
            prop_assert_eq!(cell.latency, own.latency);
            prop_assert!(!cell.unstable && cell.others.is_empty());
        }
        let selected = run.record.run.iter().flat_map(|run| run.selection.clauses.iter().cloned()).collect();
        prop_assert_eq!(matrix_exit_status(&matrix), exit_status(&report, &selected));
    }

    /// A pass of the matrix is some report's pass, a failure of any report is the matrix's failure.
    #[test]
    fn nothing_is_better_than_the_single_reports(runs in any_runs()) {
        let matrix = merged(&runs);
        let reports: Vec<Report> = runs.iter().map(report).collect();
        let says = |report: &Report, clause: &ClauseId, verdict: Verdict| {
            report.clauses().any(|own| own.id == *clause && own.verdict == verdict)
        };
        let any_says = |clause: &ClauseId, verdict| reports.iter().any(|report| says(report, clause, verdict));
        for criterion in &matrix.criteria {
            let under = clauses_under(criterion.id.as_str());
            let failed = under.iter().any(|clause| any_says(clause, Verdict::Fail));
            prop_assert_eq!(criterion.status == MatrixStatus::Failed, failed, "{}", criterion.id);
            let single = reports.iter().flat_map(|report| report.criteria.iter().find(|own| own.id == criterion.id));
            prop_assert!(failed || single.into_iter().all(|own| own.status != CriterionStatus::Failed));
            if rank(criterion.status) >= rank(MatrixStatus::VerifiedFast) {
                prop_assert!(under.iter().all(|clause| any_says(clause, Verdict::Pass)), "{}", criterion.id);
            }
            if criterion.status == MatrixStatus::Verified {
                let deployed = |report: &&Report| report.profile == "deployed" || report.target == Target::Tree;
                let passed =
                    |clause: &ClauseId| reports.iter().filter(deployed).any(|report| says(report, clause, Verdict::Pass));
                prop_assert!(under.iter().all(passed), "{}", criterion.id);
            }
        }
        for (column, cell) in matrix.clauses().flat_map(|clause| &clause.cells) {
            prop_assert!(!cell.unstable || cell.verdict == Verdict::Fail, "{} {:?}", column, cell);
        }
    }

    /// In one column, what passes is what the newest run to judge it passed.
    #[test]
    fn a_pass_is_the_newest_word_of_its_column(runs in any_runs()) {
        let matrix = merged(&runs);
        for column in &matrix.columns {
            let reports: Vec<Report> =
                runs.iter().map(report).filter(|report| column.runs.contains(&report.run.id)).collect();
            for clause in matrix.clauses().filter(|clause| clause.cells[&column.id].verdict == Verdict::Pass) {
                let words = reports.iter().flat_map(|report| report.clauses().filter(|own| own.id == clause.id));
                let judged = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive];
                let words: Vec<Verdict> =
                    words.map(|own| own.verdict).filter(|verdict| judged.contains(verdict)).collect();
                prop_assert_eq!(words.last(), Some(&Verdict::Pass));
                prop_assert!(!words.contains(&Verdict::Fail));
            }
        }
    }

    #[test]
    fn a_failing_run_improves_nothing(
        runs in any_runs(), number in 0_u32..12, target in prop::sample::select(Target::ALL.to_vec()),
        profile in prop::sample::select(vec!["fast", "deployed"]), fails in prop::collection::vec(any::<bool>(), 16),
    ) {
        // Half a minute between two of the others, or before or after all.
        let failing = clauses_of_target(target).into_iter().zip(fails).filter(|(_, fails)| *fails);
        let failing: BTreeMap<ClauseId, Came> = failing.map(|(clause, _)| (clause, Came::Fail)).collect();
        let mut added = of_clauses(number, target, profile, failing.clone());
        if let Some(run) = &mut added.record.run {
            run.id = "added".to_owned();
            run.started = format!("2026-11-23T18:{number:02}:30.000Z");
        }
        let before = merged(&runs);
        let mut more = runs;
        more.push(added);
        let after = merged(&more);
        for (older, newer) in before.criteria.iter().zip(&after.criteria) {
            prop_assert!(rank(newer.status) <= rank(older.status), "{}", older.id);
            if clauses_under(older.id.as_str()).iter().any(|clause| failing.contains_key(clause)) {
                prop_assert_eq!(newer.status, MatrixStatus::Failed);
            }
        }
    }

    /// Whatever the stack writes into its logs and answers, and whatever a run calls itself.
    #[test]
    fn no_text_breaks_a_format(text in any::<String>(), width in 20_usize..140) {
        let mut matrix = merged(&example());
        let columns = matrix.columns.len();
        matrix.runs[0].changes.push(text.clone());
        matrix.runs[1].problem = Some(text.clone());
        matrix.criteria[1].title.clone_from(&text);
        for cell in matrix.criteria[1].clauses.iter_mut().flat_map(|clause| clause.cells.values_mut()) {
            for finding in &mut cell.findings {
                finding.found.clone_from(&text);
            }
        }
        let terminal = matrix_terminal(&matrix, Style { width, ..PLAIN });
        prop_assert!(!terminal.chars().any(|character| character.is_control() && character != '\n'));
        let markdown = matrix_markdown(&matrix);
        let (_, table) = markdown.split_once("## Matrix\n\n").unwrap();
        let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
        prop_assert_eq!(rows.len(), 2 + matrix.criteria.len() + matrix.clauses().count());
        for row in rows {
            let bars = row.replace("\\|", "").chars().filter(|character| *character == '|').count();
            prop_assert_eq!(bars, columns + 4, "{:?}", row);
        }
    }
}
