//! Answers that were timed: whether enough of them came complete and in time, over what lies in the store.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Bodies, BodyError, Case, Check, Finding, Judgement, LatencyExpectation, Rule, Verdict,
    causes::causes,
    controls::{SHOWN_TO_FAIL, controls_that_said_yes, rules_of},
    facts::broken_rules,
    records::{Sent, Timeline, refusals},
    words::seconds,
};
use crate::{
    ledger::Fate,
    observation::{FOREIGN, FOUND, Flaw, Look, Observation, Oracle, Question, Seen, Timed, Timings},
    signal::Signal,
    stats::{Decision, Plan, band, nearest_rank, percent, supported},
};

/// What findings call it when an answer does not hold all that it should.
pub const COMPLETE: &str = "complete";

/// What findings call it when too many answers are late or incomplete.
const IN_TIME: &str = "in time";

/// How answers to one question came out, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How often it was asked.
    pub taken: u32,
    /// Complete, later than the bound.
    pub slow: u32,
    /// As `slow`, but only because the harness itself sent the question late.
    pub late: u32,
    /// Answered with less than there is.
    pub incomplete: u32,
    /// Not answered.
    pub failed: u32,
    /// Answered with what was not asked for.
    pub wrong: u32,
}

impl Tally {
    /// The tally of all answers to `question`.
    pub fn of(timings: &Timings, question: &Question, bound: Duration) -> Self {
        let mut tally = Self::default();
        for timed in &timings.timed {
            tally.add(timed, timings.flaw(timed.number), question, bound);
        }
        tally
    }

    /// Counts one more answer.
    pub fn add(&mut self, timed: &Timed, flaw: Option<&Flaw>, question: &Question, bound: Duration) {
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        self.taken += 1;
        let place = match flaw {
            Some(Flaw { failure: Some(_), .. }) => &mut self.failed,
            Some(Flaw { foreign: 1.., .. }) => &mut self.wrong,
            _ if timed.found > question.expected() => &mut self.wrong,
            _ if timed.found < question.expected() => &mut self.incomplete,
            _ if timed.taken_us.saturating_sub(timed.late_us) > bound_us => &mut self.slow,
            _ if timed.taken_us > bound_us => &mut self.late,
            _ => return,
        };
        *place += 1;
    }

    /// How many came neither complete nor in time.
    pub fn exceeded(&self) -> u32 {
        self.certainly_exceeded() + self.late
    }

    /// As [`Tally::exceeded`], without those that only the harness made late.
    fn certainly_exceeded(&self) -> u32 {
        self.slow + self.incomplete + self.failed
    }

    /// Whether it fails, however the remaining answers come out.
    pub fn is_lost(&self, plan: &Plan) -> bool {
        self.wrong > 0 || plan.decide(self.taken, self.certainly_exceeded()) == Decision::Broken
    }
}

/// `2 slow, 1 incomplete`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.slow, "slow"),
            (self.late, "sent late by the harness itself"),
            (self.incomplete, "incomplete"),
            (self.failed, "failed"),
        ];
        let told: Vec<String> = kinds
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, kind)| format!("{number} {kind}"))
            .collect();
        f.write_str(&if told.is_empty() { "none".to_owned() } else { told.join(", ") })
    }
}

/// What the answers to one question come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseTimes {
    /// What was asked.
    pub question: String,
    /// The plan that was fixed before.
    pub plan: Plan,
    /// Seconds from one time of asking this question to the next.
    pub every_s: f64,
    /// The bound, seconds.
    pub bound_s: f64,
    /// How they came out.
    pub tally: Tally,
    /// The plan's quantile of what was measured, seconds, an answer that was not complete taking for ever. `None`: for ever, or not all
    /// answers that were planned were taken.
    pub quantile_s: Option<f64>,
    /// The quantile of all answers is at least that, with the plan's confidence, seconds.
    pub lower_s: Option<f64>,
    /// The quantile of all answers is at most that, with the plan's confidence, seconds.
    pub upper_s: Option<f64>,
    /// The longest that a complete answer took, seconds.
    pub longest_s: Option<f64>,
    /// The longest that the harness itself was late, seconds.
    pub latest_s: f64,
    /// What follows, in words.
    pub claim: String,
}

