//! The stack as containers of this machine's Docker: started for one run, watched, removed with it. Must not know any scenario, nor what the
//! stack consists of.
//!
//! ```text
//! blueprint (configurations, images, buckets, gateway) -> layout -> stack (containers, by testcontainers)
//! owner (NAME.lock, left-overs) --------------------------------------^      engine (Docker's API), mc
//! ```

mod engine;
mod error;
mod layout;
mod mc;
mod owner;
mod stack;

pub use engine::docker_version;
pub use error::ContainersError;
pub use layout::ContainersSpec;
pub use stack::ContainersStack;
