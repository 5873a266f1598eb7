use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use harness_core::{
    poll::{Ended, Schedule, Step, until},
    ports::Clock,
};

use super::{
    ClusterState, KindError, PullPolicy, Standing,
    apply::Cluster,
    keys::Keys,
    manifests::{self, Layout},
    mc::PodMc,
    node::on_node,
    readiness, state,
    tools::Tools,
};
use crate::targets::{
    blueprint::{
        ImageError, ImageSource, Made, Maker, Profile, Program, Progress, RUN, Recipe, Reporter, build, make,
        references, versions,
    },
    local::Folders,
};

/// How long the cluster's API may take until it answers.
const API_LIMIT: Duration = Duration::from_secs(60);

/// How long the object store may take until it is ready.
const STORE_LIMIT: Duration = Duration::from_secs(120);

/// How long everything may take until it is ready. Mimir gives up on a store that refuses it after some 85 seconds.
const READY_LIMIT: Duration = Duration::from_secs(240);

/// The file of a node image by which kind gives it a network.
const NETWORK: &str = "default-cni.yaml";

/// A stack in kind as it is wanted.
#[derive(Debug, Clone)]
pub struct KindSpec {
    /// The cluster's name.
    pub name: String,
    /// The stack's timers.
    pub profile: Profile,
    /// Where images come from.
    pub images: ImageSource,
    /// What stands before the names of pulled images.
    pub image_prefix: Option<String>,
    /// When the node asks a registry; what suits the images if none.
    pub pull_policy: Option<PullPolicy>,
    /// The node's image; kind's own if none.
    pub node_image: Option<String>,
    /// This very program, which runs in the cluster as Loki's gateway.
    pub program: PathBuf,
}

/// Makes the cluster `spec.name` if there is none, brings the stack in it about as `spec` wants it, and returns when every workload
/// is available. Run again, it changes what differs; keys stay.
///
/// # Errors
/// [`KindError`]: a tool is missing, a cluster of that name is not ours, or something does not become ready, each with why.
pub async fn up(
    spec: &KindSpec,
    folders: &Folders,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<ClusterState, KindError> {
    let report = Reporter::begin(clock, progress);
    let tools = Tools::find()?;
    let cgroup_v1 = tools.cgroup_version().await? == "1";
    let harness = Recipe::of_harness(&spec.program)?;
    let layout = Layout {
        profile: spec.profile,
        images: references(spec.images, spec.image_prefix.as_deref())?,
        gateway: harness.reference.clone(),
        pull_policy: spec.pull_policy.unwrap_or(match spec.images {
            ImageSource::Built => PullPolicy::Never,
            ImageSource::Pulled => PullPolicy::IfNotPresent,
        }),
    };
    let mut recipes = match spec.images {
        ImageSource::Built => {
            let programs = build(&RUN, &folders.cache, clock, progress).await?;
            RUN.into_iter().filter_map(|program| Recipe::of(program, &programs)).collect()
        }
        ImageSource::Pulled => Vec::new(),
    };
    recipes.push(harness);

    let up =
        Up { spec, folders, tools: &tools, report: &report, images: &layout.images, harness_image: &layout.gateway };
    let (state, made) =
        futures::future::try_join(up.cluster(cgroup_v1), async { Ok(make(&tools.docker, &recipes, &report).await?) })
            .await?;
    up.fill(state, &layout, &made).await
}

/// The work of [`up`], and what all of it needs.
struct Up<'a> {
    spec: &'a KindSpec,
    folders: &'a Folders,
    tools: &'a Tools,
    report: &'a Reporter<'a>,
    images: &'a BTreeMap<Program, String>,
    harness_image: &'a str,
}