impl ResponseTimes {
    fn of(wanted: &LatencyExpectation, question: &Question, timings: &Timings, bound: Duration) -> Self {
        let plan = wanted.plan;
        let tally = Tally::of(timings, question, bound);
        let whole = |timed: &&Timed| timed.found == question.expected() && timings.flaw(timed.number).is_none();
        let mut complete: Vec<u64> = timings.timed.iter().filter(whole).map(|timed| timed.taken_us).collect();
        complete.sort_unstable();
        // Of a sample that was broken off for what it showed, no band holds.
        let of_rank = |rank: Option<u32>| {
            let rank = rank.filter(|_| tally.taken == plan.looks)?;
            complete.get(usize::try_from(rank.saturating_sub(1)).ok()?).map(|us| to_seconds(*us))
        };
        let limits = band(plan.looks, plan.quantile, plan.confidence);
        let count = u32::try_from(wanted.questions.len()).unwrap_or(u32::MAX);
        Self {
            question: question.name().to_owned(),
            plan,
            every_s: wanted.gap.saturating_mul(count).as_secs_f64(),
            bound_s: bound.as_secs_f64(),
            tally,
            quantile_s: of_rank(nearest_rank(plan.looks, plan.quantile)),
            lower_s: of_rank(limits.lower),
            upper_s: of_rank(limits.upper),
            longest_s: complete.last().map(|us| to_seconds(*us)),
            latest_s: to_seconds(timings.timed.iter().map(|timed| timed.late_us).max().unwrap_or(0)),
            claim: claim(&plan, &tally, bound),
        }
    }
}

/// `59 answers to a LogQL filter, one every 0.25 s: 95 % of them came within 0.174 s (of all answers: within 0.142 s to 0.275 s, each end
/// with 95 % confidence), the longest took 0.275 s; with 95 % confidence 95 % of answers are complete within 3 s: …`
impl fmt::Display for ResponseTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { question, plan, every_s, tally, claim, .. } = self;
        write!(f, "{} answers to a {question}, one every {every_s} s", tally.taken)?;
        if let Some(quantile_s) = self.quantile_s {
            write!(f, ": {} of them came within {quantile_s:.3} s", percent(plan.quantile))?;
            let confidence = percent(plan.confidence);
            match (self.lower_s, self.upper_s) {
                (Some(lower_s), Some(upper_s)) => write!(
                    f,
                    " (of all answers: within {lower_s:.3} s to {upper_s:.3} s, each end with {confidence} confidence)"
                )?,
                (None, Some(upper_s)) => {
                    write!(f, " (of all answers: within at most {upper_s:.3} s, with {confidence} confidence)")?;
                }
                (Some(lower_s), None) => {
                    write!(f, " (of all answers: within at least {lower_s:.3} s, with {confidence} confidence)")?;
                }
                (None, None) => {}
            }
        }
        if let Some(longest_s) = self.longest_s {
            write!(f, ", the longest took {longest_s:.3} s")?;
        }
        write!(f, "; {claim}")
    }
}

fn claim(plan: &Plan, tally: &Tally, bound: Duration) -> String {
    let (taken, exceeded, allowed) = (tally.taken, tally.exceeded(), plan.allowed);
    let is_claimed = |share: f64| {
        format!(
            "with {} confidence {} of answers are complete within {}",
            percent(plan.confidence),
            percent(share),
            seconds(bound)
        )
    };
    match plan.decide(taken, exceeded) {
        _ if tally.wrong > 0 => format!("{} of {taken} answers hold what was not asked for", tally.wrong),
        Decision::Kept => format!("{}: {exceeded} of {taken} were not, {allowed} allowed", is_claimed(plan.quantile)),
        Decision::Broken => format!(
            "{exceeded} of {taken} answers were not complete within {}, {allowed} of {} allowed",
            seconds(bound),
            plan.looks
        ),
        Decision::Open => match supported(taken, exceeded, plan.confidence) {
            share if share > 0.0 => format!("{}: {exceeded} of {taken} were not", is_claimed(share)),
            _ => format!(
                "nothing can be claimed: {exceeded} of {taken} answers were not complete within {}",
                seconds(bound)
            ),
        },
    }
}

