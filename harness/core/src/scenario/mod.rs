//! Scenarios: what is driven, which clauses that covers, which parts of the stack it claims; and how some are chosen. Must not know
//! how scenarios are run.

mod select;

pub use select::{Filter, FilterError, select};

use std::{future::Future, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use crate::{
    catalogue::{ClauseId, Target},
    ports::{Component, Reader},
    signal::Signal,
    stage::{Claim, Stage, StageError},
    stimulus::Route,
};

/// When a scenario is driven among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// With all others.
    Together,
    /// After all others: it disturbs what they look at.
    Last,
}

type Drive = Arc<dyn Fn(Stage) -> BoxFuture<'static, Result<(), StageError>> + Send + Sync>;

/// One drive of the stack that covers one or more clauses.
#[derive(Clone)]
pub struct Scenario {
    /// Unique; names the record.
    pub name: String,
    /// `file:line` where it is written.
    pub written_at: &'static str,
    /// The clauses that it decides.
    pub covers: Vec<ClauseId>,
    /// Words to select by.
    pub tags: Vec<&'static str>,
    /// The pipeline it is about, if it is about one.
    pub signal: Option<Signal>,
    /// The parts of the stack that it uses.
    pub claims: Vec<Claim>,
    /// The components that have to be up.
    pub needs: Vec<Component>,
    /// How it sends, where the sender is a program that has to be there before.
    pub senders: Vec<Route>,
    /// Who reads in the harness' place, where that is a program that has to be there before.
    pub readers: Vec<Reader>,
    /// When it is driven.
    pub order: Order,
    /// The targets that it can be driven on; empty for every one where a stack runs that can show its clauses.
    pub targets: Vec<Target>,
    drive: Drive,
}

impl Scenario {
    /// A scenario called `name` that decides `covers` by what `drive` does on its stage. `written_at` is `file:line`.
    ///
    /// # Errors
    /// An id in `covers` that has not the shape of a clause id.
    pub fn new<F, Fut>(name: &str, written_at: &'static str, covers: &[&str], drive: F) -> Result<Self, String>
    where
        F: Fn(Stage) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StageError>> + Send + 'static,
    {
        let covers = covers
            .iter()
            .map(|id| id.parse().map_err(|error| format!("{written_at}: scenario {name}: {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            written_at,
            covers,
            tags: Vec::new(),
            signal: None,
            claims: Vec::new(),
            needs: Vec::new(),
            senders: Vec::new(),
            readers: Vec::new(),
            order: Order::Together,
            targets: Vec::new(),
            drive: Arc::new(move |stage| drive(stage).boxed()),
        })
    }

    /// Adds words to select by.
    #[must_use]
    pub fn tagged(mut self, tags: &[&'static str]) -> Self {
        self.tags.extend(tags);
        self
    }

    /// Says which pipeline it is about.
    #[must_use]
    pub fn about(mut self, signal: Signal) -> Self {
        self.signal = Some(signal);
        self
    }

    /// Adds claims.
    #[must_use]
    pub fn claiming(mut self, claims: &[Claim]) -> Self {
        self.claims.extend(claims);
        self
    }

    /// Adds components that have to be up.
    #[must_use]
    pub fn needing(mut self, components: &[Component]) -> Self {
        self.needs.extend(components);
        self
    }

    /// Says that it sends by `route`, whose sender is no part of the harness.
    #[must_use]
    pub fn sending_by(mut self, route: Route) -> Self {
        self.senders.push(route);
        self
    }

    /// Says that `reader`, which is no part of the harness, reads in its place.
    #[must_use]
    pub fn read_by(mut self, reader: Reader) -> Self {
        self.readers.push(reader);
        self
    }

    /// Has it driven after all others.
    #[must_use]
    pub fn last(mut self) -> Self {
        self.order = Order::Last;
        self
    }

    /// Has it driven on these targets alone: it asks for what only they have.
    #[must_use]
    pub fn only_on(mut self, targets: &[Target]) -> Self {
        self.targets.extend(targets);
        self
    }

    /// Whether it can be driven on `target`: one that names no targets needs a stack that runs.
    pub fn runs_on(&self, target: Target) -> bool {
        if self.targets.is_empty() { target.has_timers() } else { self.targets.contains(&target) }
    }

    /// Drives it.
    pub(crate) fn drive(&self, stage: Stage) -> BoxFuture<'static, Result<(), StageError>> {
        (self.drive)(stage)
    }
}
