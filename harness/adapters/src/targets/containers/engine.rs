use std::{collections::HashMap, time::Duration};

use futures::{StreamExt, future::join_all};
use harness_core::{
    poll::{Ended, Schedule, Step, until},
    ports::{Clock, Stop},
};
use testcontainers::{
    GenericImage, ImageExt,
    bollard::{
        Docker,
        container::LogOutput,
        errors::Error,
        models::{ContainerMemoryStats, ContainerState, NetworkCreateRequest},
        query_parameters::{
            DownloadFromContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
            ListContainersOptionsBuilder, ListNetworksOptionsBuilder, LogsOptionsBuilder,
            RemoveContainerOptionsBuilder, StatsOptionsBuilder,
        },
    },
    core::client::docker_client_instance,
    runners::AsyncRunner,
};

use super::ContainersError;

/// The label that everything has which was made by the harness, and its value.
pub(super) const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "lgtm-verify");

/// The label that says for which run something was made.
pub(super) const RUN: &str = "lgtm-verify/run";

/// How long everything of a run may take to be gone.
const GONE_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether a container has ended, or is gone.
pub(super) const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(100), share: 0.02 };

/// Lines of a container's log that are read, at most.
const LINES: &str = "2000";

/// Where a Docker is looked for when `DOCKER_HOST` says nothing.
const SOCKETS: &str = "/var/run/docker.sock, $XDG_RUNTIME_DIR/.docker/run/docker.sock, $HOME/.docker/run/docker.sock or \
                       $HOME/.docker/desktop/docker.sock";

/// Docker's API: what testcontainers has no word for.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    pub(super) docker: Docker,
}

/// The version of the Docker on this machine.
///
/// # Errors
/// [`ContainersError::NoDocker`], [`ContainersError::Elsewhere`].
pub async fn docker_version() -> Result<String, ContainersError> {
    Engine::connect().await.map(|(_, version)| version)
}