/// Judges a clause about response times.
pub(super) fn judge_latency(
    case: &Case,
    wanted: &LatencyExpectation,
    bodies: &dyn Bodies,
) -> Result<Judgement, BodyError> {
    let judgement = |verdict, findings, response_times| Judgement {
        verdict,
        forced: case.forced,
        findings,
        latency: None,
        response_times,
    };
    let Some(bound) = case.bound else {
        let finding = Finding::new(IN_TIME, "a bound", "none is set");
        return Ok(judgement(Verdict::Inconclusive, vec![finding], Vec::new()));
    };
    let none = Timings::default();
    let asked: Vec<(&Question, &Timings)> = wanted
        .questions
        .iter()
        .enumerate()
        .map(|(number, question)| (question, case.timings.get(&number).unwrap_or(&none)))
        .collect();
    let response_times: Vec<ResponseTimes> = asked
        .iter()
        .filter(|(_, timings)| !timings.timed.is_empty())
        .map(|(question, timings)| ResponseTimes::of(wanted, question, timings, bound))
        .collect();
    let mut failures: Vec<Finding> =
        asked.iter().flat_map(|(question, timings)| failures(wanted, question, timings, bound)).collect();
    if !failures.is_empty() {
        failures.extend(causes(case));
        return Ok(judgement(Verdict::Fail, failures, response_times));
    }
    let sent = Sent::read(wanted.signal, &wanted.records, &case.ledger, bodies)?;
    let mut doubts: Vec<Finding> = wanted
        .plan
        .check()
        .err()
        .map(|error| Finding::new("plan", "one that supports its claim", error.to_string()))
        .into_iter()
        .collect();
    doubts.extend(short_range(case, wanted, &sent));
    doubts.extend(not_in_store(case, wanted, &sent, bodies)?);
    doubts.extend(broken_state(case, &wanted.rules));
    doubts.extend(unshown(case, wanted, &sent, bodies)?);
    doubts.extend(asked.iter().flat_map(|(question, timings)| undecided(case, wanted, question, timings, bound)));
    if doubts.is_empty() {
        return Ok(judgement(Verdict::Pass, doubts, response_times));
    }
    doubts.extend(causes(case));
    Ok(judgement(Verdict::Inconclusive, doubts, response_times))
}

/// What `observation` lacks of what is expected of its look.
pub(super) fn objections(
    case: &Case,
    wanted: &LatencyExpectation,
    observation: &Observation,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    match (&observation.look, &observation.seen) {
        (_, Seen::Unseen { reason }) => Ok(vec![Finding::new("seen", "an answer", reason)]),
        (Look::Asked { question }, _) => Ok(broken_rules(&completeness(question), observation)),
        (Look::Caches { .. }, _) => Ok(broken_rules(&wanted.rules, observation)),
        _ => Sent::read(wanted.signal, &wanted.records, &case.ledger, bodies)?.differences(observation, bodies),
    }
}

fn completeness(question: &Question) -> [Rule; 2] {
    [
        Rule::new(COMPLETE, FOUND, Check::Is(question.expected().into())),
        Rule::new("content", FOREIGN, Check::Is(0.into())),
    ]
}

/// What certainly fails.
fn failures(wanted: &LatencyExpectation, question: &Question, timings: &Timings, bound: Duration) -> Vec<Finding> {
    let tally = Tally::of(timings, question, bound);
    let mut findings = Vec::new();
    if tally.wrong > 0 {
        let is_wrong = |timed: &&Timed| {
            timed.found > question.expected() || timings.flaw(timed.number).is_some_and(|flaw| flaw.foreign > 0)
        };
        let first = timings.timed.iter().find(is_wrong).map(|timed| {
            let foreign = timings.flaw(timed.number).map_or(0, |flaw| flaw.foreign);
            format!(
                ", the first in answer {}: {} of {} and {foreign} others",
                timed.number,
                timed.found,
                question.expected()
            )
        });
        findings.push(Finding::new(
            "content",
            format!("each record once in each answer to a {}, and no other", question.name()),
            format!("something else in {} of {} answers{}", tally.wrong, tally.taken, first.unwrap_or_default()),
        ));
    }
    let Plan { allowed, looks, .. } = wanted.plan;
    if wanted.plan.decide(tally.taken, tally.certainly_exceeded()) == Decision::Broken {
        let counted = Tally { late: 0, ..tally };
        findings.push(Finding::new(
            IN_TIME,
            format!(
                "at most {allowed} of {looks} answers to a {} not complete within {}",
                question.name(),
                seconds(bound)
            ),
            format!("{} of {}: {counted}{}", tally.certainly_exceeded(), tally.taken, example(question, timings)),
        ));
    }
    findings
}

