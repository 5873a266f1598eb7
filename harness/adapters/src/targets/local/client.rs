use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    causes, meter,
    process::{self, EXIT_CODE},
    trust::{Authority, AuthorityError},
};
use async_trait::async_trait;
use harness_core::{
    poll::{Ended, Step, until},
    ports::{
        Clock, Component, Cost, Lifecycle, LogLine, Logs, Meter, PortError, ProcessProof, ShownCertificate, Standing,
        Stop, StoreFault, StoreKeys, Tick, Trial, Usage, Workload, Workloads, Written, WrittenKind,
    },
};
use thiserror::Error;

use super::{
    Lease, Linger, Phase, SpecError, StackPhase, StackSpec, StackState, StateError,
    control::{Answer, Request, ask},
    layout::configuration_file,
    lease::{Ending, StarterLock, SupervisorLock},
    room::Room,
    store_faults::{self, Ailment},
    supervisor::clear,
    trial, workload,
};
use crate::targets::blueprint::{
    Credentials, CredentialsError, Event, KeyPair, Plan, Ports, PortsError, Profile, Program, Progress, READINESS,
    RenderError, configuration, is_problem, last, redact, store_speaks_tls, whose_keys,
};

/// How long a stack may take to come up: 120 seconds for a component that does not become ready, and what comes before.
const UP_LIMIT: Duration = Duration::from_secs(180);

/// How long a stack may take to be gone.
const DOWN_LIMIT: Duration = Duration::from_secs(60);

