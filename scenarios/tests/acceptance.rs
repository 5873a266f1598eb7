//! The acceptance run as tests: one trial a clause, named by its id. Listing touches nothing. Within one process the whole
//! selection is driven at once and the trials read its record; under a runner that gives each trial its own process, all processes
//! share one stack and one record, and each scenario is driven by whoever comes first.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::FutureExt;
use harness_adapters::targets::blueprint::{ImageSource, Profile, UnknownSetting};
use harness_adapters::targets::local::Folders;
use harness_core::{
    catalogue::{ClauseId, Target},
    report::{ExitStatus, ExpectedVerdict, Expectedness, Report},
    runner,
    scenario::Filter,
    stats::Plan,
    verdict::Verdict,
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use scenarios::cli::{
    BuildProgress, CliError, ClusterOptions, ContainersOptions, Drive, Interruption, LocalOptions, Place, RunOptions,
    RunProgress, begin, clause_record, docker, expected, finish, load,
};

/// Set by nextest to the same value in every process of one run.
const SHARED_RUN: &str = "NEXTEST_RUN_ID";

/// Loads at the full rate, for less long than the criteria ask: what passes is marked so.
const LOAD_LASTS: Duration = Duration::from_secs(10);

type Word = (Verdict, Vec<String>);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (catalogue, scenarios, expected) = match load().and_then(|(one, two)| Ok((one, two, expected()?))) {
        Ok(loaded) => loaded,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(error.exit_status().code());
        }
    };
    let target = match target() {
        Ok(target) => target,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(ExitStatus::Usage.code());
        }
    };
    let covered: Vec<ClauseId> = scenarios
        .iter()
        .filter(|scenario| scenario.runs_on(target))
        .flat_map(|scenario| scenario.covers.iter().cloned())
        .collect();
    let selected: Vec<ClauseId> =
        covered.iter().filter(|clause| is_selected(&arguments, clause.as_str())).cloned().collect();
    let everything = selected.len() == covered.len();
    let words: Arc<OnceLock<Result<BTreeMap<ClauseId, Word>, String>>> = Arc::default();
    let lacks: Arc<OnceLock<Option<String>>> = Arc::default();
    let trials = covered
        .into_iter()
        .map(|clause| {
            let shown = catalogue.clause(&clause).is_some_and(|clause| clause.applies_to(target));
            let (words, lacks, selected) = (Arc::clone(&words), Arc::clone(&lacks), selected.clone());
            let wanted = ExpectedVerdict::of(&expected, target, Profile::Fast.name(), &clause).cloned();
            Trial::ignorable_test(clause.to_string(), move || {
                if !shown {
                    return Ok(Completion::ignored_with(format!("target {target} cannot show it")));
                }
                if let Some(lack) = lacks.get_or_init(|| lacking(target)) {
                    return Ok(Completion::ignored_with(lack.clone()));
                }
                let words =
                    words.get_or_init(|| drive(target, &selected, everything).map_err(|error| error.to_string()));
                told(words.as_ref().map(|words| words.get(&clause)), wanted.as_ref())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The runner's own rule (filter, exactness, skips), so that only what it will run is driven.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// What is expected is ok, which is a pass but where the list says otherwise; everything else fails with its findings.
fn told(word: Result<Option<&Word>, &String>, expected: Option<&ExpectedVerdict>) -> Result<Completion, Failed> {
    match word {
        Ok(Some((verdict, findings))) => match (ExpectedVerdict::compare(expected, *verdict), expected) {
            (Expectedness::AsExpected, _) => Ok(Completion::Completed),
            (Expectedness::News, Some(expected)) => {
                Err(format!("{verdict}, expected {expected}\n{}", findings.join("\n")).into())
            }
            (Expectedness::News, None) => Err(format!("{verdict}\n{}", findings.join("\n")).into()),
        },
        Ok(None) => Err("the run has no word on this clause".into()),
        Err(error) => Err(error.into()),
    }
}

/// Where `LGTM_TARGET` says that the stack is: processes of this machine if it says nothing.
fn target() -> Result<Target, String> {
    let Ok(name) = std::env::var("LGTM_TARGET") else { return Ok(Target::Local) };
    match name.parse()? {
        target @ (Target::Local | Target::Containers | Target::Kind) => Ok(target),
        other => Err(format!("LGTM_TARGET: the acceptance tests cannot be run on target {other}")),
    }
}

fn place(target: Target) -> Result<Place, CliError> {
    let folders = Folders::from_environment().map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(match target {
        Target::Kind => Place::Cluster(ClusterOptions::of_kind(&folders, Vec::new())?),
        Target::Containers => Place::Containers(ContainersOptions {
            folders,
            profile: Profile::Fast,
            overrides: Vec::new(),
            endpoints: Vec::new(),
            design_ports: false,
            images: match variable("LGTM_VERIFY_IMAGES") {
                Some(word) => word.parse().map_err(|error: UnknownSetting| CliError::Usage(error.to_string()))?,
                None => ImageSource::Built,
            },
            image_prefix: variable("LGTM_VERIFY_IMAGE_PREFIX"),
        }),
        _ => Place::Local(LocalOptions {
            folders,
            profile: Profile::Fast,
            overrides: Vec::new(),
            endpoints: Vec::new(),
            interposer: None,
            design_ports: false,
            program: PathBuf::from(env!("CARGO_BIN_EXE_lgtm-verify")),
        }),
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What `target` needs and this machine has not, so that nothing can be tried on it.
fn lacking(target: Target) -> Option<String> {
    if target != Target::Containers {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found = runtime.map_err(|error| error.to_string());
    found.and_then(|runtime| runtime.block_on(docker()).map_err(|error| error.to_string())).err()
}

fn drive(target: Target, selected: &[ClauseId], everything: bool) -> Result<BTreeMap<ClauseId, Word>, CliError> {
    let shared_run = std::env::var(SHARED_RUN).ok().map(|id| format!("nextest-{id}"));
    let filter = if everything || shared_run.is_some() {
        Filter::default()
    } else {
        Filter { clauses: selected.iter().map(ToString::to_string).collect(), ..Filter::default() }
    };
    let options = RunOptions {
        filter,
        place: place(target)?,
        load_lasts: LOAD_LASTS,
        seed: None,
        plan: Plan::QUICK,
        runs: runs_folder(),
        reports: Vec::new(),
        keep: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::Bug(error.to_string()))?;
    let interruption = Interruption::listen().map_err(|error| CliError::Bug(error.to_string()))?;
    let (watcher, building) = (Arc::new(RunProgress::new(false)), BuildProgress::new(false));
    runtime.block_on(async {
        let drive = begin(&options, shared_run.as_deref(), watcher, &building, &interruption).await?;
        if shared_run.is_none() {
            whole_run(&drive, &interruption).await?;
        }
        let mut words = BTreeMap::new();
        for clause in selected {
            words.insert(clause.clone(), clause_record(&drive, clause, &interruption).await?);
        }
        Ok(words)
    })
}

async fn whole_run(drive: &Drive, interruption: &Interruption) -> Result<(), CliError> {
    let interrupted = interruption.clone().comes().boxed();
    let outcome = runner::run(Arc::clone(&drive.context), drive.scenarios.clone(), &drive.durations, interrupted).await;
    let Report { run, .. } = finish(&drive.context.folder, &[])?;
    anstream::eprintln!("{}", run.took());
    outcome.map_err(|error| CliError::Bug(error.to_string()))
}

fn runs_folder() -> PathBuf {
    std::env::var_os("LGTM_VERIFY_RUNS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/runs"), PathBuf::from)
}
