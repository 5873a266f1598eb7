//! Verbs for clauses about response times: expect, show that nothing is answered, wait until answers are complete, time them.

use std::{
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, channel::oneshot};

use super::{Stage, StageError, Stimulus, Watched, looks};
use crate::{
    catalogue::ClauseId,
    observation::{Count, Evidence, Flaw, Look, Question, Timed, Timings},
    poll::{Pace, Schedule, Step, hold, pace},
    ports::{Answer, Component, PortError, Tick},
    record::Event,
    stats::Plan,
    verdict::{COMPLETE, Check, Control, Expectation, LatencyExpectation, Rule, Tally},
};

/// From one question to the next: eight a second, so that 1,546 are asked in a little more than three minutes.
const GAP: Duration = Duration::from_millis(125);

/// How long answers have to stay complete before they are timed: what was just stored may still be on its way from one reader to another.
const SETTLE: Duration = Duration::from_secs(5);

/// An answer that is so many times as late as the bound allows is not waited for.
const GIVE_UP: u32 = 2;

/// Answers that are recorded together, so that an interrupted run has those before.
const PORTION: usize = 50;

/// Answers to a question that are kept whole for what is wrong with them, at most.
const MOST_KEPT: usize = 3;

impl Stage {
    /// How often each question is asked whose answers are timed.
    pub fn plan(&self) -> Plan {
        self.context().plan
    }

    /// Expects complete answers to the questions about `stimulus`, which spans at least `range`, within the clause's bound, once each of
    /// `stored` has found its records in the store. `reader` answers them, without caches.
    pub async fn expect_latency(
        &self,
        clause: &str,
        stimulus: &Stimulus,
        range: Duration,
        stored: Vec<Look>,
        reader: Component,
    ) -> Result<Watched, StageError> {
        let clause = self.known(clause)?;
        let expectation = LatencyExpectation {
            plan: self.plan(),
            gap: GAP,
            signal: stimulus.signal,
            records: stimulus.expected.clone(),
            range,
            stored: stored.iter().map(Look::oracle).collect(),
            questions: stimulus.questions(),
            rules: vec![Rule::new("caches off", "caches", Check::Empty)],
        };
        self.record(Event::Expected {
            clause: clause.clone(),
            scenario: self.scenario().to_owned(),
            expectation: Expectation::Latency(Box::new(expectation)),
            stimulus: Some(stimulus.name.clone()),
            bound: self.bound(&clause),
            patience: self.context().patience.records,
            forced: false,
            bucket: None,
        })?;
        self.predict(&clause, stimulus.signal).await?;
        self.look_at(&clause, Look::Caches { signal: stimulus.signal, component: reader }).await?;
        Ok(Watched { clause, stimulus: stimulus.clone(), looks: stored })
    }

    /// Shows that no question about the records is answered as if they were there, and that no look finds them: before they are sent.
    pub async fn unanswered(&self, watched: &Watched) -> Result<(), StageError> {
        self.absent(watched).await?;
        for question in watched.stimulus.questions() {
            let control = Control {
                name: format!("a {} for records that were not sent yet", question.name()),
                must_break: vec![COMPLETE.to_owned()],
                observation: self.observe(Look::Asked { question }).await?,
            };
            self.record(Event::Controlled { clause: watched.clause.clone(), control })?;
        }
        Ok(())
    }

    /// Waits until the records are in the store and every answer about them is complete and stays so, then times the answers as
    /// planned. What does not come to be stored or complete is left for the judge.
    pub async fn time(&self, watched: &Watched) -> Result<(), StageError> {
        if self.seen(watched, watched.looks.clone()).await? && self.settles(watched).await? {
            self.ask_at_a_pace(watched).await?;
        }
        Ok(())
    }

