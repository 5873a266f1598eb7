use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use harness_core::{
    poll::{Ended, Step, until},
    ports::{
        Clock, Component, Cost, Lifecycle, LogLine, Logs, Meter, PortError, ProcessProof, Stop, StoreKeys, Usage,
        Workload, Workloads, Written,
    },
};
use testcontainers::{
    ContainerAsync, ContainerRequest, GenericImage, ImageExt,
    bollard::models::{ContainerState, HostConfig, Mount, MountType},
    core::IntoContainerPort,
    runners::AsyncRunner,
};
use tokio::{
    sync::{Mutex as Turn, MutexGuard as Taken, Semaphore},
    task::{JoinError, JoinHandle},
};

use super::{
    ContainersError, ContainersSpec,
    engine::{Engine, SCHEDULE, labels},
    layout::{CONFIGURATION, DATA, Layout, Wanted},
    mc::ContainerMc,
    owner::{self, Begun, Owner},
};
use crate::{
    SystemClock, causes, meter,
    targets::{
        blueprint::{
            Asker, Credentials, ImageSource, KeyPair, Maker, Ports, PortsError, Profile, Program, Progress, READINESS,
            Recipe, Reporter, Role, Socket, Upstream, Upstreams, build, in_path, is_problem, last, listen, make, needs,
            redact, references, serve_grpc, serve_http, versions, whose_keys,
        },
        local::{Failure, Folders},
    },
};

/// How long a component may take until it is ready. Mimir gives up on a store that refuses it after some 85 seconds.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// How long a component may take to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// How long a killed container may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// How long Docker may take to make and start a container.
const CREATE_LIMIT: Duration = Duration::from_secs(120);

/// How often a container that found its ports taken is given others.
const OTHER_PORTS: usize = 3;

/// Lines of its log that tell how a component failed.
const FAILURE_LINES: usize = 20;

/// Who runs in a container: root without a single capability, so that files are its own whatever the image says.
const USER: &str = "0:0";

/// More than what a stack asks of Docker at the same time.
const AT_ONCE: u32 = 64;

/// A running stack of containers. Dropped, it is removed: containers, their data and their network. Dropping blocks for the second or two
/// that this takes, and needs a runtime with more than one thread.
pub struct ContainersStack {
    inner: Arc<Inner>,
    owner: Owner,
    roles: BTreeMap<Role, String>,
    versions: BTreeMap<String, String>,
    incomplete_upload_expiry: Option<String>,
    gateway: Vec<JoinHandle<()>>,
}

struct Inner {
    engine: Engine,
    clock: Arc<dyn Clock>,
    asker: Asker,
    layout: Layout,
    credentials: Credentials,
    ports: Mutex<Ports>,
    /// One after the other, each component by itself.
    members: BTreeMap<Component, Turn<Member>>,
    /// What Docker has been asked to make, and has not answered yet.
    asked: Arc<Semaphore>,
}

/// A component of the stack.
#[derive(Debug, Default)]
struct Member {
    container: Option<ContainerAsync<GenericImage>>,
    /// The container that it ran in last.
    last: Option<String>,
    /// The secret that it signs in with instead of its own.
    wrong: Option<KeyPair>,
    /// Its container was made with other keys.
    stale: bool,
    /// Somebody asked it to end, so its end is no failure.
    stopping: bool,
    /// Why it never became ready.
    failure: Option<Failure>,
}

