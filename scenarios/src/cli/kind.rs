//! The stack in a kind cluster: up, down, status, and Loki's gateway that runs in it.

use std::fmt::Write as _;

use harness_adapters::{
    causes,
    targets::{
        blueprint::Progress,
        kind::{ClusterState, Gateway, KindError, KindSpec, Standing, down, status, up},
        local::Folders,
    },
};
use harness_core::ports::Clock;

use super::{CliError, Interruption};

impl From<KindError> for CliError {
    fn from(error: KindError) -> Self {
        match error {
            KindError::NoCluster => Self::NothingSelected(error.to_string()),
            error => Self::SetUp(causes(&error)),
        }
    }
}

/// Makes or updates the cluster, and says what there is.
///
/// # Errors
/// [`CliError::SetUp`]: why there is no stack in kind.
pub async fn kind_up(
    spec: &KindSpec,
    folders: &Folders,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<String, CliError> {
    let began = clock.now();
    let work = async { Ok(up(spec, folders, clock, progress).await?) };
    let state = interruption.or("while the cluster came up", work).await?;
    Ok(format!("{}up after {} s\n", describe(&state, &[]), clock.now().since(began).as_secs()))
}

/// What there is, and whether all of it is ready.
///
/// # Errors
/// [`CliError::NothingSelected`]: no cluster is up. [`CliError::SetUp`]: it does not answer.
pub async fn kind_status(folders: &Folders) -> Result<(String, bool), CliError> {
    let (state, standings) = status(folders).await?;
    Ok((describe(&state, &standings), standings.iter().all(|standing| standing.ready)))
}

/// Removes the cluster, and says what was removed.
///
/// # Errors
/// [`CliError::SetUp`]: it could not be removed, or is not ours.
pub async fn kind_down(folders: &Folders) -> Result<String, CliError> {
    Ok(match down(folders).await? {
        Some(name) => format!("the kind cluster {name} is gone"),
        None => "no kind cluster is up".to_owned(),
    })
}

/// Serves as Loki's gateway until `end` completes.
///
/// # Errors
/// [`CliError::SetUp`]: an address cannot be listened on.
pub async fn serve_gateway(gateway: Gateway, end: impl Future<Output = ()>) -> Result<(), CliError> {
    gateway.serve(end).await.map_err(|error| CliError::SetUp(causes(&error)))
}

fn describe(state: &ClusterState, standings: &[Standing]) -> String {
    let mut text = format!("cluster {} (profile {}, {} images)\n", state.name, state.profile, state.images);
    for standing in standings {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {:<18} {}", standing.name, standing.detail);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use harness_adapters::targets::blueprint::{ImageSource, Profile};

    use super::*;

    #[test]
    fn what_is_not_ready_is_told_with_why() {
        let state = ClusterState {
            name: "one".to_owned(),
            node: None,
            uid: None,
            profile: Profile::Fast,
            images: ImageSource::Built,
            harness_image: String::new(),
            versions: BTreeMap::new(),
        };
        let standing = Standing {
            name: "tempo".to_owned(),
            ready: false,
            detail: "no node takes it: 0/1".to_owned(),
            hopeless: false,
            pods: Vec::new(),
        };
        let text = describe(&state, &[standing]);
        assert_eq!(text, "cluster one (profile fast, built images)\n  tempo              no node takes it: 0/1\n");
    }

    #[test]
    fn no_cluster_is_nothing_selected() {
        let error = CliError::from(KindError::NoCluster);
        assert_eq!(error.exit_status().code(), 4);
    }
}