    async fn settles(&self, watched: &Watched) -> Result<bool, StageError> {
        let clock = &*self.ports().clock;
        let looks = || watched.stimulus.questions().into_iter().map(|question| Look::Asked { question });
        let deadline = self.now().after(self.case(&watched.clause)?.limit());
        loop {
            if !self.seen(watched, looks().collect()).await? {
                return Ok(false);
            }
            let failed = Mutex::new(None);
            let broken = hold(clock, Schedule::default(), self.now().after(SETTLE), || async {
                for look in looks() {
                    match self.look_at(&watched.clause, look).await {
                        Ok(findings) if findings.is_empty() => {}
                        Ok(findings) => return Step::NotYet(format!("{} objections", findings.len())),
                        Err(error) => {
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            return Step::Never(String::new());
                        }
                    }
                }
                Step::Ready(())
            })
            .await;
            if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
                return Err(error);
            }
            if broken.is_none() || self.now() >= deadline {
                return Ok(broken.is_none());
            }
        }
    }

    /// Asks beside everything else that is done: what keeps this thread busy must not look like a slow answer.
    async fn ask_at_a_pace(&self, watched: &Watched) -> Result<(), StageError> {
        let case = self.case(&watched.clause)?;
        let (Expectation::Latency(wanted), Some(bound)) = (case.expectation, case.bound) else {
            return Err(StageError::blocked(format!("{}: no bound for response times", watched.clause)));
        };
        let (word, ended) = oneshot::channel();
        let (stage, clause) = (self.clone(), watched.clause.clone());
        self.ports().tasks.spawn(
            async move {
                let asking = Asking { stage, clause, wanted: *wanted, bound };
                let asked = asking.to_the_end(|| word.is_canceled()).await;
                // Whoever waited for it may be gone.
                let _ = word.send(asked);
            }
            .boxed(),
        );
        let gone = |_| StageError::blocked(format!("{}: asking ended without a word", watched.clause));
        ended.await.map_err(gone)?
    }
}

/// Questions that are asked at a pace, and for what.
struct Asking {
    stage: Stage,
    clause: ClauseId,
    wanted: LatencyExpectation,
    bound: Duration,
}

impl Asking {
    /// Asks until everything was answered, it is lost, or nobody waits for it any more.
    async fn to_the_end(&self, is_given_up: impl Fn() -> bool + Send) -> Result<(), StageError> {
        let Self { stage, wanted, bound, .. } = self;
        let mut open: Vec<Open<'_>> = wanted.questions.iter().map(Open::new).collect();
        let kinds = u32::try_from(open.len()).unwrap_or(u32::MAX).max(1);
        let steps = Pace {
            begun: stage.now().after(wanted.gap),
            gap: wanted.gap,
            count: wanted.plan.looks.saturating_mul(kinds),
            give_up: bound.saturating_mul(GIVE_UP),
        };
        stage.progress(format!("asks {} questions until {}", steps.count, steps.due(steps.count)))?;
        let begin = |step: u32| {
            let question = wanted.questions.iter().cycle().nth((step % kinds) as usize);
            let request = question.map(|question| question.request(step / kinds));
            async move {
                let sent = stage.now();
                let answer = match request {
                    Some(request) => stage.ports().query.query(&request).await,
                    None => Err(PortError::Unsupported { reason: "nothing is asked".to_owned() }),
                };
                (sent, answer)
            }
        };
        let mut outcome = Ok(());
        let ended = |step: u32, answer: Option<(Tick, Result<Answer, PortError>)>| {
            let number = (step % kinds) as usize;
            let Some(open) = open.get_mut(number) else { return ControlFlow::Break(()) };
            let told = Told::of(open.question, step / kinds, steps.due(step), stage.now(), answer);
            outcome = self.add(number, open, told);
            if outcome.is_err() || open.tally.is_lost(&wanted.plan) || is_given_up() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        pace(&*stage.ports().clock, steps, begin, ended).await;
        outcome?;
        open.iter_mut().enumerate().try_for_each(|(number, open)| self.flush(number, open))
    }

    fn add(&self, number: usize, open: &mut Open<'_>, told: Told) -> Result<(), StageError> {
        if let Some(answer) = open.add(told, self.bound) {
            let mut evidence = answer.evidence;
            evidence.body = Some(self.stage.keeper().keep(&answer.body)?);
            open.evidence.push(evidence);
        }
        if open.timings.timed.len() >= PORTION { self.flush(number, open) } else { Ok(()) }
    }

    /// Records the answers that are not recorded yet.
    fn flush(&self, question: usize, open: &mut Open<'_>) -> Result<(), StageError> {
        let (timings, evidence) = (std::mem::take(&mut open.timings), std::mem::take(&mut open.evidence));
        if timings.timed.is_empty() {
            return Ok(());
        }
        self.stage.record(Event::Timed { clause: self.clause.clone(), question, timings, evidence })
    }
}

/// One question while its answers are timed.
struct Open<'a> {
    question: &'a Question,
    tally: Tally,
    timings: Timings,
    evidence: Vec<Evidence>,
    kept: usize,
}

