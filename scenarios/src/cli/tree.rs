//! The deployment's files as a target.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use harness_adapters::{
    RuntimeTasks, causes,
    targets::tree::{NoStack, TreeFolder},
};
use harness_core::{
    ports::{Clock, Ports},
    record::Redactor,
};

use super::{CliError, session::Session};

/// What the tree target is told.
#[derive(Debug, Clone)]
pub struct TreeOptions {
    /// The folder that has `apps/monitoring`.
    pub path: PathBuf,
    /// The age key that opens the secrets.
    pub key: Option<PathBuf>,
    /// The user's own, where none is given and the tree has none for tests.
    pub own_key: Option<PathBuf>,
}

/// The files at hand, and nothing else.
///
/// # Errors
/// [`CliError::SetUp`]: no folder, or no tree in it.
pub(super) fn open(options: &TreeOptions, clock: Arc<dyn Clock>) -> Result<Session, CliError> {
    let refused = |error: &dyn std::error::Error| CliError::SetUp(causes(error));
    let tree = TreeFolder::read(&options.path).map_err(|error| refused(&error))?;
    let key = options.key.clone().or_else(|| tree.key_for_tests()).or_else(|| options.own_key.clone());
    let tree = tree.opened_by(key);
    let nothing = Arc::new(NoStack::new(Arc::clone(&clock)));
    let tasks = RuntimeTasks::of_this_runtime().map_err(|error| CliError::SetUp(error.to_string()))?;
    Ok(Session {
        ports: Ports {
            push: Arc::clone(&nothing) as _,
            query: Arc::clone(&nothing) as _,
            interfaces: Arc::clone(&nothing) as _,
            deployment: Arc::new(tree),
            objects: Arc::clone(&nothing) as _,
            lifecycle: Arc::clone(&nothing) as _,
            workloads: Arc::clone(&nothing) as _,
            meter: Arc::clone(&nothing) as _,
            logs: nothing,
            clock,
            tasks: Arc::new(tasks),
        },
        versions: BTreeMap::new(),
        profile: PROFILE.to_owned(),
        redactor: Redactor::new([]),
    })
}

/// What a report says of timers where none run: those of the deployment are what the files declare.
const PROFILE: &str = "deployed";