/// A lock whose data stays whole whoever panicked with it: every change under it is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ContainersStack {
    /// Makes a stack as `spec` wants it, and returns when every component is ready or has failed; which failed, [`Lifecycle::failure`]
    /// says. Removes first what runs that were killed have left.
    ///
    /// # Errors
    /// [`ContainersError`]: no Docker, no image, no object store. Nothing is left then.
    pub async fn up(
        spec: &ContainersSpec,
        folders: &Folders,
        clock: Arc<dyn Clock>,
        progress: &dyn Progress,
    ) -> Result<Self, ContainersError> {
        let report = Reporter::begin(&*clock, progress);
        let (engine, _) = Engine::connect().await?;
        let layout = Layout {
            run: String::new(),
            spec: spec.clone(),
            images: references(spec.images, spec.image_prefix.as_deref())?,
        };
        let credentials = Credentials::random()?;
        let components = spec.selection.components();
        // Everything that can be wrong with a wish is found before anything starts.
        for &component in &components {
            layout.wanted(component, credentials.of(component))?;
        }
        images(spec, &layout.images, &engine, folders, &report).await?;
        let Begun { owner, dead } = owner::begin(&folders.stack.join("containers"), &*clock).await?;
        for dead in dead {
            match engine.clear(&dead.name, &*clock).await {
                Ok(()) => {
                    report.say("left-overs", &format!("ready: removed those of {}", dead.name));
                    dead.forget();
                }
                // It is tried again by the next run, and stands in nobody's way.
                Err(error) => report.say("left-overs", &causes(&error)),
            }
        }
        let inner = Inner {
            engine,
            asker: Asker::trusting(None)?,
            layout: Layout { run: owner.name.clone(), ..layout },
            credentials,
            ports: Mutex::new(Ports::find(&components, spec.design_ports, false)?),
            members: components.iter().map(|&component| (component, Turn::default())).collect(),
            asked: Arc::new(Semaphore::new(AT_ONCE as usize)),
            clock: Arc::clone(&clock),
        };
        let mut stack = Self {
            versions: versions(&inner.layout.images)
                .into_iter()
                .filter(|(name, _)| components.iter().any(|component| component.name() == name))
                .collect(),
            inner: Arc::new(inner),
            owner,
            roles: BTreeMap::new(),
            incomplete_upload_expiry: None,
            gateway: Vec::new(),
        };
        // From here on, whatever ends this drops the stack, which removes what there is of it.
        stack.bring_up(&components, &report).await?;
        Ok(stack)
    }

    /// Network, store, buckets, then everything else at once.
    async fn bring_up(&mut self, components: &[Component], report: &Reporter<'_>) -> Result<(), ContainersError> {
        let inner = Arc::clone(&self.inner);
        let network = Arc::clone(&inner);
        let made = inner.unbroken(async move { network.engine.make_network(&network.layout.run).await }).await;
        made.map_err(|error| ended(&inner.layout.run, &error))??;
        inner.bring_up(Component::Minio, report).await?;
        if let Some(failure) = inner.turn(Component::Minio).await.and_then(|mut member| member.failure.take()) {
            return Err(ContainersError::Store(failure));
        }
        let mc = ContainerMc { engine: &inner.engine, container: &inner.layout.name(Component::Minio) };
        let maker = Maker { mc: &mc, credentials: &inner.credentials };
        self.incomplete_upload_expiry = maker.make(&inner.layout.spec.overrides).await?;
        report.say("buckets", "ready");
        let others = components.iter().filter(|component| **component != Component::Minio);
        for come in join_all(others.map(|component| inner.bring_up(*component, report))).await {
            come?;
        }
        self.roles = lock(&inner.ports).endpoints();
        if inner.layout.spec.selection.loki {
            self.open_gateway()?;
        }
        Ok(())
    }

    fn open_gateway(&mut self) -> Result<(), ContainersError> {
        let upstreams: Arc<dyn Upstreams> = Arc::new(LokiContainers(lock(&self.inner.ports).clone()));
        for (role, port) in [(Role::Loki, 3100), (Role::LokiGrpc, 9095)] {
            let taken = |source| PortsError::Taken { port, owner: role.name().to_owned(), source };
            let listener = listen(self.inner.layout.spec.design_ports.then_some(port), role.name())?;
            let address = listener.local_addr().map_err(taken)?;
            listener.set_nonblocking(true).map_err(taken)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(taken)?;
            let upstreams = Arc::clone(&upstreams);
            self.gateway.push(match role {
                Role::Loki => tokio::spawn(serve_http(listener, upstreams)),
                _ => tokio::spawn(serve_grpc(listener, upstreams)),
            });
            self.roles.insert(role, format!("http://{address}"));
        }
        Ok(())
    }

    /// The URL for `role`, where the stack has it.
    pub fn endpoint(&self, role: Role) -> Option<&str> {
        self.roles.get(&role).map(String::as_str)
    }

    /// Where each component tells of itself: base URLs of their own HTTP servers.
    pub fn admin(&self) -> BTreeMap<Component, String> {
        let ports = lock(&self.inner.ports);
        self.inner.members.keys().map(|&component| (component, ports.admin(component))).collect()
    }

    /// The stack's timers.
    pub fn profile(&self) -> Profile {
        self.inner.layout.spec.profile
    }

    /// Component to version: the tag of its image.
    pub fn versions(&self) -> &BTreeMap<String, String> {
        &self.versions
    }

    /// How long the object store keeps incomplete uploads, as it says itself.
    pub fn incomplete_upload_expiry(&self) -> Option<&str> {
        self.incomplete_upload_expiry.as_deref()
    }

    /// The keys that `component` was started with, which an override may have made another component's; the object store's own for
    /// [`Component::Minio`].
    pub fn keys(&self, component: Component) -> &KeyPair {
        self.inner.own_keys(component)
    }

    /// Every value of its keys that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.inner.credentials.secrets()
    }

    /// The name of the network, with which the name of every container begins.
    pub fn name(&self) -> &str {
        &self.owner.name
    }
}

