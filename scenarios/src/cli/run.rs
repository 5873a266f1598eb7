//! A run: chosen scenarios against a stack, recorded, judged, reported.

use harness_adapters::causes;
use std::{
    collections::BTreeSet,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use harness_adapters::{SystemClock, targets::blueprint::Progress};
use harness_core::{
    catalogue::{Catalogue, ClauseId, Target},
    lock::{Access, FOREVER, Held},
    observation::rfc3339,
    ports::Clock,
    record::{RecordError, RunInfo, RunRecord, Selection, assemble, read_run},
    report::{ExitStatus, Report, exit_status, junit, markdown},
    runner::{self, Durations, RunError},
    scenario::{Filter, Scenario, select},
    stage::{FULL_LOAD, Patience, RunContext, Watcher},
    stats::Plan,
    verdict::Verdict,
};

use super::{
    CliError, Interruption,
    durations::recorded,
    keep::{keep, may_keep},
    place::Place,
    session::Session,
};
use crate::criteria;

/// How long records of a clause without a bound are waited for, and how long a claim.
const PATIENCE: Patience = Patience { records: Duration::from_secs(180), claims: Duration::from_secs(3600) };

/// What a run is told.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// What to run.
    pub filter: Filter,
    /// Where the stack is.
    pub place: Place,
    /// How long loads last.
    pub load_lasts: Duration,
    /// Replays stimuli; a random one where `None`.
    pub seed: Option<u64>,
    /// How often questions are asked whose answers are timed.
    pub plan: Plan,
    /// The folder that holds the folders of runs.
    pub runs: PathBuf,
    /// Reports to write beside those in the run's own folder.
    pub reports: Vec<ReportTarget>,
    /// The bucket that the run's folder is kept in once it has ended.
    pub keep: Option<String>,
}

impl RunOptions {
    /// What is otherwise than it would be without flags.
    fn changes(&self) -> Vec<String> {
        let mut changes = self.place.changes();
        if self.load_lasts != FULL_LOAD {
            changes.push(format!("--load-seconds {}", self.load_lasts.as_secs()));
        }
        changes
    }
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// The report, field by field.
    Json,
    /// For CI systems.
    Junit,
    /// For people.
    Markdown,
}

/// A report and where to write it: `json=PATH`, `junit=PATH`, `md=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTarget {
    /// The format.
    pub format: ReportFormat,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, path) = text.split_once('=').ok_or_else(|| format!("{text:?} is not FORMAT=PATH"))?;
        let format = match format {
            "json" => ReportFormat::Json,
            "junit" => ReportFormat::Junit,
            "md" => ReportFormat::Markdown,
            other => return Err(format!("unknown report format {other:?}, expected json, junit or md")),
        };
        if path.is_empty() { Err(format!("{text:?} names no file")) } else { Ok(Self { format, path: path.into() }) }
    }
}

