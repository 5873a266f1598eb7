//! The Kubernetes client on a real cluster, with the rights of its grants and no others. Runs where `LGTM_VERIFY_TEST_KUBECONFIG` names
//! the kubeconfig of a cluster that may be broken at will and whose nodes hold `LGTM_VERIFY_TEST_IMAGE` (default `lgtm-verify/test:1`):
//! an image with `/usr/bin/minio`, `/usr/bin/mc`, `/usr/bin/loki` and a `/tmp`. `LGTM_VERIFY_TEST_RESTART_API` may be a shell command
//! that restarts the API server, and `LGTM_VERIFY_TEST_CRDS` folders with the definitions of Flux' kinds (`config/crd/bases` of its
//! controllers), separated as in `PATH`.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use harness_adapters::{
    SystemClock,
    kube::{Access, Cluster, FLUX_NAMESPACE, Forward, GRANTS, Grant, GrantRole, KubeError, STORE_NAMESPACE, Scope},
};
use harness_core::{
    poll::{self, Ended, Schedule, Step},
    ports::{Clock, Component, Lifecycle, Logs, PortError, Stop, StoreKeys, Workloads},
    tree::{Question, Tree, findings_of},
};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        authentication::v1::TokenRequest,
        core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    serde::{Serialize, de::DeserializeOwned},
};
use kube::{
    Api, Client, Config,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams, ValidationDirective,
    },
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinSet,
};

const LIMIT: Duration = Duration::from_secs(90);
const USER: &str = "verifier";

/// A namespace of its own, and accounts that have the rights of roles there.
struct Lab {
    kubeconfig: Kubeconfig,
    client: Client,
    namespace: String,
    image: String,
    folder: TempDir,
    clock: Arc<SystemClock>,
}