/// The first answer that is none or lacks something, in words; else the longest.
fn example(question: &Question, timings: &Timings) -> String {
    let failed = timings.flaws.iter().find_map(|flaw| flaw.failure.as_ref());
    let incomplete = timings.timed.iter().find(|timed| timed.found < question.expected());
    let longest = timings.timed.iter().map(|timed| timed.taken_us).max();
    match (failed, incomplete, longest) {
        (Some(reason), _, _) => format!("; {reason}"),
        (None, Some(timed), _) => {
            format!("; answer {} has {} of {} records", timed.number, timed.found, question.expected())
        }
        (None, None, Some(longest)) => format!("; the longest took {:.3} s", to_seconds(longest)),
        (None, None, None) => String::new(),
    }
}

/// Records that span less time than the questions are to be asked over.
fn short_range(case: &Case, wanted: &LatencyExpectation, sent: &Sent<'_>) -> Vec<Finding> {
    let refused = refusals(&case.ledger);
    let times: Vec<i64> = sent
        .items
        .iter()
        .zip(0_u64..)
        .filter(|(_, sequence)| case.ledger.fate(*sequence) == Fate::Acked)
        .filter_map(|(item, _)| time_ns(wanted.signal, item.content.as_ref()?))
        .collect();
    let spanned = match (times.iter().min(), times.iter().max()) {
        (Some(first), Some(last)) => Duration::from_nanos(last.abs_diff(*first)),
        _ => Duration::ZERO,
    };
    let mut findings = Vec::new();
    if spanned < wanted.range || times.is_empty() {
        let found =
            if times.is_empty() { "none".to_owned() } else { format!("{} over {}", times.len(), seconds(spanned)) };
        findings.push(Finding::new("range", format!("accepted records over {}", seconds(wanted.range)), found));
    }
    findings.extend(refused);
    findings
}

/// When a record is from, nanoseconds since the Unix epoch.
fn time_ns(signal: Signal, record: &Value) -> Option<i64> {
    let (field, unit) = match signal {
        Signal::Logs => ("timestamp_ns", 1),
        Signal::Traces => ("start_ns", 1),
        Signal::Metrics => ("timestamp_ms", 1_000_000),
    };
    let value = record.get(field)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    number.checked_mul(unit)
}

/// Records that were not shown to lie in the store.
fn not_in_store(
    case: &Case,
    wanted: &LatencyExpectation,
    sent: &Sent<'_>,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    let mut findings = Vec::new();
    if wanted.stored.is_empty() {
        findings.push(Finding::new("in the store", "a look into it", "none"));
    }
    for oracle in &wanted.stored {
        let timeline = Timeline::of(*oracle, case, sent, bodies)?;
        if timeline.first_yes.is_none() {
            let objections = timeline.objections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let found = if objections.is_empty() { "no look".to_owned() } else { objections };
            findings.push(Finding::new("in the store", format!("all records by {}", oracle.describe()), found));
        }
    }
    Ok(findings)
}

/// What does not hold of the stack's state, so that answers may have come from elsewhere.
fn broken_state(case: &Case, rules: &[Rule]) -> Vec<Finding> {
    let state = case.observations.iter().rev().find(|observation| observation.look.oracle() == Oracle::State);
    match state.map(|observation| (&observation.seen, observation)) {
        _ if rules.is_empty() => Vec::new(),
        None => vec![Finding::new("configuration", "a look", "none")],
        Some((Seen::Unseen { reason }, _)) => vec![Finding::new("configuration", "an answer", reason)],
        Some((_, observation)) => broken_rules(rules, observation),
    }
}