/// One answer, reduced to what is recorded of it.
struct Told {
    timed: Timed,
    flaw: Option<Flaw>,
    answer: Option<Answer>,
}

impl Told {
    fn of(
        question: &Question,
        number: u32,
        due: Tick,
        now: Tick,
        answer: Option<(Tick, Result<Answer, PortError>)>,
    ) -> Self {
        let (sent, received, count, answer) = match answer {
            Some((sent, Ok(answer))) => (sent, answer.received, looks::count(question, number, &answer), Some(answer)),
            Some((sent, Err(error))) => (sent, now, Err(error.to_string()), None),
            None => (due, now, Err(format!("no answer within {:.1} s", now.since(due).as_secs_f64())), None),
        };
        let (count, failure) = match count {
            Ok(count) => (count, None),
            Err(reason) => (Count { found: 0, foreign: 0 }, Some(reason)),
        };
        let us = |duration: Duration| u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        let timed =
            Timed { number, late_us: us(sent.since(due)), taken_us: us(received.since(due)), found: count.found };
        let flaw = (failure.is_some() || count.foreign > 0).then_some(Flaw { number, foreign: count.foreign, failure });
        Self { timed, flaw, answer }
    }
}

impl<'a> Open<'a> {
    fn new(question: &'a Question) -> Self {
        Self { question, tally: Tally::default(), timings: Timings::default(), evidence: Vec::new(), kept: 0 }
    }

    /// Adds an answer. Returns it where it is to be kept whole: the first, and the first of those that are not as they should be.
    fn add(&mut self, Told { timed, flaw, answer }: Told, bound: Duration) -> Option<Answer> {
        let before = self.tally;
        self.tally.add(&timed, flaw.as_ref(), self.question, bound);
        self.timings.timed.push(timed);
        self.timings.flaws.extend(flaw);
        let is_odd = self.tally.exceeded() > before.exceeded() || self.tally.wrong > before.wrong;
        let is_kept = before.taken == 0 || (is_odd && self.kept < MOST_KEPT);
        self.kept += usize::from(is_kept && before.taken > 0);
        answer.filter(|_| is_kept)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        observation::EvidenceKind, poll::virtual_clock::Simulation, ports::Clock, signal::Labels, stats::Decision,
    };

    const BOUND: Duration = Duration::from_secs(3);

    /// What a server does with one question: how long until it answers, with how many records; and what it refuses.
    #[derive(Clone, Copy)]
    struct Reply {
        after: Duration,
        found: u64,
        status: u16,
    }

    /// Complete, after so many hundredths of the bound.
    fn at(hundredths: u32) -> Reply {
        Reply { after: BOUND * hundredths / 100, found: 7, status: 200 }
    }