impl Lab {
    /// `None`, with a word why, where there is no cluster to try it on.
    async fn open(name: &str) -> Option<Self> {
        let Some(path) = env::var_os("LGTM_VERIFY_TEST_KUBECONFIG") else {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
            {
                eprintln!("skipped: LGTM_VERIFY_TEST_KUBECONFIG names no kubeconfig");
            }
            return None;
        };
        harness_adapters::kube::install_crypto_provider();
        let kubeconfig = Kubeconfig::read_from(PathBuf::from(path)).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await.unwrap();
        let clock = Arc::new(SystemClock::start());
        let namespace = format!("lgtm-verify-test-{name}-{:x}", clock.unix_ns() & 0xff_ffff);
        let lab = Self {
            kubeconfig,
            client: Client::try_from(config).unwrap(),
            image: env::var("LGTM_VERIFY_TEST_IMAGE").unwrap_or_else(|_| "lgtm-verify/test:1".to_owned()),
            folder: tempfile::tempdir().unwrap(),
            namespace,
            clock,
        };
        lab.apply_in_cluster::<Namespace>(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": lab.namespace}
        }))
        .await;
        lab.apply_in_cluster::<Namespace>(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STORE_NAMESPACE}
        }))
        .await;
        Some(lab)
    }

    async fn apply_in_cluster<K>(&self, object: Value)
    where
        K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        apply(&Api::<K>::all(self.client.clone()), object).await;
    }

    async fn apply<K>(&self, namespace: &str, object: Value)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        apply(&Api::<K>::namespaced(self.client.clone(), namespace), object).await;
    }

    /// A client with the rights of those grants, and no others.
    async fn cluster(&self, account: &str, may: impl Fn(&Grant) -> bool) -> Cluster {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), &self.namespace);
        self.apply::<ServiceAccount>(
            &self.namespace,
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}),
        )
        .await;
        let name = format!("{}-{account}", self.namespace);
        let rules = |scopes: &[Scope]| -> Vec<Value> {
            let granted = GRANTS.iter().filter(|grant| scopes.contains(&grant.scope) && may(grant));
            granted
                .map(|grant| {
                    let mut rule =
                        json!({"apiGroups": [grant.group], "resources": [grant.resource], "verbs": grant.verbs});
                    if !grant.names.is_empty() {
                        rule["resourceNames"] = json!(grant.names);
                    }
                    rule
                })
                .collect()
        };
        let subjects = json!([{"kind": "ServiceAccount", "name": account, "namespace": self.namespace}]);
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        for (namespace, scopes) in
            [(self.namespace.as_str(), &[Scope::Both, Scope::Stack][..]), (STORE_NAMESPACE, &[Scope::Both])]
        {
            let rules = rules(scopes);
            self.apply::<Role>(
                namespace,
                json!({"apiVersion": version, "kind": "Role", "metadata": {"name": name}, "rules": rules}),
            )
            .await;
            self.apply::<RoleBinding>(
                namespace,
                json!({
                    "apiVersion": version, "kind": "RoleBinding", "metadata": {"name": name}, "subjects": subjects,
                    "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
                }),
            )
            .await;
        }
        self.apply_in_cluster::<ClusterRole>(json!({
            "apiVersion": version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules(&[Scope::Cluster]),
        }))
        .await;
        self.apply_in_cluster::<ClusterRoleBinding>(json!({
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        }))
        .await;
        let token: TokenRequest = accounts
            .create_subresource("token", account, &PostParams::default(), &json!({"spec": {"audiences": []}}))
            .await
            .unwrap();
        let mut kubeconfig = serde_json::to_value(&self.kubeconfig).unwrap();
        for user in kubeconfig["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token.status.as_ref().unwrap().token});
        }
        let path = self.folder.path().join(account);
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let access = Access { kubeconfig: Some(path), context: None, namespace: self.namespace.clone() };
        Cluster::connect(&access, self.clock.clone()).await.unwrap()
    }

    /// A client with the rights of whoever made the cluster: those of an account go with its namespace.
    async fn owner(&self) -> Cluster {
        let path = self.folder.path().join("owner");
        std::fs::write(&path, serde_json::to_string(&self.kubeconfig).unwrap()).unwrap();
        let access = Access { kubeconfig: Some(path), context: None, namespace: self.namespace.clone() };
        Cluster::connect(&access, self.clock.clone()).await.unwrap()
    }

    /// A client with every right that it makes use of.
    async fn verifier(&self) -> Cluster {
        self.cluster(USER, |_| true).await
    }

    async fn secret(&self, name: &str, data: Value) {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.apply::<Secret>(&self.namespace, object).await;
    }

    async fn read_secret(&self, name: &str) -> BTreeMap<String, String> {
        let secret = Api::<Secret>::namespaced(self.client.clone(), &self.namespace).get(name).await.unwrap();
        let text = |value: k8s_openapi::ByteString| String::from_utf8(value.0).unwrap();
        secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, text(value))).collect()
    }

    /// A Deployment of one pod with these labels, whose spec is laid over the ordinary one.
    async fn deployment(&self, name: &str, labels: Value, spec: Value) {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": 1, "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {"test": name}},
                "template": {"metadata": {"labels": with(labels, json!({"test": name}))}, "spec": spec},
            },
        });
        self.apply::<Deployment>(&self.namespace, object).await;
    }

    /// MinIO in the place of a component: something that answers, and ends when it is told to.
    async fn stand_in(&self, program: &str) {
        let container = json!({
            "name": program, "image": self.image, "imagePullPolicy": "Never",
            "command": ["/usr/bin/minio", "server", "/tmp/data"],
            "env": [{"name": "HOME", "value": "/tmp"}],
            "ports": [{"name": "http-metrics", "containerPort": 9000}],
            "readinessProbe": {"httpGet": {"path": "/minio/health/live", "port": 9000}, "periodSeconds": 1},
        });
        self.deployment(program, json!({"app.kubernetes.io/name": program}), json!({"containers": [container]})).await;
        let ports = json!([{"port": 3200, "targetPort": "http-metrics"}]);
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": program},
            "spec": {"selector": {"app.kubernetes.io/name": program}, "ports": ports},
        });
        self.apply::<Service>(&self.namespace, service).await;
    }

    async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let deadline = self.clock.now().after(LIMIT);
        let ended = poll::until(self.clock.as_ref(), Schedule::default(), deadline, || {
            let looked = look();
            async { looked.await.map_or_else(|| Step::NotYet(String::new()), Step::Ready) }
        });
        match ended.await {
            Ended::Ready(value) => value,
            _ => panic!("{what}: not after {LIMIT:?}"),
        }
    }

    /// Removes what was made; a test that fails leaves it to be looked at.
    async fn close(self) {
        let background = DeleteParams::background();
        let account = |account: &str| format!("{}-{account}", self.namespace);
        for name in [account(USER), account("observer"), account("nobody")] {
            let _ = Api::<ClusterRole>::all(self.client.clone()).delete(&name, &background).await;
            let _ = Api::<ClusterRoleBinding>::all(self.client.clone()).delete(&name, &background).await;
            let store = |client: Client| Api::<Role>::namespaced(client, STORE_NAMESPACE);
            let _ = store(self.client.clone()).delete(&name, &background).await;
            let store = |client: Client| Api::<RoleBinding>::namespaced(client, STORE_NAMESPACE);
            let _ = store(self.client.clone()).delete(&name, &background).await;
        }
        Api::<Namespace>::all(self.client.clone()).delete(&self.namespace, &background).await.unwrap();
    }
}

