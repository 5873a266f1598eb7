//! What the stack consists of, out of `stack/`: pinned programs and how they are built, configurations, buckets, keys. One source for every
//! target; must not know where the stack runs.

mod buckets;
mod build;
mod credentials;
mod gateway;
mod log;
mod overrides;
mod pins;
mod progress;
mod render;
mod role;

pub use buckets::BucketsError;
pub use build::{BuildError, Programs, build};
pub use credentials::{Credentials, CredentialsError, KeyPair};
pub(crate) use log::{is_problem, last, redact};
pub use overrides::{Override, OverrideError};
pub use pins::Program;
pub use progress::{Event, Progress, Silent};
pub use render::{Profile, RenderError};
pub use role::{Role, UnknownRole};
pub(in crate::targets) use {
    buckets::{ALIAS, BUCKETS, Maker, Mc, POLICY},
    build::remove_folder,
    gateway::{Upstream, Upstreams, serve_grpc, serve_http},
    log::is_error,
    overrides::{nearest, whose_keys},
    render::{Plan, Sockets, Store, Surroundings, configuration, fill_in, sources, yaml},
};
