use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use harness_core::{
    observation::{Evidence, EvidenceKind},
    ports::{
        Answer, Clock, Component, Cost, Doorstep, Interface, Interfaces, Lifecycle, LifecycleRule, Listed, LogLine,
        Logs, Meter, ObjectSummary, ObjectVersion, Objects, PortError, Presented, Principal, ProcessProof, Push,
        PushAnswer, PushOutcome, Query, QueryRequest, Reader, Reception, Spoken, Stop, StoreKeys, StoreRequest, Usage,
        Versioning, Workload, Workloads, Written,
    },
    stimulus::{Batch, Route},
};

/// A stack that is not there: every port says so.
pub struct NoStack {
    clock: Arc<dyn Clock>,
}

impl NoStack {
    /// By this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

fn nothing<T>() -> Result<T, PortError> {
    Err(PortError::Unsupported { reason: REASON.to_owned() })
}

const REASON: &str = "nothing runs where only files are looked at";

#[async_trait]
impl Push for NoStack {
    async fn push(&self, _: Route, _: &Batch) -> PushAnswer {
        let now = self.clock.now();
        let evidence = Evidence::new(EvidenceKind::Push, self.clock.unix_ns());
        let outcome = PushOutcome::Unknown { reason: REASON.to_owned() };
        PushAnswer { sent: now, answered: now, outcome, evidence }
    }

    fn missing(&self, _: Route) -> Option<String> {
        Some(REASON.to_owned())
    }
}

#[async_trait]
impl Query for NoStack {
    async fn query(&self, _: &QueryRequest) -> Result<Answer, PortError> {
        nothing()
    }

    fn through(&self, _: Reader, _: Interface) -> Result<Arc<dyn Query>, PortError> {
        nothing()
    }
}

#[async_trait]
impl Interfaces for NoStack {
    async fn speak(&self, _: Interface, _: Interface) -> Result<Spoken, PortError> {
        nothing()
    }

    fn address(&self, _: Interface) -> Result<String, PortError> {
        nothing()
    }

    async fn connect(&self, _: Doorstep, _: Presented) -> Result<(Reception, Evidence), PortError> {
        nothing()
    }
}

#[async_trait]
impl Objects for NoStack {
    async fn list(&self, _: Principal, _: &str, _: &str) -> Result<Vec<ObjectSummary>, PortError> {
        nothing()
    }

    async fn get(&self, _: Principal, _: &str, _: &str) -> Result<Bytes, PortError> {
        nothing()
    }

    async fn put(&self, _: Principal, _: &str, _: &str, _: Bytes) -> Result<(), PortError> {
        nothing()
    }

    async fn delete(&self, _: Principal, _: &str, _: &str, _: Option<&str>) -> Result<(), PortError> {
        nothing()
    }

    async fn listed_by(&self, _: Reader, _: Principal, _: StoreKeys, _: &str, _: &str) -> Result<Listed, PortError> {
        nothing()
    }

    async fn requests(&self, _: &[Principal], _: Duration) -> Result<Vec<StoreRequest>, PortError> {
        nothing()
    }

    async fn versions(&self, _: &str, _: &str) -> Result<Vec<ObjectVersion>, PortError> {
        nothing()
    }

    async fn buckets(&self) -> Result<Vec<String>, PortError> {
        nothing()
    }

    async fn create_bucket(&self, _: &str) -> Result<(), PortError> {
        nothing()
    }

    async fn delete_bucket(&self, _: &str) -> Result<(), PortError> {
        nothing()
    }

    async fn versioning(&self, _: &str) -> Result<Versioning, PortError> {
        nothing()
    }

    async fn enable_versioning(&self, _: &str) -> Result<(), PortError> {
        nothing()
    }

    async fn lifecycle(&self, _: &str) -> Result<Vec<LifecycleRule>, PortError> {
        nothing()
    }

    async fn put_lifecycle(&self, _: &str, _: &[LifecycleRule]) -> Result<(), PortError> {
        nothing()
    }

    fn fingerprint(&self, _: Principal) -> Result<String, PortError> {
        nothing()
    }

    async fn incomplete_upload_expiry(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Lifecycle for NoStack {
    fn is_at_hand(&self) -> bool {
        false
    }

    async fn stop(&self, _: Component, _: Stop) -> Result<ProcessProof, PortError> {
        nothing()
    }

    async fn start(&self, _: Component) -> Result<ProcessProof, PortError> {
        nothing()
    }

    async fn wipe(&self, _: Component) -> Result<(), PortError> {
        nothing()
    }

    async fn replace(&self, _: Component, _: Stop) -> Result<ProcessProof, PortError> {
        nothing()
    }

    async fn rekey(&self, _: Component, _: StoreKeys) -> Result<(), PortError> {
        nothing()
    }

    async fn failure(&self, _: Component) -> Option<String> {
        Some(REASON.to_owned())
    }
}

#[async_trait]
impl Workloads for NoStack {
    async fn workload(&self, _: Component) -> Result<Workload, PortError> {
        nothing()
    }

    async fn working_set(&self, _: Component) -> Result<Vec<(String, u64)>, PortError> {
        nothing()
    }

    async fn written(&self, _: Component) -> Result<Vec<Written>, PortError> {
        nothing()
    }

    async fn events(&self, _: Component) -> Result<Vec<String>, PortError> {
        nothing()
    }
}

#[async_trait]
impl Meter for NoStack {
    async fn usage(&self, _: Component) -> Result<Vec<Usage>, PortError> {
        nothing()
    }

    async fn folder(&self, _: Component) -> Result<u64, PortError> {
        nothing()
    }

    fn own(&self) -> Option<Cost> {
        None
    }
}

#[async_trait]
impl Logs for NoStack {
    async fn problems(&self, _: Component, _: usize) -> Vec<LogLine> {
        Vec::new()
    }
}
