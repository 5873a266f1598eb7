//! Signs of life: bars on a terminal, plain lines elsewhere. Everything goes to standard error.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use harness_adapters::targets::blueprint::Event as BuildEvent;
use harness_adapters::targets::blueprint::Progress;
use harness_core::{
    observation::Seen,
    record::{Entry, Event},
    stage::Watcher,
    verdict::{Judgement, Verdict},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a bar moves although nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// How often a line is written for work that only counts.
const LINE_EVERY: Duration = Duration::from_secs(15);

fn line(prefix: &str, text: &str) {
    anstream::eprintln!("{prefix}{text}");
}

/// A bar of `bars`. It moves only once it is one of them: before, it would draw beside them.
fn spinner(bars: &MultiProgress, prefix: &str) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<24} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(prefix.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// Follows building and starting the servers.
pub struct BuildProgress {
    bars: Option<MultiProgress>,
    prefix: String,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    bar: Option<ProgressBar>,
    told: Duration,
}

impl BuildProgress {
    /// Bars if `terminal`, lines otherwise.
    pub fn new(terminal: bool) -> Self {
        Self { bars: terminal.then(MultiProgress::new), prefix: String::new(), known: Mutex::default() }
    }

    /// Lines that begin with `name`: one of several at work at the same time.
    pub fn one_of_several(name: &str) -> Self {
        Self { bars: None, prefix: format!("{name}: "), known: Mutex::default() }
    }
}

impl BuildProgress {
    /// Says something beside the steps.
    pub fn say(&self, text: &str) {
        match &self.bars {
            // A bar group that cannot print has lost its terminal.
            Some(bars) => drop(bars.println(text)),
            None => line(&self.prefix, text),
        }
    }
}

impl Progress for BuildProgress {
    fn note(&self, event: BuildEvent) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = event.elapsed.as_secs();
        let first = !known.contains_key(&event.what);
        let entry = known.entry(event.what.clone()).or_insert_with(|| Known {
            bar: self.bars.as_ref().map(|bars| spinner(bars, &event.what)),
            told: Duration::ZERO,
        });
        match &entry.bar {
            Some(bar) => {
                let message = format!("{} ({elapsed} s)", event.detail);
                if event.detail.starts_with("ready") || event.detail.starts_with("built") {
                    bar.finish_with_message(message);
                } else {
                    bar.set_message(message);
                }
            }
            None => {
                let counts = event.detail.starts_with("compiled");
                if first || !counts || event.elapsed.saturating_sub(entry.told) >= LINE_EVERY {
                    entry.told = event.elapsed;
                    line(&self.prefix, &format!("[{elapsed:>4} s] {}: {}", event.what, event.detail));
                }
            }
        }
    }
}

/// Follows a run: what each scenario waits for and until when, and each verdict.
pub struct RunProgress {
    bars: Option<MultiProgress>,
    prefix: String,
    known: Mutex<HashMap<String, ProgressBar>>,
}

impl RunProgress {
    /// Bars if `terminal`, lines otherwise.
    pub fn new(terminal: bool) -> Self {
        Self { bars: terminal.then(MultiProgress::new), prefix: String::new(), known: Mutex::default() }
    }

    /// Lines that begin with `name`: one of several at work at the same time.
    pub fn one_of_several(name: &str) -> Self {
        Self { bars: None, prefix: format!("{name}: "), known: Mutex::default() }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            // A bar group that cannot print has lost its terminal; the record has it all.
            Some(bars) => drop(bars.println(text)),
            None => line(&self.prefix, text),
        }
    }

    fn status(&self, scenario: &str, status: &str) {
        if let Some(bars) = &self.bars {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = known.entry(scenario.to_owned()).or_insert_with(|| spinner(bars, scenario));
            bar.set_message(status.to_owned());
        }
    }

    fn end(&self, scenario: &str) {
        if let Some(bar) = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(scenario) {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for RunProgress {
    fn note(&self, scenario: &str, entry: &Entry) {
        match &entry.event {
            Event::Progress { status, .. } if self.bars.is_some() => self.status(scenario, status),
            Event::Progress { status, .. } => self.say(&format!("[{:>8}] {scenario}: {status}", entry.at.to_string())),
            Event::Observed { observation, .. } => {
                let seen = match &observation.seen {
                    Seen::Records { count, .. } => format!("{count} records"),
                    Seen::Numbers { count, .. } => format!("{count} records"),
                    Seen::Facts { .. } => "its state".to_owned(),
                    Seen::Unseen { reason } => reason.clone(),
                };
                self.status(scenario, &format!("{} seen by {}", seen, observation.look.oracle().describe()));
            }
            Event::Judged { clause, judgement } => {
                self.say(&format!(
                    "[{:>8}] {:<12} {clause}{}",
                    entry.at.to_string(),
                    judgement.verdict.word(),
                    why(judgement)
                ));
            }
            Event::ScenarioEnded { .. } => self.end(scenario),
            _ => {}
        }
    }
}

fn why(judgement: &Judgement) -> String {
    match (judgement.verdict, judgement.findings.first()) {
        (Verdict::Pass, _) | (_, None) => String::new(),
        (_, Some(finding)) => format!(": {finding}"),
    }
}