impl Drop for ContainersStack {
    fn drop(&mut self) {
        self.gateway.iter().for_each(JoinHandle::abort);
        let inner = Arc::clone(&self.inner);
        // On a thread of its own, since whoever drops may be a task that must not block its runtime from within.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.is_ok_and(|runtime| runtime.block_on(inner.end()))
        });
        // What is not gone is left to the next run, which finds the file.
        if gone.join().is_ok_and(|gone| gone) {
            self.owner.forget();
        }
    }
}

/// Sees to it that Docker has every image.
async fn images(
    spec: &ContainersSpec,
    references: &BTreeMap<Program, String>,
    engine: &Engine,
    folders: &Folders,
    report: &Reporter<'_>,
) -> Result<(), ContainersError> {
    // The store's client is in the store's image.
    let wanted: Vec<Program> =
        spec.selection.programs().into_iter().filter(|program| *program != Program::Mc).collect();
    if spec.images == ImageSource::Built {
        let docker = in_path("docker", "its client makes images of the built servers: install Docker's client")?;
        let programs = build(&spec.selection.programs(), &folders.cache, report.clock, report.progress).await?;
        let recipes: Vec<Recipe> = wanted.iter().filter_map(|program| Recipe::of(*program, &programs)).collect();
        make(&docker, &recipes, report).await?;
    }
    for image in wanted.iter().filter_map(|program| references.get(program)) {
        if engine.has_image(image).await? {
            continue;
        }
        let missing = |said| ContainersError::NoImage { image: image.clone(), source_of_images: spec.images, said };
        if spec.images == ImageSource::Built {
            return Err(missing("it was made, but in another Docker".to_owned()));
        }
        let what = format!("image {image}");
        report.say(&what, "pulling");
        engine.pull(image).await.map_err(missing)?;
        report.say(&what, "ready: in docker");
    }
    Ok(())
}

fn ended(what: &str, error: &JoinError) -> ContainersError {
    ContainersError::Docker { what: format!("make {what}"), said: error.to_string() }
}

