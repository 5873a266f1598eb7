use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::causes;
use harness_core::{
    poll::{Ended, Step, until},
    ports::{Clock, Component, PortError, ProcessProof, Stop},
};
use serde_json::Value;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use super::{
    ComponentState, Failure, Linger, Phase, SpecError, StackPhase, StackSpec, StackState, StateError,
    control::{self, Answer, Request},
    layout::{STORE_FAULT, configuration_file},
    lease::{Ending, SupervisorLock},
    mc::LocalMc,
};
use crate::{
    SystemClock,
    certificates::Certificates,
    clients::trust,
    process::{self, ProcessError},
    targets::blueprint::{
        Asker, BucketsError, Credentials, CredentialsError, Maker, Plan, Ports, PortsError, Program, READINESS,
        RenderError, Role, Socket, Upstream, Upstreams, configuration, go_memory_limit, last, listen, needs, redact,
        remove_folder, serve_grpc, serve_http, store_speaks_tls, whose_keys, write_for_its_user,
    },
    trust::{Authority, AuthorityError},
};

/// How long a component may take until it is ready. Mimir gives up on a store that refuses it after some 85 seconds.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// How long a component may take to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// How long a killed process may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How long a supervisor waits for its lock: longer than any client looks at it.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// How often the lease is looked at.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);

/// Lines of its log that tell how a component failed.
const FAILURE_LINES: usize = 20;

/// Files of a stack that go with it.
const FILES: [&str; 7] =
    ["state.json", "state.json.new", "spec.json", "credentials.json", AUTHORITY, STORE_FAULT, control::SOCKET];

/// Folders of a stack that go with it; logs are decided on apart.
const FOLDERS: [&str; 4] = ["data", "config", "mc", CERTIFICATES];

/// Whose certificates the stack's processes take: the file that Go is told of.
const AUTHORITY: &str = "authority.crt";

/// What the store shows, by the names that MinIO gives the files.
const CERTIFICATES: &str = "certificates";

