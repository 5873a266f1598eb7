use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use thiserror::Error;

use super::schedule::{Durations, Waiting};
use crate::{
    catalogue::ClauseId,
    lock::Access,
    record::{Event, RecordError, RunRecord, assemble, read_file},
    scenario::{Order, Scenario},
    stage::{Claim, Claims, RunContext, Stage, StageError, turn},
    verdict::{BodyError, Halt, HaltKind},
};

/// Why a run came to no end of its own.
#[derive(Debug, Error)]
pub enum RunError {
    /// What happens can no longer be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What was recorded can no longer be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A scenario panicked: a bug of the harness, never a word on the stack.
    #[error("scenario {scenario} panicked: {message}")]
    Bug {
        /// The scenario.
        scenario: String,
        /// What it said.
        message: String,
    },
    /// A lock of the run folder could not be had.
    #[error("{0}")]
    Locked(String),
}

/// Drives all `scenarios`: those of [`Order::Together`] side by side, as far as their claims allow, then those of [`Order::Last`]; of several
/// that could begin, those first that took longest by `durations`. When `interrupted` completes, what is under way is given up, and its
/// clauses are judged by what was seen so far.
///
/// # Errors
/// The first error of a scenario that is not a word on the stack; all other scenarios are carried to their end first.
pub async fn run(
    context: Arc<RunContext>,
    scenarios: Vec<Scenario>,
    durations: &Durations,
    interrupted: BoxFuture<'static, ()>,
) -> Result<(), RunError> {
    let interrupted = interrupted.shared();
    let mut first_error = None;
    for order in [Order::Together, Order::Last] {
        let of_this_order = scenarios.iter().filter(|scenario| scenario.order == order).cloned().collect();
        let mut waiting = Waiting::new(of_this_order, durations);
        let mut claimed: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
        let mut driven = FuturesUnordered::new();
        loop {
            let held: Vec<Claim> = claimed.values().flatten().copied().collect();
            for scenario in waiting.take_free(&held) {
                claimed.insert(scenario.name.clone(), scenario.claims.clone());
                let (context, interrupted) = (Arc::clone(&context), interrupted.clone().boxed());
                driven.push(async move {
                    let driven = drive_once(context, scenario.clone(), interrupted).await;
                    (scenario.name, driven)
                });
            }
            let Some((name, result)) = driven.next().await else { break };
            claimed.remove(&name);
            if let Err(error) = result {
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// Drives `scenario` if nobody has in this run, in whatever process; otherwise waits for the one who does. Returns what its record
/// says.
///
/// # Errors
/// See [`RunError`].
pub async fn drive_once(
    context: Arc<RunContext>,
    scenario: Scenario,
    interrupted: BoxFuture<'static, ()>,
) -> Result<RunRecord, RunError> {
    let name = format!("scenario-{}", scenario.name);
    let interrupted = interrupted.shared();
    let turn = turn(&context.folder, &name, Access::Write, &*context.ports.clock, context.patience.claims);
    // A turn that is free is taken even after an interrupt, so that the record says what came of every clause.
    let _turn = futures::select_biased! {
        taken = turn.boxed().fuse() => taken.map_err(|error| RunError::Locked(error.to_string()))?,
        () = interrupted.clone().fuse() => {
            return Err(RunError::Locked(format!("interrupted while another process drives {}", scenario.name)));
        }
    };
    let path = context.folder.join("events").join(format!("{}.ndjson", scenario.name));
    if !path.exists() {
        drive(&context, &scenario, interrupted.boxed()).await?;
    }
    recorded(&path)
}

fn recorded(path: &Path) -> Result<RunRecord, RunError> {
    let (entries, whole) = read_file(path)?;
    Ok(assemble(&entries, whole))
}

async fn drive(
    context: &Arc<RunContext>,
    scenario: &Scenario,
    interrupted: BoxFuture<'static, ()>,
) -> Result<(), RunError> {
    let stage = Stage::open(Arc::clone(context), &scenario.name)?;
    record(&stage, Event::ScenarioStarted { scenario: scenario.name.clone(), covers: scenario.covers.clone() })?;
    let outcome = AssertUnwindSafe(on_stage(context, scenario, &stage, interrupted)).catch_unwind().await;
    let (halt, error) = match outcome {
        Ok(Ok(())) => (None, None),
        Ok(Err(StageError::Halted(halt))) => (Some(halt), None),
        Ok(Err(StageError::Record(error))) => return Err(error.into()),
        Ok(Err(StageError::Body(error))) => return Err(error.into()),
        Err(panic) => {
            let message = message_of(&*panic);
            let halt = Halt { kind: HaltKind::Blocked, reason: format!("the harness itself failed: {message}") };
            (Some(halt), Some(RunError::Bug { scenario: scenario.name.clone(), message }))
        }
    };
    let halt = halt.unwrap_or_else(|| Halt {
        kind: HaltKind::Interrupted,
        reason: "the scenario ended without a look at this clause".to_owned(),
    });
    for clause in undecided(scenario, &stage.so_far()) {
        stage.halt(&clause, halt.clone()).map_err(run_error)?;
    }
    record(&stage, Event::ScenarioEnded { scenario: scenario.name.clone() })?;
    record(&stage, Event::Closed)?;
    error.map_or(Ok(()), Err)
}

/// Sees that what the scenario needs is up, takes its claims, and drives it until it ends or is interrupted.
async fn on_stage(
    context: &Arc<RunContext>,
    scenario: &Scenario,
    stage: &Stage,
    interrupted: BoxFuture<'static, ()>,
) -> Result<(), StageError> {
    let driven = async {
        let _claims =
            Claims::acquire(&context.folder, &scenario.claims, &*context.ports.clock, context.patience.claims)
                .await
                .map_err(|error| StageError::blocked(error.to_string()))?;
        stage.record(Event::Claimed {
            scenario: scenario.name.clone(),
            claims: Claim::by_name(&scenario.claims),
            last: scenario.order == Order::Last,
        })?;
        for component in &scenario.needs {
            if let Some(reason) = context.ports.lifecycle.failure(*component).await {
                return Err(StageError::blocked(format!("{component} is not up: {reason}")));
            }
        }
        scenario.drive(stage.clone()).await
    };
    futures::select_biased! {
        () = interrupted.fuse() => Err(StageError::Halted(Halt {
            kind: HaltKind::Interrupted,
            reason: "interrupted".to_owned(),
        })),
        result = driven.boxed().fuse() => result,
    }
}

fn undecided(scenario: &Scenario, record: &RunRecord) -> BTreeSet<ClauseId> {
    scenario.covers.iter().filter(|clause| !record.judgements.contains_key(clause)).cloned().collect()
}

fn record(stage: &Stage, event: Event) -> Result<(), RunError> {
    stage.record(event).map_err(run_error)
}

fn run_error(error: StageError) -> RunError {
    match error {
        StageError::Record(error) => error.into(),
        StageError::Body(error) => error.into(),
        StageError::Halted(halt) => RunError::Locked(halt.reason),
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "no message".to_owned())
}
