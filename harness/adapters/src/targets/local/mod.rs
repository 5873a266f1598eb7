//! The stack as processes of this machine: built, configured, started, watched and removed. Must not know any scenario.
//!
//! ```text
//! pins -> build -> render (template + profile + overrides) -> supervisor (processes, buckets, gateway) -> state.json
//!                                                                 ^ control.sock, lease.lock             |
//!                                                                 +------------- client <----------------+
//! ```

mod buckets;
mod build;
mod client;
mod control;
mod credentials;
mod folders;
mod gateway;
mod lease;
mod overrides;
mod pins;
mod places;
mod process;
mod progress;
mod ready;
mod render;
mod spec;
mod state;
mod supervisor;

pub use build::{BuildError, Programs, build};
pub use client::{Down, LocalStack, Starter, UpError, down, down_if_idle, status, up};
pub use credentials::{Credentials, CredentialsError, KeyPair};
pub use folders::{Folders, FoldersError};
pub use lease::Lease;
pub use overrides::{Override, OverrideError};
pub use pins::Program;
pub use progress::{Event, Progress, Silent};
pub use render::{Profile, RenderError};
pub use spec::{Linger, Selection, SpecError, StackSpec};
pub use state::{ComponentState, Failure, Phase, Role, StackPhase, StackState, StateError};
pub use supervisor::{SuperviseError, supervise};
