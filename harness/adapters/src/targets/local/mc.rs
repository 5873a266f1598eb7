use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use async_trait::async_trait;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::targets::blueprint::{ALIAS, KeyPair, Mc};

/// MinIO's client as a process of this machine.
pub(super) struct LocalMc<'a> {
    pub(super) program: &'a Path,
    /// Where the store is: `https://host:port`.
    pub(super) store: &'a str,
    pub(super) root: &'a KeyPair,
    /// A folder for the client's own files.
    pub(super) folder: PathBuf,
}

#[async_trait]
impl Mc for LocalMc<'_> {
    async fn run(&self, arguments: &[String], input: Option<&str>) -> Result<String, String> {
        let (scheme, place) = self.store.split_once("://").unwrap_or(("http", self.store));
        let host = format!("{scheme}://{}:{}@{place}", self.root.access_key_id, self.root.secret_access_key);
        let mut child = Command::new(self.program)
            .arg("--config-dir")
            .arg(&self.folder)
            .args(arguments)
            .env_clear()
            // Without one it looks for a home in ways that not every machine has.
            .env("HOME", &self.folder)
            .env(format!("MC_HOST_{ALIAS}"), host)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take()
            && let Some(input) = input
        {
            stdin.write_all(input.as_bytes()).await.map_err(|error| error.to_string())?;
        }
        let answer = child.wait_with_output().await.map_err(|error| error.to_string())?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned())
    }
}
