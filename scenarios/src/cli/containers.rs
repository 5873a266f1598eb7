//! A stack of containers that lives as long as a run, and the ports through which the run reaches it.

use std::{collections::BTreeMap, sync::Arc};

use harness_adapters::{
    RuntimeTasks, causes,
    clients::ClientPrograms,
    interfaces::StackInterfaces,
    s3::{Keys, S3},
    stack::{StackPush, StackQuery},
    targets::{
        blueprint::{ImageSource, Override, Profile, Progress},
        containers::{ContainersError, ContainersSpec, ContainersStack, docker_version},
        local::{Folders, Selection},
    },
};
use harness_core::{
    ports::{Clock, Component, NoDeployment, PortError, Ports, Principal},
    record::Redactor,
    stage::BUCKETS,
};

use super::{
    CliError,
    endpoints::{EndpointOverride, REGION, endpoint_changes, override_changes, reached, rows},
    session::Session,
};

/// What the containers target is told.
#[derive(Debug, Clone)]
pub struct ContainersOptions {
    /// Where built servers are kept, and which runs live.
    pub folders: Folders,
    /// The stack's timers.
    pub profile: Profile,
    /// Changes to its configuration.
    pub overrides: Vec<Override>,
    /// Addresses used instead of the stack's own.
    pub endpoints: Vec<EndpointOverride>,
    /// Whether it is reached at the design's ports.
    pub design_ports: bool,
    /// Where images come from.
    pub images: ImageSource,
    /// What stands before the names of pulled images.
    pub image_prefix: Option<String>,
}

impl ContainersOptions {
    /// How the stack and the way to it are changed, as flags.
    pub fn changes(&self) -> Vec<String> {
        override_changes(&self.overrides).chain(endpoint_changes(&self.endpoints)).collect()
    }
}

/// The version of this machine's Docker.
///
/// # Errors
/// [`CliError::SetUp`]: none answers; where it was looked for.
pub async fn docker() -> Result<String, CliError> {
    docker_version().await.map_err(|error| CliError::SetUp(causes(&error)))
}

/// Makes a stack with what is selected, which goes with the session.
pub(super) async fn open(
    options: &ContainersOptions,
    selection: Selection,
    clients: ClientPrograms,
    clock: Arc<dyn Clock>,
    progress: &dyn Progress,
) -> Result<Session, CliError> {
    let spec = ContainersSpec {
        profile: options.profile,
        overrides: options.overrides.clone(),
        selection,
        design_ports: options.design_ports,
        images: options.images,
        image_prefix: options.image_prefix.clone(),
    };
    let stack = ContainersStack::up(&spec, &options.folders, Arc::clone(&clock), progress).await;
    let stack = stack.map_err(|error| match error {
        ContainersError::Render(error) => CliError::Usage(causes(&error)),
        error => CliError::SetUp(causes(&error)),
    })?;
    let stack = Arc::new(stack);
    Ok(Session {
        profile: stack.profile().name().to_owned(),
        versions: stack.versions().clone(),
        redactor: Redactor::new(stack.secrets()),
        ports: ports(options, stack, clients, clock).map_err(|error| CliError::SetUp(error.to_string()))?,
    })
}

fn ports(
    options: &ContainersOptions,
    stack: Arc<ContainersStack>,
    clients: ClientPrograms,
    clock: Arc<dyn Clock>,
) -> Result<Ports, PortError> {
    let own = |role| stack.endpoint(role).map(str::to_owned);
    let (endpoints, store) = reached(&options.endpoints, own, stack.admin());
    let rows = rows(&endpoints, &store, &options.endpoints, &BTreeMap::new());
    let keys = |component| {
        let pair = stack.keys(component);
        Keys::new(&pair.access_key_id, &pair.secret_access_key)
    };
    let mut principals = BTreeMap::from([(Principal::Harness, keys(Component::Minio))]);
    principals.extend(BUCKETS.iter().map(|(_, owner)| (Principal::Component(*owner), keys(*owner))));
    let store = S3::new(&store, REGION, None, principals)?
        .read_by(&clients)
        .keeping_incomplete_uploads(stack.incomplete_upload_expiry().map(str::to_owned));
    Ok(Ports {
        push: Arc::new(StackPush::new(&endpoints, None, clients, Arc::clone(&clock))?),
        query: Arc::new(StackQuery::new(&endpoints, None, rows.clone(), Arc::clone(&clock))?),
        interfaces: Arc::new(StackInterfaces::new(rows, None, Arc::clone(&clock))?),
        deployment: Arc::new(NoDeployment),
        objects: Arc::new(store),
        lifecycle: Arc::clone(&stack) as _,
        workloads: Arc::clone(&stack) as _,
        meter: Arc::clone(&stack) as _,
        logs: stack,
        clock,
        tasks: Arc::new(RuntimeTasks::of_this_runtime()?),
    })
}