/// The names under which the store is reached.
const STORE_NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Why a supervisor could not do its work.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// There is one already.
    #[error("{folder} has a supervisor already")]
    Occupied {
        /// The stack's folder.
        folder: PathBuf,
    },
    /// A file or folder of the stack.
    #[error("{path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// What it is to run.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its keys.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Its state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A configuration.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The store's certificates.
    #[error("no certificates for the store")]
    Certificates(#[source] rcgen::Error),
    /// How the store's certificate is checked.
    #[error(transparent)]
    Trust(#[from] AuthorityError),
    /// The client that asks whether servers are ready.
    #[error(transparent)]
    Client(#[from] PortError),
    /// The runtime or its signal handlers.
    #[error("the supervisor cannot run")]
    Runtime(#[source] io::Error),
    /// No stack came up; the reason stands in the state as well.
    #[error("{reason}")]
    Failed {
        /// Every cause, innermost last.
        reason: String,
    },
}

/// Runs the stack that a starter described in `folder` (`spec.json`; nothing of another stack is there) until it is told to
/// end, is signalled (TERM, INT), or nobody has held a lease for as long as it lingers; then removes what it made there.
///
/// Blocks, and has to be called from a thread that lives as long: the servers die with it (`PR_SET_PDEATHSIG`), even when
/// the process is killed.
pub fn supervise(folder: &Path) -> Result<(), SuperviseError> {
    let folder = &fs::canonicalize(folder).map_err(|source| file_error(folder, source))?;
    let spec = StackSpec::load(folder)?;
    // One thread, so that every process is started by the one that lives longest.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SuperviseError::Runtime)?;
    runtime.block_on(async {
        let clock = SystemClock::start();
        // A client that asks whether a supervisor lives holds the lock for a moment.
        let free = until(&clock, READINESS, clock.now().after(PROBE_LIMIT), || async {
            match SupervisorLock::try_take(folder).transpose() {
                Some(taken) => Step::Ready(taken),
                None => Step::NotYet(String::new()),
            }
        });
        let _alive = match free.await {
            Ended::Ready(taken) => taken.map_err(|source| file_error(folder, source))?,
            Ended::TimedOut(_) | Ended::Never(_) => {
                return Err(SuperviseError::Occupied { folder: folder.clone() });
            }
        };
        run(folder, spec, clock).await
    })
}

fn file_error(path: &Path, source: io::Error) -> SuperviseError {
    SuperviseError::File { path: path.to_owned(), source }
}

/// A process that runs, and the word of its end.
#[derive(Debug, Clone)]
struct Running {
    pid: u32,
    ended: watch::Receiver<Option<String>>,
}

#[derive(Debug, Default)]
struct Member {
    running: Option<Running>,
    last_pid: Option<u32>,
    /// Somebody asked it to end, so its end is no failure.
    stopping: bool,
    configuration: Option<Value>,
}

struct Supervisor {
    folder: PathBuf,
    spec: StackSpec,
    clock: SystemClock,
    asker: Asker,
    credentials: Credentials,
    /// Whose certificate the store shows, where it speaks HTTPS.
    authority: Option<Authority>,
    ports: Mutex<Ports>,
    state: Mutex<StackState>,
    members: Mutex<BTreeMap<Component, Member>>,
}

/// Why a component did not start.
#[derive(Debug, Error)]
enum StartError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{component} is not part of this stack")]
    NotSelected { component: Component },
    #[error("{component} runs already as pid {pid}")]
    Runs { component: Component, pid: u32 },
}

/// Why the stack cannot be.
#[derive(Debug, Error)]
enum StackError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Ports(#[from] PortsError),
    #[error(transparent)]
    Buckets(#[from] BucketsError),
    #[error("the object store did not start: {0}")]
    Store(Failure),
}

/// A lock whose data stays whole whoever panicked with it: every change under it is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(folder: &Path, spec: StackSpec, clock: SystemClock) -> Result<(), SuperviseError> {
    for name in ["data", "config", "logs"] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|source| file_error(&path, source))?;
    }
    let credentials = Credentials::random()?;
    credentials.save(folder)?;
    let authority = match store_speaks_tls(&spec.overrides) {
        true => Some(certify_store(folder)?),
        false => None,
    };

    let components = spec.selection.components();
    let mut state = StackState {
        phase: StackPhase::Starting,
        profile: spec.profile,
        overrides: spec.overrides.clone(),
        spec_digest: spec.digest(),
        supervisor: std::process::id(),
        endpoints: BTreeMap::new(),
        components: BTreeMap::new(),
        authority: authority.as_ref().map(|authority| String::from_utf8_lossy(authority.pem()).into_owned()),
        incomplete_upload_expiry: None,
        failure: None,
    };
    state.save(folder)?;
    let ports = match Ports::find(&components, spec.design_ports, authority.is_some()) {
        Ok(ports) => ports,
        Err(error) => {
            state.phase = StackPhase::Failed;
            state.failure = Some(causes(&error));
            state.save(folder)?;
            return Err(SuperviseError::Failed { reason: causes(&error) });
        }
    };
    let versions = spec.versions();
    state.endpoints = ports.endpoints();
    state.components = components
        .iter()
        .map(|&component| {
            let fresh = ComponentState {
                phase: Phase::Starting,
                pid: None,
                version: versions.get(&component).copied().unwrap_or("unknown").to_owned(),
                admin: ports.admin(component),
                failure: None,
                ready_after_s: None,
            };
            (component, fresh)
        })
        .collect();

    let (socket_folder, path) = control::socket(folder).map_err(|source| file_error(folder, source))?;
    let listener = UnixListener::bind(path).map_err(|source| file_error(&folder.join(control::SOCKET), source))?;
    drop(socket_folder);
    state.save(folder)?;

    let supervisor = Arc::new(Supervisor {
        folder: folder.to_owned(),
        clock,
        asker: Asker::trusting(authority.as_ref())?,
        credentials,
        authority,
        ports: Mutex::new(ports),
        state: Mutex::new(state),
        members: Mutex::new(components.iter().map(|&component| (component, Member::default())).collect()),
        spec,
    });
    let (ends, mut ended) = mpsc::channel(1);
    tokio::spawn(Arc::clone(&supervisor).serve_control(listener, ends));

    let mut terminate = signal(SignalKind::terminate()).map_err(SuperviseError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SuperviseError::Runtime)?;
    let life = async {
        let came_up = supervisor.bring_up().await;
        supervisor.change(|state| match &came_up {
            Ok(()) => state.phase = StackPhase::Up,
            Err(error) => {
                state.phase = StackPhase::Failed;
                state.failure = Some(redact(&causes(error), supervisor.credentials.secrets()));
            }
        });
        match came_up {
            Ok(()) => Ok(supervisor.outlive_clients().await),
            Err(error) => Err(SuperviseError::Failed { reason: causes(&error) }),
        }
    };
    let keep_logs = tokio::select! {
        outcome = life => match outcome {
            Ok(ending) => {
                let kept = supervisor.end(true).await;
                drop(ending);
                return kept;
            }
            // The state and the logs stay, for whoever asks why.
            Err(error) => {
                supervisor.kill_all().await;
                return Err(error);
            }
        },
        asked = ended.recv() => asked.unwrap_or(true),
        _ = terminate.recv() => true,
        _ = interrupt.recv() => true,
    };
    supervisor.end(keep_logs).await
}

