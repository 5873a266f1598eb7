use std::{sync::PoisonError, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, pin_mut};
use harness_core::{
    poll::{self, Ended, Schedule, Step},
    ports::{Component, Lifecycle, PortError, ProcessProof, Stop, StoreKeys},
};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Pod,
};
use kube::{
    api::{DeleteParams, Patch, PatchParams, Preconditions, WatchEvent, WatchParams},
    core::ObjectList,
};
use serde_json::json;

use super::{
    Call, Cluster, KubeError,
    finder::{Found, MANAGER, WorkloadKind},
    pods,
    server::call,
};
use crate::causes;

/// How long a component may take until it says that it is ready.
const READY_LIMIT: Duration = Duration::from_secs(180);

/// How long a pod may take to be gone, beside the time that it was given to end by itself; and another to come.
const GONE_LIMIT: Duration = Duration::from_secs(60);

/// Seconds that a pod is given that is killed. Zero would not spare it being asked first: it only takes the pod off the books at
/// once, while its processes may still answer, and nobody learns when and how they ended.
const KILL_GRACE: u32 = 1;

/// Seconds that Kubernetes gives a pod that does not say.
const DEFAULT_GRACE: i64 = 30;

/// What is read of the past to find a pod's last state, at most.
const WATCH_SECONDS: u32 = 5;

/// A pod is not replaced in a quarter of a second: nothing is won by looking more often.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(250), share: 0.1 };

impl Cluster {
    /// Looks until it is true. What the API server does not answer, or denies though it was allowed to be looked at before, is asked
    /// again.
    async fn until<T, F>(
        &self,
        found: &Found,
        state: &'static str,
        limit: Duration,
        mut look: impl FnMut() -> F,
    ) -> Result<T, KubeError>
    where
        F: Future<Output = Result<Step<T>, KubeError>>,
    {
        let deadline = self.clock.now().after(limit);
        let ended = poll::until(self.clock.as_ref(), SCHEDULE, deadline, || {
            let looked = look();
            async {
                match looked.await {
                    Ok(step) => step,
                    Err(error) => Step::NotYet(causes(&error)),
                }
            }
        });
        match ended.await {
            Ended::Ready(value) => Ok(value),
            Ended::TimedOut(last) | Ended::Never(last) => {
                Err(KubeError::TimedOut { workload: found.full_name(), state, seconds: limit.as_secs(), last })
            }
        }
    }

    /// Sets how many replicas there shall be. Needs `patch` of the workload's scale.
    pub(super) async fn scale(&self, found: &Found, replicas: u32) -> Result<(), KubeError> {
        let (kind, name) = &found.id;
        let object = format!("{}/{name}", found.namespace);
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        match kind {
            WorkloadKind::Deployment => {
                let api = self.server.api::<Deployment>(&found.namespace);
                let call = Call { verb: "patch", resource: "deployments/scale", object };
                self.server.ask(call, api.patch_scale(name, &parameters, &patch)).await?;
            }
            WorkloadKind::StatefulSet => {
                let api = self.server.api::<StatefulSet>(&found.namespace);
                let call = Call { verb: "patch", resource: "statefulsets/scale", object };
                self.server.ask(call, api.patch_scale(name, &parameters, &patch)).await?;
            }
        }
        Ok(())
    }