impl Inner {
    /// Does to its end what would otherwise leave something that nobody knows of when it is given up in the middle.
    fn unbroken<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let asked = Arc::clone(&self.asked);
        tokio::spawn(async move {
            // Closed by nobody.
            let _asked = asked.acquire_owned().await;
            work.await
        })
    }

    /// Removes everything, once nothing more is being made; whether it is gone.
    async fn end(&self) -> bool {
        // A clock of this thread's runtime.
        let clock = SystemClock::start();
        drop(self.asked.acquire_many(AT_ONCE).await);
        let containers = self.members.values().filter_map(|member| member.try_lock().ok()?.container.take());
        // Those that testcontainers could not remove are among what is cleared.
        join_all(containers.map(ContainerAsync::rm)).await;
        self.engine.clear(&self.layout.run, &clock).await.is_ok()
    }

    async fn turn(&self, component: Component) -> Option<Taken<'_, Member>> {
        Some(self.members.get(&component)?.lock().await)
    }

    fn own_keys(&self, component: Component) -> &KeyPair {
        self.credentials.of(whose_keys(component, &self.layout.spec.overrides))
    }

    /// Starts `component` for the first time, and returns when it is ready or has failed.
    async fn bring_up(&self, component: Component, report: &Reporter<'_>) -> Result<(), ContainersError> {
        let Some(mut member) = self.turn(component).await else { return Ok(()) };
        let what = format!("start {component}");
        for attempt in 1.. {
            match self.create(component, &mut member).await {
                Ok(()) => break,
                Err(ContainersError::Docker { said, .. }) if is_taken(&said) && attempt < OTHER_PORTS => {
                    lock(&self.ports).replace(component)?;
                }
                Err(error) => return Err(error),
            }
        }
        report.say(&what, "started");
        drop(member);
        self.wait_ready(component).await;
        let failure = self.turn(component).await.and_then(|member| member.failure.as_ref().map(Failure::to_string));
        report.say(&what, &failure.map_or_else(|| "ready".to_owned(), |failure| format!("failed: {failure}")));
        Ok(())
    }

    /// Makes and starts the container of `component`; whether it becomes ready is another question.
    async fn create(&self, component: Component, member: &mut Member) -> Result<(), ContainersError> {
        let keys = member.wrong.as_ref().unwrap_or_else(|| self.own_keys(component));
        let wanted = self.layout.wanted(component, keys)?;
        let name = wanted.name.clone();
        let request = request(&self.layout.run, component, wanted, &lock(&self.ports));
        let failed = |said: String| ContainersError::Docker { what: format!("start container {name}"), said };
        let started = self.unbroken(request.start()).await.map_err(|error| ended(&name, &error))?;
        match started {
            Ok(container) => {
                *member = Member {
                    last: Some(container.id().to_owned()),
                    container: Some(container),
                    wrong: member.wrong.take(),
                    ..Member::default()
                };
                Ok(())
            }
            Err(error) => {
                // One that was made and would not start is nobody's.
                let _ = self.engine.remove(&name).await;
                Err(failed(redact(&causes(&error), self.credentials.secrets())))
            }
        }
    }

    /// Waits until `component` says that it is ready, has ended, or has had its time; what there is to say of it stands in its member.
    async fn wait_ready(&self, component: Component) {
        let Some(id) = self.turn(component).await.and_then(|member| member.last.clone()) else { return };
        let url = lock(&self.ports).readiness(component);
        let ready = until(&*self.clock, READINESS, self.clock.now().after(READY_LIMIT), || async {
            if self.asker.answers(&url).await {
                return Step::Ready(());
            }
            match self.engine.state(&id).await {
                Ok(state) if state.running != Some(true) => Step::Never(how_it_ended(&state)),
                Ok(_) => match needs(component) {
                    Some(needed) if self.has_failed(needed).await => {
                        Step::Never(format!("not ready: it waits for {needed}, which failed"))
                    }
                    _ => Step::NotYet(format!("not ready after {} seconds", READY_LIMIT.as_secs())),
                },
                Err(error) => Step::NotYet(causes(&error)),
            }
        });
        let failure = match ready.await {
            Ended::Ready(()) => None,
            Ended::TimedOut(how) | Ended::Never(how) => Some(self.failure(how, &id).await),
        };
        if let Some(mut member) = self.turn(component).await {
            member.failure = failure;
        }
    }

    async fn has_failed(&self, component: Component) -> bool {
        self.turn(component).await.is_some_and(|member| member.failure.is_some())
    }

    async fn failure(&self, how: String, id: &str) -> Failure {
        let lines = last(self.engine.log(id).await, FAILURE_LINES);
        Failure { how, last_lines: lines.iter().map(|line| redact(line, self.credentials.secrets())).collect() }
    }

    /// How the container of `component` stands, where it runs.
    async fn running(&self, member: &Member) -> Result<Option<String>, ContainersError> {
        let Some(container) = &member.container else { return Ok(None) };
        let state = self.engine.state(container.id()).await?;
        Ok((state.running == Some(true)).then(|| container.id().to_owned()))
    }

    /// Stops what runs; how it ended.
    async fn stop(&self, component: Component, id: &str, how: Stop) -> Result<String, String> {
        self.engine.signal(id, how).await.map_err(|error| causes(&error))?;
        let limit = match how {
            Stop::Graceful => STOP_LIMIT,
            Stop::Kill => KILL_LIMIT,
        };
        let gone = until(&*self.clock, SCHEDULE, self.clock.now().after(limit), || async {
            match self.engine.state(id).await {
                Ok(state) if state.running == Some(true) => Step::NotYet(String::new()),
                Ok(state) => Step::Ready(how_it_ended(&state)),
                Err(error) => Step::NotYet(format!(": {}", causes(&error))),
            }
        });
        match gone.await {
            Ended::Ready(exit) => Ok(exit),
            Ended::TimedOut(said) | Ended::Never(said) => {
                Err(format!("{component} (container {id}) did not end within {} s{said}", limit.as_secs()))
            }
        }
    }

    /// Removes the container of `component`, which does not run, and what is in it.
    async fn discard(&self, member: &mut Member) -> Result<(), String> {
        match member.container.take() {
            Some(container) => container.rm().await.map_err(|error| causes(&error)),
            None => Ok(()),
        }
    }

    /// Starts `component`, in the container that it has or in a new one.
    async fn launch(&self, component: Component, member: &mut Member) -> Result<(), String> {
        if let Some(id) = self.running(member).await.map_err(|error| causes(&error))? {
            return Err(format!("{component} runs already as container {id}"));
        }
        if member.stale {
            self.discard(member).await?;
        }
        match &member.container {
            Some(container) => {
                container.start().await.map_err(|error| causes(&error))?;
                member.failure = None;
                member.stopping = false;
                Ok(())
            }
            None => self.create(component, member).await.map_err(|error| causes(&error)),
        }
    }

    async fn member(&self, component: Component) -> Result<Taken<'_, Member>, PortError> {
        let refused = || PortError::Refused {
            target: component.name().to_owned(),
            reason: "it is not part of this stack".to_owned(),
        };
        self.turn(component).await.ok_or_else(refused)
    }
}

