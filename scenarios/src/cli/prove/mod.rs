//! The stack broken on purpose, and whether the harness says so. Must not know how a clause is judged: it reads reports.

mod comparison;
mod sabotages;

pub use comparison::{Outcome, Surprise, surprises};
pub use sabotages::{Blamed, Drives, SABOTAGES, Sabotage};

use harness_adapters::causes;
use std::{
    fmt::Write as _,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, TryFutureExt, stream};
use harness_adapters::{
    SystemClock,
    faults::{Proxy, Saboteur},
    targets::blueprint::{Override, Role},
    targets::local::{Folders, StackState, down},
};
use harness_core::{
    lock::{Access, Held},
    report::{ClauseReport, ExitStatus, Report},
    scenario::Filter,
    stats::Plan,
    verdict::Verdict,
};

use super::{
    BuildProgress, CliError, EndpointOverride, Interposer, Interruption, LocalOptions, Place, RunOptions, RunProgress,
    run,
};

/// What is to be proved.
#[derive(Debug, Clone)]
pub struct ProveOptions {
    /// Names of sabotages; all where there is none.
    pub names: Vec<String>,
    /// How many stacks are broken at the same time, at least one.
    pub jobs: usize,
    /// The stack that is broken: each sabotage gets one of its own beside its folder.
    pub local: LocalOptions,
    /// The folder that holds the folders of runs; those of sabotages lie in `prove/NAME` below it.
    pub runs: PathBuf,
}

/// What came of one sabotage.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The sabotage.
    pub sabotage: &'static Sabotage,
    /// What was found; or why there was no run.
    pub outcome: Result<Outcome, String>,
    /// Everything that is not as it should be.
    pub surprises: Vec<Surprise>,
}

/// Breaks the stack in each of the chosen ways, drives the main scenarios against it, and compares what was not passed with what the
/// sabotage must turn red.
///
/// # Errors
/// [`CliError::Usage`]: an unknown name; [`CliError::SetUp`]: interrupted, or another `prove` is at work. A sabotage whose stack does
/// not come up is no error but a surprise.
pub async fn prove(options: &ProveOptions, interruption: &Interruption) -> Result<Vec<Proof>, CliError> {
    let chosen = chosen(&options.names)?;
    let _alone = alone(&options.local.folders)?;
    let mut proofs: Vec<Proof> = stream::iter(chosen)
        .map(|sabotage| prove_one(options, sabotage, interruption))
        .buffer_unordered(options.jobs.max(1))
        .collect()
        .await;
    if interruption.has_come() {
        return Err(CliError::SetUp("interrupted: nothing is proved".to_owned()));
    }
    proofs.sort_by_key(|proof| SABOTAGES.iter().position(|sabotage| sabotage.name == proof.sabotage.name));
    Ok(proofs)
}

