use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;

use super::{
    Scratch, Stimulus, Watched, bucket_of,
    keeper::Keeper,
    looks::{Glass, PROBE_PREFIX, remove_probes},
    owner_of, scratch,
};
use crate::{
    catalogue::{Catalogue, ClauseId, Target},
    ledger::LedgerEntry,
    observation::{Evidence, EvidenceKind, Look, Observation, Oracle, Seen},
    poll::{Ended, Schedule, Step, until},
    ports::{
        Component, Interface, LogLine, PortError, Ports, Principal, ProcessProof, QueryRequest, Stop, StoreKeys, Tick,
    },
    prediction,
    record::{BodyStore, Entry, Event, RecordError, Recorder, Redactor, RunInfo, RunRecord, assemble},
    signal::Signal,
    stats::Plan,
    stimulus::{Batch, Route},
    verdict::{
        BodyError, Control, Expectation, Finding, Halt, HaltKind, Judgement, NOT_UP, PredictedLatency, Prediction,
        REPLACED, Rule, Verdict, judge, satisfied,
    },
};

/// How many lines of a component's log are kept when a wait ended without a yes.
const PROBLEM_LINES: usize = 5;

/// How long things are waited for that have no bound of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Records of a clause without a bound.
    pub records: Duration,
    /// A claim that another scenario holds.
    pub claims: Duration,
}

/// Follows what happens, for people; gets every entry of the record as it is written.
pub trait Watcher: Send + Sync {
    /// `entry` was recorded for `scenario`.
    fn note(&self, scenario: &str, entry: &Entry);
}

/// What all scenarios of a run share.
pub struct RunContext {
    /// The run.
    pub info: RunInfo,
    /// Where it is recorded.
    pub folder: PathBuf,
    /// The outside world.
    pub ports: Ports,
    /// The criteria.
    pub catalogue: Arc<Catalogue>,
    /// How long things are waited for.
    pub patience: Patience,
    /// How long loads last.
    pub load_lasts: Duration,
    /// How often questions are asked whose answers are timed.
    pub plan: Plan,
    /// Who follows.
    pub watcher: Arc<dyn Watcher>,
    /// Takes secrets out of what is recorded.
    pub redactor: Redactor,
}

/// Why a scenario does not go on.
#[derive(Debug, Error)]
pub enum StageError {
    /// The stack or its set-up does not let it.
    #[error("{}", .0.reason)]
    Halted(Halt),
    /// What happens can no longer be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What was recorded can no longer be read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl StageError {
    /// The stack or its set-up does not let the scenario go on.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Halted(Halt { kind: HaltKind::Blocked, reason: reason.into() })
    }
}

/// Where one scenario is driven.
#[derive(Clone)]
pub struct Stage {
    inner: Arc<Inner>,
}

struct Inner {
    context: Arc<RunContext>,
    scenario: String,
    recorder: Recorder,
    entries: Mutex<Vec<Entry>>,
    /// The processes that took records, as they were before the first push.
    takers: Mutex<BTreeMap<Component, Vec<String>>>,
}

impl Stage {
    /// Opens the stage and the record of `scenario`, which must not have been driven in this run before.
    pub fn open(context: Arc<RunContext>, scenario: &str) -> Result<Self, RecordError> {
        let recorder = Recorder::open(
            &context.folder,
            scenario,
            &context.info,
            context.redactor.clone(),
            context.ports.clock.now(),
        )?;
        Ok(Self {
            inner: Arc::new(Inner {
                context,
                scenario: scenario.to_owned(),
                recorder,
                entries: Mutex::default(),
                takers: Mutex::default(),
            }),
        })
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.inner.context.info.id
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.inner.context.info.seed
    }

    /// Where the stack is.
    pub fn target(&self) -> Target {
        self.inner.context.info.target
    }

    /// Whether the stack's timers are short, so that a clause may be shown by force rather than waited for.
    pub fn is_fast(&self) -> bool {
        self.inner.context.info.profile == "fast"
    }

    /// Whether persistence is brought about by a restart rather than waited for: under short timers, where something can be restarted.
    pub fn forces(&self) -> bool {
        self.is_fast() && self.ports().lifecycle.is_at_hand()
    }