/// How to start a supervisor: a program that calls [`super::supervise`] with the stack's folder.
#[derive(Debug, Clone)]
pub struct Starter {
    /// The program, usually the one that runs.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Why there is no stack, or not the wanted one.
#[derive(Debug, Error)]
pub enum UpError {
    /// The store's certificate cannot be checked.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Another stack runs there.
    #[error(
        "another stack (profile {profile}, {overrides} overrides) runs in {folder}: take it down first (lgtm-verify stack down)"
    )]
    Different {
        /// The stack's folder.
        folder: PathBuf,
        /// Its profile.
        profile: Profile,
        /// How many changes were made to its configuration.
        overrides: usize,
    },
    /// A file or folder of the stack.
    #[error("{path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// A disk on which the object store would refuse to write.
    #[error(
        "{folder}: {} MB of the disk are free and {} MB are needed, for the object store writes to no disk that is fuller: make room, or \
         have the stack elsewhere (LGTM_VERIFY_STATE)",
        free / 1_000_000, needed / 1_000_000
    )]
    Full {
        /// The stack's folder.
        folder: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that have to be.
        needed: u64,
    },
    /// A part of the specification.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A configuration that cannot be.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Its keys.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Its state.
    #[error(transparent)]
    State(#[from] StateError),
    /// No supervisor.
    #[error("{program} could not be started as the stack's supervisor")]
    Supervisor {
        /// The program.
        program: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// The supervisor gave up.
    #[error("the stack did not come up: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
    /// It is neither up nor given up.
    #[error("the stack in {folder} is neither up nor failed after {seconds} s")]
    TooLong {
        /// The stack's folder.
        folder: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It does not go.
    #[error("the stack in {folder} (supervisor pid {pid}) is not gone after {seconds} s")]
    StillThere {
        /// The stack's folder.
        folder: PathBuf,
        /// The supervisor's process.
        pid: u32,
        /// How long it was waited for.
        seconds: u64,
    },
}

/// A running stack, with a lease on it: it does not end itself while this lives.
#[derive(Debug)]
pub struct LocalStack {
    folder: PathBuf,
    state: StackState,
    credentials: Credentials,
    authority: Option<Authority>,
    _lease: Lease,
}

/// Whether there was a stack to take down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// There was, it is gone.
    Gone,
    /// There were left-overs of one that had crashed; they are gone.
    LeftOversRemoved,
    /// There was none.
    WasNone,
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> UpError + '_ {
    |source| UpError::File { path: path.to_owned(), source }
}

fn supervisor_lives(folder: &Path) -> Result<bool, UpError> {
    Ok(SupervisorLock::try_take(folder).map_err(file_error(folder))?.is_none())
}

/// Starts the stack of `spec` in `folder`, or joins it where it runs already. Returns when every component is ready or has
/// failed; which failed stands in [`LocalStack::state`]. Dropped before that, it ends the stack that it started.
pub async fn up(
    folder: &Path,
    spec: &StackSpec,
    starter: &Starter,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<LocalStack, UpError> {
    check(spec, folder)?;
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    let room = Room::of(folder).map_err(file_error(folder))?;
    if !room.suffices() {
        return Err(UpError::Full { folder: folder.to_owned(), free: room.free, needed: room.needed });
    }
    let began = clock.now();
    let lease = Lease::take(folder, clock).await.map_err(file_error(folder))?;
    let _starting = StarterLock::take(folder, clock).await.map_err(file_error(folder))?;
    let mut started = None;
    if supervisor_lives(folder)? {
        if let Some(state) = StackState::load(folder)?
            && state.spec_digest != spec.digest()
        {
            return Err(UpError::Different {
                folder: folder.to_owned(),
                profile: state.profile,
                overrides: state.overrides.len(),
            });
        }
    } else {
        clear(folder, true).map_err(file_error(folder))?;
        spec.save(folder)?;
        started = Some(Started { child: start_supervisor(folder, starter)?, came_up: false });
    }

    let mut teller = Teller { clock, progress, began, told: Vec::new() };
    let settled = until(clock, READINESS, clock.now().after(UP_LIMIT), || {
        let seen = look(folder, started.as_mut(), &mut teller);
        async {
            match seen.transpose() {
                Some(settled) => Step::Ready(settled),
                None => Step::NotYet(String::new()),
            }
        }
    });
    match settled.await {
        Ended::Ready(state) => {
            let state = state?;
            let credentials = Credentials::load(folder)?;
            let authority = state.authority.as_deref().map(Authority::from_pem).transpose()?;
            if let Some(started) = &mut started {
                started.came_up = true;
            }
            Ok(LocalStack { folder: folder.to_owned(), state, credentials, authority, _lease: lease })
        }
        Ended::TimedOut(_) | Ended::Never(_) => {
            Err(UpError::TooLong { folder: folder.to_owned(), seconds: UP_LIMIT.as_secs() })
        }
    }
}

/// Everything that can be wrong with a wish is found before anything starts.
fn check(spec: &StackSpec, folder: &Path) -> Result<(), UpError> {
    let components = spec.selection.components();
    let ports = Ports::find(&components, false, store_speaks_tls(&spec.overrides)).map_err(no_ports)?;
    for component in components {
        let program = Program::of(component);
        spec.program(component, program)?;
        let surroundings = ports.surroundings(component, folder);
        let plan = Plan { profile: spec.profile, overrides: &spec.overrides, surroundings: &surroundings };
        configuration(component, plan)?;
    }
    Ok(())
}

fn no_ports(error: PortsError) -> UpError {
    UpError::Failed { reason: causes(&error) }
}

fn start_supervisor(folder: &Path, starter: &Starter) -> Result<Child, UpError> {
    let path = supervisor_log(folder);
    fs::create_dir_all(folder.join("logs")).map_err(file_error(folder))?;
    let log = File::create(&path).map_err(file_error(&path))?;
    let errors = log.try_clone().map_err(file_error(&path))?;
    Command::new(&starter.program)
        .args(&starter.args)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        // Of its own group: what interrupts the starter at a terminal does not interrupt the stack.
        .process_group(0)
        .spawn()
        .map_err(|source| UpError::Supervisor { program: starter.program.clone(), source })
}

fn supervisor_log(folder: &Path) -> PathBuf {
    folder.join("logs").join("supervisor.log")
}

/// One look at a stack that starts: `None` while it is neither up nor failed.
fn look(folder: &Path, started: Option<&mut Started>, teller: &mut Teller<'_>) -> Result<Option<StackState>, UpError> {
    // Before the state is read, so that a last word is not missed.
    let gone = match started {
        Some(started) => started.child.try_wait().ok().flatten().map(|status| process::exit_text(Ok(status))),
        None => (!supervisor_lives(folder)?).then(|| "it ended".to_owned()),
    };
    let state = StackState::load(folder)?;
    if let Some(state) = &state {
        teller.tell(state);
    }
    match (state, gone) {
        (Some(state), None) if state.phase == StackPhase::Up => Ok(Some(state)),
        (Some(StackState { phase: StackPhase::Failed, failure, .. }), _) => {
            Err(UpError::Failed { reason: failure.unwrap_or_else(|| "the supervisor does not say why".into()) })
        }
        (_, Some(gone)) => {
            let said = process::tail(&supervisor_log(folder), 0).unwrap_or_default();
            let said = last(said, 20).join("\n");
            Err(UpError::Failed { reason: format!("the supervisor ended ({gone})\n{said}").trim_end().to_owned() })
        }
        _ => Ok(None),
    }
}

/// A supervisor that was started here. It is told to end where nobody waits any more for its stack to come up: otherwise a stack
/// that was to stay would, after an interrupt that the user took for its end.
#[derive(Debug)]
struct Started {
    child: Child,
    came_up: bool,
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.came_up && matches!(self.child.try_wait(), Ok(None)) {
            // One that has ended meanwhile needs no signal.
            let _ = process::signal(self.child.id(), Stop::Graceful);
        }
    }
}

/// Tells each change of a component once.
struct Teller<'a> {
    clock: &'a dyn Clock,
    progress: &'a dyn Progress,
    began: Tick,
    told: Vec<(Component, Phase, Option<u32>)>,
}

