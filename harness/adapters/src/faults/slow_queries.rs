use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use hyper::{Method, http::request::Parts};

use super::{Action, Saboteur};

/// Where Loki answers queries over a range.
const PATH: &str = "/loki/api/v1/query_range";

/// Keeps one in so many queries to Loki for a while before it passes it on: answers that are complete, and late.
#[derive(Debug)]
pub struct SlowQueries {
    one_in: u64,
    by: Duration,
    asked: AtomicU64,
    injected: AtomicU64,
}

impl SlowQueries {
    /// Keeps one in `one_in` queries for `by`, first the one of that number.
    pub fn new(one_in: u64, by: Duration) -> Self {
        Self { one_in: one_in.max(1), by, asked: AtomicU64::new(0), injected: AtomicU64::new(0) }
    }
}

impl Saboteur for SlowQueries {
    fn request(&self, _head: &mut Parts, body: Bytes) -> Action {
        Action::Forward(body)
    }

    fn delay(&self, head: &Parts) -> Duration {
        if head.method != Method::GET || head.uri.path() != PATH {
            return Duration::ZERO;
        }
        if !(self.asked.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.one_in) {
            return Duration::ZERO;
        }
        self.injected.fetch_add(1, Ordering::Relaxed);
        self.by
    }

    fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn one_in_so_many_queries_is_kept_and_nothing_else() {
        let saboteur = SlowQueries::new(3, Duration::from_secs(4));
        let delay = |method: &str, path: &str| {
            let (head, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
            saboteur.delay(&head).as_secs()
        };
        let query = "/loki/api/v1/query_range?query=%7B%7D";
        assert_eq!([(); 7].map(|()| delay("GET", query)), [0, 0, 4, 0, 0, 4, 0]);
        assert_eq!([delay("POST", query), delay("GET", "/loki/api/v1/push"), delay("GET", "/ready")], [0; 3]);
        assert_eq!(saboteur.injected(), 2);
    }
}