fn refused(component: Component) -> impl Fn(String) -> PortError {
    move |reason| PortError::Refused { target: component.name().to_owned(), reason }
}

/// Whether Docker refused to start a container because of a port that another process has.
fn is_taken(said: &str) -> bool {
    said.contains("address already in use") || said.contains("port is already allocated")
}

/// `exit code 137`, and that it had used up its memory where it had.
fn how_it_ended(state: &ContainerState) -> String {
    let code = state.exit_code.map_or_else(|| "ended".to_owned(), |code| format!("exit code {code}"));
    let memory = if state.oom_killed == Some(true) { " (out of memory)" } else { "" };
    let error = state.error.as_deref().filter(|error| !error.is_empty()).map(|error| format!(": {error}"));
    format!("{code}{memory}{}", error.unwrap_or_default())
}

fn request(run: &str, component: Component, wanted: Wanted, ports: &Ports) -> ContainerRequest<GenericImage> {
    let (name, tag) = wanted.image.rsplit_once(':').unwrap_or((&wanted.image, "latest"));
    let mut request = GenericImage::new(name, tag)
        .with_cmd(wanted.arguments)
        .with_container_name(wanted.name)
        // By this name it is known in Loki's rings: another container of the component takes its place.
        .with_hostname(component.name())
        .with_network(run)
        .with_labels(labels(run))
        .with_label("app.kubernetes.io/name", Program::of(component).name())
        .with_label("app.kubernetes.io/component", component.name())
        .with_user(USER)
        .with_cap_drop("ALL")
        .with_security_opt("no-new-privileges")
        .with_startup_timeout(CREATE_LIMIT)
        .with_host_config_modifier(move |config| restrict(config, wanted.memory));
    for (socket, inside) in wanted.sockets {
        request = request.with_mapped_port(ports.of(component, socket), inside.tcp());
    }
    for (name, value) in wanted.environment {
        request = request.with_env_var(name, value);
    }
    if let Some(text) = wanted.configuration {
        request = request.with_copy_to(CONFIGURATION, text.into_bytes());
    }
    request
}

/// Has a container use at most `memory` bytes, keep its data in a place of its own, and be reached at the loopback address alone.
fn restrict(config: &mut HostConfig, memory: u64) {
    let memory = i64::try_from(memory).unwrap_or(i64::MAX);
    config.memory = Some(memory);
    // As in Kubernetes, nothing is swapped.
    config.memory_swap = Some(memory);
    // Servers expect the folder of their data to be there. A volume without a name goes with its container.
    let data = Mount { target: Some(DATA.to_owned()), typ: Some(MountType::VOLUME), ..Mount::default() };
    config.mounts.get_or_insert_default().push(data);
    for binding in config.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()).flatten().flatten() {
        binding.host_ip = Some("127.0.0.1".to_owned());
    }
}