/// What does not show that the check can say no: to a store without the records, and to a bound that nothing can meet.
fn unshown(
    case: &Case,
    wanted: &LatencyExpectation,
    sent: &Sent<'_>,
    bodies: &dyn Bodies,
) -> Result<Vec<Finding>, BodyError> {
    let mut answers = Vec::new();
    for control in &case.controls {
        answers.push(match (&control.observation.look, &control.observation.seen) {
            (_, Seen::Unseen { reason }) => Err(format!("the look failed: {reason}")),
            (_, Seen::Records { count: 1.., .. }) => Err("records were there already".to_owned()),
            (Look::Asked { question }, _) => Ok(rules_of(broken_rules(&completeness(question), &control.observation))),
            _ => Ok(rules_of(sent.differences(&control.observation, bodies)?)),
        });
    }
    let mut findings = controls_that_said_yes(&case.controls.iter().collect::<Vec<_>>(), answers);
    for (number, question) in wanted.questions.iter().enumerate() {
        let is_asked = |observation: &Observation| matches!(&observation.look, Look::Asked { question: asked } if asked == question);
        if !case.controls.iter().any(|control| is_asked(&control.observation)) {
            let expected = format!("a {} before there is anything to be found", question.name());
            findings.push(Finding::new(SHOWN_TO_FAIL, expected, "none was asked"));
        }
        let impossible = case.timings.get(&number).map(|timings| Tally::of(timings, question, Duration::ZERO));
        if impossible.is_some_and(|tally| wanted.plan.decide(tally.taken, tally.exceeded()) != Decision::Broken) {
            let expected = format!("the check says no to answers to a {} within no time", question.name());
            findings.push(Finding::new(SHOWN_TO_FAIL, expected, "no objection"));
        }
    }
    Ok(findings)
}

/// What keeps the answers to one question from being enough.
fn undecided(
    case: &Case,
    wanted: &LatencyExpectation,
    question: &Question,
    timings: &Timings,
    bound: Duration,
) -> Option<Finding> {
    let tally = Tally::of(timings, question, bound);
    match wanted.plan.decide(tally.taken, tally.exceeded()) {
        Decision::Kept => None,
        Decision::Open => {
            let halted = case.halt.as_ref().map(|halt| format!("; {}", halt.reason));
            Some(Finding::new(
                "enough answers",
                format!("{} answers to a {}", wanted.plan.looks, question.name()),
                format!("{}{}", claim(&wanted.plan, &tally, bound), halted.unwrap_or_default()),
            ))
        }
        // Without those that the harness made late, it would not be: else it had failed.
        Decision::Broken => {
            let latest = timings.timed.iter().map(|timed| timed.late_us).max().unwrap_or(0);
            Some(Finding::new(
                "pace",
                format!("each {} sent when it is due", question.name()),
                format!(
                    "sent up to {:.3} s late, and {} of {} answers over the bound for that alone; a machine with less to do would decide",
                    to_seconds(latest),
                    tally.late,
                    tally.taken
                ),
            ))
        }
    }
}