    /// Now on the wall clock, nanoseconds since the Unix epoch.
    pub fn unix_ns(&self) -> i64 {
        self.ports().clock.unix_ns()
    }

    /// Makes a stimulus of batches that are meant to be accepted, and of others that are meant to be refused.
    pub fn stimulus(&self, name: &str, accepted: Vec<Batch>, refused: Vec<Batch>) -> Result<Stimulus, StageError> {
        Ok(Stimulus::new(self.run_id(), name, accepted, refused, |body| self.inner.recorder.bodies().keep(body))?)
    }

    /// Expects every accepted record of `stimulus`, seen by the first of `looks` within the clause's bound, and by all others too.
    /// `forced` says that persistence is brought about by a call, so that no bound is decided.
    pub async fn expect(
        &self,
        clause: &str,
        stimulus: &Stimulus,
        looks: Vec<Look>,
        forced: bool,
    ) -> Result<Watched, StageError> {
        self.expect_with(clause, stimulus, looks, Vec::new(), forced).await
    }

    /// As [`Stage::expect`], and `rules` to hold of the stack's state as well.
    pub async fn expect_with(
        &self,
        clause: &str,
        stimulus: &Stimulus,
        looks: Vec<Look>,
        rules: Vec<Rule>,
        forced: bool,
    ) -> Result<Watched, StageError> {
        let clause = self.known(clause)?;
        let oracles: Vec<Oracle> = looks.iter().map(Look::oracle).collect();
        let decisive = *oracles.first().ok_or_else(|| StageError::blocked(format!("{clause}: no look was given")))?;
        let in_bucket = matches!(decisive, Oracle::Objects | Oracle::Index);
        self.record(Event::Expected {
            clause: clause.clone(),
            scenario: self.inner.scenario.clone(),
            expectation: Expectation::Records {
                signal: stimulus.signal,
                expected: stimulus.expected.clone(),
                count: stimulus.count,
                decisive,
                oracles,
                rules,
            },
            stimulus: Some(stimulus.name.clone()),
            bound: self.bound(&clause),
            patience: self.inner.context.patience.records,
            forced,
            bucket: in_bucket.then(|| bucket_of(stimulus.signal).to_owned()),
        })?;
        if !forced && decisive != Oracle::Query {
            self.predict(&clause, stimulus.signal).await?;
        }
        Ok(Watched { clause, stimulus: stimulus.clone(), looks })
    }

    /// Shows that no look finds any of the records: before they are sent, a look that finds them could not be believed.
    pub async fn absent(&self, watched: &Watched) -> Result<(), StageError> {
        for look in &watched.looks {
            let observation = self.observe(look.clone()).await?;
            let control = Control {
                name: format!("records that were not sent yet, by {}", look.oracle().describe()),
                must_break: vec!["missing".to_owned()],
                observation,
            };
            self.record(Event::Controlled { clause: watched.clause.clone(), control })?;
        }
        Ok(())
    }

    /// Sends the stimulus by `route`: each part once, its intent recorded first.
    pub async fn push(&self, route: Route, stimulus: &Stimulus) -> Result<(), StageError> {
        self.push_parts(route, stimulus, 0..stimulus.parts.len()).await
    }

    /// Sends one part of the stimulus by `route`, counted from 0. Parts are sent in their order.
    pub async fn push_part(&self, route: Route, stimulus: &Stimulus, number: usize) -> Result<(), StageError> {
        self.push_parts(route, stimulus, number..number + 1).await
    }

