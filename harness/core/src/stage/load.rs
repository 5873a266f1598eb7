use std::{collections::BTreeMap, ops::ControlFlow, pin::pin, time::Duration};

use futures::future::{Either, select};

use super::{Stage, StageError, bucket_of, looks::Glass, owner_of};
use crate::{
    catalogue::ClauseId,
    ledger::{Attempt, Pacing},
    observation::{Evidence, EvidenceKind, Look},
    poll::{Ended, Pace, pace},
    ports::{Component, Cost, PortError, Principal, PushOutcome, QueryRequest, Usage},
    prediction,
    record::Event,
    signal::Signal,
    stimulus::{
        Batch, Route,
        load::{Load, LoadPlan},
    },
    verdict::{Control, Expectation, Halt, HaltKind, OfferedLoad, Verdict},
};

/// How long a criterion asks a load to last.
pub const FULL_LOAD: Duration = Duration::from_secs(60);

/// How long after it was due a push of a load is waited for: longer than any client waits, so that its word is heard.
const GIVE_UP: Duration = Duration::from_secs(120);

/// From one measurement of the stack under load to the next.
const MEASURED_EVERY: Duration = Duration::from_secs(2);

impl Stage {
    /// How long loads are to last in this run.
    pub fn load_lasts(&self) -> Duration {
        self.context().load_lasts
    }

    /// Expects every push of the loads accepted and every acked record in the bucket. A load that lasts less long than the criterion asks
    /// is marked as forced.
    pub async fn expect_loads(&self, clause: &str, plans: &[LoadPlan]) -> Result<ClauseId, StageError> {
        let clause = self.known(clause)?;
        let mut patience = self.context().patience.records;
        for plan in plans {
            let request = QueryRequest::Configuration { component: owner_of(plan.signal) };
            let told = self.ports().query.query(&request).await.ok();
            let persistence = told.and_then(|answer| prediction::persistence(plan.signal, &answer.body));
            patience = persistence.map_or(patience, |persistence| patience.max(persistence.latest * 2));
        }
        self.record(Event::Expected {
            clause: clause.clone(),
            scenario: self.scenario().to_owned(),
            expectation: Expectation::Loads { loads: plans.to_vec() },
            stimulus: None,
            bound: None,
            patience,
            forced: plans.iter().any(|plan| plan.lasts() < FULL_LOAD),
            bucket: None,
        })?;
        Ok(clause)
    }

    /// Shows that no record of the loads is found before it was sent.
    pub async fn absent_loads(&self, clause: &ClauseId, plans: &[LoadPlan]) -> Result<(), StageError> {
        for plan in plans {
            let observation = Glass::new(look(plan)).look(self.ports(), self.keeper()).await?;
            let name = format!("{} that were not sent yet", plan.signal.name());
            let control = Control { name, must_break: vec!["missing".to_owned()], observation };
            self.record(Event::Controlled { clause: clause.clone(), control })?;
        }
        Ok(())
    }

