//! A stack in a Kubernetes cluster, and the ports through which a run reaches it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use harness_adapters::{
    Identity, RuntimeTasks, causes,
    clients::ClientPrograms,
    interfaces::StackInterfaces,
    kube::{Access, Cluster, KubeError},
    s3::S3,
    stack::{StackPush, StackQuery},
    targets::{
        cluster::{ClusterStack, Doors, Facts, NAMESPACE},
        kind::{self, KindError},
        local::Folders,
    },
};
use harness_core::{
    catalogue::Target,
    ports::{Clock, PortError, Ports},
    record::Redactor,
};

use super::{
    CliError,
    endpoints::{EndpointOverride, REGION, reached, rows},
    session::Session,
};

/// Where a pod of ours finds the stack's own word about itself and the store's authority.
const POD_FOLDER: &str = "/etc/lgtm-verify";

/// Where Kubernetes puts a pod's token, if it gives it one.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What a cluster target is told.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// [`Target::Kind`] or [`Target::Cluster`].
    pub target: Target,
    /// From where the cluster is reached.
    pub from: From,
    /// The namespace of the stack.
    pub namespace: String,
    /// Addresses used instead of the stack's own.
    pub endpoints: Vec<EndpointOverride>,
    /// Where programs that send are kept once they are built; `None` where none can be.
    pub cache: Option<PathBuf>,
    /// The certificate that servers that ask for one are shown.
    pub identity: Option<Identity>,
}

/// From where a cluster is reached.
#[derive(Debug, Clone)]
pub enum From {
    /// From outside, by a kubeconfig: through port-forwards.
    Outside {
        /// The file.
        kubeconfig: PathBuf,
        /// One of its contexts; its current one if none is given.
        context: Option<String>,
        /// UIDs of the clusters that may be written to.
        allowed: BTreeSet<String>,
    },
    /// From a pod of the cluster: through Services. That it was put there is the permission to write.
    Inside,
}

impl ClusterOptions {
    /// The stack in the kind cluster that was made here, which may be written to.
    ///
    /// # Errors
    /// [`CliError::SetUp`]: none was made, or it did not come up.
    pub fn of_kind(folders: &Folders, endpoints: Vec<EndpointOverride>) -> Result<Self, CliError> {
        let refused = |error: KindError| CliError::SetUp(format!("{}; `make kind-up` makes one", causes(&error)));
        let (kubeconfig, state) = kind::find(folders).map_err(refused)?;
        let allowed = state.uid.into_iter().collect();
        let from = From::Outside { kubeconfig, context: None, allowed };
        Ok(Self {
            target: Target::Kind,
            from,
            namespace: NAMESPACE.to_owned(),
            endpoints,
            cache: Some(folders.cache.clone()),
            identity: None,
        })
    }
}

/// Whether what a killed run has broken is mended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOvers {
    /// For a run that drives the stack.
    Mended,
    /// For who only reads, perhaps beside a run.
    Left,
}

/// Reaches the stack in a cluster that may be written to. Nothing is written before that is known.
pub(super) async fn open(
    options: &ClusterOptions,
    left_overs: LeftOvers,
    clients: ClientPrograms,
    clock: Arc<dyn Clock>,
) -> Result<Session, CliError> {
    let refused = |error: &dyn std::error::Error| CliError::SetUp(causes(error));
    let (facts, doors, cluster) = match &options.from {
        From::Outside { kubeconfig, context, allowed } => {
            let access = Access {
                kubeconfig: Some(kubeconfig.clone()),
                context: context.clone(),
                namespace: options.namespace.clone(),
            };
            let cluster = Cluster::connect(&access, Arc::clone(&clock)).await.map_err(|error| refused(&error))?;
            let uid = cluster.uid().await.map_err(|error| refused(&error))?;
            if !allowed.contains(&uid) {
                return Err(not_allowed(cluster.server(), &uid));
            }
            cluster.refuse_ending().await.map_err(|error| refused(&error))?;
            let facts = Facts::of_cluster(&cluster).await.map_err(|error| refused(&error))?;
            let doors = Doors::outside(&cluster, &facts.store).await.map_err(|error| refused(&error))?;
            (facts, doors, Some(cluster))
        }
        From::Inside => {
            let environment = |name: &str| std::env::var(name).ok();
            let facts = Facts::of_pod(environment, Path::new(POD_FOLDER)).map_err(|error| refused(&error))?;
            let doors = Doors::inside(&options.namespace, &facts.store);
            let access = Access { kubeconfig: None, context: None, namespace: options.namespace.clone() };
            let cluster = match Path::new(TOKEN).exists() {
                true => Some(Cluster::connect(&access, Arc::clone(&clock)).await.map_err(|error| refused(&error))?),
                false => None,
            };
            (facts, doors, cluster)
        }
    };
    if let Some(cluster) = cluster.as_ref().filter(|_| left_overs == LeftOvers::Mended) {
        // What a killed run left behind. Who may break nothing has nothing to mend.
        match cluster.restore().await {
            Ok(_) | Err(KubeError::Denied { .. }) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    let cluster = cluster.map(|cluster| cluster.redacting(facts.secrets.clone()));
    let stack = Arc::new(ClusterStack::new(cluster, doors));
    let redactor = Redactor::new(facts.secrets.iter().map(String::as_str));
    let (profile, versions) = (facts.profile.clone(), facts.versions.clone());
    let ports = ports(options, facts, stack, clients, clock).map_err(|error| refused(&error))?;
    Ok(Session { profile, versions, redactor, ports })
}

fn not_allowed(server: &str, uid: &str) -> CliError {
    CliError::SetUp(format!(
        "the cluster at {server} (UID {uid}) is not on the list of those that may be written to; \
         if it is the right one: --allow-cluster {uid}"
    ))
}

fn ports(
    options: &ClusterOptions,
    facts: Facts,
    stack: Arc<ClusterStack>,
    clients: ClientPrograms,
    clock: Arc<dyn Clock>,
) -> Result<Ports, PortError> {
    let doors = stack.doors();
    let own = |role| doors.roles.get(&role).cloned();
    let (endpoints, store) = reached(&options.endpoints, own, doors.admin.clone());
    let rows = rows(&endpoints, &store, &options.endpoints, &doors.names);
    let query = StackQuery::new(&endpoints, facts.authority.as_ref(), rows.clone(), Arc::clone(&clock))?;
    let store = S3::new(&store, REGION, facts.authority.as_ref(), facts.keys)?
        .read_by(&clients)
        .keeping_incomplete_uploads(facts.incomplete_upload_expiry);
    let push = StackPush::new(&endpoints, facts.authority.as_ref(), clients, Arc::clone(&clock))?;
    let interfaces = StackInterfaces::new(rows, facts.authority.as_ref(), Arc::clone(&clock))?
        .recognised_by(options.identity.clone());
    Ok(Ports {
        push: Arc::new(push),
        query: Arc::new(query),
        interfaces: Arc::new(interfaces),
        deployment: Arc::clone(&stack) as _,
        objects: Arc::new(store),
        lifecycle: Arc::clone(&stack) as _,
        workloads: Arc::clone(&stack) as _,
        meter: Arc::clone(&stack) as _,
        logs: stack,
        clock,
        tasks: Arc::new(RuntimeTasks::of_this_runtime()?),
    })
}
