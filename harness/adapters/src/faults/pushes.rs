use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hyper::{Method, StatusCode, http::request::Parts};

use super::{Action, Saboteur};

/// Where Loki, Tempo and Mimir take pushes.
const PATHS: [&str; 6] =
    ["/loki/api/v1/push", "/api/prom/push", "/otlp/v1/logs", "/v1/traces", "/api/v1/push", "/otlp/v1/metrics"];

fn is_push(head: &Parts) -> bool {
    head.method == Method::POST && PATHS.contains(&head.uri.path())
}

/// Acknowledges every push with an empty 204 and passes none on; queries go through. For Loki, Tempo (OTLP/HTTP) and Mimir.
#[derive(Debug, Default)]
pub struct Swallow {
    injected: AtomicU64,
}

impl Saboteur for Swallow {
    fn request(&self, head: &mut Parts, body: Bytes) -> Action {
        if !is_push(head) {
            return Action::Forward(body);
        }
        self.injected.fetch_add(1, Ordering::Relaxed);
        Action::Answer(StatusCode::NO_CONTENT, Bytes::new())
    }

    fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}

/// Answers every push with one status and passes none on; queries go through. For Loki, Tempo (OTLP/HTTP) and Mimir.
#[derive(Debug)]
pub struct Refuse {
    status: StatusCode,
    injected: AtomicU64,
}

impl Refuse {
    /// Refuses with `status`.
    pub fn new(status: StatusCode) -> Self {
        Self { status, injected: AtomicU64::new(0) }
    }
}

impl Saboteur for Refuse {
    fn request(&self, head: &mut Parts, body: Bytes) -> Action {
        if !is_push(head) {
            return Action::Forward(body);
        }
        self.injected.fetch_add(1, Ordering::Relaxed);
        Action::Answer(self.status, Bytes::from("refused on purpose\n"))
    }

    fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}