/// Microseconds as seconds.
fn to_seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        ledger::Ledger,
        observation::Facts,
        ports::{PushOutcome, Tick},
        signal::{Labels, LogEntry},
        stimulus::{Origin, Route, logs},
        verdict::{Control, Expectation, Halt, HaltKind, Memory, judge},
    };

    const BOUND: Duration = Duration::from_secs(3);

    /// A case in which everything is as it should be, changed by each test in the one thing it is about.
    struct Scene {
        case: Case,
        bodies: Memory,
        sent: Vec<LogEntry>,
    }

    fn question() -> Question {
        Question::LogCounts { selector: Labels::new(), start_ns: 0, end_ns: 1, step_s: 1, expected: 4 }
    }

    fn observation(look: Look, seen: Seen) -> Observation {
        Observation { look, sent: Tick(1), received: Tick(2), seen, evidence: Vec::new() }
    }

    fn caches(on: &[&str]) -> Observation {
        let look = Look::Caches { signal: Signal::Logs, component: crate::ports::Component::LokiRead };
        observation(look, Seen::Facts { facts: Facts::from([("caches".to_owned(), json!(on))]) })
    }

    fn answered(found: u64) -> Observation {
        let facts = [(FOUND.to_owned(), json!(found)), (FOREIGN.to_owned(), json!(0))];
        observation(Look::Asked { question: question() }, Seen::Facts { facts: facts.into() })
    }

    fn control(observation: Observation, rule: &str) -> Control {
        Control { name: "records that were not sent yet".into(), must_break: vec![rule.to_owned()], observation }
    }

    impl Scene {
        fn new() -> Self {
            let shape = logs::LogShape { entries: 4, ..logs::LogShape::default() };
            let sent = logs::entries(&Origin::example(7), &shape);
            let mut ledger = Ledger::default();
            let push = ledger.intend(Route::LokiGrpc, 0, 3, false);
            ledger.answer(push, Tick(1), Tick(2), PushOutcome::Acked);
            let timed =
                (0..59).map(|number| Timed { number, late_us: 10, taken_us: 1000 + u64::from(number), found: 4 });
            let mut scene = Self {
                case: Case {
                    clause: "AC-lgtm-001-05/latency".parse().unwrap(),
                    bound: Some(BOUND),
                    patience: Duration::from_secs(60),
                    forced: false,
                    expectation: Expectation::Facts { rules: Vec::new() },
                    bucket: None,
                    ledger,
                    lost: None,
                    prediction: None,
                    controls: Vec::new(),
                    observations: Vec::new(),
                    problems: Vec::new(),
                    offered: Vec::new(),
                    timings: [(0, Timings { timed: timed.collect(), flaws: Vec::new() })].into(),
                    halt: None,
                },
                bodies: Memory::default(),
                sent: sent.clone(),
            };
            let (records, none) = (scene.keep(&sent), scene.keep(&[]));
            scene.case.expectation = Expectation::Latency(Box::new(LatencyExpectation {
                plan: Plan::QUICK,
                gap: Duration::from_millis(125),
                signal: Signal::Logs,
                records,
                range: Duration::ZERO,
                stored: vec![Oracle::Objects],
                questions: vec![question()],
                rules: vec![Rule::new("caches off", "caches", Check::Empty)],
            }));
            scene.case.controls = vec![control(scene.stored(&none, 0), "missing"), control(answered(0), COMPLETE)];
            let everything = scene.keep(&scene.sent.clone());
            scene.case.observations = vec![caches(&[]), scene.stored(&everything, 4), answered(4)];
            scene
        }

        fn keep(&mut self, entries: &[LogEntry]) -> String {
            let body: String = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
            let name = format!("{:08x}", crc32c::crc32c(body.as_bytes()));
            self.bodies.0.insert(name.clone(), body.into_bytes());
            name
        }

        fn stored(&self, body: &str, count: usize) -> Observation {
            let look = Look::LogChunks { bucket: "loki-chunks".into(), selector: Labels::new(), since_ms: 0 };
            let seen = Seen::Records { signal: Signal::Logs, body: body.to_owned(), count, defects: Vec::new() };
            observation(look, seen)
        }

        fn wanted(&mut self) -> &mut LatencyExpectation {
            match &mut self.case.expectation {
                Expectation::Latency(wanted) => wanted,
                _ => unreachable!("made so above"),
            }
        }

        fn timings(&mut self) -> &mut Timings {
            self.case.timings.get_mut(&0).unwrap()
        }

        fn judged(&self) -> Judgement {
            judge(&self.case, &self.bodies).unwrap()
        }
    }

    #[test]
    fn each_thing_that_can_be_wrong_changes_the_verdict_and_is_named() {
        use Verdict::{Blocked, Fail, Inconclusive, Pass};
        type Change = fn(&mut Scene);
        let table: [(&str, Verdict, &str, Change); 20] = [
            ("nothing", Pass, "", |_| {}),
            ("one slow", Fail, IN_TIME, |scene| scene.timings().timed[7].taken_us = 3_000_011),
            ("one just in time", Pass, "", |scene| scene.timings().timed[7].taken_us = 3_000_000),
            ("one incomplete", Fail, IN_TIME, |scene| scene.timings().timed[7].found = 3),
            ("one failed", Fail, IN_TIME, |scene| {
                scene.timings().timed[7].found = 0;
                scene.timings().flaws.push(Flaw { number: 7, foreign: 0, failure: Some("status 500".into()) });
            }),
            ("one with something else", Fail, "content", |scene| {
                scene.timings().flaws.push(Flaw { number: 7, foreign: 1, failure: None });
            }),
            ("one with too much", Fail, "content", |scene| scene.timings().timed[7].found = 5),
            ("one sent late", Inconclusive, "pace", |scene| {
                scene.timings().timed[7] = Timed { number: 7, late_us: 2_999_000, taken_us: 3_000_001, found: 4 };
            }),
            ("one too few", Inconclusive, "enough answers", |scene| scene.timings().timed.truncate(58)),
            ("none", Inconclusive, "enough answers", |scene| scene.case.timings.clear()),
            ("no bound", Inconclusive, IN_TIME, |scene| scene.case.bound = None),
            ("a plan that claims too much", Inconclusive, "plan", |scene| scene.wanted().plan.quantile = 0.99),
            ("too short a range", Inconclusive, "range", |scene| scene.wanted().range = Duration::from_secs(86_400)),
            ("a push without an answer", Inconclusive, "range", |scene| scene.case.ledger = Ledger::default()),
            ("not in the store", Inconclusive, "in the store", |scene| drop(scene.case.observations.remove(1))),
            ("a cache", Inconclusive, "caches off", |scene| scene.case.observations[0] = caches(&["results"])),
            ("caches not looked at", Inconclusive, "configuration", |scene| {
                drop(scene.case.observations.remove(0));
            }),
            ("answered before it was sent", Inconclusive, SHOWN_TO_FAIL, |scene| {
                scene.case.controls[1] = control(answered(4), COMPLETE);
            }),
            ("not asked before", Inconclusive, SHOWN_TO_FAIL, |scene| drop(scene.case.controls.pop())),
            ("blocked", Blocked, "set-up", |scene| {
                scene.case.halt = Some(Halt { kind: HaltKind::Blocked, reason: "down".into() });
            }),
        ];
        for (what, verdict, rule, change) in table {
            let mut scene = Scene::new();
            change(&mut scene);
            let judgement = scene.judged();
            assert_eq!(judgement.verdict, verdict, "{what}: {:?}", judgement.findings);
            let rules: Vec<&str> = judgement.findings.iter().map(|finding| finding.rule.as_str()).collect();
            assert!(if rule.is_empty() { rules.is_empty() } else { rules.contains(&rule) }, "{what}: {rules:?}");
        }
    }

    #[test]
    fn answers_in_no_time_show_nothing() {
        let mut scene = Scene::new();
        for timed in &mut scene.timings().timed {
            timed.taken_us = 0;
        }
        let judgement = scene.judged();
        assert_eq!((judgement.verdict, judgement.findings[0].rule.as_str()), (Verdict::Inconclusive, SHOWN_TO_FAIL));
    }

    #[test]
    fn response_times_say_what_was_measured_and_what_follows() {
        let told = |change: fn(&mut Scene)| {
            let mut scene = Scene::new();
            change(&mut scene);
            scene.judged().response_times[0].to_string()
        };
        assert_eq!(
            told(|_| {}),
            "59 answers to a LogQL metric, one every 0.125 s: 95 % of them came within 0.001 s (of all answers: within 0.001 s \
             to 0.001 s, each end with 95 % confidence), the longest took 0.001 s; with 95 % confidence 95 % of answers are \
             complete within 3 s: 0 of 59 were not, 0 allowed"
        );
        assert_eq!(
            told(|scene| scene.timings().timed[7].taken_us = 3_500_010),
            "59 answers to a LogQL metric, one every 0.125 s: 95 % of them came within 0.001 s (of all answers: within 0.001 s \
             to 3.500 s, each end with 95 % confidence), the longest took 3.500 s; 1 of 59 answers were not complete within 3 \
             s, 0 of 59 allowed"
        );
        assert_eq!(
            told(|scene| scene.timings().timed.truncate(20)),
            "20 answers to a LogQL metric, one every 0.125 s, the longest took 0.001 s; with 95 % confidence 86 % of answers \
             are complete within 3 s: 0 of 20 were not"
        );
    }
}
