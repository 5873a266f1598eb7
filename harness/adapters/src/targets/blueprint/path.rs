use std::path::PathBuf;

use thiserror::Error;

/// A program that has to be in `PATH`, and is not.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{program} is not in PATH: {purpose}")]
pub struct MissingProgram {
    /// Its name.
    pub program: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// Where `program`, needed for `purpose`, is in `PATH`.
pub(in crate::targets) fn in_path(program: &'static str, purpose: &'static str) -> Result<PathBuf, MissingProgram> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    find(program, purpose, std::env::split_paths(&folders))
}

fn find(
    program: &'static str,
    purpose: &'static str,
    folders: impl Iterator<Item = PathBuf>,
) -> Result<PathBuf, MissingProgram> {
    folders
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(MissingProgram { program, purpose })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_purpose() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kind"), "").unwrap();
        let folders = || std::iter::once(folder.path().to_owned());
        assert_eq!(find("kind", "makes clusters", folders()).unwrap(), folder.path().join("kind"));
        let error = find("docker", "runs nodes", folders()).unwrap_err();
        assert_eq!(error.to_string(), "docker is not in PATH: runs nodes");
    }
}
