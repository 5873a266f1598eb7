use std::{io, path::PathBuf};

use harness_core::ports::{Component, PortError};
use thiserror::Error;

use crate::targets::{
    blueprint::{
        BucketsError, BuildError, CredentialsError, ImageError, ImageSource, MissingProgram, PortsError, RenderError,
    },
    local::Failure,
};

/// Why there is no stack of containers, or not all of it.
#[derive(Debug, Error)]
pub enum ContainersError {
    /// No Docker to talk to.
    #[error("no Docker answers at {tried}: {said}; start it, or say where it is with DOCKER_HOST=unix://SOCKET")]
    NoDocker {
        /// Where one was looked for.
        tried: String,
        /// What happened there.
        said: String,
    },
    /// A Docker whose containers do not listen here.
    #[error("DOCKER_HOST={host} is not on this machine: containers are reached at its loopback address")]
    Elsewhere {
        /// The variable's value.
        host: String,
    },
    /// An image that Docker has not.
    #[error(
        "Docker has no image {image} ({source_of_images} images): {said}; have it made of the built servers with --images built, \
         or pulled with --images pulled, from a mirror with --image-prefix PREFIX"
    )]
    NoImage {
        /// Its reference.
        image: String,
        /// Where it should have come from.
        source_of_images: ImageSource,
        /// What Docker said.
        said: String,
    },
    /// A request that Docker refused.
    #[error("Docker could not {what}: {said}")]
    Docker {
        /// What it was asked to do.
        what: String,
        /// What it said.
        said: String,
    },
    /// The client that asks whether servers are ready.
    #[error(transparent)]
    Client(#[from] PortError),
    /// The object store.
    #[error("the object store did not start: {0}")]
    Store(Failure),
    /// A component without an image or a memory limit.
    #[error("{component} has no {what}")]
    Incomplete {
        /// The component.
        component: Component,
        /// What is missing.
        what: &'static str,
    },
    /// A file or folder of ours.
    #[error("{path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// No random bytes for a name.
    #[error("the system gave no random bytes for a name")]
    Random(#[source] rand::rngs::SysError),
    /// A program that has to be in `PATH`.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// Servers that could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Images that could not be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A configuration that cannot be.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Keys.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Buckets, users and policies.
    #[error(transparent)]
    Buckets(#[from] BucketsError),
    /// Nowhere to listen.
    #[error(transparent)]
    Ports(#[from] PortsError),
}