impl Teller<'_> {
    fn tell(&mut self, state: &StackState) {
        let settled = state
            .components
            .values()
            .filter(|component| matches!(component.phase, Phase::Ready | Phase::Failed))
            .count();
        for (&component, found) in &state.components {
            let news = (component, found.phase, found.pid);
            let detail = match found.phase {
                Phase::Starting if found.pid.is_none() => continue,
                Phase::Starting => "started".to_owned(),
                Phase::Ready => "ready".to_owned(),
                Phase::Stopped => "stopped".to_owned(),
                Phase::Failed => {
                    let how = found.failure.as_ref().map_or("", |failure| failure.how.as_str());
                    format!("failed: {how}")
                }
            };
            if !self.told.contains(&news) {
                self.told.push(news);
                self.progress.note(Event {
                    what: format!("start {component}"),
                    elapsed: self.clock.now().since(self.began),
                    detail,
                    steps: Some((settled, state.components.len())),
                });
            }
        }
    }
}

/// The stack in `folder` as it stands; `None` where there is none. Left-overs of a crashed one are none.
pub fn status(folder: &Path) -> Result<Option<StackState>, UpError> {
    if !folder.is_dir() || !supervisor_lives(folder)? {
        return Ok(None);
    }
    Ok(StackState::load(folder)?)
}

/// Ends the stack in `folder` if it is one that ends by itself and that nobody uses any more. Nobody can begin to use it meanwhile.
pub async fn down_if_idle(folder: &Path, clock: &dyn Clock) -> Result<(), UpError> {
    if status(folder)?.is_none() || StackSpec::load(folder)?.linger == Linger::UntilDown {
        return Ok(());
    }
    let nobody_else = Ending::try_take(folder).map_err(file_error(folder))?;
    if nobody_else.is_some() {
        down(folder, false, clock).await?;
    }
    Ok(())
}

/// Ends the stack in `folder` and removes its data, and its logs unless they are to be kept.
pub async fn down(folder: &Path, keep_logs: bool, clock: &dyn Clock) -> Result<Down, UpError> {
    if !folder.is_dir() {
        return Ok(Down::WasNone);
    }
    let _starting = StarterLock::take(folder, clock).await.map_err(file_error(folder))?;
    let state = StackState::load(folder)?;
    if !supervisor_lives(folder)? {
        clear(folder, !keep_logs).map_err(file_error(folder))?;
        return Ok(if state.is_some() { Down::LeftOversRemoved } else { Down::WasNone });
    }
    // One that is about to end by itself may not hear it any more.
    let _ = ask(folder, &Request::Shutdown { keep_logs }).await;
    let gone = until(clock, READINESS, clock.now().after(DOWN_LIMIT), || async {
        match supervisor_lives(folder) {
            Ok(false) => Step::Ready(()),
            Ok(true) | Err(_) => Step::NotYet(String::new()),
        }
    });
    match gone.await {
        Ended::Ready(()) => {
            clear(folder, !keep_logs).map_err(file_error(folder))?;
            Ok(Down::Gone)
        }
        Ended::TimedOut(_) | Ended::Never(_) => Err(UpError::StillThere {
            folder: folder.to_owned(),
            pid: state.map_or(0, |state| state.supervisor),
            seconds: DOWN_LIMIT.as_secs(),
        }),
    }
}

