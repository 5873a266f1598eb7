use async_trait::async_trait;
use futures::StreamExt;
use testcontainers::bollard::{
    container::LogOutput,
    errors::Error,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use tokio::io::AsyncWriteExt;

use super::engine::Engine;
use crate::{causes, targets::blueprint::Mc};

/// Where the client may write in the store's container.
const FOLDER: &str = "/tmp/mc";

/// MinIO's client inside the store's container, whose environment says how it signs in (`MC_HOST_stack`).
pub(super) struct ContainerMc<'a> {
    pub(super) engine: &'a Engine,
    /// The container's name.
    pub(super) container: &'a str,
}

#[async_trait]
impl Mc for ContainerMc<'_> {
    async fn run(&self, arguments: &[String], input: Option<&str>) -> Result<String, String> {
        let (said, code) = self.converse(arguments, input).await.map_err(|error| causes(&error))?;
        match code {
            Some(0) => Ok(said),
            _ if said.trim().is_empty() => Err(format!("exit code {}", code.unwrap_or(-1))),
            _ => Err(said),
        }
    }
}

impl ContainerMc<'_> {
    /// What the client printed, and its exit code.
    async fn converse(&self, arguments: &[String], input: Option<&str>) -> Result<(String, Option<i64>), Error> {
        let docker = &self.engine.docker;
        let command = ["mc", "--config-dir", FOLDER].into_iter().map(str::to_owned).chain(arguments.iter().cloned());
        let config = ExecConfig {
            cmd: Some(command.collect()),
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let exec = docker.create_exec(self.container, config).await?;
        let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await?;
        let mut bytes = Vec::new();
        if let StartExecResults::Attached { mut output, input: mut stdin } = started {
            let give = async {
                stdin.write_all(input.unwrap_or_default().as_bytes()).await?;
                stdin.shutdown().await
            };
            let read = async {
                while let Some(chunk) = output.next().await {
                    if let LogOutput::StdOut { message } | LogOutput::StdErr { message } = chunk? {
                        bytes.extend_from_slice(&message);
                    }
                }
                Ok::<_, Error>(())
            };
            let (given, read) = futures::join!(give, read);
            read?;
            if input.is_some() {
                given?;
            }
        }
        let code = docker.inspect_exec(&exec.id).await?.exit_code;
        Ok((String::from_utf8_lossy(&bytes).into_owned(), code))
    }
}