impl Up<'_> {
    /// The cluster: the one that was made here, or a new one.
    async fn cluster(&self, cgroup_v1: bool) -> Result<ClusterState, KindError> {
        let name = &self.spec.name;
        let known = ClusterState::load(self.folders)?;
        if let Some(other) = known.as_ref().filter(|known| known.name != *name) {
            return Err(KindError::Another { folder: state::folder(self.folders), name: other.name.clone() });
        }
        let wanted = ClusterState {
            name: name.clone(),
            node: None,
            uid: None,
            profile: self.spec.profile,
            images: self.spec.images,
            harness_image: self.harness_image.to_owned(),
            versions: versions(self.images),
        };
        match (node(self.tools, name).await?, known) {
            (Some(_), None) => return Err(KindError::NotOurs { name: name.clone() }),
            (Some(node), Some(known)) if known.node.as_ref() == Some(&node) => {
                // It may have been stopped, with the machine for example; nothing happens to one that runs.
                self.tools.docker(&["start", &node]).await?;
                self.report.say("cluster", "ready: it was made before");
                if known.harness_image != wanted.harness_image {
                    forget(self.tools, &known.harness_image).await;
                }
                return Ok(ClusterState { node: Some(node), uid: known.uid, ..wanted });
            }
            (Some(_), Some(known)) if known.node.is_some() => return Err(KindError::NotOurs { name: name.clone() }),
            (Some(_), Some(_)) => {
                // The making of it was interrupted.
                self.report.say("cluster", "removing one that was left half made");
                delete(self.tools, name, self.folders).await?;
            }
            (None, _) => {}
        }
        wanted.save(self.folders)?;
        self.create(cgroup_v1).await?;
        let made = ClusterState { node: node(self.tools, name).await?, ..wanted };
        made.save(self.folders)?;
        self.report.say("cluster", "ready");
        Ok(made)
    }

    async fn create(&self, cgroup_v1: bool) -> Result<(), KindError> {
        let own_network = match &self.spec.node_image {
            Some(image) => self.brings_network(image).await?,
            None => false,
        };
        self.report.say("cluster", &format!("kind create cluster {}", self.spec.name));
        let configuration = manifests::cluster(own_network, cgroup_v1)?;
        let kubeconfig = state::kubeconfig(self.folders);
        let kubeconfig = kubeconfig.to_string_lossy();
        let mut arguments =
            vec!["create", "cluster", "--name", &self.spec.name, "--kubeconfig", &kubeconfig, "--config", "-"];
        if let Some(image) = &self.spec.node_image {
            arguments.extend(["--image", image]);
        }
        self.tools.kind(&arguments, Some(&configuration)).await.map(drop)
    }

    /// Whether a node image has a network of its own. One that is not here is pulled.
    async fn brings_network(&self, image: &str) -> Result<bool, KindError> {
        if self.tools.docker(&["image", "inspect", image]).await.is_err() {
            self.report.say("cluster", &format!("pulling {image}"));
            if let Err(error) = self.tools.docker(&["pull", "--quiet", image]).await {
                let said = match error {
                    KindError::Command { said, .. } => said,
                    other => other.to_string(),
                };
                return Err(KindError::NodeImage { image: image.to_owned(), said });
            }
        }
        let list = ["run", "--rm", "--network", "none", "--entrypoint", "/bin/ls", image, "/kind/manifests"];
        Ok(!self.tools.docker(&list).await?.lines().any(|file| file == NETWORK))
    }

    /// Brings the stack about in a cluster that is up.
    async fn fill(&self, state: ClusterState, layout: &Layout, made: &[Made]) -> Result<ClusterState, KindError> {
        let cluster = Cluster::connect(&state::kubeconfig(self.folders)).await?;
        let uid = async || cluster.uid().await.map_err(|error| error.to_string());
        let uid = self.answer("the cluster", API_LIMIT, uid).await?;
        let state = match &state.uid {
            Some(expected) if *expected != uid => {
                return Err(KindError::OtherUid { name: state.name, expected: expected.clone(), found: uid });
            }
            Some(_) => state,
            None => {
                let state = ClusterState { uid: Some(uid), ..state };
                state.save(self.folders)?;
                state
            }
        };

        cluster.apply(&manifests::namespaces()?).await?;
        let keys = Keys::of(&cluster).await?;
        let secrets = keys.values();
        let kept = keys.secrets().iter().map(manifests::ours).collect::<Result<Vec<_>, _>>()?;
        cluster.apply(&kept).await?;
        cluster.apply(&[manifests::authority(&keys.certificates.authority)?]).await?;

        let on_node = self.on_node().await?;
        let missing: Vec<&str> =
            made.iter().filter(|(image, id)| on_node.get(image) != Some(id)).map(|(image, _)| image.as_str()).collect();
        // The store is needed first: while it starts and gets its buckets, the rest is loaded.
        let of_store = layout.images.get(&Program::Minio).map(String::as_str);
        let (first, rest): (Vec<&str>, Vec<&str>) = missing.into_iter().partition(|image| Some(*image) == of_store);
        self.load(&first).await?;
        cluster.apply(&layout.store()?).await?;
        let store = async {
            readiness::wait(&cluster, Some(&["minio"]), STORE_LIMIT, self.report, &secrets).await?;
            self.report.say("buckets", "making buckets, users and policies");
            let mc = PodMc { client: cluster.client.clone() };
            self.answer("the object store", STORE_LIMIT, || mc.ready()).await?;
            let maker = Maker { mc: &mc, credentials: &keys.credentials };
            let expiry = maker.make(&[]).await?;
            maker.make_harness(&keys.harness).await?;
            self.report.say("buckets", "ready");
            Ok::<_, KindError>(expiry)
        };
        let (expiry, ()) = futures::future::try_join(store, self.load(&rest)).await?;

        let mut all = layout.stack()?;
        all.push(manifests::about(&state, expiry.as_deref())?);
        cluster.apply(&all).await?;
        readiness::wait(&cluster, None, READY_LIMIT, self.report, &secrets).await?;
        state.save(self.folders)?;
        Ok(state)
    }

    /// Asks `what` until it answers, for at most `limit`: after a start of the node that takes a while.
    async fn answer<T, F>(
        &self,
        what: &'static str,
        limit: Duration,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, KindError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let look = || {
            let asked = ask();
            async { asked.await.map_or_else(Step::NotYet, Step::Ready) }
        };
        let clock = self.report.clock;
        match until(clock, Schedule::default(), clock.now().after(limit), look).await {
            Ended::Ready(found) => Ok(found),
            Ended::TimedOut(said) | Ended::Never(said) => {
                Err(KindError::Silent { what, seconds: limit.as_secs(), said })
            }
        }
    }

    /// Images that the node has, by reference, with their ids.
    async fn on_node(&self) -> Result<BTreeMap<String, String>, KindError> {
        let node = format!("{}-control-plane", self.spec.name);
        Ok(on_node(&self.tools.docker(&["exec", &node, "crictl", "images", "--output", "json"]).await?))
    }

    async fn load(&self, images: &[&str]) -> Result<(), KindError> {
        for &image in images {
            let what = format!("image {image}");
            self.report.say(&what, "loading into the node");
            let load = ["load", "docker-image", image, "--name", &self.spec.name];
            self.tools.kind(&load, None).await.map_err(|error| match error {
                KindError::Command { said, .. } => KindError::Load { image: image.to_owned(), said },
                other => other,
            })?;
            self.report.say(&what, "ready");
        }
        Ok(())
    }
}

