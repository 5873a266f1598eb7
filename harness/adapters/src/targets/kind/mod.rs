//! The stack in a kind cluster of its own: made, filled, watched until it is ready, removed. Must not know any scenario, nor what the stack
//! consists of, nor how a run looks into it.
//!
//! ```text
//! blueprint (configurations, buckets, gateway) + kind/*.yaml -> manifests -> apply -> readiness
//! images (docker import, kind load) ------------------------------^          keys <-> the cluster's secrets
//! ```

mod apply;
mod cluster;
mod error;
mod gateway;
mod keys;
mod manifests;
mod mc;
mod node;
mod readiness;
mod state;
mod tools;

pub use cluster::{KindSpec, down, find, make_image, status, up};
pub use error::KindError;
pub use gateway::{Gateway, GatewayError};
pub use manifests::ManifestError;
pub use node::PullPolicy;
pub use readiness::Standing;
pub use state::ClusterState;