#[async_trait]
impl Lifecycle for ContainersStack {
    fn is_at_hand(&self) -> bool {
        true
    }

    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        let mut member = self.inner.member(component).await?;
        let running = self.inner.running(&member).await.map_err(|error| refused(component)(causes(&error)))?;
        let id = running.ok_or_else(|| refused(component)("it does not run".to_owned()))?;
        member.stopping = true;
        let exit = self.inner.stop(component, &id, how).await.map_err(refused(component))?;
        Ok(ProcessProof { component, before: Some(id), after: None, exit: Some(exit) })
    }

    /// The same container, unless its state was wiped or its keys were changed: then another in its place, with nothing in it.
    async fn start(&self, component: Component) -> Result<ProcessProof, PortError> {
        let mut member = self.inner.member(component).await?;
        let before = member.last.clone();
        self.inner.launch(component, &mut member).await.map_err(refused(component))?;
        let after = member.last.clone();
        drop(member);
        self.inner.wait_ready(component).await;
        match self.inner.member(component).await?.failure.as_ref() {
            None => Ok(ProcessProof { component, before, after, exit: None }),
            Some(failure) => Err(refused(component)(format!("it did not become ready: {failure}"))),
        }
    }

    /// Removes the container: the next start makes another of the same name and address.
    async fn wipe(&self, component: Component) -> Result<(), PortError> {
        let refused = refused(component);
        if component == Component::Minio {
            return Err(refused("the object store's data is the stack's".to_owned()));
        }
        let mut member = self.inner.member(component).await?;
        if let Some(id) = self.inner.running(&member).await.map_err(|error| refused(causes(&error)))? {
            return Err(refused(format!("it runs as container {id}: stop it before its data goes")));
        }
        self.inner.discard(&mut member).await.map_err(refused)
    }

    async fn replace(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        let stopped = self.stop(component, how).await?;
        self.wipe(component).await?;
        let mut member = self.inner.member(component).await?;
        self.inner.launch(component, &mut member).await.map_err(refused(component))?;
        Ok(ProcessProof { after: member.last.clone(), ..stopped })
    }

    /// From the next start on, which makes another container: what is in the present one goes with it.
    async fn rekey(&self, component: Component, keys: StoreKeys) -> Result<(), PortError> {
        let refused = refused(component);
        if component == Component::Minio {
            return Err(refused("its keys are the store's own".to_owned()));
        }
        let mut member = self.inner.member(component).await?;
        member.wrong = match keys {
            StoreKeys::Own => None,
            StoreKeys::Wrong => {
                let wrong = KeyPair::random("wrong").map_err(|error| refused(causes(&error)))?;
                Some(KeyPair { access_key_id: self.inner.own_keys(component).access_key_id.clone(), ..wrong })
            }
        };
        member.stale = true;
        Ok(())
    }

    async fn failure(&self, component: Component) -> Option<String> {
        let member = self.inner.turn(component).await?;
        if let Some(failure) = &member.failure {
            return Some(failure.to_string());
        }
        let Some(id) = member.container.as_ref().map(|container| container.id().to_owned()) else {
            return Some("it has no container".to_owned());
        };
        match self.inner.engine.state(&id).await {
            Err(error) => Some(causes(&error)),
            Ok(state) if state.running == Some(true) => {
                let url = lock(&self.inner.ports).readiness(component);
                (!self.inner.asker.answers(&url).await).then(|| "not ready".to_owned())
            }
            Ok(state) if member.stopping => Some(format!("stopped: {}", how_it_ended(&state))),
            Ok(state) => Some(self.inner.failure(how_it_ended(&state), &id).await.to_string()),
        }
    }
}

#[async_trait]
impl Workloads for ContainersStack {
    async fn workload(&self, _: Component) -> Result<Workload, PortError> {
        Err(no_orchestrator())
    }

    async fn working_set(&self, _: Component) -> Result<Vec<(String, u64)>, PortError> {
        Err(no_orchestrator())
    }

    async fn written(&self, _: Component) -> Result<Vec<Written>, PortError> {
        let reason = "what Docker keeps of its containers is not read".to_owned();
        Err(PortError::Unsupported { reason })
    }

    async fn events(&self, _: Component) -> Result<Vec<String>, PortError> {
        Err(no_orchestrator())
    }
}