    fn answer(clock: &Simulation, sent: Tick, reply: Reply) -> Answer {
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{}"]}}]}}}}"#,
            reply.found
        );
        Answer {
            sent,
            received: clock.now(),
            status: reply.status,
            body: Bytes::from(body),
            evidence: Evidence::new(EvidenceKind::Query, 0),
        }
    }

    /// Asks as planned a server that answers as `reply` says, in a harness that sends each question so much later than it is due.
    fn asked(plan: Plan, lateness: impl Fn(u32) -> Duration, reply: impl Fn(u32) -> Reply) -> Tally {
        let clock = Simulation::default();
        let question = Question::SampleCount { selector: Labels::new(), start_ms: 0, end_ms: 1, expected: 7 };
        let steps = Pace { begun: Tick(0).after(GAP), gap: GAP, count: plan.looks, give_up: BOUND * GIVE_UP };
        let mut open = Open::new(&question);
        let begin = |number: u32| {
            let (clock, late, reply) = (&clock, lateness(number), reply(number));
            async move {
                clock.sleep_until(clock.now().after(late)).await;
                let sent = clock.now();
                clock.sleep_until(sent.after(reply.after)).await;
                (sent, Ok(answer(clock, sent, reply)))
            }
        };
        clock.run(pace(&clock, steps, begin, |number, answer| {
            let told = Told::of(&question, number, steps.due(number), clock.now(), answer);
            open.add(told, BOUND);
            if open.tally.is_lost(&plan) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }));
        open.tally
    }

    fn in_time(_: u32) -> Duration {
        Duration::ZERO
    }

    fn decision(plan: Plan, tally: Tally) -> Decision {
        plan.decide(tally.taken, tally.exceeded())
    }

    #[test]
    fn a_server_beyond_the_bound_is_told_from_one_within_it() {
        for plan in [Plan::QUICK, Plan::FULL] {
            for (hundredths, kept) in [(1, true), (80, true), (100, true), (101, false), (120, false)] {
                let tally = asked(plan, in_time, |_| at(hundredths));
                let expected = if kept { Decision::Kept } else { Decision::Broken };
                assert_eq!(decision(plan, tally), expected, "{plan}: {hundredths} %");
                // Broken off as soon as it is certain.
                assert_eq!(tally.taken, if kept { plan.looks } else { plan.allowed + 1 });
            }
        }
    }

    #[test]
    fn so_many_late_answers_are_allowed_and_no_more() {
        for (late, kept) in [(0, true), (3, true), (4, false)] {
            let tally = asked(Plan::FULL, in_time, |number| at(if number < late { 120 } else { 1 }));
            assert_eq!(decision(Plan::FULL, tally) == Decision::Kept, kept, "{late} late");
        }
    }

    #[test]
    fn a_server_that_stalls_is_late_for_all_that_were_due_meanwhile() {
        // As with one thread: each question waits until the stall from 10 s to 16 s is over.
        let stall = |number: u32| {
            let due = GAP * (number + 1);
            let until = if due > Duration::from_secs(10) { Duration::from_secs(16) } else { due };
            Reply { after: until.saturating_sub(due), ..at(0) }
        };
        let tally = asked(Plan::FULL, in_time, stall);
        assert_eq!((tally.slow, decision(Plan::FULL, tally)), (4, Decision::Broken));
    }

    #[test]
    fn what_the_harness_sends_late_is_counted_by_itself() {
        let late = |number: u32| if number < 5 { BOUND } else { Duration::ZERO };
        let tally = asked(Plan::QUICK, late, |_| at(1));
        assert_eq!((tally.late, tally.slow, tally.taken), (5, 0, Plan::QUICK.looks));
        assert!(!tally.is_lost(&Plan::QUICK));
        assert_eq!(decision(Plan::QUICK, tally), Decision::Broken);
    }

    #[test]
    fn an_answer_that_is_none_or_lacks_or_adds_something_is_counted_as_such() {
        let table = [
            (Reply { found: 6, ..at(1) }, Tally { taken: 1, incomplete: 1, ..Tally::default() }),
            (Reply { found: 8, ..at(1) }, Tally { taken: 1, wrong: 1, ..Tally::default() }),
            (Reply { status: 500, ..at(1) }, Tally { taken: 1, failed: 1, ..Tally::default() }),
            (at(250), Tally { taken: 1, failed: 1, ..Tally::default() }),
        ];
        for (reply, expected) in table {
            assert_eq!(asked(Plan::QUICK, in_time, |_| reply), expected);
        }
    }
}