async fn apply<K>(api: &Api<K>, object: Value)
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
}

fn with(mut labels: Value, others: Value) -> Value {
    labels.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    labels
}

fn url(forward: &Forward) -> String {
    format!("http://{}/minio/health/live", forward.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_carries_many_at_once_and_outlives_its_pod() {
    let Some(lab) = Lab::open("forward").await else { return };
    let cluster = lab.verifier().await;
    lab.stand_in("tempo").await;
    cluster.start(Component::Tempo).await.unwrap();

    let absent = cluster.forward_service(&lab.namespace, "tempo", 1).await.err().unwrap().to_string();
    assert_eq!(absent, format!("service {}/tempo:1: it has no such port; it has: 3200", lab.namespace));
    let absent = cluster.forward_service(&lab.namespace, "none", 1).await.err().unwrap().to_string();
    assert_eq!(absent, format!("get services {}/none: it does not exist", lab.namespace));

    let forward = Arc::new(cluster.forward_service(&lab.namespace, "tempo", 3200).await.unwrap());
    // With connections that are kept and used again.
    let client = reqwest::Client::new();
    for round in 0..3 {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let request = client.get(url(&forward));
            requests.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
        assert_eq!(requests.join_all().await, [200; 50], "round {round}");
    }
    assert_eq!(forward.trouble(), None);

    // A pod that goes takes its connections with it, and no more than those.
    let mut open = TcpStream::connect(forward.address()).await.unwrap();
    open.write_all(b"GET /minio/health/live HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let proof = cluster.replace(Component::Tempo, Stop::Graceful).await.unwrap();
    assert!(proof.after.is_some() && proof.before != proof.after);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, open.read_to_end(&mut answer)).await.unwrap();
    assert!(read.is_err() || answer.is_empty(), "{answer:?}");
    let again = || async { client.get(url(&forward)).send().await.ok().filter(|answer| answer.status() == 200) };
    lab.until("an answer of the other pod", again).await;

    if let Ok(restart) = env::var("LGTM_VERIFY_TEST_RESTART_API") {
        assert!(Command::new("sh").args(["-c", &restart]).status().await.unwrap().success());
        let client = reqwest::Client::new();
        let again = || async { client.get(url(&forward)).send().await.ok().filter(|answer| answer.status() == 200) };
        lab.until("an answer after the API server was restarted", again).await;
        lab.until("an API server that knows its roles", || async { cluster.workload(Component::Tempo).await.ok() })
            .await;
    }

    cluster.stop(Component::Tempo, Stop::Kill).await.unwrap();
    assert!(client.get(url(&forward)).send().await.is_err());
    let trouble = forward.trouble().unwrap();
    let name = &lab.namespace;
    assert_eq!(trouble, format!("service {name}/tempo:3200 has no ready pod (app.kubernetes.io/name=tempo)"));

    let address = forward.address();
    drop(forward);
    lab.until("a closed listener", || async { TcpStream::connect(address).await.is_err().then_some(()) }).await;
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_stopped_started_and_replaced_with_proof() {
    let Some(lab) = Lab::open("lifecycle").await else { return };
    let cluster = lab.verifier().await;
    lab.stand_in("tempo").await;
    let first = cluster.start(Component::Tempo).await.unwrap();
    assert_eq!(cluster.failure(Component::Tempo).await, None);

    let mut seen: BTreeSet<Option<String>> = BTreeSet::from([first.after.clone()]);
    let mut last = first.after;
    for how in [Stop::Graceful, Stop::Kill] {
        let proof = cluster.replace(Component::Tempo, how).await.unwrap();
        assert_eq!((proof.component, &proof.before), (Component::Tempo, &last), "{how:?}");
        assert!(proof.after.is_some() && seen.insert(proof.after.clone()), "{how:?}: {proof:?}");
        assert_eq!(proof.exit.as_deref(), Some("tempo: Completed, exit code 0"), "{how:?}");
        let ready = cluster.start(Component::Tempo).await.unwrap();
        assert_eq!((&ready.before, &ready.after), (&proof.after, &proof.after));
        last = ready.after;
    }

    for how in [Stop::Graceful, Stop::Kill] {
        let proof = cluster.stop(Component::Tempo, how).await.unwrap();
        assert_eq!((&proof.before, &proof.after), (&last, &None), "{how:?}");
        assert_eq!(proof.exit.as_deref(), Some("tempo: Completed, exit code 0"), "{how:?}");
        let workload = cluster.workload(Component::Tempo).await.unwrap();
        assert_eq!((workload.replicas, workload.pods.len()), (0, 0));
        assert_eq!(
            cluster.failure(Component::Tempo).await.unwrap(),
            format!("Deployment/{}/tempo has no pod (0 replicas declared)", lab.namespace)
        );
        let refused = cluster.replace(Component::Tempo, how).await.unwrap_err();
        assert!(refused.to_string().contains("none of its pods runs (0 replicas declared)"), "{refused}");
        let started = cluster.start(Component::Tempo).await.unwrap();
        assert!(started.before.is_none() && seen.insert(started.after.clone()), "{how:?}: {started:?}");
        last = started.after;
    }

    // What a killed run left stopped is started by the next, what is declared so is not.
    assert_eq!(cluster.restore().await.unwrap(), Vec::<String>::new());
    cluster.stop(Component::Tempo, Stop::Graceful).await.unwrap();
    let next = lab.verifier().await;
    let done = next.restore().await.unwrap();
    assert_eq!(done, [format!("started Deployment/{}/tempo, which had been scaled down", lab.namespace)]);
    next.start(Component::Tempo).await.unwrap();
    let declared = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let deployments = Api::<Deployment>::namespaced(lab.client.clone(), &lab.namespace);
    deployments.patch("tempo", &PatchParams::default(), &declared).await.unwrap();
    assert_eq!(next.restore().await.unwrap(), Vec::<String>::new());
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_wrong_and_given_back() {
    let Some(lab) = Lab::open("keys").await else { return };
    let cluster = lab.verifier().await;
    let own =
        json!({"S3_ACCESS_KEY_ID": "tempo", "S3_SECRET_ACCESS_KEY": "own-key-of-tempo", "S3_BUCKET": "tempo-traces"});
    for name in ["tempo-s3-secret", "loki-s3-secret", "mimir-s3-secret"] {
        lab.secret(name, own.clone()).await;
    }
    let before = lab.read_secret("tempo-s3-secret").await;
    lab.stand_in("tempo").await;
    let running = cluster.start(Component::Tempo).await.unwrap();

    cluster.rekey(Component::Tempo, StoreKeys::Wrong).await.unwrap();
    let wrong = lab.read_secret("tempo-s3-secret").await;
    assert_ne!(wrong["S3_SECRET_ACCESS_KEY"], "own-key-of-tempo");
    assert_eq!(wrong["own.S3_SECRET_ACCESS_KEY"], "own-key-of-tempo");
    assert_eq!(wrong["S3_BUCKET"], "tempo-traces");
    cluster.rekey(Component::Tempo, StoreKeys::Wrong).await.unwrap();
    assert_eq!(lab.read_secret("tempo-s3-secret").await, wrong);
    assert_eq!(lab.read_secret("loki-s3-secret").await, before);
    for _ in 0..2 {
        cluster.rekey(Component::Tempo, StoreKeys::Own).await.unwrap();
        assert_eq!(lab.read_secret("tempo-s3-secret").await, before);
    }

    // A run that is killed in between leaves it to the next.
    cluster.rekey(Component::Tempo, StoreKeys::Wrong).await.unwrap();
    drop(cluster);
    let next = lab.verifier().await;
    let done = next.restore().await.unwrap();
    assert_eq!(done, ["gave tempo its own key to the store back", "replaced tempo, which may have had the wrong key"]);
    assert_eq!(lab.read_secret("tempo-s3-secret").await, before);
    assert_ne!(next.start(Component::Tempo).await.unwrap().after, running.after);
    assert_eq!(next.restore().await.unwrap(), Vec::<String>::new());
    let refused = next.rekey(Component::Minio, StoreKeys::Wrong).await.unwrap_err();
    assert!(refused.to_string().contains("no keys to another store"), "{refused}");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_does_not_start_says_why() {
    let Some(lab) = Lab::open("crash").await else { return };
    let cluster = lab.verifier().await.redacting(["no-such-store".to_owned()]);
    let store = json!({
        "name": "store", "image": lab.image, "imagePullPolicy": "Never",
        "command": ["/usr/bin/mc", "--config-dir", "/tmp", "ls", "no-such-store/bucket"],
    });
    let mimir = json!({
        "name": "mimir", "image": lab.image, "imagePullPolicy": "Never", "command": ["/usr/bin/minio", "--version"],
        "resources": {"limits": {"memory": "1.5Gi"}},
    });
    let spec = json!({"initContainers": [store], "containers": [mimir]});
    lab.deployment("mimir", json!({"app.kubernetes.io/name": "mimir"}), spec).await;

    let crashed = || async {
        let workload = cluster.workload(Component::Mimir).await.unwrap();
        let store = workload.pods.first()?.containers.first()?;
        // `CrashLoopBackOff` is there for moments only: nodes tell the last end for most of the time.
        (store.restarts > 1 && store.ended.is_some()).then_some(workload)
    };
    let workload = lab.until("a crash loop", crashed).await;
    assert_eq!((workload.name.as_str(), workload.replicas), (&*format!("Deployment/{}/mimir", lab.namespace), 1));
    let [pod] = &workload.pods[..] else { panic!("{workload:?}") };
    assert!(!pod.ready && !pod.ending && pod.unscheduled.is_none());
    let [store, mimir] = &pod.containers[..] else { panic!("{pod:?}") };
    assert!(store.init && store.restarts > 0 && !mimir.init);
    assert_eq!(store.ended.as_ref().unwrap().exit_code, 1);
    assert_eq!(mimir.memory_limit, Some(1_610_612_736));

    let failure = cluster.failure(Component::Mimir).await.unwrap();
    let first = failure.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("pod {}/{} is Pending; init container store", lab.namespace, pod.name)),
        "{first}"
    );
    assert!(first.contains("; ended: Error, exit code 1; started again "), "{first}");
    assert!(failure.contains("\nmc: <ERROR>") && failure.contains("[redacted]"), "{failure}");
    assert!(!failure.contains("no-such-store"), "{failure}");

    let problems = cluster.problems(Component::Mimir, 10).await;
    assert!(!problems.is_empty());
    for problem in &problems {
        assert!(problem.text.starts_with("mc: <ERROR>") && problem.text.contains("[redacted]"), "{problem:?}");
    }
    assert_eq!(cluster.problems(Component::Mimir, 1).await.len(), 1);
    let events = cluster.events(Component::Mimir).await.unwrap();
    assert!(events[0].starts_with("Normal Scheduled: "), "{events:?}");
    assert!(events.iter().any(|event| event.starts_with("Warning BackOff: ")), "{events:?}");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_being_removed_is_refused() {
    let Some(lab) = Lab::open("ending").await else { return };
    let owner = lab.owner().await;
    owner.refuse_ending().await.unwrap();
    let held = |finalizers: Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": finalizers}
        })
    };
    lab.apply::<ConfigMap>(&lab.namespace, held(json!(["lgtm-verify.test/held"]))).await;
    Api::<Namespace>::all(lab.client.clone()).delete(&lab.namespace, &DeleteParams::background()).await.unwrap();
    let refused = || async {
        let refused = owner.refuse_ending().await.unwrap_err().to_string();
        refused.contains("lgtm-verify.test/held").then_some(refused)
    };
    let refused = lab.until("the word of what holds the namespace", refused).await;
    assert!(refused.starts_with(&format!("namespace {} is being removed: ", lab.namespace)), "{refused}");
    lab.apply::<ConfigMap>(&lab.namespace, held(json!([]))).await;
    let gone = || async { owner.refuse_ending().await.err().filter(|error| error.to_string().ends_with("not exist")) };
    lab.until("the namespace's end", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named() {
    let Some(lab) = Lab::open("rights").await else { return };
    let verifier = lab.verifier().await;
    let observer = lab.cluster("observer", |grant| grant.role == GrantRole::Observer).await;
    let nobody = lab.cluster("nobody", |_| false).await;
    lab.secret("tempo-s3-secret", json!({"S3_SECRET_ACCESS_KEY": "own"})).await;
    lab.stand_in("tempo").await;
    verifier.start(Component::Tempo).await.unwrap();

    let denied = |error: PortError| match error {
        PortError::Denied { target, reason } => (target, reason),
        other => panic!("another error: {other}"),
    };
    let (target, reason) = denied(observer.stop(Component::Tempo, Stop::Graceful).await.unwrap_err());
    assert_eq!(target, format!("patch deployments/scale {}/tempo", lab.namespace));
    assert!(reason.contains("cannot patch resource \"deployments/scale\""), "{reason}");
    let (target, _) = denied(observer.replace(Component::Tempo, Stop::Kill).await.unwrap_err());
    assert!(target.starts_with(&format!("delete pods {}/tempo-", lab.namespace)), "{target}");
    let (target, _) = denied(observer.rekey(Component::Tempo, StoreKeys::Wrong).await.unwrap_err());
    assert_eq!(target, format!("get secrets {}/tempo-s3-secret", lab.namespace));
    let (target, _) = denied(nobody.workload(Component::Tempo).await.unwrap_err());
    assert!(target.starts_with("list "), "{target}");
    let (target, _) = denied(nobody.uid().await.unwrap_err().into());
    assert_eq!(target, "get namespaces kube-system");
    let (target, _) = denied(nobody.refuse_ending().await.unwrap_err().into());
    assert_eq!(target, format!("get namespaces {}", lab.namespace));

    // An observer sees everything there is to see.
    let workload = observer.workload(Component::Tempo).await.unwrap();
    assert!(workload.pods[0].ready);
    assert_eq!(observer.uid().await.unwrap().len(), 36);
    observer.refuse_ending().await.unwrap();
    let used = || async { observer.working_set(Component::Tempo).await.unwrap().pop() };
    let (pod, bytes) = lab.until("the kubelet's word of memory", used).await;
    assert_eq!(pod, workload.pods[0].name);
    assert!((1 << 20..1 << 34).contains(&bytes), "{bytes}");
    let images = observer.images(Component::Tempo).await.unwrap();
    assert_eq!((images[0].declared.as_str(), images.len()), (lab.image.as_str(), 1));
    assert!(images[0].resolved.contains("sha256:"), "{images:?}");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lgtm-verify-stack"}, "data": {"profile": "fast"}
    });
    lab.apply::<ConfigMap>(&lab.namespace, map).await;
    assert_eq!(observer.config_map("lgtm-verify-stack").await.unwrap()["profile"], "fast");
    lab.secret("lgtm-verify-s3-secret", json!({"S3_BUCKET": "x"})).await;
    assert_eq!(observer.secret("lgtm-verify-s3-secret").await.unwrap()["S3_BUCKET"], "x");
    assert!(matches!(observer.secret("tempo-s3-secret").await, Err(KubeError::Denied { .. })));
    let forward = observer.forward_service(&lab.namespace, "tempo", 3200).await.unwrap();
    assert_eq!(reqwest::Client::new().get(url(&forward)).send().await.unwrap().status(), 200);
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loki_is_told_apart_by_what_it_says_of_itself() {
    let Some(lab) = Lab::open("finder").await else { return };
    let cluster = lab.verifier().await;
    let configuration = "
auth_enabled: false
server: {http_listen_port: 3100}
common: {path_prefix: /tmp/loki, compactor_address: http://127.0.0.1:3100, replication_factor: 1, ring: {kvstore: {store: inmemory}}, storage: {filesystem: {chunks_directory: /tmp/c, rules_directory: /tmp/r}}}
schema_config: {configs: [{from: 2024-04-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: i, period: 24h}}]}
";
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "loki"}, "data": {"loki.yaml": configuration}
    });
    lab.apply::<ConfigMap>(&lab.namespace, map).await;
    // Names that lie.
    for (name, target) in [("loki-read", "write"), ("loki-write", "read")] {
        let loki = json!({
            "name": "loki", "image": lab.image, "imagePullPolicy": "Never",
            "command": ["/usr/bin/loki", "-config.file=/etc/loki/loki.yaml", format!("-target={target}")],
            "ports": [{"name": "http-metrics", "containerPort": 3100}],
            "volumeMounts": [{"name": "configuration", "mountPath": "/etc/loki"}],
        });
        let volume = json!({"name": "configuration", "configMap": {"name": "loki"}});
        let spec = json!({"containers": [loki], "volumes": [volume]});
        lab.deployment(name, json!({"app.kubernetes.io/name": "loki"}), spec).await;
    }
    let found = || async { cluster.workload(Component::LokiWrite).await.ok() };
    let write = lab.until("Loki's word that it is the write path", found).await;
    assert_eq!(write.name, format!("Deployment/{}/loki-read", lab.namespace));
    let found = || async { cluster.workload(Component::LokiRead).await.ok() };
    let read = lab.until("Loki's word that it is the read path", found).await;
    assert_eq!(read.name, format!("Deployment/{}/loki-write", lab.namespace));

    let absent = cluster.workload(Component::LokiBackend).await.unwrap_err().to_string();
    assert!(absent.contains("looked for pod labels app.kubernetes.io/name=loki"), "{absent}");
    assert!(absent.contains("or without the latter a pod whose /config says so"), "{absent}");
    assert!(
        absent.contains(&format!("Deployment/{}/loki-read (app.kubernetes.io/name=loki)", lab.namespace)),
        "{absent}"
    );

    // Once stopped there is nobody to ask, and it is known all the same.
    let proof = cluster.stop(Component::LokiWrite, Stop::Kill).await.unwrap();
    assert!(proof.exit.as_ref().is_some_and(|exit| exit.starts_with("loki: ")), "{proof:?}");
    assert_eq!(cluster.workload(Component::LokiWrite).await.unwrap().replicas, 0);

    for name in ["one", "two"] {
        let spec = json!({"containers": [{"name": "x", "image": lab.image, "imagePullPolicy": "Never", "command": ["/none"]}]});
        lab.deployment(name, json!({"app.kubernetes.io/name": "tempo"}), spec).await;
    }
    let several = cluster.workload(Component::Tempo).await.unwrap_err().to_string();
    for name in ["one", "two"] {
        assert!(several.contains(&format!("Deployment/{}/{name} (", lab.namespace)), "{several}");
    }
    lab.close().await;
}