impl LocalStack {
    /// The stack that runs in `folder`, with a lease; `None` where there is none that is up.
    pub async fn attach(folder: &Path, clock: &dyn Clock) -> Result<Option<Self>, UpError> {
        if status(folder)?.is_none() {
            return Ok(None);
        }
        let lease = Lease::take(folder, clock).await.map_err(file_error(folder))?;
        // It may have ended while the lease was waited for.
        match status(folder)?.filter(|state| state.phase == StackPhase::Up) {
            None => Ok(None),
            Some(state) => {
                let credentials = Credentials::load(folder)?;
                let authority = state.authority.as_deref().map(Authority::from_pem).transpose()?;
                Ok(Some(Self { folder: folder.to_owned(), state, credentials, authority, _lease: lease }))
            }
        }
    }

    /// The stack as it stood when it came up or was joined: endpoints, versions, which components failed.
    pub fn state(&self) -> &StackState {
        &self.state
    }

    /// Whether it was started from what this program carries, and listens where it is asked to.
    pub fn is_current(&self, design_ports: bool) -> bool {
        StackSpec::load(&self.folder)
            .is_ok_and(|spec| spec.digest() == self.state.spec_digest && spec.design_ports == design_ports)
    }

    /// The stack as it stands.
    pub fn fresh_state(&self) -> Result<StackState, UpError> {
        Ok(StackState::load(&self.folder)?.unwrap_or_else(|| self.state.clone()))
    }

    /// Whose certificate the object store shows, where it speaks HTTPS.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The keys that `component` runs with, which an override may have made another component's; the object store's own for
    /// [`Component::Minio`].
    pub fn keys(&self, component: Component) -> &KeyPair {
        self.credentials.of(whose_keys(component, &self.state.overrides))
    }

    /// Every value of its keys that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.credentials.secrets()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that the local data of `component` has on the disk (allocated, not apparent).
    pub fn disk_bytes(&self, component: Component) -> io::Result<u64> {
        allocated(&self.folder.join("data").join(component.name()))
    }

    /// Mends what a killed run has left: components that it stopped, and a store that it made to go wrong.
    pub async fn restore(&self) -> Result<(), PortError> {
        // The store first, without which the others do not start.
        for (component, state) in &self.state.components {
            if state.phase == Phase::Stopped {
                self.start(*component).await?;
            }
        }
        match Ailment::left(&self.folder) {
            Some(ailment) => ailment.heal(self).await,
            None => Ok(()),
        }
    }

    /// The keys of the store's owner.
    pub(super) fn root(&self) -> &KeyPair {
        &self.credentials.root
    }

    async fn ask(&self, component: Component, request: &Request) -> Result<Answer, PortError> {
        ask(&self.folder, request).await.map_err(|error| PortError::Unreachable {
            target: format!("the supervisor of {component}"),
            reason: causes(&error),
        })
    }

    async fn proof(&self, component: Component, request: &Request) -> Result<ProcessProof, PortError> {
        match self.ask(component, request).await? {
            Answer::Proof { proof } => Ok(proof),
            other => Err(refused(component, &other)),
        }
    }
}

fn refused(component: Component, answer: &Answer) -> PortError {
    let reason = match answer {
        Answer::Error { reason } => reason.clone(),
        other => format!("an answer to another question: {other:?}"),
    };
    PortError::Refused { target: component.name().to_owned(), reason }
}

fn allocated(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What a server removes while it is looked at is not there any more.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            bytes += allocated(&entry.path()).unwrap_or(0);
        }
    }
    Ok(bytes)
}