/// How the whole ends: passed only where everything is as it should be.
pub fn prove_status(proofs: &[Proof]) -> ExitStatus {
    if proofs.is_empty() {
        ExitStatus::NothingSelected
    } else if proofs.iter().all(|proof| proof.surprises.is_empty()) {
        ExitStatus::Passed
    } else {
        ExitStatus::Failed
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Sabotage>, CliError> {
    if let Some(unknown) = names.iter().find(|name| SABOTAGES.iter().all(|sabotage| sabotage.name != **name)) {
        let known: Vec<&str> = SABOTAGES.iter().map(|sabotage| sabotage.name).collect();
        return Err(CliError::Usage(format!("unknown sabotage {unknown:?}: there are {}", known.join(", "))));
    }
    Ok(SABOTAGES.iter().filter(|sabotage| names.is_empty() || names.iter().any(|name| name == sabotage.name)).collect())
}

/// Keeps a second `prove` from taking this one's stacks down.
fn alone(folders: &Folders) -> Result<Held, CliError> {
    let path = folders.stack.with_file_name("prove.lock");
    let refused = |error: std::io::Error| CliError::SetUp(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let file = File::create(&path).map_err(refused)?;
    let held = Held::try_take(file, Access::Write).map_err(refused)?;
    held.ok_or_else(|| CliError::SetUp(format!("another prove holds {}: wait for its end", path.display())))
}

async fn prove_one(options: &ProveOptions, sabotage: &'static Sabotage, interruption: &Interruption) -> Proof {
    let outcome = broken_run(options, sabotage, interruption).await.map_err(|error| error.to_string());
    let surprises = match &outcome {
        Ok(outcome) => surprises(sabotage.blamed, outcome),
        Err(reason) => vec![Surprise::NoRun { reason: reason.clone() }],
    };
    Proof { sabotage, outcome, surprises }
}

/// One sabotage on a stack of its own, which is gone afterwards.
async fn broken_run(
    options: &ProveOptions,
    sabotage: &'static Sabotage,
    interruption: &Interruption,
) -> Result<Outcome, CliError> {
    let local = LocalOptions { folders: folders_of(&options.local.folders, sabotage.name), ..options.local.clone() };
    let saboteur = sabotage.saboteur.map(|(role, make)| Arc::new(Between::new(role, make())));
    let overrides: Result<Vec<Override>, _> = sabotage.overrides.iter().map(|text| text.parse()).collect();
    let overrides = overrides.map_err(|error| CliError::Bug(causes(&error)))?;
    let folder = local.folders.stack.clone();
    let run_options = RunOptions {
        filter: Filter { tags: vec![sabotage.drives.tag().to_owned()], ..Filter::default() },
        place: Place::Local(LocalOptions {
            overrides: [local.overrides.clone(), overrides].concat(),
            interposer: saboteur.clone().map(|between| between as Arc<dyn Interposer>),
            ..local
        }),
        load_lasts: sabotage.drives.load_lasts(),
        seed: None,
        plan: Plan::QUICK,
        runs: options.runs.join("prove").join(sabotage.name),
        reports: Vec::new(),
        keep: None,
    };
    let clock = SystemClock::start();
    let gone = |error| CliError::SetUp(causes(&error));
    // What an earlier prove was killed over may still linger.
    interruption.or("while an earlier stack was taken down", down(&folder, false, &clock).map_err(gone)).await?;
    let watcher = Arc::new(RunProgress::one_of_several(sabotage.name));
    let building = BuildProgress::one_of_several(sabotage.name);
    let announce = |info: &harness_core::record::RunInfo, folder: &std::path::Path| {
        building.say(&format!("run {} (seed {}), recorded in {}", info.id, info.seed, folder.display()));
    };
    let reported = run(&run_options, watcher, &building, announce, interruption).await;
    down(&folder, false, &clock).await.map_err(gone)?;
    let (report, _) = reported?;
    Ok(Outcome::of(&report, saboteur.map(|between| between.saboteur.injected())))
}

/// The stack of the sabotage called `name`, beside the one that everything else uses.
fn folders_of(folders: &Folders, name: &str) -> Folders {
    Folders { stack: folders.stack.with_file_name(format!("prove-{name}")), ..folders.clone() }
}

/// A saboteur before one address of the stack, in place from the stack's coming up on.
struct Between {
    role: Role,
    saboteur: Arc<dyn Saboteur>,
    proxy: Mutex<Option<Proxy>>,
}

impl Between {
    fn new(role: Role, saboteur: Arc<dyn Saboteur>) -> Self {
        Self { role, saboteur, proxy: Mutex::default() }
    }
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Between").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Interposer for Between {
    fn interpose(&self, stack: &StackState) -> Result<Vec<EndpointOverride>, CliError> {
        let upstream = stack
            .endpoint(self.role)
            .ok_or_else(|| CliError::SetUp(format!("the stack has no {} to put a proxy before", self.role)))?;
        let proxy =
            Proxy::start(upstream, Arc::clone(&self.saboteur)).map_err(|error| CliError::SetUp(causes(&error)))?;
        let url = proxy.url().to_owned();
        *self.proxy.lock().unwrap_or_else(PoisonError::into_inner) = Some(proxy);
        Ok(vec![EndpointOverride { role: self.role, url }])
    }

    fn describe(&self) -> String {
        format!("a saboteur before {}", self.role)
    }
}

/// Each proof with the clauses that did not pass and why, then a table: sabotage, how many clauses it must turn red, how many it did,
/// and how many surprises there were in either direction.
pub fn describe_proofs(proofs: &[Proof]) -> String {
    let mut text = String::new();
    for proof in proofs {
        let _ = writeln!(text, "{}: {}", proof.sabotage.name, proof.sabotage.breaks);
        if let Ok(outcome) = &proof.outcome {
            describe_outcome(&mut text, proof.sabotage, outcome);
        }
        for surprise in &proof.surprises {
            let _ = writeln!(text, "  surprise: {}", excerpt(&surprise.to_string(), "", 4 * EXCERPT));
        }
    }
    let _ = writeln!(text, "\n{:<22} {:>8} {:>8} {:>8}  surprises", "sabotage", "must not", "did not", "passed");
    for proof in proofs {
        let (red, passed) = match &proof.outcome {
            Ok(outcome) => (outcome.not_passed().count().to_string(), outcome.passed().to_string()),
            Err(_) => ("no run".to_owned(), "-".to_owned()),
        };
        let surprises = match proof.surprises.len() {
            0 => "none".to_owned(),
            count => count.to_string(),
        };
        let Sabotage { name, blamed, .. } = proof.sabotage;
        let _ = writeln!(text, "{name:<22} {:>8} {red:>8} {passed:>8}  {surprises}", blamed.len());
    }
    let surprised = proofs.iter().filter(|proof| !proof.surprises.is_empty()).count();
    let _ = writeln!(text, "{} sabotages, {} as expected, {surprised} not", proofs.len(), proofs.len() - surprised);
    text
}

/// How much of a finding is shown, in characters: a component's log line has many hundreds.
const EXCERPT: usize = 160;

fn describe_outcome(text: &mut String, sabotage: &Sabotage, outcome: &Outcome) {
    if let Some(injected) = outcome.injected {
        let _ = writeln!(text, "  the fault took place {injected} times");
    }
    for clause in outcome.not_passed() {
        let expected = sabotage.blamed.iter().find(|blamed| blamed.clause == clause.id.as_str());
        let mark = if expected.is_some() { "expected" } else { "NOT EXPECTED" };
        let says = expected.map_or("", |blamed| blamed.says);
        let cause = expected.and_then(|blamed| blamed.named_by(&clause.findings)).or_else(|| clause.findings.first());
        let cause = cause.map_or_else(
            || "no finding".to_owned(),
            |finding| format!("{}: found {}", finding.rule, excerpt(&finding.found, says, EXCERPT)),
        );
        let _ = writeln!(text, "  {:<36} {:<12} {mark:<12} {cause}", clause.id.as_str(), clause.verdict.word());
    }
}

/// At most `limit` characters of `text` around `word`, on one line.
fn excerpt(text: &str, word: &str, limit: usize) -> String {
    let characters: Vec<char> =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if characters.len() <= limit {
        return characters.into_iter().collect();
    }
    let at = text.split_once(word).map_or(0, |(before, _)| before.chars().count());
    let begin = (at + word.chars().count()).saturating_sub(limit);
    let shown: String = characters.iter().skip(begin).take(limit).collect();
    let left = if begin > 0 { "…" } else { "" };
    let right = if begin + limit < characters.len() { "…" } else { "" };
    format!("{left}{shown}{right}")
}

impl Outcome {
    /// The clauses of `report` that were selected, and the proof that the fault took place where a saboteur brought it about.
    fn of(report: &Report, injected: Option<u64>) -> Self {
        Self { clauses: report.clauses().filter(|clause| clause.was_selected()).cloned().collect(), injected }
    }

    fn not_passed(&self) -> impl Iterator<Item = &ClauseReport> {
        self.clauses.iter().filter(|clause| clause.verdict != Verdict::Pass)
    }

    fn passed(&self) -> usize {
        self.clauses.len() - self.not_passed().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(surprises: Vec<Surprise>) -> Proof {
        let outcome = Ok(Outcome { clauses: Vec::new(), injected: Some(3) });
        Proof { sabotage: &SABOTAGES[0], outcome, surprises }
    }

    #[test]
    fn one_surprise_fails_the_whole_and_nothing_proves_nothing() {
        let table = [
            (vec![], ExitStatus::NothingSelected),
            (vec![proof(vec![])], ExitStatus::Passed),
            (vec![proof(vec![]), proof(vec![Surprise::NoFault])], ExitStatus::Failed),
        ];
        for (proofs, status) in table {
            assert_eq!(prove_status(&proofs), status);
        }
    }

    #[test]
    fn what_surprises_is_told() {
        let told = describe_proofs(&[proof(vec![]), proof(vec![Surprise::NoFault])]);
        assert!(told.contains("surprise: the fault never took place"), "{told}");
        assert!(told.contains("the fault took place 3 times"), "{told}");
        let rows: Vec<Vec<&str>> = told.lines().rev().map(|line| line.split_whitespace().collect()).take(3).collect();
        assert_eq!(rows[0].join(" "), "2 sabotages, 1 as expected, 1 not");
        assert_eq!(rows[1], ["none", "0", "0", "0", "1"]);
        assert_eq!(rows[2], ["none", "0", "0", "0", "none"]);
    }

    #[test]
    fn an_excerpt_keeps_the_word_it_is_about() {
        let table = [
            ("short", "", "short"),
            ("two\nlines", "", "two lines"),
            ("a long line without it", "", "a long lin…"),
            ("a long line: AccessDenied: no", "Denied", "…cessDenied…"),
            ("über üb", "üb", "über üb"),
        ];
        for (text, word, expected) in table {
            assert_eq!(excerpt(text, word, 10), expected, "{text}");
        }
    }

    #[test]
    fn names_choose_in_the_order_of_the_table_and_an_unknown_one_is_refused() {
        let names = |chosen: Vec<&Sabotage>| chosen.iter().map(|sabotage| sabotage.name).collect::<Vec<_>>();
        assert_eq!(chosen(&[]).unwrap().len(), SABOTAGES.len());
        let two = ["lost-entry".to_owned(), "idle-period".to_owned()];
        assert_eq!(names(chosen(&two).unwrap()), ["idle-period", "lost-entry"]);
        let error = chosen(&["lost".to_owned()]).unwrap_err();
        assert_eq!(error.exit_status(), ExitStatus::Usage);
        assert!(error.to_string().starts_with("unknown sabotage \"lost\": there are none, idle-period, "), "{error}");
    }

    #[test]
    fn a_second_prove_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders { cache: folder.path().join("cache"), stack: folder.path().join("state/stack") };
        let first = alone(&folders).unwrap();
        assert_eq!(alone(&folders).unwrap_err().exit_status(), ExitStatus::SetUpRefused);
        drop(first);
        assert!(alone(&folders).is_ok());
    }

    #[test]
    fn no_sabotage_touches_the_stack_of_everything_else() {
        let folders = Folders { cache: "cache".into(), stack: "state/stack".into() };
        for sabotage in SABOTAGES {
            let own = folders_of(&folders, sabotage.name);
            assert_eq!(own.stack, PathBuf::from(format!("state/prove-{}", sabotage.name)));
            assert_eq!(own.cache, folders.cache);
        }
    }
}