    async fn push_parts(&self, route: Route, stimulus: &Stimulus, parts: Range<usize>) -> Result<(), StageError> {
        if let Some(reason) = self.ports().push.missing(route) {
            return Err(StageError::blocked(reason));
        }
        self.note_takers(owner_of(stimulus.signal)).await;
        let wanted = || stimulus.parts.iter().enumerate().filter(|(number, _)| parts.contains(number));
        self.progress(format!("pushes {} records", wanted().map(|(_, part)| part.batch.len()).sum::<usize>()))?;
        for (number, part) in wanted() {
            let push = LedgerEntry {
                route,
                first: part.first,
                last: (part.first + part.batch.len() as u64).saturating_sub(1),
                refusal_wanted: part.refusal_wanted,
                times: None,
                outcome: None,
            };
            self.record(Event::Intended { stimulus: stimulus.name.clone(), push })?;
            let mut answer = self.ports().push.push(route, &part.batch).await;
            // What was sent is kept with the stimulus, and the answer's body is its excerpt.
            answer.evidence.body = None;
            self.record(Event::Answered {
                stimulus: stimulus.name.clone(),
                number,
                sent: answer.sent,
                answered: answer.answered,
                outcome: answer.outcome,
                evidence: answer.evidence,
            })?;
        }
        Ok(())
    }

    /// Looks until every look has said yes or the clause's bound has passed, then judges.
    pub async fn watch(&self, watched: &Watched) -> Result<Verdict, StageError> {
        if self.verdict_so_far(&watched.clause)? == Verdict::Fail {
            return self.judge(&watched.clause);
        }
        let case = self.case(&watched.clause)?;
        let begun = case.clock_start().unwrap_or_else(|| self.now());
        let deadline = begun.after(case.limit());
        self.progress(format!("looks for {} records, until {deadline}", watched.stimulus.count()))?;
        match self.look_until_each_said_yes(&watched.clause, watched.looks.clone(), deadline).await {
            Ended::Ready(result) => {
                result?;
            }
            Ended::TimedOut(_) | Ended::Never(_) => {
                self.complaints(&watched.clause, owner_of(watched.stimulus.signal)).await?;
            }
        }
        self.judge(&watched.clause)
    }

    /// Expects rules to hold of the stack's state.
    pub fn expect_state(&self, clause: &str, rules: Vec<Rule>) -> Result<ClauseId, StageError> {
        let clause = self.known(clause)?;
        self.record(Event::Expected {
            clause: clause.clone(),
            scenario: self.inner.scenario.clone(),
            expectation: Expectation::Facts { rules },
            stimulus: None,
            bound: None,
            patience: self.inner.context.patience.records,
            forced: false,
            bucket: None,
        })?;
        Ok(clause)
    }

    /// Looks at a state in which the rules called `must_break` have to be broken.
    pub async fn control(
        &self,
        clause: &ClauseId,
        name: &str,
        must_break: &[&str],
        look: Look,
    ) -> Result<(), StageError> {
        let observation = self.observe(look).await?;
        let control = Control {
            name: name.to_owned(),
            must_break: must_break.iter().map(|rule| (*rule).to_owned()).collect(),
            observation,
        };
        self.record(Event::Controlled { clause: clause.clone(), control })
    }

    /// Looks at a bucket while it holds a key that nobody of the stack would write; the key is gone afterwards.
    pub async fn with_foreign_key(
        &self,
        bucket: &str,
        clause: &ClauseId,
        must_break: &[&str],
        look: Look,
    ) -> Result<(), StageError> {
        let key = self.probe_key("foreign");
        let refused = |error: PortError| StageError::blocked(error.to_string());
        remove_probes(self.ports(), bucket).await.map_err(refused)?;
        self.ports().objects.put(Principal::Harness, bucket, &key, "foreign".into()).await.map_err(refused)?;
        let looked = self.control(clause, "a bucket with a foreign key in it", must_break, look).await;
        remove_probes(self.ports(), bucket).await.map_err(refused)?;
        looked
    }

    /// Looks while there is a bucket of the harness' own beside those of the stack; `look` is given its name. The bucket is gone
    /// afterwards, whatever the look came to.
    pub async fn control_with_scratch_bucket(
        &self,
        clause: &ClauseId,
        name: &str,
        must_break: &[&str],
        bucket: &Scratch,
        look: impl FnOnce(String) -> Look + Send,
    ) -> Result<(), StageError> {
        let refused = |error: PortError| StageError::blocked(error.to_string());
        scratch::remove_left_overs(self.ports(), self.run_id()).await.map_err(refused)?;
        let place = scratch::name(self.run_id(), &self.inner.scenario);
        let looked = match scratch::make(self.ports(), &place, bucket).await {
            Ok(()) => self.control(clause, name, must_break, look(place.clone())).await,
            Err(error) => Err(refused(error)),
        };
        let removed = scratch::remove(self.ports(), &place).await.map_err(refused);
        looked.and(removed)
    }

