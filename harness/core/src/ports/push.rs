use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Tick;
use crate::{
    observation::Evidence,
    stimulus::{Batch, Route},
};

/// What became of one push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum PushOutcome {
    /// The stack said that it has it.
    Acked,
    /// The stack said that it does not have it.
    Rejected {
        /// Status and message as given.
        reason: String,
    },
    /// The stack said that it refused the push, but not whether it refused all of it: each record may or may not be there.
    Refused {
        /// Status and message as given.
        reason: String,
    },
    /// No answer, or one that says neither: the stack may or may not have it.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// The answer to one push, with its place on the clock.
#[derive(Debug, Clone)]
pub struct PushAnswer {
    /// When the first byte was about to be sent.
    pub sent: Tick,
    /// When the answer had arrived, or waiting was given up.
    pub answered: Tick,
    /// What became of it.
    pub outcome: PushOutcome,
    /// Request and answer.
    pub evidence: Evidence,
}

/// Sends. Never twice: an answer that did not come is [`PushOutcome::Unknown`].
#[async_trait]
pub trait Push: Send + Sync {
    /// Sends `batch` by `route`, once.
    async fn push(&self, route: Route, batch: &Batch) -> PushAnswer;

    /// What is missing to send by `route` at all: the program of a sender that is not the harness itself.
    fn missing(&self, route: Route) -> Option<String>;
}
