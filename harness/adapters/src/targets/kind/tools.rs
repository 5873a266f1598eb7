use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::KindError;
use crate::targets::blueprint::{end_of, in_path};

/// The programs that make clusters.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) docker: PathBuf,
    pub(super) kind: PathBuf,
}

impl Tools {
    /// Both, found in `PATH`.
    pub(super) fn find() -> Result<Self, KindError> {
        Ok(Self {
            docker: in_path("docker", "it runs the cluster's node: install Docker")?,
            kind: in_path("kind", "it makes the cluster: install it from https://kind.sigs.k8s.io")?,
        })
    }

    /// Docker, found in `PATH`, where no cluster is made.
    pub(super) fn docker_alone() -> Result<PathBuf, KindError> {
        Ok(in_path("docker", "it makes images: install Docker")?)
    }

    /// Docker's cgroup version, as a sign that it answers.
    pub(super) async fn cgroup_version(&self) -> Result<String, KindError> {
        match self.docker(&["info", "--format", "{{.CgroupVersion}}"]).await {
            Ok(version) => Ok(version.trim().to_owned()),
            Err(KindError::Command { said, .. }) => Err(KindError::DockerSilent { said }),
            Err(other) => Err(other),
        }
    }

    /// What `docker ARGUMENTS` prints.
    pub(super) async fn docker(&self, arguments: &[&str]) -> Result<String, KindError> {
        run(&self.docker, arguments, None).await
    }

    /// What `kind ARGUMENTS` prints, given `input`.
    pub(super) async fn kind(&self, arguments: &[&str], input: Option<&str>) -> Result<String, KindError> {
        run(&self.kind, arguments, input).await
    }
}

async fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> Result<String, KindError> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let words = arguments.iter().take_while(|word| !word.starts_with('-')).take(2);
    let command = std::iter::once(&*name).chain(words.copied()).collect::<Vec<_>>().join(" ");
    let failed = |said: String| KindError::Command { command: command.clone(), said };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take()
        && let Some(input) = input
    {
        stdin.write_all(input.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
    }
    let answer = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    if answer.status.success() {
        return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
    }
    Err(failed(end_of(&String::from_utf8_lossy(&answer.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_fails_says_how() {
        let cat = in_path("cat", "").unwrap();
        assert_eq!(run(&cat, &[], Some("said")).await.unwrap(), "said");
        let error = run(&cat, &["nowhere/at-all"], None).await.unwrap_err().to_string();
        assert!(error.starts_with("cat nowhere/at-all failed: "), "{error}");
    }
}