/// The definitions of Flux' kinds, from the folders that `LGTM_VERIFY_TEST_CRDS` names, and Flux' own namespace. `None` where none are named.
async fn with_flux(lab: &Lab) -> Option<()> {
    let folders = env::var_os("LGTM_VERIFY_TEST_CRDS")?;
    let files = env::split_paths(&folders).flat_map(|folder| std::fs::read_dir(folder).unwrap());
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let definition: Value = serde_saphyr::from_str(&text).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let definitions = Api::<CustomResourceDefinition>::all(lab.client.clone());
        apply(&definitions, definition).await;
        let established = || async {
            let conditions = definitions.get(&name).await.ok()?.status?.conditions?;
            conditions
                .iter()
                .any(|condition| condition.type_ == "Established" && condition.status == "True")
                .then_some(())
        };
        lab.until(&name, established).await;
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FLUX_NAMESPACE}});
    lab.apply_in_cluster::<Namespace>(namespace).await;
    Some(())
}

/// Every object of the tree that Flux would apply, in the namespace of the test where it is in the stack's, and its kind's place in the API.
fn of_the_tree(lab: &Lab) -> Vec<(Value, ApiResource)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../kubernetes/apps");
    let (mut folders, mut objects) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for document in std::fs::read_to_string(&path).unwrap().split("\n---\n") {
                let mut object: Value = serde_saphyr::from_str(document).unwrap();
                let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
                if version.starts_with("kustomize.config.k8s.io/") {
                    continue;
                }
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
                if object["metadata"]["namespace"] == "monitoring" {
                    object["metadata"]["namespace"] = json!(lab.namespace);
                }
                // Flux takes this away as it decrypts.
                object.as_object_mut().unwrap().remove("sops");
                objects.push((object, resource));
            }
        }
    }
    objects
}

