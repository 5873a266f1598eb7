//! What the stack consists of, out of `stack/`: pinned programs and how they are built, configurations, buckets, keys. One source for every
//! target; must not know where the stack runs.

mod buckets;
mod build;
mod credentials;
mod gateway;
mod images;
mod log;
mod overrides;
mod path;
mod pins;
mod places;
mod progress;
mod ready;
mod render;
mod reporter;
mod resources;
mod role;

pub use buckets::BucketsError;
pub use build::{BuildError, Programs, build};
pub use credentials::{Credentials, CredentialsError, KeyPair};
pub use images::{ImageError, ImageSource, UnknownSetting};
pub(crate) use log::{is_problem, last, redact};
pub use overrides::{Override, OverrideError};
pub use path::MissingProgram;
pub use pins::Program;
pub use progress::{Event, Progress, Silent};
pub use render::{Profile, RenderError};
pub use role::{Role, UnknownRole};
pub(in crate::targets) use {
    buckets::{ALIAS, ATTACHED_ALREADY, BUCKETS, Maker, Mc, POLICY, bucket_of},
    build::remove_folder,
    credentials::write_for_its_user,
    gateway::{Upstream, Upstreams, serve_grpc, serve_http},
    images::{Made, RUN, Recipe, make, references, versions, words},
    log::{end_of, is_error},
    overrides::{go_memory_limit, nearest, store_speaks_tls, whose_keys},
    path::in_path,
    places::{Ports, PortsError, Socket, listen},
    ready::{Asker, READINESS, needs, readiness},
    render::{Plan, Sockets, Store, Surroundings, configuration, fill_in, sources, yaml},
    reporter::Reporter,
    resources::resources,
};