/// The catalogue and the scenarios, checked against each other.
///
/// # Errors
/// [`CliError::Bug`]: what was built in is not consistent; every inconsistency with file and line.
pub fn load() -> Result<(Arc<Catalogue>, Vec<Scenario>), CliError> {
    let told = |errors: Vec<harness_core::catalogue::CatalogueError>| {
        CliError::Bug(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let catalogue = criteria::load().map_err(told)?;
    let scenarios = crate::all().map_err(CliError::Bug)?;
    let covers: Vec<_> = scenarios
        .iter()
        .map(|scenario| (scenario.name.as_str(), scenario.written_at, scenario.covers.clone()))
        .collect();
    let errors = catalogue.check_scenarios(&covers);
    if errors.is_empty() { Ok((Arc::new(catalogue), scenarios)) } else { Err(told(errors)) }
}

/// A run that is about to be driven: what was chosen, and everything that scenarios share.
pub struct Drive {
    /// What scenarios share.
    pub context: Arc<RunContext>,
    /// The chosen scenarios.
    pub scenarios: Vec<Scenario>,
    /// Their chosen clauses.
    pub clauses: BTreeSet<ClauseId>,
    /// How long they took in earlier runs.
    pub durations: Durations,
}

/// Chooses, brings the stack up, and opens the run's folder (`name`, or the run's id). A folder that another process of the same
/// run has opened is joined.
///
/// # Errors
/// Unknown names, nothing selected, a stack that does not come up, a folder that cannot be written, an interruption.
pub async fn begin(
    options: &RunOptions,
    name: Option<&str>,
    watcher: Arc<dyn Watcher>,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<Drive, CliError> {
    let (catalogue, scenarios) = load()?;
    let (chosen, clauses) =
        select(&options.filter, &catalogue, &scenarios).map_err(|error| CliError::Usage(error.to_string()))?;
    let target = options.place.target();
    let shown: BTreeSet<ClauseId> =
        clauses.into_iter().filter(|id| catalogue.clause(id).is_some_and(|clause| clause.applies_to(target))).collect();
    let chosen: Vec<Scenario> = chosen.into_iter().filter(|scenario| scenario.runs_on(target)).collect();
    if shown.is_empty() {
        return Err(CliError::NothingSelected(format!(
            "target {target} can show no clause that is let through by {}",
            options.filter.words().join(" ")
        )));
    }
    if chosen.is_empty() {
        return Err(CliError::Uncovered(shown.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let started = rfc3339(clock.unix_ns());
    let session = Session::open(&options.place, &chosen, Arc::clone(&clock), progress, interruption).await?;
    let info = RunInfo {
        id: run_id(&*clock),
        seed: options.seed.unwrap_or_else(random),
        started,
        target,
        profile: session.profile,
        stack: session.versions,
        changes: options.changes(),
        selection: Selection { filters: options.filter.words(), clauses: shown.iter().cloned().collect() },
    };
    let folder = options.runs.join(name.unwrap_or(&info.id));
    let info = interruption.or("while the run's folder was opened", join_or_found(&folder, info, &*clock)).await?;
    let durations = recorded(&options.runs, &info, &chosen);
    let context = RunContext {
        info,
        folder,
        ports: session.ports,
        catalogue,
        patience: PATIENCE,
        load_lasts: options.load_lasts,
        plan: options.plan,
        watcher,
        redactor: session.redactor,
    };
    Ok(Drive { context: Arc::new(context), scenarios: chosen, clauses: shown, durations })
}

/// The run's own word about itself, from `run.json` in its folder; the first process of a run writes it.
async fn join_or_found(folder: &Path, info: RunInfo, clock: &dyn Clock) -> Result<RunInfo, CliError> {
    let path = folder.join("run.json");
    let refused = |error: std::io::Error| CliError::NotWritten(format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(refused)?;
    let lock = fs::File::create(folder.join("run.lock")).map_err(refused)?;
    let _alone = Held::take(lock, Access::Write, clock, FOREVER).await.map_err(refused)?;
    if let Ok(text) = fs::read(&path) {
        return serde_json::from_slice(&text)
            .map_err(|error| CliError::NotWritten(format!("{}: {error}", path.display())));
    }
    let text = serde_json::to_vec_pretty(&info).map_err(|error| CliError::Bug(error.to_string()))?;
    fs::write(&path, text).map_err(refused)?;
    Ok(info)
}

/// `20261123-181530-3fa9c2`: sorts by time, is a valid label value, and is unique enough for one stack.
fn run_id(clock: &dyn Clock) -> String {
    let started: String =
        rfc3339(clock.unix_ns()).chars().filter(char::is_ascii_digit).take("yyyymmddhhmmss".len()).collect();
    let (day, time) = started.split_at_checked(8).unwrap_or((&started, ""));
    format!("{day}-{time}-{:06x}", random() & 0xff_ffff)
}

/// A random number: the standard library seeds every hasher from the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Runs, reports, and says how it ended. The summary is the string; everything else is told to `watcher` and `progress`.
///
/// # Errors
/// See [`CliError`]. What was recorded before an error stays readable in the run's folder.
pub async fn run(
    options: &RunOptions,
    watcher: Arc<dyn Watcher>,
    progress: &dyn Progress,
    announce: impl FnOnce(&RunInfo, &Path),
    interruption: &Interruption,
) -> Result<(Report, ExitStatus), CliError> {
    options.keep.as_deref().map_or(Ok(()), may_keep)?;
    let drive = begin(options, None, watcher, progress, interruption).await?;
    announce(&drive.context.info, &drive.context.folder);
    let interrupted = interruption.clone().comes().boxed();
    let outcome = runner::run(Arc::clone(&drive.context), drive.scenarios.clone(), &drive.durations, interrupted).await;
    let reported = finish(&drive.context.folder, &options.reports);
    let kept = match &options.keep {
        Some(bucket) => {
            let context = &drive.context;
            keep(&*context.ports.objects, bucket, &context.info.id, &context.folder).await
        }
        None => Ok(()),
    };
    if let Err(error) = outcome {
        return Err(run_error(error));
    }
    let report = reported?;
    kept?;
    let status = exit_status(&report, &drive.clauses);
    Ok((report, status))
}

/// Reads the record in `folder`, writes the run's own reports beside it and those asked for, and returns the report.
///
/// # Errors
/// [`CliError::NotWritten`]: the record cannot be read, or a report cannot be written.
pub fn finish(folder: &Path, extra: &[ReportTarget]) -> Result<Report, CliError> {
    let report = compute(folder)?;
    let own = [
        ("report.json", ReportFormat::Json),
        ("report.md", ReportFormat::Markdown),
        ("junit.xml", ReportFormat::Junit),
    ];
    let own = own.map(|(name, format)| ReportTarget { format, path: folder.join(name) });
    write_reports(&report, &own)?;
    write_reports(&report, extra)?;
    Ok(report)
}

/// The report of the record in `folder`.
pub(super) fn compute(folder: &Path) -> Result<Report, CliError> {
    let (catalogue, scenarios) = load()?;
    let record = read_record(folder)?;
    let target = record.run.as_ref().map_or(Target::Local, |run| run.target);
    Ok(Report::of_run(&catalogue, &covered_on(&scenarios, target), &record, target))
}

/// The clauses that some of `scenarios` decides on `target`.
pub(super) fn covered_on(scenarios: &[Scenario], target: Target) -> BTreeSet<ClauseId> {
    let there = scenarios.iter().filter(|scenario| scenario.runs_on(target));
    there.flat_map(|scenario| scenario.covers.iter().cloned()).collect()
}

/// Writes `report` to each of `targets`.
pub(super) fn write_reports(report: &Report, targets: &[ReportTarget]) -> Result<(), CliError> {
    targets.iter().try_for_each(|target| write_report(report, target))
}

/// What the record in `folder` says.
pub(super) fn read_record(folder: &Path) -> Result<RunRecord, CliError> {
    let (entries, whole) = read_run(folder).map_err(|error| match error {
        RecordError::NoRun { .. } => CliError::Usage(causes(&error)),
        error => CliError::NotWritten(causes(&error)),
    })?;
    Ok(assemble(&entries, whole))
}

fn write_report(report: &Report, target: &ReportTarget) -> Result<(), CliError> {
    let refused = |error: &dyn std::fmt::Display| CliError::NotWritten(format!("{}: {error}", target.path.display()));
    let text = match target.format {
        ReportFormat::Json => report.to_json().map_err(|error| refused(&error))?,
        ReportFormat::Junit => junit(report).map_err(|error| refused(&error))?,
        ReportFormat::Markdown => markdown(report),
    };
    fs::write(&target.path, text).map_err(|error| refused(&error))
}

/// The folder of the newest run below `runs`, where there is one.
pub fn newest_run(runs: &Path) -> Option<PathBuf> {
    fs::read_dir(runs)
        .ok()?
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let run: RunInfo = serde_json::from_slice(&fs::read(folder.join("run.json")).ok()?).ok()?;
            Some((run.started, folder))
        })
        .max()
        .map(|(_, folder)| folder)
}

/// Drives the scenario that decides `clause`, unless this run has driven it already; returns the clause's verdict and findings.
///
/// # Errors
/// See [`CliError`].
pub async fn clause_record(
    drive: &Drive,
    clause: &ClauseId,
    interruption: &Interruption,
) -> Result<(Verdict, Vec<String>), CliError> {
    let scenario = drive
        .scenarios
        .iter()
        .find(|scenario| scenario.covers.contains(clause))
        .ok_or_else(|| CliError::NothingSelected(format!("no scenario covers {clause}")))?;
    let record = runner::drive_once(Arc::clone(&drive.context), scenario.clone(), interruption.clone().comes().boxed())
        .await
        .map_err(run_error)?;
    let judgement = record.judgements.get(clause);
    let findings = judgement.map(|judgement| judgement.findings.iter().map(ToString::to_string).collect());
    match (judgement, record.halts.get(clause)) {
        (Some(judgement), _) => Ok((judgement.verdict, findings.unwrap_or_default())),
        (None, Some(halt)) => Ok((Verdict::Blocked, vec![halt.reason.clone()])),
        (None, None) => Ok((Verdict::NotRun, vec!["the record ends before a judgement".to_owned()])),
    }
}

fn run_error(error: RunError) -> CliError {
    match error {
        RunError::Record(_) | RunError::Body(_) => CliError::NotWritten(causes(&error)),
        RunError::Bug { .. } => CliError::Bug(causes(&error)),
        RunError::Locked(_) => CliError::SetUp(causes(&error)),
    }
}
