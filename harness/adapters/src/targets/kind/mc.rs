use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{AttachParams, AttachedProcess, ListParams},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::apply::reason;
use crate::targets::blueprint::{ALIAS, Mc};

/// Where the client may write in the store's pod.
const FOLDER: &str = "/tmp/mc";

/// MinIO's client inside the store's pod, whose environment says how it signs in (`MC_HOST_stack`).
pub(super) struct PodMc {
    pub(super) client: Client,
}

impl PodMc {
    /// Returns when the store says that it is ready.
    pub(super) async fn ready(&self) -> Result<(), String> {
        self.run(&["ready", ALIAS].map(str::to_owned), None).await.map(drop)
    }
}

#[async_trait]
impl Mc for PodMc {
    async fn run(&self, arguments: &[String], input: Option<&str>) -> Result<String, String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), "minio");
        let selected = ListParams::default().labels("app.kubernetes.io/name=minio").fields("status.phase=Running");
        let found = pods.list(&selected).await.map_err(|error| reason(&error))?;
        let pod = found
            .items
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .find_map(|pod| pod.metadata.name)
            .ok_or("no pod of the object store runs")?;
        let command = ["mc", "--config-dir", FOLDER].into_iter().chain(arguments.iter().map(String::as_str));
        let how = AttachParams::default().container("minio").stdin(input.is_some()).stdout(true).stderr(true);
        let process = pods.exec(&pod, command.collect::<Vec<_>>(), &how).await.map_err(|error| reason(&error))?;
        converse(process, input.unwrap_or_default()).await
    }
}

/// Gives a process `input`, and returns what it prints, or what it said if it failed.
async fn converse(mut process: AttachedProcess, input: &str) -> Result<String, String> {
    let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
    let ended = process.take_status();
    let give = async {
        if let Some(mut stdin) = stdin {
            stdin.write_all(input.as_bytes()).await?;
            stdin.shutdown().await?;
        }
        Ok(())
    };
    let read = async |stream: Option<_>| {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            tokio::io::ReadHalf::read_to_end(&mut stream, &mut bytes).await?;
        }
        Ok::<_, std::io::Error>(bytes)
    };
    let (given, printed, complained) = futures::join!(give, read(stdout), read(stderr));
    let status = match ended {
        Some(ended) => ended.await,
        None => None,
    };
    let text = |bytes: std::io::Result<Vec<u8>>| {
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| error.to_string())
    };
    let (printed, complained) = (text(printed)?, text(complained)?);
    match status {
        Some(status) if status.status.as_deref() == Some("Success") => {
            given.map_err(|error: std::io::Error| error.to_string())?;
            Ok(printed)
        }
        Some(status) => {
            let said = format!("{printed}{complained}");
            Err(if said.trim().is_empty() { status.message.unwrap_or_default() } else { said })
        }
        None => Err("the connection to the object store's pod broke off".to_owned()),
    }
}
