use std::time::Duration;

use bytes::Bytes;
use harness_core::poll::Schedule;
use http_body_util::Empty;
use hyper::Uri;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// How often a server that starts is asked whether it is ready, and a stack whether it is up or gone. Loki logs a line each time
/// that it is not ready.
pub(super) const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(200), share: 0.0 };

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks servers whether they are ready.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Asker {
    pub(super) fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http() }
    }

    /// Whether `url` answers 200.
    pub(super) async fn answers(&self, url: &str) -> bool {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        match tokio::time::timeout(ANSWER, self.client.get(uri)).await {
            Ok(Ok(answer)) => answer.status() == hyper::StatusCode::OK,
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
