use std::{future::Future, time::Duration};

use bytes::Bytes;
use harness_core::ports::Clock;
use http_body_util::Empty;
use hyper::Uri;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// How often a server that starts is asked whether it is ready. Loki logs a line each time that it is not.
const INTERVAL: Duration = Duration::from_millis(200);

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

/// Tries again until there is something, for at most `limit`; tries at least once.
pub(super) async fn until<T, F>(clock: &dyn Clock, limit: Duration, mut attempt: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let end = clock.now().after(limit);
    loop {
        if let Some(found) = attempt().await {
            return Some(found);
        }
        let next = clock.now().after(INTERVAL);
        if next > end {
            return None;
        }
        clock.sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;
    use harness_core::ports::Tick;

    use super::*;

    #[derive(Default)]
    struct Virtual(AtomicU64);

    #[async_trait]
    impl Clock for Virtual {
        fn now(&self) -> Tick {
            Tick(self.0.load(Ordering::Relaxed))
        }

        fn unix_ns(&self) -> i64 {
            0
        }

        async fn sleep_until(&self, until: Tick) {
            self.0.fetch_max(until.0, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_comes_is_returned_when_it_comes() {
        let clock = Virtual::default();
        let mut tries = 0;
        let found = until(&clock, Duration::from_secs(1), || {
            tries += 1;
            let found = (tries == 4).then_some(tries);
            async move { found }
        });
        assert_eq!(found.await, Some(4));
        assert_eq!(clock.now().since(Tick(0)), 3 * INTERVAL);
    }

    #[tokio::test]
    async fn what_never_comes_is_given_up_at_the_limit() {
        let clock = Virtual::default();
        assert_eq!(until(&clock, Duration::from_secs(1), || async { None::<()> }).await, None);
        assert_eq!(clock.now().since(Tick(0)), Duration::from_secs(1));
        assert_eq!(until(&clock, Duration::ZERO, || async { Some(1) }).await, Some(1));
    }
}
