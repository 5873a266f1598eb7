//! Where the stack is, and how a run gets there.

use harness_adapters::causes;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, TryFutureExt};
use harness_adapters::{
    RuntimeTasks, SystemClock,
    clients::ClientPrograms,
    interfaces::StackInterfaces,
    s3::{Keys, S3},
    stack::{StackPush, StackQuery},
    targets::blueprint::{Override, Profile, Program, Programs, Progress, Role, build},
    targets::local::{
        Down, Folders, Linger, LocalStack, Selection, StackSpec, StackState, Starter, UpError, down, down_if_idle,
        status, up,
    },
};
use harness_core::{
    catalogue::Target,
    ports::{Clock, Component, NoDeployment, Ports, Principal},
    record::Redactor,
    scenario::Scenario,
    stage::BUCKETS,
};

use super::{
    CliError, Interruption,
    cluster::{self, ClusterOptions, LeftOvers},
    containers::{self, ContainersOptions},
    endpoints::{EndpointOverride, REGION, endpoint_changes, override_changes, reached, rows},
    inspect::{BucketUrl, Source},
    session::Session,
    tree::{self, TreeOptions},
};

/// How long a stack that a run started outlives its last user: long enough for the next process of the same test run.
const LINGER: Duration = Duration::from_secs(15);

/// What an interrupt is told to have stopped.
const COMING_UP: &str = "while the stack came up";
const BUILDING: &str = "while the servers were built";

/// What the local target is told.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// Where servers and stack are kept.
    pub folders: Folders,
    /// The stack's timers.
    pub profile: Profile,
    /// Changes to its configuration.
    pub overrides: Vec<Override>,
    /// Addresses used instead of the stack's own.
    pub endpoints: Vec<EndpointOverride>,
    /// What goes between harness and stack once the stack's own addresses are known.
    pub interposer: Option<Arc<dyn Interposer>>,
    /// Whether it listens on the design's ports.
    pub design_ports: bool,
    /// The program that has the hidden command `stack supervise`.
    pub program: PathBuf,
}

/// Puts something between harness and stack: it is told where the stack is, and says where to go instead.
pub trait Interposer: fmt::Debug + Send + Sync {
    /// The addresses to use instead of those in `stack`; called once the stack is up. They win over
    /// [`LocalOptions::endpoints`].
    ///
    /// # Errors
    /// [`CliError::SetUp`]: nothing can be put there.
    fn interpose(&self, stack: &StackState) -> Result<Vec<EndpointOverride>, CliError>;

    /// What it puts where, for the record of the run.
    fn describe(&self) -> String;
}

/// Where the stack is.
#[derive(Debug, Clone)]
pub enum Place {
    /// Processes of this machine, started where none run.
    Local(LocalOptions),
    /// Containers of this machine's Docker, made for the run and gone with it.
    Containers(ContainersOptions),
    /// A Kubernetes cluster that the stack was brought into before.
    Cluster(ClusterOptions),
    /// The deployment's files.
    Tree(TreeOptions),
}

impl Place {
    /// The target that it is.
    pub fn target(&self) -> Target {
        match self {
            Self::Local(_) => Target::Local,
            Self::Containers(_) => Target::Containers,
            Self::Cluster(options) => options.target,
            Self::Tree(_) => Target::Tree,
        }
    }

    /// How the stack and the way to it are changed, as flags.
    pub fn changes(&self) -> Vec<String> {
        match self {
            Self::Local(options) => options.changes(),
            Self::Containers(options) => options.changes(),
            Self::Cluster(options) => endpoint_changes(&options.endpoints),
            Self::Tree(_) => Vec::new(),
        }
    }
}

impl LocalOptions {
    /// How the stack and the way to it are changed, as flags.
    pub fn changes(&self) -> Vec<String> {
        let overrides = override_changes(&self.overrides);
        let endpoints = endpoint_changes(&self.endpoints);
        let between = self.interposer.iter().map(|interposer| interposer.describe());
        overrides.chain(endpoints).chain(between).collect()
    }
}

