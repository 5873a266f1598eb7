//! A stack in a Kubernetes cluster: where its doors are and with which keys its store opens, from outside and from inside. Must not know
//! any scenario, nor how the stack came there.

mod doors;
mod facts;
mod stack;

pub use doors::Doors;
pub use facts::{Facts, FactsError};
pub use stack::ClusterStack;

/// The namespace that the design puts the stack into.
pub const NAMESPACE: &str = "monitoring";
