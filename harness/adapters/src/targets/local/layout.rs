//! What lies where in the folder of a stack, for whoever writes it and whoever reads it.

use std::path::{Path, PathBuf};

use harness_core::ports::Component;

/// Says what the store was made to go wrong in, and for whom, while it does.
pub(super) const STORE_FAULT: &str = "store-fault.json";

/// The file that a component of the stack in `folder` is configured by.
pub(super) fn configuration_file(folder: &Path, component: Component) -> PathBuf {
    folder.join("config").join(format!("{component}.yaml"))
}