    /// Offers a load: each push when it is due, once, whatever became of those before. Returns the most that each process of
    /// `measured` was seen to use meanwhile.
    pub async fn offer(&self, plan: &LoadPlan, measured: &[Component]) -> Result<Vec<(Component, Usage)>, StageError> {
        let ports = self.ports();
        let route = if plan.signal == Signal::Traces { Route::OtlpHttp } else { Route::LokiHttpProtobuf };
        let mut load = Load::new(plan.clone());
        self.progress(format!("offers {}", in_words(plan)))?;
        let before = ports.meter.own();
        let times = Pace { begun: ports.clock.now(), gap: plan.gap(), count: plan.batches, give_up: GIVE_UP };
        let mut attempts = Vec::new();
        let mut most = BTreeMap::new();
        {
            let pushing = pace(
                &*ports.clock,
                times,
                |batch| {
                    let records = plan.batch_records as usize;
                    let batch = Batch::Encoded { signal: plan.signal, records, body: load.body(batch) };
                    async move { ports.push.push(route, &batch).await }
                },
                |batch, answer| {
                    let due = times.due(batch);
                    attempts.push(match answer {
                        Some(answer) => Attempt {
                            batch,
                            due,
                            times: Some((answer.sent, answer.answered)),
                            status: answer.evidence.status,
                            outcome: answer.outcome,
                        },
                        None => Attempt {
                            batch,
                            due,
                            times: None,
                            status: None,
                            outcome: PushOutcome::Unknown {
                                reason: format!("no answer within {} s", GIVE_UP.as_secs()),
                            },
                        },
                    });
                    ControlFlow::Continue(())
                },
            );
            let every = Pace { gap: MEASURED_EVERY, count: u32::MAX, ..times };
            let measuring = pace(
                &*ports.clock,
                every,
                |_| self.used(measured),
                |_, used| {
                    for (component, usage) in used.and_then(Result::ok).into_iter().flatten() {
                        keep_the_most(&mut most, component, usage);
                    }
                    ControlFlow::Continue(())
                },
            );
            match select(pin!(pushing), pin!(measuring)).await {
                Either::Left(((), _)) | Either::Right(((), _)) => {}
            }
        }
        let cost = spent(before, ports.meter.own());
        self.offered(plan, &attempts, cost)?;
        Ok(most.into_iter().map(|((component, _), usage)| (component, usage)).collect())
    }

    fn offered(&self, plan: &LoadPlan, attempts: &[Attempt], cost: Option<Cost>) -> Result<(), StageError> {
        let mut body = Vec::new();
        for attempt in attempts {
            super::stimulus::append_line(&mut body, attempt);
        }
        let sha256 = self.keeper().keep(&body)?;
        let mut evidence = Evidence::new(EvidenceKind::Measurement, self.unix_ns());
        evidence.component = Some(owner_of(plan.signal).to_string());
        evidence.request = Some(in_words(plan));
        evidence.excerpt = Some(outcome_in_words(plan, attempts, cost));
        evidence.body = Some(sha256.clone());
        self.progress(evidence.excerpt.clone().unwrap_or_default())?;
        let load = OfferedLoad { stimulus: plan.stimulus.clone(), attempts: sha256, cost };
        self.record(Event::Offered { load, evidence })
    }

    /// Counts until every acked record of the loads was found, or patience ends. The judgement is left for [`Stage::decide`].
    pub async fn count_back(&self, clause: &ClauseId, plans: &[LoadPlan]) -> Result<(), StageError> {
        let deadline = self.ports().clock.now().after(self.case(clause)?.limit());
        self.progress(format!("counts records back, until {deadline}"))?;
        let looks = plans.iter().map(look).collect();
        match self.look_until_each_said_yes(clause, looks, deadline).await {
            Ended::Ready(result) => result,
            Ended::TimedOut(_) | Ended::Never(_) => {
                for plan in plans {
                    self.complaints(clause, owner_of(plan.signal)).await?;
                }
                Ok(())
            }
        }
    }

    /// What each process of `components` uses now.
    pub async fn used(&self, components: &[Component]) -> Result<Vec<(Component, Usage)>, StageError> {
        let refused = |error: PortError| StageError::blocked(error.to_string());
        let mut used = Vec::new();
        for component in components {
            let processes = self.ports().meter.usage(*component).await.map_err(refused)?;
            used.extend(processes.into_iter().map(|usage| (*component, usage)));
        }
        Ok(used)
    }

    /// How many bytes a bucket holds.
    pub async fn held_by(&self, bucket: &str) -> Result<u64, StageError> {
        let objects = self.ports().objects.list(Principal::Harness, bucket, "").await;
        let objects = objects.map_err(|error| StageError::blocked(error.to_string()))?;
        Ok(objects.iter().map(|object| object.size).sum())
    }

    /// What the local folders of `component` hold now, in bytes; nothing where nobody can tell, which the look at them says too.
    pub async fn kept_by(&self, component: Component) -> Result<u64, StageError> {
        match self.ports().meter.folder(component).await {
            Err(PortError::Unsupported { .. }) => Ok(0),
            told => told.map_err(|error| StageError::blocked(error.to_string())),
        }
    }