impl Session {
    /// Reaches the stack at `place`: see [`LocalOptions`], [`ContainersOptions`] and [`ClusterOptions`].
    ///
    /// # Errors
    /// [`CliError::SetUp`]: there is none, it may not be used, it cannot be reached, or the user asked to end.
    pub async fn open(
        place: &Place,
        scenarios: &[Scenario],
        clock: Arc<dyn Clock>,
        progress: &dyn Progress,
        interruption: &Interruption,
    ) -> Result<Self, CliError> {
        let cache = match place {
            Place::Local(options) => Some(&options.folders.cache),
            Place::Containers(options) => Some(&options.folders.cache),
            Place::Cluster(options) => options.cache.as_ref(),
            Place::Tree(_) => None,
        };
        let clients = match cache {
            Some(cache) => clients_of(scenarios, cache, &*clock, progress, interruption).await?,
            None => ClientPrograms::new(),
        };
        match place {
            Place::Local(options) => Self::local(options, scenarios, clients, clock, progress, interruption).await,
            Place::Containers(options) => {
                let work = containers::open(options, selection_of(scenarios), clients, clock, progress);
                interruption.or(COMING_UP, work).await
            }
            Place::Cluster(options) => {
                let reached = cluster::open(options, LeftOvers::Mended, clients, clock);
                interruption.or("while the cluster was reached", reached).await
            }
            Place::Tree(options) => tree::open(options, clock),
        }
    }

    /// Joins the stack that is up, if it is the wanted one, or starts one that has what `scenarios` need and ends itself when nobody
    /// uses it any more.
    async fn local(
        options: &LocalOptions,
        scenarios: &[Scenario],
        clients: ClientPrograms,
        clock: Arc<dyn Clock>,
        progress: &dyn Progress,
        interruption: &Interruption,
    ) -> Result<Self, CliError> {
        let selection = selection_of(scenarios);
        let stack = match interruption.or(COMING_UP, joined(options, selection, &*clock)).await? {
            Some(stack) => {
                stack.restore().await.map_err(|error| CliError::SetUp(error.to_string()))?;
                stack
            }
            None => start(options, selection, Linger::After(LINGER), &*clock, progress, interruption).await?,
        };
        let stack = Arc::new(stack);
        let versions = stack
            .state()
            .components
            .iter()
            .map(|(component, state)| (component.name().to_owned(), state.version.clone()))
            .collect();
        let redactor = Redactor::new(stack.secrets());
        Ok(Self {
            profile: stack.state().profile.name().to_owned(),
            versions,
            redactor,
            ports: ports(options, stack, clients, clock)?,
        })
    }
}

/// The stack that is up, where it has the wanted profile and overrides and everything that is selected.
async fn joined(
    options: &LocalOptions,
    selection: Selection,
    clock: &dyn Clock,
) -> Result<Option<LocalStack>, CliError> {
    let attached = LocalStack::attach(&options.folders.stack, clock).await;
    let stack = attached.map_err(|error| CliError::SetUp(causes(&error)))?;
    Ok(stack.filter(|stack| {
        let state = stack.state();
        state.profile == options.profile
            && state.overrides == options.overrides
            && stack.is_current(options.design_ports)
            && selection.components().iter().all(|component| state.components.contains_key(component))
    }))
}