#[async_trait]
impl Meter for ContainersStack {
    async fn usage(&self, component: Component) -> Result<Vec<Usage>, PortError> {
        let told =
            |error: ContainersError| PortError::Unreachable { target: component.to_string(), reason: causes(&error) };
        let container = self.inner.turn(component).await.and_then(|member| member.last.clone());
        let Some(id) = container else { return Ok(Vec::new()) };
        let state = self.inner.engine.state(&id).await.map_err(told)?;
        // A container that was started again is another process.
        let Some(pid) = state.pid.filter(|_| state.running == Some(true)) else { return Ok(Vec::new()) };
        let memory = self.inner.engine.working_set(&id).await.map_err(told)?;
        Ok(vec![Usage { process: format!("container {id}, pid {pid}"), memory, is_peak: false }])
    }

    /// Docker tells nobody what a volume holds without adding up all of its others, so what is in it is read.
    async fn folder(&self, component: Component) -> Result<u64, PortError> {
        let container = self.inner.turn(component).await.and_then(|member| member.last.clone());
        let Some(id) = container else { return Ok(0) };
        self.inner.engine.size(&id, DATA).await.map_err(|error| PortError::Unreachable {
            target: format!("the local folder of {component}"),
            reason: causes(&error),
        })
    }

    fn own(&self) -> Option<Cost> {
        meter::own()
    }
}

fn no_orchestrator() -> PortError {
    PortError::Unsupported { reason: "containers of Docker alone have no orchestrator".to_owned() }
}

#[async_trait]
impl Logs for ContainersStack {
    async fn problems(&self, component: Component, limit: usize) -> Vec<LogLine> {
        let Some(id) = self.inner.turn(component).await.and_then(|member| member.last.clone()) else {
            return Vec::new();
        };
        let lines = self.inner.engine.log(&id).await;
        let problems = lines.into_iter().filter(|line| is_problem(line)).collect();
        last(problems, limit)
            .into_iter()
            .map(|line| LogLine { component, text: redact(&line, self.inner.credentials.secrets()) })
            .collect()
    }
}

/// Where Loki's containers are reached.
struct LokiContainers(Ports);

impl Upstreams for LokiContainers {
    fn http(&self, upstream: Upstream) -> String {
        let component = match upstream {
            Upstream::Write => Component::LokiWrite,
            Upstream::Backend => Component::LokiBackend,
            Upstream::Read => Component::LokiRead,
        };
        self.0.address(component, Socket::Http).to_string()
    }

    fn write_grpc(&self) -> String {
        self.0.address(Component::LokiWrite, Socket::Grpc).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use testcontainers::bollard::models::PortBinding;

    use super::*;

    #[test]
    fn how_a_container_ended_is_said() {
        let state = |code, oom_killed, error: &str| ContainerState {
            exit_code: code,
            oom_killed: Some(oom_killed),
            error: Some(error.to_owned()),
            ..ContainerState::default()
        };
        let table = [
            (state(Some(0), false, ""), "exit code 0"),
            (state(Some(137), true, ""), "exit code 137 (out of memory)"),
            (state(Some(127), false, "no such file"), "exit code 127: no such file"),
            (ContainerState::default(), "ended"),
        ];
        for (state, text) in table {
            assert_eq!(how_it_ended(&state), text);
        }
    }

    #[test]
    fn a_taken_port_is_told_from_other_refusals() {
        assert!(is_taken("Bind for 127.0.0.1:20000 failed: port is already allocated"));
        assert!(is_taken("listen tcp4 127.0.0.1:20000: bind: address already in use"));
        assert!(!is_taken("no such image"));
    }

    #[test]
    fn containers_are_reached_at_the_loopback_address_alone_and_never_swap() {
        let binding = |port: &str| PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
        let mut config = HostConfig {
            port_bindings: Some(HashMap::from([
                ("3200/tcp".to_owned(), Some(vec![binding("20000")])),
                ("4317/tcp".to_owned(), Some(vec![binding("20001")])),
            ])),
            ..HostConfig::default()
        };
        restrict(&mut config, 1 << 30);
        assert_eq!((config.memory, config.memory_swap), (Some(1 << 30), Some(1 << 30)));
        for bindings in config.port_bindings.unwrap().into_values() {
            let addresses: Vec<_> = bindings.unwrap().into_iter().map(|binding| binding.host_ip.unwrap()).collect();
            assert_eq!(addresses, ["127.0.0.1"]);
        }
    }
}