    /// How long to wait until what was flushed has left the local folders: as long as what is longest kept there is, twice, and
    /// [`super::Patience::records`].
    pub async fn leaves_folders_within(&self, components: &[Component]) -> Duration {
        let mut longest = Duration::ZERO;
        for component in components {
            let told = self.ports().query.query(&QueryRequest::Configuration { component: *component }).await;
            let kept = told.ok().and_then(|answer| prediction::kept_locally(*component, &answer.body));
            longest = longest.max(kept.unwrap_or_default());
        }
        self.context().patience.records + longest * 2
    }

    /// Judges `clause` by what was looked at while `load` was offered, of which the judge said `taken`. Where the load was not shown to be
    /// taken, what holds all the same says nothing: the clause is blocked.
    pub fn decide_under_load(&self, clause: &ClauseId, load: &ClauseId, taken: Verdict) -> Result<(), StageError> {
        if self.verdict_so_far(clause)? == Verdict::Pass && taken != Verdict::Pass {
            let reason = format!("the load was not shown to be taken: {load} is {taken}");
            return self.halt(clause, Halt { kind: HaltKind::Blocked, reason });
        }
        self.decide(clause)?;
        Ok(())
    }
}

/// The look at everything of a load that is in its bucket.
fn look(plan: &LoadPlan) -> Look {
    Look::Load { bucket: bucket_of(plan.signal).to_owned(), plan: plan.clone() }
}

fn keep_the_most(most: &mut BTreeMap<(Component, String), Usage>, component: Component, usage: Usage) {
    let known = most.entry((component, usage.process.clone())).or_insert_with(|| usage.clone());
    if usage.memory > known.memory {
        *known = usage;
    }
}

fn spent(before: Option<Cost>, after: Option<Cost>) -> Option<Cost> {
    let (before, after) = (before?, after?);
    Some(Cost { processor: after.processor.saturating_sub(before.processor), ..after })
}

/// `600.0 MB of logs in 3000 pushes of 400 records of 500 bytes, 10.00 MB/s for 60.0 s`
fn in_words(plan: &LoadPlan) -> String {
    format!(
        "{:.1} MB of {} in {} pushes of {} records of {} bytes, {:.2} MB/s for {:.1} s",
        plan.bytes() as f64 / 1e6,
        plan.signal.name(),
        plan.batches,
        plan.batch_records,
        plan.record_bytes,
        plan.bytes_per_second as f64 / 1e6,
        plan.lasts().as_secs_f64()
    )
}

fn outcome_in_words(plan: &LoadPlan, attempts: &[Attempt], cost: Option<Cost>) -> String {
    let acked = attempts.iter().filter(|attempt| attempt.outcome == PushOutcome::Acked).count();
    let mut words = format!("{acked} of {} pushes of {} accepted", plan.batches, plan.signal.name());
    if let Some(pacing) = Pacing::of(attempts) {
        words.push_str(&format!(
            ", rate off by {:.4} %, furthest behind {} ms, {:.2} s from first to last answer",
            pacing.error * 100.0,
            pacing.furthest_behind.as_millis(),
            pacing.took.as_secs_f64()
        ));
    }
    let slowest =
        attempts.iter().filter_map(|attempt| attempt.times.map(|(sent, answered)| answered.since(sent))).max();
    if let Some(slowest) = slowest {
        words.push_str(&format!(", slowest answer {} ms", slowest.as_millis()));
    }
    if let Some(cost) = cost {
        let share = cost.processor.as_secs_f64() / plan.lasts().as_secs_f64().max(f64::MIN_POSITIVE);
        words.push_str(&format!(
            "; the harness spent {:.2} s of processor time ({:.1} % of a core) and had {} MiB at most",
            cost.processor.as_secs_f64(),
            share * 100.0,
            cost.peak_memory >> 20
        ));
    }
    words
}