async fn start(
    options: &LocalOptions,
    selection: Selection,
    linger: Linger,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<LocalStack, CliError> {
    let refused = |error: &dyn std::error::Error| CliError::SetUp(causes(error));
    let programs = built(options, selection, clock, progress, interruption).await?;
    let spec = StackSpec {
        profile: options.profile,
        overrides: options.overrides.clone(),
        selection,
        design_ports: options.design_ports,
        linger,
        programs,
    };
    let starter = Starter {
        program: options.program.clone(),
        args: ["stack", "supervise", "--folder"]
            .into_iter()
            .map(OsString::from)
            .chain([options.folders.stack.clone().into_os_string()])
            .collect(),
    };
    let folder = &options.folders.stack;
    let coming_up = async {
        // An earlier run's, with other timers or parts, that only lingers.
        down_if_idle(folder, clock).await.map_err(|error| refused(&error))?;
        up(folder, &spec, &starter, clock, progress).await.map_err(|error| match error {
            UpError::Render(error) => CliError::Usage(causes(&error)),
            error => refused(&error),
        })
    };
    interruption.or(COMING_UP, coming_up).await
}

async fn built(
    options: &LocalOptions,
    selection: Selection,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<Programs, CliError> {
    let programs = selection.programs();
    let building = build(&programs, &options.folders.cache, clock, progress);
    interruption.or(BUILDING, building.map_err(|error| CliError::SetUp(causes(&error)))).await
}

/// The programs by which `scenarios` send and read, built where they are not yet. One that cannot be built is told to the scenario that needs it,
/// which is blocked; the others go on.
async fn clients_of(
    scenarios: &[Scenario],
    cache: &Path,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<ClientPrograms, CliError> {
    let senders = scenarios.iter().flat_map(|scenario| &scenario.senders).copied().filter_map(Program::sending_by);
    let readers = scenarios.iter().flat_map(|scenario| &scenario.readers).copied().filter_map(Program::reading_as);
    let wanted: BTreeSet<Program> = senders.chain(readers).collect();
    let mut clients = ClientPrograms::new();
    for program in wanted {
        let building = build(std::slice::from_ref(&program), cache, clock, progress).map(Ok);
        let built = interruption.or(BUILDING, building).await?;
        let path = built
            .map_err(|error| causes(&error))
            .and_then(|programs| programs.get(&program).cloned().ok_or_else(|| format!("{program} was not built")));
        clients.insert(program, path);
    }
    Ok(clients)
}

/// What scenarios need of the stack; the object store always is.
fn selection_of(scenarios: &[Scenario]) -> Selection {
    let needs = |wanted: &[Component]| {
        scenarios.iter().flat_map(|scenario| &scenario.needs).any(|component| wanted.contains(component))
    };
    let store_reader = needs(&[Component::LokiStoreReader]);
    Selection {
        loki: store_reader || needs(&[Component::LokiWrite, Component::LokiRead, Component::LokiBackend]),
        tempo: needs(&[Component::Tempo]),
        mimir: needs(&[Component::Mimir]),
        store_reader,
    }
}

fn ports(
    options: &LocalOptions,
    stack: Arc<LocalStack>,
    clients: ClientPrograms,
    clock: Arc<dyn Clock>,
) -> Result<Ports, CliError> {
    let state = stack.state();
    let mut endpoints = options.endpoints.clone();
    if let Some(interposer) = &options.interposer {
        endpoints.extend(interposer.interpose(state)?);
    }
    let admin = state.components.iter().map(|(component, state)| (*component, state.admin.clone())).collect();
    let instead = endpoints;
    let (endpoints, store) = reached(&instead, |role| state.endpoint(role).map(str::to_owned), admin);
    let rows = rows(&endpoints, &store, &instead, &BTreeMap::new());
    let mut principals = BTreeMap::from([(Principal::Harness, keys_of(&stack, Component::Minio))]);
    principals.extend(BUCKETS.iter().map(|(_, owner)| (Principal::Component(*owner), keys_of(&stack, *owner))));
    let refused = |error: harness_core::ports::PortError| CliError::SetUp(error.to_string());
    let authority = stack.authority();
    let store = S3::new(&store, REGION, authority, principals)
        .map_err(refused)?
        .read_by(&clients)
        .keeping_incomplete_uploads(state.incomplete_upload_expiry.clone());
    let interfaces = StackInterfaces::new(rows.clone(), authority, Arc::clone(&clock)).map_err(refused)?;
    Ok(Ports {
        push: Arc::new(StackPush::new(&endpoints, authority, clients, Arc::clone(&clock)).map_err(refused)?),
        query: Arc::new(StackQuery::new(&endpoints, authority, rows, Arc::clone(&clock)).map_err(refused)?),
        interfaces: Arc::new(interfaces),
        deployment: Arc::new(NoDeployment),
        objects: Arc::new(store),
        lifecycle: Arc::clone(&stack) as _,
        workloads: Arc::clone(&stack) as _,
        meter: Arc::clone(&stack) as _,
        logs: stack,
        clock,
        tasks: Arc::new(RuntimeTasks::of_this_runtime().map_err(refused)?),
    })
}

/// What `inspect` is to read: `s3://BUCKET/KEY` in the store of the stack that is up, or a file or folder.
///
/// # Errors
/// [`CliError::Usage`]: no place in a bucket; [`CliError::SetUp`]: no stack is up.
pub async fn inspect_source(object: &str, folders: &Folders) -> Result<Source, CliError> {
    if !BucketUrl::is_meant(object) {
        return Ok(Source::Local(object.into()));
    }
    let url = object.parse()?;
    let store = local_store(object, folders).await?;
    Ok(Source::Bucket { url, objects: Arc::new(store), principal: Principal::Harness })
}

/// The store of the local stack that is up, with the harness' own keys; `object` is what is wanted of it.
pub(super) async fn local_store(object: &str, folders: &Folders) -> Result<S3, CliError> {
    let stack = LocalStack::attach(&folders.stack, &SystemClock::start())
        .await
        .map_err(|error| CliError::SetUp(causes(&error)))?
        .ok_or_else(|| CliError::SetUp(format!("{object} is in the store of a stack, and none is up")))?;
    let endpoint = stack.state().endpoint(Role::S3).unwrap_or_default();
    let principals = BTreeMap::from([(Principal::Harness, keys_of(&stack, Component::Minio))]);
    S3::new(endpoint, REGION, stack.authority(), principals).map_err(|error| CliError::SetUp(error.to_string()))
}

fn keys_of(stack: &LocalStack, component: Component) -> Keys {
    let pair = stack.keys(component);
    Keys::new(&pair.access_key_id, &pair.secret_access_key)
}

/// Builds every server of the stack that is not built yet; returns where each program is.
///
/// # Errors
/// [`CliError::SetUp`]: Go is missing or too old, a build fails, the disk is full, or the user asked to end.
pub async fn stack_build(
    options: &LocalOptions,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<Vec<String>, CliError> {
    let built = built(options, Selection::ALL, clock, progress, interruption).await?;
    Ok(built.into_iter().map(|(program, path)| format!("{program}\t{}", path.display())).collect())
}

/// Starts the whole stack and leaves it up, or joins the one that is.
///
/// # Errors
/// [`CliError::SetUp`], also where some component did not become ready: each is named with its last log lines.
pub async fn stack_up(
    options: &LocalOptions,
    clock: &dyn Clock,
    progress: &dyn Progress,
    interruption: &Interruption,
) -> Result<String, CliError> {
    let stack = start(options, Selection::ALL, Linger::UntilDown, clock, progress, interruption).await?;
    let failures: Vec<String> =
        stack.state().failures().map(|(component, failure)| format!("{component}: {failure}")).collect();
    if failures.is_empty() {
        return Ok(describe(stack.state()));
    }
    down(&options.folders.stack, true, clock).await.map_err(|error| CliError::SetUp(causes(&error)))?;
    Err(CliError::SetUp(failures.join("\n")))
}

/// How the stack stands; `None` where there is none.
///
/// # Errors
/// [`CliError::SetUp`]: its folder cannot be read.
pub fn stack_status(folders: &Folders) -> Result<Option<String>, CliError> {
    let state = status(&folders.stack).map_err(|error| CliError::SetUp(causes(&error)))?;
    Ok(state.as_ref().map(describe))
}

/// Ends the stack and removes its data; says what there was.
///
/// # Errors
/// [`CliError::SetUp`]: it does not go.
pub async fn stack_down(folders: &Folders, keep_logs: bool, clock: &dyn Clock) -> Result<&'static str, CliError> {
    match down(&folders.stack, keep_logs, clock).await.map_err(|error| CliError::SetUp(causes(&error)))? {
        Down::Gone => Ok("the stack is down, its data removed"),
        Down::LeftOversRemoved => Ok("no stack was up; the left-overs of one that crashed are removed"),
        Down::WasNone => Ok("no stack was up"),
    }
}

/// A table of components and a list of addresses.
fn describe(state: &StackState) -> String {
    let components = state.components.iter().map(|(component, state)| {
        let pid = state.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let phase = format!("{:?}", state.phase).to_lowercase();
        format!("{:<18} {phase:<9} pid {pid:<8} {:<28} {}", component.name(), state.version, state.admin)
    });
    let endpoints = state.endpoints.iter().map(|(role, url)| format!("{:<18} {url}", role.name()));
    std::iter::once(format!("profile {}, supervisor pid {}", state.profile, state.supervisor))
        .chain(components)
        .chain(std::iter::once("endpoints".to_owned()))
        .chain(endpoints)
        .map(|line| line + "\n")
        .collect()
}
