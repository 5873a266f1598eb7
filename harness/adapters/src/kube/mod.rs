//! A Kubernetes API: port-forwards, workloads and their pods, logs, secrets, and the faults that an API server can make. The only
//! way to one; must not know what is sent to the stack or asked of it.

mod access;
mod cluster;
mod error;
mod failure;
mod finder;
mod flux;
mod forward;
mod grants;
mod keys;
mod lifecycle;
mod logs;
mod measures;
mod pods;
mod quantity;
mod server;
mod workloads;

pub use access::{Access, install_crypto_provider};
pub use cluster::{Cluster, Image, STORE_NAMESPACE};
pub use error::{Call, KubeError};
pub use flux::FLUX_NAMESPACE;
pub use forward::Forward;
pub use grants::{GRANTS, Grant, GrantRole, Scope, Vantage};
pub(crate) use quantity::bytes;