fn api_of(lab: &Lab, object: &Value, resource: &ApiResource) -> Api<DynamicObject> {
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(lab.client.clone(), namespace, resource),
        None => Api::all_with(lab.client.clone(), resource),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_the_tree_is_taken_by_an_api_server() {
    let Some(lab) = Lab::open("tree").await else { return };
    if with_flux(&lab).await.is_some() {
        let objects = of_the_tree(&lab);
        assert_eq!(objects.len(), 22);
        let strictly = PatchParams {
            dry_run: true,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply("test").force()
        };
        for (object, resource) in &objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            let taken = api_of(&lab, object, resource).patch(name, &strictly, &Patch::Apply(object)).await;
            assert!(taken.is_ok(), "{} {name}: {taken:?}", object["kind"]);
        }
        let (release, resource) = objects.iter().find(|(object, _)| object["kind"] == "HelmRelease").unwrap();
        let mut unknown = release.clone();
        unknown["spec"]["chartReference"] = json!({});
        let name = unknown["metadata"]["name"].as_str().unwrap();
        let refused = api_of(&lab, &unknown, resource).patch(name, &strictly, &Patch::Apply(&unknown)).await;
        assert!(refused.unwrap_err().to_string().contains("chartReference"));
    }
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flux_says_of_its_objects_is_read_and_what_stands_in_the_way_is_named() {
    let Some(lab) = Lab::open("flux").await else { return };
    if with_flux(&lab).await.is_none() {
        return lab.close().await;
    }
    let of_flux = ["Kustomization", "HelmRelease", "OCIRepository"];
    let objects: Vec<_> = of_the_tree(&lab)
        .into_iter()
        .filter(|(object, _)| of_flux.contains(&object["kind"].as_str().unwrap()))
        .collect();
    let ready = |object: &Value, generation: i64| {
        let (tag, kind) = (&object["spec"]["ref"]["tag"], object["kind"].as_str().unwrap());
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Test", "message": "told by a test",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let mut status = json!({"observedGeneration": generation, "conditions": [ready]});
        match kind {
            "Kustomization" => {
                status["lastAppliedRevision"] = json!("main@sha1:1");
                status["lastAttemptedRevision"] = json!("main@sha1:1");
            }
            "OCIRepository" => {
                status["artifact"] = json!({
                    "revision": format!("{}@sha256:1", tag.as_str().unwrap()), "digest": format!("sha256:{}", "1".repeat(64)),
                    "path": "a", "url": "http://a", "lastUpdateTime": "2026-01-01T00:00:00Z",
                });
            }
            _ => {}
        }
        status
    };
    let mut tags = BTreeMap::new();
    for (object, _) in objects.iter().filter(|(object, _)| object["kind"] == "OCIRepository") {
        tags.insert(object["metadata"]["name"].as_str().unwrap().to_owned(), object["spec"]["ref"]["tag"].clone());
    }
    for (object, resource) in &objects {
        let (api, name) = (api_of(&lab, object, resource), object["metadata"]["name"].as_str().unwrap());
        let made = api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
        let mut status = ready(object, made.metadata.generation.unwrap());
        if object["kind"] == "HelmRelease" {
            status["history"] = json!([{
                "chartName": name, "chartVersion": tags[name], "configDigest": "sha256:1", "digest": "sha256:1",
                "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z", "name": name,
                "namespace": lab.namespace, "status": "deployed", "version": 1,
            }]);
        }
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await.unwrap();
    }
    let cluster = lab.owner().await;
    let broken = |tree: &Tree, question| -> Vec<String> {
        findings_of(tree, question)
            .into_iter()
            .filter(|(_, found)| !found.is_empty())
            .map(|(rule, _)| rule.to_owned())
            .collect()
    };
    let tree = cluster.flux().await.unwrap();
    for question in [Question::Ready, Question::ChartSource, Question::Depends] {
        assert_eq!(broken(&tree, question), Vec::<String>::new(), "{:?}", findings_of(&tree, question));
    }
    let (release, resource) = objects
        .iter()
        .find(|(object, _)| object["kind"] == "HelmRelease" && object["metadata"]["name"] == "tempo")
        .unwrap();
    let releases = api_of(&lab, release, resource);
    // A new generation that nobody has looked at yet, then one that failed.
    let changed = Patch::Merge(json!({"spec": {"interval": "2h"}}));
    releases.patch("tempo", &PatchParams::default(), &changed).await.unwrap();
    assert_eq!(broken(&cluster.flux().await.unwrap(), Question::Ready), ["generation"]);
    let failed = json!([{
        "type": "Ready", "status": "False", "reason": "Test", "message": "no such chart", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let failed = Patch::Merge(json!({"status": {"observedGeneration": 2, "conditions": failed}}));
    releases.patch_status("tempo", &PatchParams::default(), &failed).await.unwrap();
    let found = findings_of(&cluster.flux().await.unwrap(), Question::Ready);
    assert_eq!(found["ready"], [format!("HelmRelease {}/tempo status: not ready: \"no such chart\"", lab.namespace)]);
    // Nobody is refused by name.
    let denied = lab.cluster("nobody", |_| false).await.flux().await.unwrap_err().to_string();
    assert!(denied.starts_with("not allowed to list kustomizations flux-system: "), "{denied}");
    for (object, resource) in objects.iter().filter(|(object, _)| object["kind"] == "Kustomization") {
        let name = object["metadata"]["name"].as_str().unwrap();
        api_of(&lab, object, resource).delete(name, &DeleteParams::default()).await.unwrap();
    }
    lab.close().await;
}
