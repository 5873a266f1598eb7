use std::{
    fs, io,
    path::{Path, PathBuf},
};

use harness_core::ports::{Component, PortError, StoreFault};
use serde::{Deserialize, Serialize};

use super::{LocalStack, StackSpec, layout::STORE_FAULT, mc::LocalMc};
use crate::{
    causes,
    targets::blueprint::{ALIAS, ATTACHED_ALREADY, Mc, Program, Role, bucket_of, redact, whose_keys},
};

/// What is wrong with the store, and for whom: written down before it is so, and removed once it is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ailment {
    fault: StoreFault,
    component: Component,
}

impl Ailment {
    /// What a run has left wrong with the store of the stack in `folder`.
    pub(super) fn left(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join(STORE_FAULT)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) async fn heal(self, stack: &LocalStack) -> Result<(), PortError> {
        heal(stack, self.fault, self.component).await
    }
}

pub(super) async fn inject(stack: &LocalStack, fault: StoreFault, component: Component) -> Result<(), PortError> {
    let marker = stack.folder().join(STORE_FAULT);
    let written = serde_json::to_vec(&Ailment { fault, component }).map_err(io::Error::from);
    // First: whatever ends this, the next run finds what to heal.
    written.and_then(|text| fs::write(&marker, text)).map_err(|error| unreachable(&marker, &error))?;
    if fault == StoreFault::Unavailable {
        let (label, away) = drive_label(stack.folder());
        return fs::rename(&label, away).map_err(|error| unreachable(&label, &error));
    }
    tell(stack, fault, true, component).await
}

pub(super) async fn heal(stack: &LocalStack, fault: StoreFault, component: Component) -> Result<(), PortError> {
    let unless_gone = |path: &Path, done: io::Result<()>| match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unreachable(path, &error)),
        _ => Ok(()),
    };
    if fault == StoreFault::Unavailable {
        let (label, away) = drive_label(stack.folder());
        unless_gone(&away, fs::rename(&away, label))?;
    } else {
        tell(stack, fault, false, component).await?;
    }
    let marker = stack.folder().join(STORE_FAULT);
    unless_gone(&marker, fs::remove_file(&marker))
}

fn unreachable(path: &Path, error: &io::Error) -> PortError {
    PortError::Unreachable { target: path.display().to_string(), reason: error.to_string() }
}

/// By what MinIO knows its drive, and where that lies while the drive is away. A drive that it does not know it neither reads nor writes.
fn drive_label(folder: &Path) -> (PathBuf, PathBuf) {
    let drive = folder.join("data").join(Component::Minio.name()).join(".minio.sys").join("format.json");
    (drive, folder.join("data").join("drive-label-away"))
}

/// Has MinIO's own client bring a fault about, or take it back.
async fn tell(stack: &LocalStack, fault: StoreFault, wrong: bool, component: Component) -> Result<(), PortError> {
    let target = format!("the store of {component}");
    let refused = |reason: String| PortError::Refused { target: target.clone(), reason };
    let spec = StackSpec::load(stack.folder()).map_err(|error| refused(causes(&error)))?;
    let program = spec.program(Component::Minio, Program::Mc).map_err(|error| refused(causes(&error)))?;
    let state = stack.state();
    let mc = LocalMc {
        program,
        store: state.endpoint(Role::S3).unwrap_or_default(),
        root: stack.root(),
        folder: stack.folder().join("mc"),
    };
    let policy = bucket_of(Program::of(whose_keys(component, &state.overrides))).unwrap_or_default();
    let Some(words) = words(fault, wrong, &stack.keys(component).access_key_id, policy) else {
        return Err(refused("MinIO's client knows no such fault".to_owned()));
    };
    match mc.run(&words, None).await {
        Err(said) if said.contains(ATTACHED_ALREADY) => Ok(()),
        said => said.map(drop).map_err(|said| refused(redact(&said, stack.secrets()))),
    }
}

/// What MinIO's client is told, where it can do anything about it. A user has one policy, of the name of its bucket.
fn words(fault: StoreFault, wrong: bool, access_key: &str, policy: &str) -> Option<Vec<String>> {
    let either = |ill: &'static str, well: &'static str| if wrong { ill } else { well };
    let words = match fault {
        StoreFault::UserDisabled => vec!["user", either("disable", "enable"), ALIAS, access_key],
        StoreFault::PolicyRemoved => vec!["policy", either("detach", "attach"), ALIAS, policy, "--user", access_key],
        StoreFault::Frozen => vec!["service", either("freeze", "unfreeze"), ALIAS],
        StoreFault::Unavailable => return None,
    };
    Some(["admin"].into_iter().chain(words).map(str::to_owned).collect())
}