/// Makes the store's certificate, and the files by which MinIO shows it and everybody else checks it.
fn certify_store(folder: &Path) -> Result<Authority, SuperviseError> {
    let made = Certificates::make(&STORE_NAMES).map_err(SuperviseError::Certificates)?;
    let certificates = folder.join(CERTIFICATES);
    let key = certificates.join("private.key");
    fs::create_dir_all(&certificates).map_err(|source| file_error(&certificates, source))?;
    write_for_its_user(&key, made.server_key.as_bytes()).map_err(|source| file_error(&key, source))?;
    for (path, text) in [(certificates.join("public.crt"), &made.server), (folder.join(AUTHORITY), &made.authority)] {
        fs::write(&path, text).map_err(|source| file_error(&path, source))?;
    }
    Ok(Authority::from_pem(made.authority)?)
}

/// Removes what a stack leaves in `folder`; locks stay, for others may hold them.
pub(super) fn clear(folder: &Path, and_logs: bool) -> io::Result<()> {
    for name in FILES {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for name in FOLDERS {
        remove_folder(&folder.join(name))?;
    }
    if and_logs {
        remove_folder(&folder.join("logs"))?;
    }
    Ok(())
}

impl Supervisor {
    fn change(&self, change: impl FnOnce(&mut StackState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        // A full disk must not take the stack down; whoever asks over the socket gets the state all the same.
        let _ = state.save(&self.folder);
    }

    fn change_component(&self, component: Component, change: impl FnOnce(&mut ComponentState)) {
        self.change(|state| {
            if let Some(found) = state.components.get_mut(&component) {
                change(found);
            }
        });
    }

    fn phase(&self, component: Component) -> Option<ComponentState> {
        lock(&self.state).components.get(&component).cloned()
    }

    fn running(&self, component: Component) -> Option<Running> {
        lock(&self.members).get(&component).and_then(|member| member.running.clone())
    }

    fn data(&self, component: Component) -> PathBuf {
        self.folder.join("data").join(component.name())
    }

    fn log(&self, component: Component) -> PathBuf {
        self.folder.join("logs").join(format!("{component}.log"))
    }

    /// Store, buckets, gateway, then everything else at once. Components that fail are left failed: a stack is what is
    /// left, unless nothing can be.
    async fn bring_up(self: &Arc<Self>) -> Result<(), StackError> {
        self.start_with_other_ports(&[Component::Minio]).await?;
        if let Some(failure) = self.phase(Component::Minio).and_then(|state| state.failure) {
            return Err(StackError::Store(failure));
        }
        let store = lock(&self.ports).admin(Component::Minio);
        let program = self.spec.program(Component::Minio, Program::Mc).map_err(StartError::from)?;
        let folder = self.folder.join("mc");
        fs::create_dir_all(&folder).map_err(|source| StartError::File { path: folder.clone(), source })?;
        if let Some(authority) = &self.authority {
            trust(&folder, authority).map_err(|source| StartError::File { path: folder.clone(), source })?;
        }
        let mc = LocalMc { program, store: &store, root: &self.credentials.root, folder };
        let expiry = Maker { mc: &mc, credentials: &self.credentials }.make(&self.spec.overrides).await?;
        self.change(|state| state.incomplete_upload_expiry = expiry);
        if self.spec.selection.loki {
            self.open_gateway()?;
        }
        let others: Vec<Component> =
            self.spec.selection.components().into_iter().filter(|&component| component != Component::Minio).collect();
        self.start_with_other_ports(&others).await
    }

    fn open_gateway(self: &Arc<Self>) -> Result<(), StackError> {
        let design = |port| self.spec.design_ports.then_some(port);
        let http = listen(design(3100), "loki's gateway")?;
        let grpc = listen(design(9095), "loki's gateway (gRPC)")?;
        for (role, listener) in [(Role::Loki, http), (Role::LokiGrpc, grpc)] {
            let taken = |source| PortsError::Taken { port: 0, owner: role.name().to_owned(), source };
            let address = listener.local_addr().map_err(taken)?;
            listener.set_nonblocking(true).map_err(taken)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(taken)?;
            let upstreams: Arc<dyn Upstreams> = Arc::new(LokiProcesses(Arc::clone(self)));
            match role {
                Role::Loki => tokio::spawn(serve_http(listener, upstreams)),
                _ => tokio::spawn(serve_grpc(listener, upstreams)),
            };
            self.change(|state| {
                state.endpoints.insert(role, format!("http://{address}"));
            });
        }
        Ok(())
    }

    /// Starts `components` and waits until each is ready or has failed. Those that found a port taken get others, once;
    /// whoever is configured with those ports is started again with them.
    async fn start_with_other_ports(self: &Arc<Self>, components: &[Component]) -> Result<(), StackError> {
        self.start_all(components).await?;
        let unlucky: Vec<Component> =
            components.iter().copied().filter(|&component| self.lost_its_port(component)).collect();
        if unlucky.is_empty() || self.spec.design_ports {
            return Ok(());
        }
        for &component in &unlucky {
            lock(&self.ports).replace(component)?;
        }
        let mut again = Vec::new();
        for &component in components {
            let known = lock(&self.members).get(&component).and_then(|member| member.configuration.clone());
            if unlucky.contains(&component) || self.configuration(component).map_err(StartError::from)? != known {
                let _ = self.stop(component, Stop::Kill).await;
                again.push(component);
            }
        }
        self.change(|state| {
            let ports = lock(&self.ports);
            state.endpoints.extend(ports.endpoints());
            for (component, found) in &mut state.components {
                found.admin = ports.admin(*component);
            }
        });
        Ok(self.start_all(&again).await?)
    }

    fn lost_its_port(&self, component: Component) -> bool {
        self.phase(component).and_then(|state| state.failure).is_some_and(|failure| {
            failure.last_lines.iter().any(|line| {
                let line = line.to_lowercase();
                line.contains("address already in use") || line.contains("port is already in use")
            })
        })
    }

    async fn start_all(self: &Arc<Self>, components: &[Component]) -> Result<(), StartError> {
        for &component in components {
            self.launch(component)?;
        }
        futures::future::join_all(components.iter().map(|&component| self.wait_ready(component))).await;
        Ok(())
    }

    fn configuration(&self, component: Component) -> Result<Option<Value>, RenderError> {
        let ports = lock(&self.ports).clone();
        let data = self.folder.join("data");
        let surroundings = ports.surroundings(component, &data);
        let plan = Plan { profile: self.spec.profile, overrides: &self.spec.overrides, surroundings: &surroundings };
        configuration(component, plan)
    }

    /// Starts the process; whether it becomes ready is another question.
    fn launch(self: &Arc<Self>, component: Component) -> Result<(), StartError> {
        if let Some(running) = self.running(component) {
            return Err(StartError::Runs { component, pid: running.pid });
        }
        if self.phase(component).is_none() {
            return Err(StartError::NotSelected { component });
        }
        let data = self.data(component);
        fs::create_dir_all(&data).map_err(|source| StartError::File { path: data.clone(), source })?;
        let program = self.spec.program(component, Program::of(component))?;
        let log = self.log(component);
        let log_begin = process::length(&log);
        let written = self.configuration(component)?;
        let keys = self.credentials.of(whose_keys(component, &self.spec.overrides));
        let (arguments, environment): (Vec<OsString>, _) = match &written {
            None => {
                let address = lock(&self.ports).address(component, Socket::Http).to_string();
                let certificates = self.folder.join(CERTIFICATES);
                let arguments: [OsString; 7] = [
                    "server".into(),
                    data.into(),
                    "--address".into(),
                    address.into(),
                    // Without a certificate in it the store speaks plain HTTP.
                    "--certs-dir".into(),
                    certificates.into(),
                    "--quiet".into(),
                ];
                let root = &self.credentials.root;
                let environment = vec![
                    ("MINIO_ROOT_USER", root.access_key_id.clone()),
                    ("MINIO_ROOT_PASSWORD", root.secret_access_key.clone()),
                    ("MINIO_BROWSER", "off".to_owned()),
                    ("MINIO_UPDATE", "off".to_owned()),
                ];
                (arguments.to_vec(), environment)
            }
            Some(value) => {
                let path = configuration_file(&self.folder, component);
                // JSON is YAML: the servers read what was parsed and changed, not what was written by hand.
                fs::write(&path, format!("{value:#}"))
                    .map_err(|source| StartError::File { path: path.clone(), source })?;
                let mut file = OsString::from("-config.file=");
                file.push(&path);
                let limit = go_memory_limit(component, &self.spec.overrides).map(|limit| ("GOMEMLIMIT", limit));
                let environment = [
                    ("S3_ACCESS_KEY_ID", keys.access_key_id.clone()),
                    ("S3_SECRET_ACCESS_KEY", keys.secret_access_key.clone()),
                ];
                let environment: Vec<(&str, String)> = environment.into_iter().chain(limit).collect();
                (vec![file, "-config.expand-env=true".into()], environment)
            }
        };
        let environment = environment.into_iter().chain(self.trusted()).collect();
        let mut child = process::spawn(process::Start { program, arguments, environment, log: log.clone() })?;
        let pid = child.id().unwrap_or_default();
        let (tell, ended) = watch::channel(None);
        if let Some(member) = lock(&self.members).get_mut(&component) {
            *member = Member {
                running: Some(Running { pid, ended }),
                last_pid: Some(pid),
                stopping: false,
                configuration: written,
            };
        }
        self.change_component(component, |state| {
            state.phase = Phase::Starting;
            state.pid = Some(pid);
            state.failure = None;
            state.ready_after_s = None;
        });
        let supervisor = Arc::clone(self);
        tokio::spawn(async move {
            let how = process::exit_text(child.wait().await);
            supervisor.ended(component, &how, &log, log_begin);
            // Nobody may wait any more; the state has it.
            let _ = tell.send(Some(how));
        });
        Ok(())
    }

    /// The variable by which Go's programs are told whose certificates to take.
    fn trusted(&self) -> Option<(&'static str, String)> {
        let path = self.folder.join(AUTHORITY);
        self.authority.as_ref().map(|_| ("SSL_CERT_FILE", path.to_string_lossy().into_owned()))
    }

    fn ended(&self, component: Component, how: &str, log: &Path, log_begin: u64) {
        let asked = lock(&self.members).get_mut(&component).is_some_and(|member| {
            member.running = None;
            member.stopping
        });
        self.change_component(component, |state| {
            state.pid = None;
            state.ready_after_s = None;
            if asked {
                state.phase = Phase::Stopped;
            } else {
                state.phase = Phase::Failed;
                state.failure = Some(self.failure(how, log, log_begin));
            }
        });
    }

    fn failure(&self, how: &str, log: &Path, log_begin: u64) -> Failure {
        let lines = last(process::tail(log, log_begin).unwrap_or_default(), FAILURE_LINES);
        let last_lines = lines.iter().map(|line| redact(line, self.credentials.secrets())).collect();
        Failure { how: how.to_owned(), last_lines }
    }

    /// Waits until `component` says that it is ready, has ended, or has had its time.
    async fn wait_ready(&self, component: Component) {
        let Some(mut running) = self.running(component) else { return };
        let began = self.clock.now();
        let url = lock(&self.ports).readiness(component);
        let ready = until(&self.clock, READINESS, began.after(READY_LIMIT), || async {
            if self.asker.answers(&url).await {
                return Step::Ready(());
            }
            let failed = |needed: &Component| self.phase(*needed).is_some_and(|state| state.phase == Phase::Failed);
            match needs(component).filter(failed) {
                Some(needed) => Step::Never(format!("not ready: it waits for {needed}, which failed")),
                None => Step::NotYet(format!("not ready after {} seconds", READY_LIMIT.as_secs())),
            }
        });
        let ended = tokio::select! {
            ended = ready => ended,
            _ = running.ended.wait_for(Option::is_some) => return,
        };
        let after = self.clock.now().since(began);
        self.change_component(component, |state| match ended {
            Ended::Ready(()) => {
                state.phase = Phase::Ready;
                state.ready_after_s = Some(after.as_secs_f64());
            }
            Ended::TimedOut(how) | Ended::Never(how) => {
                state.phase = Phase::Failed;
                state.failure = Some(self.failure(&how, &self.log(component), 0));
            }
        });
    }

    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, String> {
        let Some(mut running) = self.running(component) else {
            return Err(format!("{component} does not run"));
        };
        if let Some(member) = lock(&self.members).get_mut(&component) {
            member.stopping = true;
        }
        process::signal(running.pid, how).map_err(|error| causes(&error))?;
        let limit = match how {
            Stop::Graceful => STOP_LIMIT,
            Stop::Kill => KILL_LIMIT,
        };
        let end = self.clock.now().after(limit);
        let exit = tokio::select! {
            ended = running.ended.wait_for(Option::is_some) => ended.ok().and_then(|how| how.clone()),
            () = self.clock.sleep_until(end) => {
                return Err(format!("{component} (pid {}) did not end within {} s", running.pid, limit.as_secs()));
            }
        };
        Ok(ProcessProof { component, before: Some(running.pid.to_string()), after: None, exit })
    }

    async fn start(self: &Arc<Self>, component: Component) -> Result<ProcessProof, String> {
        let before = lock(&self.members).get(&component).and_then(|member| member.last_pid);
        self.launch(component).map_err(|error| causes(&error))?;
        self.wait_ready(component).await;
        match self.phase(component) {
            Some(ComponentState { phase: Phase::Ready, pid: Some(pid), .. }) => Ok(ProcessProof {
                component,
                before: before.map(|pid| pid.to_string()),
                after: Some(pid.to_string()),
                exit: None,
            }),
            other => {
                let failure = other.and_then(|state| state.failure).map(|failure| failure.to_string());
                Err(format!("{component} did not become ready: {}", failure.unwrap_or_else(|| "it was stopped".into())))
            }
        }
    }

    fn wipe(&self, component: Component) -> Result<(), String> {
        if component == Component::Minio {
            return Err("the object store's data is the stack's: take the stack down instead".to_owned());
        }
        if let Some(running) = self.running(component) {
            return Err(format!("{component} runs as pid {}: stop it before its data goes", running.pid));
        }
        let data = self.data(component);
        remove_folder(&data).map_err(|error| format!("{}: {error}", data.display()))
    }

    /// Returns, with the lease held for itself, when nobody has held one for as long as the stack lingers.
    async fn outlive_clients(&self) -> Ending {
        let mut alone_since = None;
        loop {
            let now = self.clock.now();
            if let Linger::After(linger) = self.spec.linger {
                match Ending::try_take(&self.folder) {
                    Ok(Some(ending)) => {
                        if now.since(*alone_since.get_or_insert(now)) >= linger {
                            return ending;
                        }
                    }
                    Ok(None) | Err(_) => alone_since = None,
                }
            }
            self.clock.sleep_until(now.after(LEASE_INTERVAL)).await;
        }
    }

    /// The data goes with the stack, so nobody is given time to flush it.
    async fn kill_all(&self) {
        let components = self.spec.selection.components();
        futures::future::join_all(components.into_iter().map(|component| self.stop(component, Stop::Kill))).await;
    }

    async fn end(&self, keep_logs: bool) -> Result<(), SuperviseError> {
        self.change(|state| state.phase = StackPhase::Stopping);
        self.kill_all().await;
        clear(&self.folder, !keep_logs).map_err(|source| file_error(&self.folder, source))
    }

    async fn serve_control(self: Arc<Self>, listener: UnixListener, ends: mpsc::Sender<bool>) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let (supervisor, ends) = (Arc::clone(&self), ends.clone());
            tokio::spawn(async move {
                // A client that went away does not hear the answer; what it asked for is done.
                let _ = supervisor.converse(stream, ends).await;
            });
        }
    }

    async fn converse(self: Arc<Self>, stream: UnixStream, ends: mpsc::Sender<bool>) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        while let Some(line) = lines.next_line().await? {
            let answer = match serde_json::from_str::<Request>(&line) {
                Err(error) => Answer::Error { reason: format!("not a request: {error}") },
                Ok(Request::Shutdown { keep_logs }) => {
                    // A second one is as good as the first.
                    let _ = ends.try_send(keep_logs);
                    Answer::Done
                }
                // In a task of its own: it goes on when the client does not wait for it.
                Ok(request) => {
                    let supervisor = Arc::clone(&self);
                    tokio::spawn(async move { supervisor.answer(request).await })
                        .await
                        .unwrap_or_else(|error| Answer::Error { reason: error.to_string() })
                }
            };
            let mut text = serde_json::to_vec(&answer)?;
            text.push(b'\n');
            write.write_all(&text).await?;
        }
        Ok(())
    }

    async fn answer(self: Arc<Self>, request: Request) -> Answer {
        let proof = |outcome| match outcome {
            Ok(proof) => Answer::Proof { proof },
            Err(reason) => Answer::Error { reason },
        };
        match request {
            Request::Status => Answer::State { state: Box::new(lock(&self.state).clone()) },
            Request::Stop { component, how } => proof(self.stop(component, how).await),
            Request::Start { component } => proof(self.start(component).await),
            Request::Wipe { component } => match self.wipe(component) {
                Ok(()) => Answer::Done,
                Err(reason) => Answer::Error { reason },
            },
            Request::Shutdown { .. } => Answer::Done,
        }
    }
}

struct LokiProcesses(Arc<Supervisor>);

impl Upstreams for LokiProcesses {
    fn http(&self, upstream: Upstream) -> String {
        let component = match upstream {
            Upstream::Write => Component::LokiWrite,
            Upstream::Backend => Component::LokiBackend,
            Upstream::Read => Component::LokiRead,
        };
        lock(&self.0.ports).address(component, Socket::Http).to_string()
    }

    fn write_grpc(&self) -> String {
        lock(&self.0.ports).address(Component::LokiWrite, Socket::Grpc).to_string()
    }
}