/// Whether a Docker at `host` has its containers listen on this machine.
fn is_here(host: &str) -> bool {
    let Some((scheme, rest)) = host.split_once("://") else { return true };
    let name = rest.split(['/', '?']).next().unwrap_or(rest);
    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
    scheme == "unix" || ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

impl Engine {
    /// The Docker of this machine, and its version.
    pub(super) async fn connect() -> Result<(Self, String), ContainersError> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        if let Some(host) = host.as_ref().filter(|host| !is_here(host)) {
            return Err(ContainersError::Elsewhere { host: host.clone() });
        }
        let tried = host.map_or_else(|| SOCKETS.to_owned(), |host| format!("DOCKER_HOST={host}"));
        let silent = |said: String| ContainersError::NoDocker { tried: tried.clone(), said };
        let docker = docker_client_instance().await.map_err(|error| silent(error.to_string()))?;
        let version = docker.version().await.map_err(|error| silent(crate::causes(&error)))?;
        Ok((Self { docker }, version.version.unwrap_or_else(|| "of no version".to_owned())))
    }

    /// Whether there is an image.
    pub(super) async fn has_image(&self, image: &str) -> Result<bool, ContainersError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(error) if is_status(&error, 404) => Ok(false),
            Err(error) => Err(refused(format!("look at image {image}"), &error)),
        }
    }

    /// Pulls an image; what Docker or a registry said if it cannot be.
    pub(super) async fn pull(&self, image: &str) -> Result<(), String> {
        let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let request = GenericImage::new(name, tag).with_name(name);
        request.pull_image().await.map(drop).map_err(|error| crate::causes(&error))
    }

    /// A network for `run`.
    pub(super) async fn make_network(&self, run: &str) -> Result<(), ContainersError> {
        let wanted = NetworkCreateRequest {
            name: run.to_owned(),
            labels: Some(labels(run).collect()),
            ..NetworkCreateRequest::default()
        };
        self.docker
            .create_network(wanted)
            .await
            .map(drop)
            .map_err(|error| refused(format!("make network {run}"), &error))
    }

    /// How a container stands.
    pub(super) async fn state(&self, id: &str) -> Result<ContainerState, ContainersError> {
        let found = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let found = found.map_err(|error| refused(format!("look at container {id}"), &error))?;
        Ok(found.state.unwrap_or_default())
    }

    /// Bytes of memory that a running container has now and cannot give back.
    pub(super) async fn working_set(&self, id: &str) -> Result<u64, ContainersError> {
        let said = |said: String| ContainersError::Docker { what: format!("measure container {id}"), said };
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let measured = std::pin::pin!(self.docker.stats(id, Some(options))).next().await;
        let measured = measured.ok_or_else(|| said("no answer".to_owned()))?;
        let measured = measured.map_err(|error| said(crate::causes(&error)))?;
        measured.memory_stats.as_ref().and_then(working_set).ok_or_else(|| said("it told no memory".to_owned()))
    }

    /// Bytes of everything that a container has at `path`, as an archive: each file in blocks of 512 bytes and one more.
    pub(super) async fn size(&self, id: &str, path: &str) -> Result<u64, ContainersError> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut archive = std::pin::pin!(self.docker.download_from_container(id, Some(options)));
        let mut bytes = 0;
        while let Some(part) = archive.next().await {
            let part = part.map_err(|error| refused(format!("read {path} of container {id}"), &error))?;
            bytes += part.len() as u64;
        }
        Ok(bytes)
    }

    /// Sends a container the signal that `how` stands for.
    pub(super) async fn signal(&self, id: &str, how: Stop) -> Result<(), ContainersError> {
        let signal = match how {
            Stop::Graceful => "SIGTERM",
            Stop::Kill => "SIGKILL",
        };
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let sent = self.docker.kill_container(id, Some(options)).await;
        sent.map_err(|error| refused(format!("send {signal} to container {id}"), &error))
    }

    /// The last lines that a container logged since it was made, oldest first.
    pub(super) async fn log(&self, id: &str) -> Vec<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LINES).build();
        let mut bytes = Vec::new();
        let mut chunks = std::pin::pin!(self.docker.logs(id, Some(options)));
        // What was read until it broke off is what there is to show.
        while let Some(Ok(LogOutput::StdOut { message } | LogOutput::StdErr { message })) = chunks.next().await {
            bytes.extend_from_slice(&message);
        }
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// Removes a container that nobody holds, by its name; one that is not there is as good.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(name, Some(options)).await {
            // 409: somebody else removes it already.
            Err(error) if is_status(&error, 404) || is_status(&error, 409) => Ok(()),
            other => other,
        }
    }

    /// Removes everything that was made for `run`, and returns when it is gone.
    pub(super) async fn clear(&self, run: &str, clock: &dyn Clock) -> Result<(), ContainersError> {
        let look = || async {
            match self.clear_once(run).await {
                Ok(true) => Step::Ready(()),
                Ok(false) => Step::NotYet("it is still there".to_owned()),
                Err(error) => Step::NotYet(error.to_string()),
            }
        };
        match until(clock, SCHEDULE, clock.now().after(GONE_LIMIT), look).await {
            Ended::Ready(()) => Ok(()),
            Ended::TimedOut(said) | Ended::Never(said) => {
                Err(ContainersError::Docker { what: format!("remove what was made for {run}"), said })
            }
        }
    }

    /// Whether nothing was left to remove.
    async fn clear_once(&self, run: &str) -> Result<bool, Error> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{RUN}={run}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers = self.docker.list_containers(Some(options)).await?;
        let ids: Vec<String> = containers.into_iter().filter_map(|container| container.id).collect();
        for removed in join_all(ids.iter().map(|id| self.remove(id))).await {
            removed?;
        }
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let networks = self.docker.list_networks(Some(options)).await?;
        for id in networks.iter().filter_map(|network| network.id.as_deref()) {
            match self.docker.remove_network(id).await {
                Err(error) if !is_status(&error, 404) => return Err(error),
                _ => {}
            }
        }
        // One that somebody else was removing may still be about.
        Ok(ids.is_empty() && networks.is_empty())
    }
}

/// What cannot be given back: all but the pages of files that nobody used of late, as Kubernetes has it.
fn working_set(memory: &ContainerMemoryStats) -> Option<u64> {
    let pages = memory.stats.as_ref()?;
    // Of control groups of the second version, then of the first.
    let unused = pages.get("inactive_file").or_else(|| pages.get("total_inactive_file"))?;
    Some(memory.usage?.saturating_sub(*unused))
}

/// What everything has that is made for `run`.
pub(super) fn labels(run: &str) -> impl Iterator<Item = (String, String)> {
    [PART_OF, (RUN, run)].map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter()
}

pub(super) fn refused(what: String, error: &Error) -> ContainersError {
    ContainersError::Docker { what, said: crate::causes(error) }
}

fn is_status(error: &Error, status: u16) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code, .. } if *status_code == status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_elsewhere_is_told_from_one_here() {
        for host in ["unix:///var/run/docker.sock", "tcp://localhost:2375", "http://127.0.0.1:2375/", "tcp://[::1]:1"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["tcp://10.0.0.7:2375", "ssh://me@elsewhere", "tcp://localhost.example:2375"] {
            assert!(!is_here(host), "{host}");
        }
    }
}