    /// Deletes pods, and none that took the name of one. One that is gone already is no error. Needs `delete` of pods.
    async fn delete(&self, found: &Found, pods: &[&Pod], how: Stop) -> Result<(), KubeError> {
        for pod in pods {
            let mut parameters = DeleteParams::default()
                .preconditions(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None });
            if how == Stop::Kill {
                parameters = parameters.grace_period(KILL_GRACE);
            }
            let api = self.server.api::<Pod>(&found.namespace);
            let call = call::<Pod>("delete", &found.namespace, pods::name(pod));
            match self.server.ask(call, api.delete(pods::name(pod), &parameters)).await {
                Ok(_) | Err(KubeError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How a pod that was listed in `then` and is gone now ended, by the last that was known of it. The API server does not always
    /// know any more. Needs `watch` of pods.
    async fn exit(&self, found: &Found, then: &ObjectList<Pod>, pod: &Pod) -> Option<String> {
        let version = then.metadata.resource_version.as_deref()?;
        let name = pods::name(pod);
        let parameters =
            WatchParams::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS).disable_bookmarks();
        let call = call::<Pod>("watch", &found.namespace, name);
        let api = self.server.api::<Pod>(&found.namespace);
        let last = async {
            let events = api.watch(&parameters, version).await?;
            pin_mut!(events);
            let mut exit = None;
            while let Some(event) = events.next().await {
                match event? {
                    WatchEvent::Deleted(gone) if gone.metadata.uid == pod.metadata.uid => {
                        return Ok(pods::exit(&gone).or(exit));
                    }
                    WatchEvent::Modified(changed) if changed.metadata.uid == pod.metadata.uid => {
                        exit = pods::exit(&changed).or(exit);
                    }
                    _ => {}
                }
            }
            Ok(exit)
        };
        self.server.ask(call, last).await.ok()?
    }

    async fn exits(&self, found: &Found, then: &ObjectList<Pod>, pods: &[&Pod]) -> Option<String> {
        let mut exits = Vec::new();
        for pod in pods {
            exits.extend(self.exit(found, then, pod).await);
        }
        (!exits.is_empty()).then(|| exits.join("; "))
    }

    async fn stopped(&self, component: Component, how: Stop) -> Result<ProcessProof, KubeError> {
        let (found, then) = self.look(component).await?;
        let before = living(&then);
        if found.replicas > 0 {
            let mut replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
            replicas.insert(component, found.replicas);
        }
        if how == Stop::Kill {
            // First, for a pod whose workload is scaled down is asked to end, and that in its own time.
            self.delete(&found, &before, how).await?;
        }
        self.scale(&found, 0).await?;
        self.until(&found, "still has pods", limit(&before), || async {
            let now = self.pods_of(&found).await?;
            let left = living(&now);
            if how == Stop::Kill {
                // One that came in the place of another before there was to be none.
                self.delete(&found, &left, how).await?;
            }
            Ok(if left.is_empty() { Step::Ready(()) } else { Step::NotYet(names(&left)) })
        })
        .await?;
        let exit = self.exits(&found, &then, &before).await;
        Ok(ProcessProof { component, before: uids(&before), after: None, exit })
    }

    async fn started(&self, component: Component) -> Result<ProcessProof, KubeError> {
        let (found, then) = self.look(component).await?;
        let before = uids(&living(&then));
        let wanted = {
            let replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
            replicas.get(&component).copied().unwrap_or(1).max(found.replicas)
        };
        if found.replicas != wanted {
            self.scale(&found, wanted).await?;
        }
        let after = self.until(&found, "is not ready", READY_LIMIT, || async {
            let now = self.pods_of(&found).await?;
            let living = living(&now);
            let ready = living.iter().all(|pod| pods::ready(pod) && !pods::ending(pod));
            Ok(if ready && living.len() >= usize::try_from(wanted).unwrap_or(usize::MAX) {
                Step::Ready(uids(&living))
            } else {
                Step::NotYet(names(&living))
            })
        });
        let after = match after.await {
            Ok(after) => after,
            Err(KubeError::TimedOut { workload, state, seconds, last }) => {
                let last = self.failure(component).await.unwrap_or(last);
                return Err(KubeError::TimedOut { workload, state, seconds, last });
            }
            Err(error) => return Err(error),
        };
        Ok(ProcessProof { component, before, after, exit: None })
    }

    pub(super) async fn replaced(&self, component: Component, how: Stop) -> Result<ProcessProof, KubeError> {
        let (found, then) = self.look(component).await?;
        let before = living(&then);
        if before.is_empty() {
            return Err(KubeError::NothingRuns { workload: found.full_name(), replicas: found.replicas });
        }
        self.delete(&found, &before, how).await?;
        let after = self.until(&found, "has no other pod", limit(&before), || async {
            let now = self.pods_of(&found).await?;
            let living = living(&now);
            let (old, new): (Vec<&Pod>, Vec<&Pod>) =
                living.iter().partition(|pod| before.iter().any(|old| old.metadata.uid == pod.metadata.uid));
            let new: Vec<&Pod> = new.into_iter().filter(|pod| !pods::ending(pod)).collect();
            Ok(if old.is_empty() && !new.is_empty() { Step::Ready(uids(&new)) } else { Step::NotYet(names(&living)) })
        });
        let after = after.await?;
        let exit = self.exits(&found, &then, &before).await;
        Ok(ProcessProof { component, before: uids(&before), after, exit })
    }
}

fn living(pods: &ObjectList<Pod>) -> Vec<&Pod> {
    pods.items.iter().filter(|pod| pods::lives(pod)).collect()
}

/// How long these pods may take to be gone: the time that each was given, and the limit.
fn limit(pods: &[&Pod]) -> Duration {
    let grace = pods.iter().filter_map(|pod| pod.spec.as_ref()?.termination_grace_period_seconds).max();
    GONE_LIMIT + Duration::from_secs(grace.unwrap_or(DEFAULT_GRACE).unsigned_abs())
}

fn uids(pods: &[&Pod]) -> Option<String> {
    let uids: Vec<&str> = pods.iter().map(|pod| pods::uid(pod)).collect();
    (!uids.is_empty()).then(|| uids.join(", "))
}

/// `loki-write-x (Running, ready), loki-write-y (Running, ending)`.
fn names(pods: &[&Pod]) -> String {
    let told = |pod: &&Pod| {
        let state = match (pods::ending(pod), pods::ready(pod)) {
            (true, _) => ", ending",
            (false, true) => ", ready",
            (false, false) => ", not ready",
        };
        format!("{} ({}{state})", pods::name(pod), pods::phase(pod))
    };
    if pods.is_empty() { "no pod".to_owned() } else { pods.iter().map(told).collect::<Vec<_>>().join(", ") }
}

/// What is needed beside finding a component: to stop and start, `patch` of scales, `watch` and, to kill, `delete` of pods; to
/// replace, `delete` and `watch` of pods; for other keys, `get` and `patch` of the component's secret.
///
/// A kill is as hard as Kubernetes can make one, which is not hard: the node still asks the containers to end first (SIGTERM) and
/// gives them a second or two. How they took it stands in the proof: exit code 137 is a kill, 0 an end in good order.
#[async_trait]
impl Lifecycle for Cluster {
    fn is_at_hand(&self) -> bool {
        true
    }

    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        Ok(self.stopped(component, how).await?)
    }

    async fn start(&self, component: Component) -> Result<ProcessProof, PortError> {
        Ok(self.started(component).await?)
    }

    /// Nothing is left of a stopped component: what its pod kept went with the pod.
    async fn wipe(&self, _: Component) -> Result<(), PortError> {
        Ok(())
    }

    async fn replace(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError> {
        Ok(self.replaced(component, how).await?)
    }

    async fn rekey(&self, component: Component, keys: StoreKeys) -> Result<(), PortError> {
        Ok(self.rekeyed(component, keys).await?)
    }

    async fn failure(&self, component: Component) -> Option<String> {
        self.why_not_up(component).await
    }
}
