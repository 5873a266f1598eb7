use std::{io, path::PathBuf};

use thiserror::Error;

use super::{ManifestError, Standing};
use crate::targets::blueprint::{BucketsError, BuildError, CredentialsError, ImageError, MissingProgram, RenderError};

/// Why there is no stack in kind.
#[derive(Debug, Error)]
pub enum KindError {
    /// A program that has to be in `PATH`.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// No Docker to talk to.
    #[error("docker does not answer: {said}")]
    DockerSilent {
        /// What its client said.
        said: String,
    },
    /// A command of kind or Docker.
    #[error("{command} failed: {said}")]
    Command {
        /// The command, without what it was given.
        command: String,
        /// The end of what it said.
        said: String,
    },
    /// The node's image.
    #[error("the node image {image} is neither here nor to be had: {said}")]
    NodeImage {
        /// Its reference.
        image: String,
        /// What Docker said.
        said: String,
    },
    /// A cluster that this harness did not make, or not from here.
    #[error(
        "there is a kind cluster {name} already that was not made here: choose another name, or remove it with `kind delete cluster --name {name}`"
    )]
    NotOurs {
        /// Its name.
        name: String,
    },
    /// One cluster at a time.
    #[error("{folder} holds the state of cluster {name}: end it first with `lgtm-verify kind down`")]
    Another {
        /// The state's folder.
        folder: PathBuf,
        /// The cluster that it knows.
        name: String,
    },
    /// No cluster.
    #[error("no kind cluster is up: start one with `lgtm-verify kind up`")]
    NoCluster,
    /// The cluster is not the one that the state is about.
    #[error("the cluster that answers is not {name}: the UID of its kube-system is {found}, not {expected}")]
    OtherUid {
        /// The cluster of the state.
        name: String,
        /// The UID in the state.
        expected: String,
        /// The UID that was found.
        found: String,
    },
    /// The kubeconfig.
    #[error("{path} does not open the cluster: {reason}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster's API.
    #[error("the cluster's API at {address}: {what}: {reason}")]
    Api {
        /// Its URL.
        address: String,
        /// What was asked of it.
        what: String,
        /// What it said, or why nobody answered.
        reason: String,
    },
    /// Something that should answer by now.
    #[error("{what} does not answer after {seconds} seconds: {said}")]
    Silent {
        /// What was asked.
        what: &'static str,
        /// How long.
        seconds: u64,
        /// What came instead of an answer.
        said: String,
    },
    /// What is not ready.
    #[error("not ready after {seconds} seconds:{}", standings.iter().map(|standing| format!("\n  {standing}")).collect::<String>())]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// What is not ready, and why.
        standings: Vec<Standing>,
    },
    /// What can never be ready.
    #[error("cannot become ready:{}", standings.iter().map(|standing| format!("\n  {standing}")).collect::<String>())]
    Hopeless {
        /// What is not ready, and why.
        standings: Vec<Standing>,
    },
    /// The store's certificate.
    #[error("no certificate for the store could be made")]
    Certificate(#[from] rcgen::Error),
    /// Servers that could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image that the node did not take.
    #[error("{image} could not be loaded into the node: {said}")]
    Load {
        /// Its reference.
        image: String,
        /// What kind said.
        said: String,
    },
    /// The names of official images.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Manifests.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Keys.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Buckets, users and policies.
    #[error(transparent)]
    Buckets(#[from] BucketsError),
    /// A file of the state.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Not what was written there.
    #[error("{path} is not a cluster's state")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
