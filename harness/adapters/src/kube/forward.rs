use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness_core::{
    poll::{self, Ended, Schedule, Step},
    ports::{Clock, Tick},
};
use k8s_openapi::{
    api::core::v1::{Pod, Service},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{api::Portforwarder, core::Selector};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{
    Call, KubeError, pods,
    server::{Server, call},
};
use crate::{causes, proxy::accept};

/// How long a pod is looked for that could take a connection. What the stack lacks for longer its client has to see.
const POD_LIMIT: Duration = Duration::from_secs(3);

/// How long an API server that does not answer is waited for: it is the harness' own way to the stack, and no part of it.
const SERVER_LIMIT: Duration = Duration::from_secs(20);

/// The first look after a tenth of a second, then less and less often.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(100), share: 0.5 };

/// An address of the loopback interface that leads to a pod, as long as this lives. Each connection gets a port-forward of its own
/// to a pod that is ready at the time, so a pod may go and another come. Nothing that a client sent is ever sent again: once bytes
/// may have reached a pod, what breaks the way there breaks the client's connection.
pub struct Forward {
    address: SocketAddr,
    trouble: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

/// Where connections go.
pub(super) enum Target {
    /// To a ready pod of a Service.
    Service { namespace: String, name: String, port: u16 },
    /// To one pod, ready or not.
    Pod { namespace: String, name: String, port: u16 },
}

/// One open way into a pod.
struct Way {
    forwarder: Portforwarder,
    port: u16,
}

struct Route {
    server: Server,
    clock: Arc<dyn Clock>,
    target: Target,
    trouble: Arc<Mutex<Option<String>>>,
    /// Whether it was ever allowed to open a way. An API server that has just started denies what it allows a second later, when it
    /// has read its roles.
    allowed: AtomicBool,
}

impl Forward {
    /// Listens, and passes connections on until it is dropped, which ends them too.
    pub(super) async fn listen(server: Server, clock: Arc<dyn Clock>, target: Target) -> Result<Self, KubeError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(KubeError::Listen)?;
        let address = listener.local_addr().map_err(KubeError::Listen)?;
        let trouble = Arc::new(Mutex::new(None));
        let route =
            Arc::new(Route { server, clock, target, trouble: Arc::clone(&trouble), allowed: AtomicBool::new(false) });
        Ok(Self { address, trouble, task: tokio::spawn(serve(listener, route)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why the latest connection that found no way or lost it did so: its client only saw it close.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, route: Arc<Route>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            stream = accept(&listener) => {
                let Some(stream) = stream else { continue };
                let route = Arc::clone(&route);
                connections.spawn(async move {
                    if let Err(trouble) = route.carry(stream).await {
                        *route.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
                    }
                });
            }
        }
    }
}

impl Route {
    async fn carry(&self, mut client: TcpStream) -> Result<(), String> {
        let Way { mut forwarder, port } = self.open().await?;
        let ends = forwarder.take_stream(port).zip(forwarder.take_error(port));
        let (mut pod, error) = ends.ok_or_else(|| format!("no stream of port {port}"))?;
        let outcome = tokio::select! {
            // The client sees for itself how its connection ended.
            _ = copy_bidirectional(&mut client, &mut pod) => Ok(()),
            // The pod's node could not reach the port, or not any more.
            Some(reason) = error => Err(reason),
        };
        forwarder.abort();
        outcome
    }

    /// A way into a pod, looked for again while there is none: the only place where a port-forward is tried twice.
    async fn open(&self) -> Result<Way, String> {
        let clock = self.clock.as_ref();
        let begun = clock.now();
        let ended = poll::until(clock, SCHEDULE, begun.after(SERVER_LIMIT), || async {
            match self.attempt().await {
                Ok(way) => Step::Ready(way),
                Err(error) if self.gives_up(&error, begun) => Step::Never(causes(&error)),
                Err(error) => Step::NotYet(causes(&error)),
            }
        });
        match ended.await {
            Ended::Ready(way) => {
                self.allowed.store(true, Ordering::Relaxed);
                Ok(way)
            }
            Ended::Never(reason) | Ended::TimedOut(reason) => Err(reason),
        }
    }

    fn gives_up(&self, error: &KubeError, begun: Tick) -> bool {
        match error {
            KubeError::Denied { .. } => !self.allowed.load(Ordering::Relaxed),
            KubeError::Service { .. } | KubeError::Malformed { .. } => true,
            error => !error.is_unreachable() && self.clock.now() >= begun.after(POD_LIMIT),
        }
    }

    async fn attempt(&self) -> Result<Way, KubeError> {
        let (namespace, pod, port) = match &self.target {
            Target::Pod { namespace, name, port } => (namespace, name.clone(), *port),
            Target::Service { namespace, name, port } => {
                let (pod, port) = behind(&self.server, namespace, name, *port).await?;
                (namespace, pod, port)
            }
        };
        let call = Call { verb: "create", resource: "pods/portforward", ..call::<Pod>("create", namespace, &pod) };
        let forwarder = self.server.ask(call, self.server.api::<Pod>(namespace).portforward(&pod, &[port])).await?;
        Ok(Way { forwarder, port })
    }
}

/// A ready pod behind a Service's port, and the pod's port. Needs `get` of services and `list` of pods.
pub(super) async fn behind(
    server: &Server,
    namespace: &str,
    name: &str,
    port: u16,
) -> Result<(String, u16), KubeError> {
    let service: Service = server.get(namespace, name).await?;
    let full = format!("{namespace}/{name}:{port}");
    let (selector, target) = way_of(&service, &full, port)?;
    let found = server.pods(namespace, &selector).await?;
    let pod = found
        .items
        .iter()
        .find(|pod| pods::ready(pod) && !pods::ending(pod))
        .ok_or_else(|| KubeError::NoReadyPod { service: full.clone(), selector: selector.to_string() })?;
    let port = match target {
        IntOrString::Int(port) => u16::try_from(port).ok(),
        IntOrString::String(name) => pods::named_port(pod, &name),
    };
    let port = port.ok_or_else(|| KubeError::Service {
        service: full,
        reason: format!("pod {} has no port of its target's name", pods::name(pod)),
    })?;
    Ok((pods::name(pod).to_owned(), port))
}

/// How a Service selects its pods, and which of their ports its `port` leads to.
fn way_of(service: &Service, full: &str, port: u16) -> Result<(Selector, IntOrString), KubeError> {
    let refuse = |reason: String| KubeError::Service { service: full.to_owned(), reason };
    let spec = service.spec.as_ref().ok_or_else(|| refuse("it declares nothing".to_owned()))?;
    let selector = spec
        .selector
        .clone()
        .filter(|selector| !selector.is_empty())
        .ok_or_else(|| refuse("it selects no pods".to_owned()))?;
    let ports = spec.ports.as_deref().unwrap_or_default();
    let found = ports.iter().find(|candidate| candidate.port == i32::from(port)).ok_or_else(|| {
        let known: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
        refuse(format!("it has no such port; it has: {}", known.join(", ")))
    })?;
    let target = found.target_port.clone().unwrap_or(IntOrString::Int(found.port));
    Ok((selector.into_iter().collect(), target))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(spec: serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": "loki"}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_service_tells_its_pods_and_their_port() {
        let ports = json!([
            {"port": 80, "targetPort": "http"}, {"port": 9095, "targetPort": 9096}, {"port": 7946}
        ]);
        let service = service(json!({"selector": {"app": "loki", "role": "write"}, "ports": ports}));
        for (port, expected) in
            [(80, IntOrString::String("http".into())), (9095, IntOrString::Int(9096)), (7946, IntOrString::Int(7946))]
        {
            let (selector, target) = way_of(&service, "monitoring/loki", port).unwrap();
            assert_eq!((selector.to_string().as_str(), target), ("app=loki,role=write", expected));
        }
        assert_eq!(
            way_of(&service, "monitoring/loki:81", 81).unwrap_err().to_string(),
            "service monitoring/loki:81: it has no such port; it has: 80, 9095, 7946"
        );
    }

    #[test]
    fn a_service_without_a_selector_leads_nowhere() {
        for spec in [json!({"ports": [{"port": 80}]}), json!({"selector": {}, "ports": [{"port": 80}]})] {
            assert_eq!(
                way_of(&service(spec), "monitoring/loki:80", 80).unwrap_err().to_string(),
                "service monitoring/loki:80: it selects no pods"
            );
        }
    }
}
