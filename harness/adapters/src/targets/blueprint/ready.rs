use std::time::Duration;

use harness_core::{
    poll::Schedule,
    ports::{Component, PortError},
};
use reqwest::{Client, StatusCode};

use crate::{http, trust::Authority};

/// How often a server that starts is asked whether it is ready, and a stack whether it is up or gone. Loki logs a line each time
/// that it is not ready.
pub(in crate::targets) const READINESS: Schedule = Schedule { first: Duration::from_millis(200), share: 0.0 };

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// The path of `component` that answers 200 when it is ready.
pub(in crate::targets) fn readiness(component: Component) -> &'static str {
    if component == Component::Minio { "/minio/health/ready" } else { "/ready" }
}

/// The component without which `component` never becomes ready: Loki's queries are scheduled by its backend.
pub(in crate::targets) fn needs(component: Component) -> Option<Component> {
    (component == Component::LokiRead).then_some(Component::LokiBackend)
}

/// Asks servers whether they are ready.
#[derive(Debug, Clone)]
pub(in crate::targets) struct Asker {
    client: Client,
}

impl Asker {
    /// One that takes certificates of `authority`, where there is one.
    pub(in crate::targets) fn trusting(authority: Option<&Authority>) -> Result<Self, PortError> {
        Ok(Self { client: http::client_trusting(authority)? })
    }

    /// Whether `url` answers 200.
    pub(in crate::targets) async fn answers(&self, url: &str) -> bool {
        match tokio::time::timeout(ANSWER, self.client.get(url).send()).await {
            Ok(Ok(answer)) => answer.status() == StatusCode::OK,
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