    /// A key of this run and scenario for a probe; nothing of the stack looks like it.
    pub fn probe_key(&self, purpose: &str) -> String {
        format!("{PROBE_PREFIX}{purpose}-{}-{}", self.run_id(), self.inner.scenario)
    }

    /// Looks until the rules hold or patience ends, then judges.
    pub async fn look_until(&self, clause: &ClauseId, look: Look) -> Result<Verdict, StageError> {
        self.look_for(clause, look).await?;
        self.judge(clause)
    }

    /// Looks until the rules hold or patience ends. The judgement is left for [`Stage::decide`], so that controls can follow.
    pub async fn look_for(&self, clause: &ClauseId, look: Look) -> Result<(), StageError> {
        self.look_for_within(clause, look, self.inner.context.patience.records).await
    }

    /// As [`Stage::look_for`], for as long as is said; once, where nobody can look that way on this target.
    pub async fn look_for_within(&self, clause: &ClauseId, look: Look, within: Duration) -> Result<(), StageError> {
        let deadline = self.now().after(within);
        self.progress(format!("looks for {clause}, until {deadline}"))?;
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let mut glass = Glass::new(look.clone());
            match self.glance(&mut glass, clause).await {
                Ok(findings) if findings.is_empty() || glass.impossible => Step::Ready(Ok(())),
                Ok(findings) => Step::NotYet(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
                Err(error) => Step::Ready(Err(error)),
            }
        })
        .await;
        match (ended, &look) {
            (Ended::Ready(result), _) => result,
            (_, Look::BucketUse { component, .. } | Look::Workload { component, .. }) => {
                self.complaints(clause, *component).await
            }
            _ => Ok(()),
        }
    }

    /// Judges by what was looked at.
    pub fn decide(&self, clause: &ClauseId) -> Result<Verdict, StageError> {
        self.judge(clause)
    }

    /// Looks once and judges.
    pub async fn look_once(&self, clause: &ClauseId, look: Look) -> Result<Verdict, StageError> {
        self.look_at(clause, look).await?;
        self.judge(clause)
    }

    /// Looks once, for nobody yet.
    pub(super) async fn observe(&self, look: Look) -> Result<Observation, StageError> {
        Ok(Glass::new(look).look(self.ports(), self.keeper()).await?)
    }

    /// Looks, records, and tells what is not as expected; nothing is judged yet.
    pub async fn look_at(&self, clause: &ClauseId, look: Look) -> Result<Vec<Finding>, StageError> {
        self.glance(&mut Glass::new(look), clause).await
    }

    async fn glance(&self, glass: &mut Glass, clause: &ClauseId) -> Result<Vec<Finding>, StageError> {
        let observation = glass.look(self.ports(), self.keeper()).await?;
        let findings = satisfied(&self.case(clause)?, &observation, self.inner.recorder.bodies())?;
        self.record(Event::Observed { clause: clause.clone(), observation })?;
        Ok(findings)
    }

    /// Stops and starts a component for the sake of `clauses`. A clause that this forces has to be expected as such. One that does not end
    /// when it is asked to is killed and started all the same, for the sake of everybody else; the clauses are blocked.
    pub async fn restart(&self, component: Component, how: Stop, clauses: &[&ClauseId]) -> Result<(), StageError> {
        self.progress(format!("restarts {component}"))?;
        let stopped = self.ports().lifecycle.stop(component, how).await;
        if stopped.is_err() && how == Stop::Graceful {
            let killed = self.ports().lifecycle.stop(component, Stop::Kill).await;
            self.moved(component, clauses, killed).await?;
        }
        let started = self.ports().lifecycle.start(component).await;
        self.moved(component, clauses, stopped).await?;
        self.moved(component, clauses, started).await
    }

    /// Starts a component that is stopped and may not come up; what came of it is for a look to tell.
    pub async fn try_to_start(&self, component: Component, clauses: &[&ClauseId]) -> Result<(), StageError> {
        self.progress(format!("tries to start {component}"))?;
        match self.ports().lifecycle.start(component).await {
            Ok(proof) => self.moved(component, clauses, Ok(proof)).await,
            Err(error) => {
                let mut evidence = Evidence::new(EvidenceKind::Process, self.unix_ns());
                evidence.component = Some(component.to_string());
                evidence.excerpt = Some(format!("did not come up: {error}"));
                self.record(Event::Moved {
                    clauses: clauses.iter().map(|clause| (*clause).clone()).collect(),
                    evidence,
                })
            }
        }
    }

    /// Has a component lose its local state and another take its place, which need not be ready yet.
    pub async fn replace(&self, component: Component, how: Stop, clauses: &[&ClauseId]) -> Result<(), StageError> {
        self.progress(format!("replaces {component}"))?;
        let replaced = self.ports().lifecycle.replace(component, how).await;
        self.moved(component, clauses, replaced).await
    }

    /// Stops components, one after the other.
    pub async fn stop(&self, components: &[Component], how: Stop, clauses: &[&ClauseId]) -> Result<(), StageError> {
        for component in components {
            self.progress(format!("stops {component}"))?;
            let stopped = self.ports().lifecycle.stop(*component, how).await;
            self.moved(*component, clauses, stopped).await?;
        }
        Ok(())
    }

    /// Kills a component, unless it does not run anyway.
    pub async fn kill_if_it_runs(&self, component: Component, clauses: &[&ClauseId]) -> Result<(), StageError> {
        let standing = self.ports().lifecycle.standing(component).await;
        match standing.map_err(|error| StageError::blocked(error.to_string()))?.running {
            true => self.stop(&[component], Stop::Kill, clauses).await,
            false => Ok(()),
        }
    }

    /// Kills components, one after the other; for `clauses` time counts from now on.
    pub async fn lose(&self, components: &[Component], clauses: &[&ClauseId]) -> Result<(), StageError> {
        self.record(Event::Lost { clauses: clauses.iter().map(|clause| (*clause).clone()).collect() })?;
        self.stop(components, Stop::Kill, clauses).await
    }

    /// Starts components that are stopped, without the local state that they had, in the order given.
    pub async fn start_anew(&self, components: &[Component], clauses: &[&ClauseId]) -> Result<(), StageError> {
        for component in components {
            let wiped = self.ports().lifecycle.wipe(*component).await;
            wiped.map_err(|error| StageError::blocked(error.to_string()))?;
            self.progress(format!("starts {component}"))?;
            let started = self.ports().lifecycle.start(*component).await;
            self.moved(*component, clauses, started).await?;
        }
        Ok(())
    }

    /// Waits until a component says that it is ready.
    pub async fn ready(&self, component: Component) -> Result<(), StageError> {
        let deadline = self.now().after(self.inner.context.patience.records);
        self.progress(format!("waits for {component}, until {deadline}"))?;
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            match self.ports().lifecycle.failure(component).await {
                None => Step::Ready(()),
                Some(reason) => Step::NotYet(reason),
            }
        })
        .await;
        match ended {
            Ended::Ready(()) => Ok(()),
            Ended::TimedOut(reason) => Err(StageError::blocked(format!("{component} is not up: {reason}"))),
            Ended::Never(reason) => Err(StageError::blocked(format!("{component} is not up: {reason}"))),
        }
    }

    /// Waits until pushes of `signal` are taken again where the design says, for as long as the time of `watched` runs. They are tried
    /// without records: a component that says it is ready may not be reached yet by the name that clients use.
    pub async fn takes_pushes(&self, watched: &Watched, signal: Signal) -> Result<(), StageError> {
        let interface = match signal {
            Signal::Logs => Interface::LogPushes,
            Signal::Traces => Interface::SpanPushes,
            Signal::Metrics => Interface::SamplePushes,
        };
        let case = self.case(&watched.clause)?;
        let deadline = case.clock_start().unwrap_or_else(|| self.now()).after(case.limit());
        self.progress(format!("waits for {interface}, until {deadline}"))?;
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            match self.ports().interfaces.speak(interface, interface).await {
                Ok(spoken) if spoken.answered => Step::Ready(Ok(())),
                Ok(spoken) => Step::NotYet(spoken.evidence.excerpt.unwrap_or_default()),
                Err(error) => Step::Ready(Err(StageError::blocked(error.to_string()))),
            }
        })
        .await;
        match ended {
            Ended::Ready(result) => result,
            // What is sent then tells the same to the judge.
            Ended::TimedOut(_) | Ended::Never(_) => Ok(()),
        }
    }

    /// Gives a component other keys to the store; they count from its next start.
    pub async fn rekey(&self, component: Component, keys: StoreKeys, clauses: &[&ClauseId]) -> Result<(), StageError> {
        let refused = |error: PortError| StageError::blocked(error.to_string());
        self.ports().lifecycle.rekey(component, keys).await.map_err(refused)?;
        let mut evidence = Evidence::new(EvidenceKind::Process, self.unix_ns());
        evidence.component = Some(component.to_string());
        evidence.excerpt =
            Some(format!("signs in to the store with {keys:?} keys from its next start on").to_lowercase());
        self.record(Event::Moved { clauses: clauses.iter().map(|clause| (*clause).clone()).collect(), evidence })
    }

    /// Looks until all of `looks` have said yes, or patience ends; nothing is judged yet.
    pub async fn seen(&self, watched: &Watched, looks: Vec<Look>) -> Result<bool, StageError> {
        let deadline = self.now().after(self.case(&watched.clause)?.limit());
        self.progress(format!("looks for {} records, until {deadline}", watched.stimulus.count()))?;
        let ended = self.look_until_each_said_yes(&watched.clause, looks, deadline).await;
        match ended {
            Ended::Ready(result) => result.map(|()| true),
            Ended::TimedOut(_) | Ended::Never(_) => {
                self.complaints(&watched.clause, owner_of(watched.stimulus.signal)).await?;
                Ok(false)
            }
        }
    }

    /// Whether any record of `stimulus` is in the bucket.
    pub async fn is_in_the_bucket(&self, stimulus: &Stimulus) -> Result<bool, StageError> {
        let observation = self.observe(stimulus.in_objects()).await?;
        match observation.seen {
            Seen::Records { count, .. } => Ok(count > 0),
            Seen::Unseen { reason } => Err(StageError::blocked(reason)),
            Seen::Numbers { .. } | Seen::Facts { .. } => Ok(false),
        }
    }

    /// Shows that no record of `lost` is found by query: none had been persisted when everything was lost. Where some had, as they can
    /// when a node asks a process to end before it kills it, there is nothing to show.
    pub async fn lost_for_good(&self, watched: &Watched, lost: &Stimulus, flushed: bool) -> Result<(), StageError> {
        if flushed {
            let found = "found that what was to be lost had been flushed while its process was killed";
            return self.progress(found.to_owned());
        }
        let name = "records that were not persisted when everything was lost";
        self.still_absent(watched, lost, name).await
    }

    /// Shows that no record of `lost` is found by query; `name` says why none can be.
    pub async fn still_absent(&self, watched: &Watched, lost: &Stimulus, name: &str) -> Result<(), StageError> {
        let observation = self.observe(lost.by_query()).await?;
        let control = Control { name: name.to_owned(), must_break: vec!["missing".to_owned()], observation };
        self.record(Event::Controlled { clause: watched.clause.clone(), control })
    }

    /// Says to people what the scenario does or waits for.
    pub fn progress(&self, status: String) -> Result<(), StageError> {
        self.record(Event::Progress { scenario: self.inner.scenario.clone(), status })
    }

    /// What all scenarios of the run share.
    pub(super) fn context(&self) -> &RunContext {
        &self.inner.context
    }

    /// The scenario's name.
    pub(super) fn scenario(&self) -> &str {
        &self.inner.scenario
    }

    /// The outside world.
    pub fn ports(&self) -> &Ports {
        &self.inner.context.ports
    }

    /// Records that `clause` cannot be tried or carried to its end, and judges it.
    pub(crate) fn halt(&self, clause: &ClauseId, halt: Halt) -> Result<(), StageError> {
        self.record(Event::Halted { clause: clause.clone(), halt })?;
        if self.so_far().cases.contains_key(clause) {
            self.judge(clause)?;
        }
        Ok(())
    }

    /// What was recorded on this stage so far.
    pub(crate) fn so_far(&self) -> RunRecord {
        assemble(&self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner), false)
    }

    /// Records an event.
    pub(crate) fn record(&self, event: Event) -> Result<(), StageError> {
        let entry = Entry { at: self.now(), event };
        self.inner.recorder.append(&entry)?;
        self.inner.context.watcher.note(&self.inner.scenario, &entry);
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(())
    }

    /// Looks through each of `looks` until it has said yes.
    pub(super) async fn look_until_each_said_yes(
        &self,
        clause: &ClauseId,
        looks: Vec<Look>,
        deadline: Tick,
    ) -> Ended<Result<(), StageError>> {
        self.keep_looking(clause, looks, deadline, true).await
    }

    /// The same; what is not `recorded` counts for no verdict.
    pub(super) async fn keep_looking(
        &self,
        clause: &ClauseId,
        looks: Vec<Look>,
        deadline: Tick,
        recorded: bool,
    ) -> Ended<Result<(), StageError>> {
        let open: Mutex<Vec<Glass>> = Mutex::new(looks.into_iter().map(Glass::new).collect());
        until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let glasses = std::mem::take(&mut *open.lock().unwrap_or_else(PoisonError::into_inner));
            match self.look_through(clause, glasses, recorded).await {
                Ok((still_open, _)) if still_open.is_empty() => Step::Ready(Ok(())),
                Ok((still_open, status)) => {
                    *open.lock().unwrap_or_else(PoisonError::into_inner) = still_open;
                    Step::NotYet(status)
                }
                Err(error) => Step::Ready(Err(error)),
            }
        })
        .await
    }

    async fn look_through(
        &self,
        clause: &ClauseId,
        glasses: Vec<Glass>,
        recorded: bool,
    ) -> Result<(Vec<Glass>, String), StageError> {
        let mut still_open = Vec::new();
        let mut status = Vec::new();
        for mut glass in glasses {
            let observation = glass.look(self.ports(), self.keeper()).await?;
            let objections = satisfied(&self.case(clause)?, &observation, self.bodies())?;
            if recorded {
                self.record(Event::Observed { clause: clause.clone(), observation })?;
            }
            if !objections.is_empty() {
                status.extend(objections.iter().map(|finding| finding.found.clone()));
                still_open.push(glass);
            }
        }
        Ok((still_open, status.join("; ")))
    }

    pub(super) async fn predict(&self, clause: &ClauseId, signal: Signal) -> Result<(), StageError> {
        let component = owner_of(signal);
        let Ok(answer) = self.ports().query.query(&QueryRequest::Configuration { component }).await else {
            return Ok(());
        };
        let mut evidence = answer.evidence;
        evidence.kind = EvidenceKind::Configuration;
        evidence.body = Some(self.inner.recorder.bodies().keep(&answer.body)?);
        let Some(persistence) = prediction::persistence(signal, &answer.body) else { return Ok(()) };
        let prediction = Prediction {
            latency: PredictedLatency {
                earliest_s: persistence.earliest.as_secs_f64(),
                latest_s: persistence.latest.as_secs_f64(),
            },
            settings: persistence.settings,
            bucket: persistence.bucket,
        };
        self.record(Event::Predicted { clause: clause.clone(), prediction, evidence })
    }

    /// Keeps what the component complained about, where it did, and why it is not up, where it is not.
    pub(super) async fn complaints(&self, clause: &ClauseId, component: Component) -> Result<(), StageError> {
        let mut lines = self.ports().logs.problems(component, PROBLEM_LINES).await;
        lines.extend(self.replaced_taker(component).await.map(|text| LogLine { component, text }));
        if let Some(reason) = self.ports().lifecycle.failure(component).await {
            lines.push(LogLine { component, text: format!("{NOT_UP}{reason}") });
        }
        if lines.is_empty() { Ok(()) } else { self.record(Event::Complained { clause: clause.clone(), lines }) }
    }

    /// Remembers which processes of `component` take records from now on.
    async fn note_takers(&self, component: Component) {
        if !self.takers().contains_key(&component) {
            let processes = self.processes(component).await;
            self.takers().insert(component, processes);
        }
    }

    /// That other processes than those that took records run now, where it is so and told.
    async fn replaced_taker(&self, component: Component) -> Option<String> {
        let before = self.takers().get(&component).cloned().filter(|before| !before.is_empty())?;
        let now = self.processes(component).await;
        (before != now).then(|| {
            let now = if now.is_empty() { "none".to_owned() } else { now.join(", ") };
            format!("{REPLACED}{}, now {now}", before.join(", "))
        })
    }

    /// The processes or pods of `component`, as whoever runs them names them; empty where nobody tells. A pod that has ended tells why.
    async fn processes(&self, component: Component) -> Vec<String> {
        if let Ok(workload) = self.ports().workloads.workload(component).await {
            let pods = workload.pods.into_iter().map(|pod| match pod.reason {
                Some(reason) => format!("pod {} ({reason})", pod.name),
                None => format!("pod {}", pod.name),
            });
            return pods.collect();
        }
        let used = self.ports().meter.usage(component).await.unwrap_or_default();
        used.into_iter().map(|usage| usage.process).collect()
    }

    fn takers(&self) -> MutexGuard<'_, BTreeMap<Component, Vec<String>>> {
        self.inner.takers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a component was stopped or started, or what it complained about where it would not.
    async fn moved(
        &self,
        component: Component,
        clauses: &[&ClauseId],
        proof: Result<ProcessProof, PortError>,
    ) -> Result<(), StageError> {
        let proof = match proof {
            Ok(proof) => proof,
            Err(error) => {
                for clause in clauses {
                    self.complaints(clause, component).await?;
                }
                return Err(StageError::blocked(error.to_string()));
            }
        };
        let mut evidence = Evidence::new(EvidenceKind::Process, self.unix_ns());
        evidence.component = Some(proof.component.to_string());
        evidence.excerpt = Some(format!(
            "before {}, after {}{}",
            proof.before.as_deref().unwrap_or("none"),
            proof.after.as_deref().unwrap_or("none"),
            proof.exit.as_deref().map(|exit| format!(", ended with {exit}")).unwrap_or_default()
        ));
        self.record(Event::Moved { clauses: clauses.iter().map(|clause| (*clause).clone()).collect(), evidence })
    }

    fn judge(&self, clause: &ClauseId) -> Result<Verdict, StageError> {
        let judgement = self.judgement(clause)?;
        let verdict = judgement.verdict;
        self.record(Event::Judged { clause: clause.clone(), judgement })?;
        Ok(verdict)
    }

    pub(super) fn verdict_so_far(&self, clause: &ClauseId) -> Result<Verdict, StageError> {
        Ok(self.judgement(clause)?.verdict)
    }

    fn judgement(&self, clause: &ClauseId) -> Result<Judgement, StageError> {
        Ok(judge(&self.case(clause)?, self.inner.recorder.bodies())?)
    }

    pub(super) fn case(&self, clause: &ClauseId) -> Result<crate::verdict::Case, StageError> {
        let unexpected = || StageError::blocked(format!("{clause}: nothing was expected of it"));
        self.so_far().cases.remove(clause).ok_or_else(unexpected)
    }

    pub(super) fn known(&self, clause: &str) -> Result<ClauseId, StageError> {
        let id: ClauseId = clause.parse().map_err(|error| StageError::blocked(format!("{error}")))?;
        match self.inner.context.catalogue.clause(&id) {
            Some(_) => Ok(id),
            None => Err(StageError::blocked(format!("{clause}: not in the catalogue"))),
        }
    }

    pub(super) fn bound(&self, clause: &ClauseId) -> Option<Duration> {
        self.inner.context.catalogue.clause(clause).and_then(|clause| clause.bound)
    }

    pub(super) fn keeper(&self) -> Keeper<'_> {
        Keeper::new(self.bodies(), &*self.ports().clock)
    }

    fn bodies(&self) -> &BodyStore {
        self.inner.recorder.bodies()
    }

    pub(super) fn now(&self) -> Tick {
        self.ports().clock.now()
    }
}