#[async_trait]
impl Lifecycle for LocalStack {
    fn is_at_hand(&self) -> bool {
        true
    }

    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        self.proof(component, &Request::Stop { component, how }).await
    }

    async fn start(&self, component: Component) -> Result<ProcessProof, PortError> {
        self.proof(component, &Request::Start { component }).await
    }

    async fn wipe(&self, component: Component) -> Result<(), PortError> {
        match self.ask(component, &Request::Wipe { component }).await? {
            Answer::Done => Ok(()),
            other => Err(refused(component, &other)),
        }
    }

    async fn replace(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        let stopped = self.stop(component, how).await?;
        self.wipe(component).await?;
        let started = self.start(component).await?;
        Ok(ProcessProof { after: started.after, ..stopped })
    }

    async fn rekey(&self, component: Component, _: StoreKeys) -> Result<(), PortError> {
        Err(PortError::Unsupported { reason: format!("the keys of {component} are fixed when the stack starts") })
    }

    async fn start_on_trial(
        &self,
        component: Component,
        certificate: ShownCertificate,
        plain: bool,
    ) -> Result<Trial, PortError> {
        trial::start(self, component, certificate, plain).await
    }

    async fn standing(&self, component: Component) -> Result<Standing, PortError> {
        let target = component.to_string();
        let state = self.fresh_state().map_err(|error| PortError::Unreachable { target, reason: causes(&error) })?;
        let state = state.components.get(&component);
        let code = state.and_then(|state| state.failure.as_ref()?.how.strip_prefix(EXIT_CODE)?.parse().ok());
        let running = state.is_some_and(|state| state.pid.is_some());
        Ok(Standing { running, ready: state.is_some_and(|state| state.phase == Phase::Ready), exit_code: code })
    }

    async fn inject(&self, fault: StoreFault, component: Component) -> Result<(), PortError> {
        store_faults::inject(self, fault, component).await
    }

    async fn heal(&self, fault: StoreFault, component: Component) -> Result<(), PortError> {
        store_faults::heal(self, fault, component).await
    }

    async fn failure(&self, component: Component) -> Option<String> {
        let state = match self.fresh_state() {
            Ok(state) => state,
            Err(error) => return Some(causes(&error)),
        };
        let found = state.components.get(&component)?;
        match (&found.failure, found.phase) {
            (Some(failure), _) => Some(failure.to_string()),
            (None, Phase::Ready) => None,
            (None, phase) => Some(format!("{phase:?}").to_lowercase()),
        }
    }
}

#[async_trait]
impl Workloads for LocalStack {
    async fn workload(&self, component: Component) -> Result<Workload, PortError> {
        workload::workload(self, component)
    }

    async fn working_set(&self, _: Component) -> Result<Vec<(String, u64)>, PortError> {
        Err(no_orchestrator())
    }

    async fn written(&self, component: Component) -> Result<Vec<Written>, PortError> {
        let unread =
            |target: String, error: &dyn std::error::Error| PortError::Unreachable { target, reason: causes(error) };
        let state = self.fresh_state().map_err(|error| unread(component.to_string(), &error))?;
        let pid = state.components.get(&component).and_then(|state| state.pid);
        let command_line = pid.map(|pid| (WrittenKind::Start, PathBuf::from(format!("/proc/{pid}/cmdline"))));
        let file = (WrittenKind::Configuration, configuration_file(&self.folder, component));
        let read = |(kind, path): (WrittenKind, PathBuf)| {
            let name = path.display().to_string();
            let text = fs::read(&path).map_err(|error| unread(name.clone(), &error))?;
            Ok(Written { kind, name, text: text.into() })
        };
        command_line.into_iter().chain([file]).map(read).collect()
    }

    async fn events(&self, _: Component) -> Result<Vec<String>, PortError> {
        // Nobody starts a process again by himself, which is what would be noted.
        Ok(Vec::new())
    }
}

#[async_trait]
impl Meter for LocalStack {
    async fn usage(&self, component: Component) -> Result<Vec<Usage>, PortError> {
        let told = |reason: String| PortError::Unreachable { target: component.to_string(), reason };
        let state = self.fresh_state().map_err(|error| told(causes(&error)))?;
        let Some(pid) = state.components.get(&component).and_then(|state| state.pid) else { return Ok(Vec::new()) };
        let memory = meter::peak_memory(&pid.to_string()).map_err(|error| told(error.to_string()))?;
        Ok(vec![Usage { process: format!("pid {pid}"), memory, is_peak: true }])
    }

    async fn folder(&self, component: Component) -> Result<u64, PortError> {
        self.disk_bytes(component).map_err(|error| PortError::Unreachable {
            target: format!("the local folder of {component}"),
            reason: error.to_string(),
        })
    }

    fn own(&self) -> Option<Cost> {
        meter::own()
    }
}

fn no_orchestrator() -> PortError {
    PortError::Unsupported { reason: "local processes have no orchestrator".to_owned() }
}

