use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::KindError;

/// Lines of a failed command that are shown.
const LAST_LINES: usize = 5;

/// The programs that make clusters.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) docker: PathBuf,
    pub(super) kind: PathBuf,
}

impl Tools {
    /// Both, found in `PATH`.
    pub(super) fn find() -> Result<Self, KindError> {
        let folders = folders();
        Ok(Self {
            docker: find("docker", "it runs the cluster's node: install Docker", &folders)?,
            kind: find("kind", "it makes the cluster: install it from https://kind.sigs.k8s.io", &folders)?,
        })
    }

    /// Docker, found in `PATH`, where no cluster is made.
    pub(super) fn docker_alone() -> Result<PathBuf, KindError> {
        find("docker", "it makes images: install Docker", &folders())
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

fn folders() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

fn find(program: &'static str, purpose: &'static str, folders: &[PathBuf]) -> Result<PathBuf, KindError> {
    folders
        .iter()
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(KindError::Missing { program, purpose })
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

/// The last lines of what a command said, on one line.
pub(super) fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_purpose() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kind"), "").unwrap();
        let folders = [folder.path().to_owned()];
        assert_eq!(find("kind", "makes clusters", &folders).unwrap(), folder.path().join("kind"));
        let error = find("docker", "runs nodes", &folders).unwrap_err();
        assert_eq!(error.to_string(), "docker is not in PATH: runs nodes");
    }

    #[tokio::test]
    async fn a_command_that_fails_says_how() {
        let folders = std::env::split_paths("/bin:/usr/bin").collect::<Vec<_>>();
        let cat = find("cat", "", &folders).unwrap();
        assert_eq!(run(&cat, &[], Some("said")).await.unwrap(), "said");
        let error = run(&cat, &["nowhere/at-all"], None).await.unwrap_err().to_string();
        assert!(error.starts_with("cat nowhere/at-all failed: "), "{error}");
    }

    #[test]
    fn only_the_end_is_told() {
        assert_eq!(end_of("a\n\nb\nc\nd\n e \nf\n"), "b | c | d | e | f");
        assert_eq!(end_of(""), "");
    }
}