/// The id of the container that is the node of cluster `name`, where there is one.
async fn node(tools: &Tools, name: &str) -> Result<Option<String>, KindError> {
    let label = format!("label=io.x-k8s.kind.cluster={name}");
    let found = tools.docker(&["ps", "--all", "--no-trunc", "--filter", &label, "--format", "{{.ID}}"]).await?;
    Ok(found.lines().next().map(str::to_owned))
}

async fn delete(tools: &Tools, name: &str, folders: &Folders) -> Result<(), KindError> {
    let kubeconfig = state::kubeconfig(folders);
    let arguments = ["delete", "cluster", "--name", name, "--kubeconfig", &kubeconfig.to_string_lossy()];
    tools.kind(&arguments, None).await.map(drop)
}

/// Removes the image of a harness that runs no longer; another build of it has another. That of the servers stay, for the next cluster.
async fn forget(tools: &Tools, image: &str) {
    // Whoever uses it still keeps it, and nobody misses it.
    drop(tools.docker(&["image", "rm", image]).await);
}

/// Makes an image of this harness in Docker, unless it is there; returns its reference. Needs no kind.
///
/// # Errors
/// [`KindError`]: no Docker, or a file that cannot be read.
pub async fn make_image(program: &Path) -> Result<String, KindError> {
    let docker = Tools::docker_alone()?;
    let recipe = Recipe::of_harness(program)?;
    let image = recipe.reference.clone();
    let made = tokio::task::spawn_blocking(move || recipe.made(&docker)).await;
    Ok(made.map_err(|_| ImageError::Thread { image })??)
}

/// Removes the cluster that was made here, and everything that is known about it. Returns its name; `None` where there is none.
///
/// # Errors
/// [`KindError`]: a tool is missing, or another cluster has its name.
pub async fn down(folders: &Folders) -> Result<Option<String>, KindError> {
    let Some(known) = ClusterState::load(folders)? else { return Ok(None) };
    let tools = Tools::find()?;
    tools.cgroup_version().await?;
    match node(&tools, &known.name).await? {
        Some(node) if known.node.as_ref().is_some_and(|known| *known != node) => {
            return Err(KindError::NotOurs { name: known.name });
        }
        Some(_) => delete(&tools, &known.name, folders).await?,
        None => {}
    }
    forget(&tools, &known.harness_image).await;
    ClusterState::clear(folders)?;
    Ok(Some(known.name))
}

/// Where the cluster that was made here is reached, and what is known about it. Asks it nothing.
///
/// # Errors
/// [`KindError::NoCluster`], or a state that cannot be read.
pub fn find(folders: &Folders) -> Result<(PathBuf, ClusterState), KindError> {
    let state = ClusterState::load(folders)?.ok_or(KindError::NoCluster)?;
    Ok((state::kubeconfig(folders), state))
}

/// How every workload of the stack stands.
///
/// # Errors
/// [`KindError::NoCluster`], or why the one that was made here is not to be had.
pub async fn status(folders: &Folders) -> Result<(ClusterState, Vec<Standing>), KindError> {
    let (cluster, state) = join(folders).await?;
    Ok((state, readiness::standings(&cluster).await?))
}

/// The cluster that was made here, when it answers and is the one that it should be.
async fn join(folders: &Folders) -> Result<(Cluster, ClusterState), KindError> {
    let state = ClusterState::load(folders)?.ok_or(KindError::NoCluster)?;
    let cluster = Cluster::connect(&state::kubeconfig(folders)).await?;
    let found = cluster.uid().await?;
    // Without a UID the making of it was interrupted, and there is nothing to join.
    match state.uid.clone().ok_or(KindError::NoCluster)? {
        expected if expected == found => Ok((cluster, state)),
        expected => Err(KindError::OtherUid { name: state.name, expected, found }),
    }
}