#[async_trait]
impl Logs for LocalStack {
    async fn problems(&self, component: Component, limit: usize) -> Vec<LogLine> {
        let log = self.folder.join("logs").join(format!("{component}.log"));
        let lines = process::tail(&log, 0).unwrap_or_default();
        let problems = lines.into_iter().filter(|line| is_problem(line)).collect();
        last(problems, limit)
            .into_iter()
            .map(|line| LogLine { component, text: redact(&line, self.credentials.secrets()) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, targets::blueprint::Silent, targets::local::spec::tests::everything};

    fn starter(program: &str) -> Starter {
        Starter { program: program.into(), args: Vec::new() }
    }

    #[tokio::test]
    async fn a_wish_that_cannot_be_is_refused_before_anything_starts() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = everything();
        spec.overrides.push("tempo.storag.x=1".parse().unwrap());
        let error = up(folder.path(), &spec, &starter("/nonexistent"), &SystemClock::start(), &Silent).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "\"tempo.storag.x=1\": there is no section \"storag\"; the nearest is \"storage\""
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut spec = everything();
        spec.programs.clear();
        let error = up(folder.path(), &spec, &starter("/nonexistent"), &SystemClock::start(), &Silent).await;
        assert_eq!(error.unwrap_err().to_string(), "minio is selected, but minio is not among the built programs");
    }

    #[tokio::test]
    async fn a_supervisor_that_ends_is_an_error_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let starter = Starter {
            program: "sh".into(),
            args: ["-c", "echo no luck >&2; exit 3"].into_iter().map(OsString::from).collect(),
        };
        let error = up(folder.path(), &everything(), &starter, &SystemClock::start(), &Silent).await.unwrap_err();
        assert_eq!(error.to_string(), "the stack did not come up: the supervisor ended (exit code 3)\nno luck");
    }

    #[tokio::test]
    async fn a_stack_that_nobody_waits_for_any_more_is_told_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("alive");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // It holds the pipe open as long as it lives, and says so if nobody ends it.
        let script =
            format!("trap 'kill $!; exit' TERM; exec 3>{}; sleep 60 3>&- & wait; echo outlived >&3", pipe.display());
        let starter = Starter { program: "sh".into(), args: ["-c", &script].map(OsString::from).to_vec() };
        let (spec, clock) = (everything(), SystemClock::start());
        let mut alive = tokio::select! {
            stack = up(folder.path(), &spec, &starter, &clock, &Silent) => panic!("{stack:?}"),
            alive = tokio::task::spawn_blocking(|| File::open(pipe)) => alive.unwrap().unwrap(),
        };
        let mut said = String::new();
        io::Read::read_to_string(&mut alive, &mut said).unwrap();
        assert_eq!(said, "");
        assert!(StarterLock::take(folder.path(), &clock).await.is_ok());
    }

    #[tokio::test]
    async fn another_stack_is_not_joined() {
        let folder = tempfile::tempdir().unwrap();
        let _alive = SupervisorLock::try_take(folder.path()).unwrap().unwrap();
        let state = StackState {
            phase: StackPhase::Up,
            profile: super::Profile::Deployed,
            overrides: Vec::new(),
            spec_digest: "0".into(),
            supervisor: 1,
            endpoints: Default::default(),
            authority: None,
            incomplete_upload_expiry: None,
            components: Default::default(),
            failure: None,
        };
        state.save(folder.path()).unwrap();
        let error = up(folder.path(), &everything(), &starter("/nonexistent"), &SystemClock::start(), &Silent).await;
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("another stack (profile deployed, 0 overrides) runs in"), "{text}");
        assert!(text.contains("take it down first"), "{text}");
        assert_eq!(status(folder.path()).unwrap(), Some(state));
    }

    #[tokio::test]
    async fn left_overs_of_a_crashed_stack_are_no_stack_and_go() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/minio")).unwrap();
        fs::create_dir_all(folder.path().join("logs")).unwrap();
        let state = StackState {
            phase: StackPhase::Up,
            profile: super::Profile::Fast,
            overrides: Vec::new(),
            spec_digest: "0".into(),
            supervisor: 1,
            endpoints: Default::default(),
            authority: None,
            incomplete_upload_expiry: None,
            components: Default::default(),
            failure: None,
        };
        state.save(folder.path()).unwrap();
        assert_eq!(status(folder.path()).unwrap(), None);
        let clock = SystemClock::start();
        assert!(LocalStack::attach(folder.path(), &clock).await.unwrap().is_none());
        assert_eq!(down(folder.path(), true, &clock).await.unwrap(), Down::LeftOversRemoved);
        assert!(!folder.path().join("data").exists());
        assert!(folder.path().join("logs").exists());
        assert_eq!(down(folder.path(), false, &clock).await.unwrap(), Down::WasNone);
        assert_eq!(down(&folder.path().join("none"), false, &clock).await.unwrap(), Down::WasNone);
    }
}
