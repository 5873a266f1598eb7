//! The verbs in which a scenario is written: make a stimulus, expect, show the absence, push, watch, stop and start. Every verb
//! records what it does. Must not know any address or client, nor which scenarios there are.

mod claims;
mod compaction;
mod design;
mod keeper;
mod load;
mod looks;
mod outage;
mod scratch;
mod stimulus;
mod timing;
mod verbs;
mod watched;

pub(crate) use claims::turn;
pub use claims::{ALONE, Claim, ClaimError, Claims, Resource};
pub use design::{BUCKETS, MEMORY_LIMITS, bucket_of, owner_of};
pub use load::FULL_LOAD;
pub use outage::Outage;
pub use scratch::Scratch;
pub use stimulus::Stimulus;
pub use verbs::{Patience, RunContext, Stage, StageError, Watcher};
pub use watched::Watched;
