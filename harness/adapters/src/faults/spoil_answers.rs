use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hyper::{Response, StatusCode, header::CONTENT_LENGTH, http::request::Parts};
use serde_json::Value;

use super::{Action, Saboteur};

/// Where Mimir answers queries: PromQL, and remote read.
const PATHS: [&str; 2] = [PROMQL, "/prometheus/api/v1/read"];
const PROMQL: &str = "/prometheus/api/v1/query";

/// What is wrong with answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoiled {
    /// They have this status and say nothing of what was asked for.
    Status(StatusCode),
    /// They end in the middle.
    Half,
    /// There are none: the connection is closed.
    Nothing,
    /// Those of PromQL say 200 and lack the last sample of each series.
    Part,
}

/// Spoils every answer of Mimir to a query; pushes go through.
#[derive(Debug)]
pub struct SpoilAnswers {
    how: Spoiled,
    injected: AtomicU64,
}

/// Marks a request whose answer is to be spoiled.
#[derive(Debug, Clone, Copy)]
struct Asked;

impl SpoilAnswers {
    /// Spoils them so.
    pub fn new(how: Spoiled) -> Self {
        Self { how, injected: AtomicU64::new(0) }
    }

    fn count(&self) {
        self.injected.fetch_add(1, Ordering::Relaxed);
    }
}

impl Saboteur for SpoilAnswers {
    fn request(&self, head: &mut Parts, body: Bytes) -> Action {
        let path = head.uri.path();
        if !PATHS.contains(&path) || (self.how == Spoiled::Part && path != PROMQL) {
            return Action::Forward(body);
        }
        match self.how {
            Spoiled::Status(status) => {
                self.count();
                Action::Answer(status, Bytes::from("spoiled on purpose\n"))
            }
            Spoiled::Nothing => {
                self.count();
                Action::Drop
            }
            Spoiled::Half | Spoiled::Part => {
                head.extensions.insert(Asked);
                Action::Forward(body)
            }
        }
    }

    fn response(&self, head: &Parts, answer: Response<Bytes>) -> Response<Bytes> {
        if head.extensions.get::<Asked>().is_none() || answer.status() != StatusCode::OK {
            return answer;
        }
        let left = match self.how {
            Spoiled::Half => Some(answer.body().slice(..answer.body().len() / 2)),
            _ => without_last_samples(answer.body()),
        };
        let Some(left) = left else { return answer };
        self.count();
        let mut answer = answer.map(|_| left);
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer
    }

    fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}

/// The answer without the last value and histogram of each series; `None` where it has none.
fn without_last_samples(answer: &[u8]) -> Option<Bytes> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let mut lost = 0;
    for series in answer.pointer_mut("/data/result")?.as_array_mut()? {
        for samples in ["values", "histograms"] {
            let samples = series.get_mut(samples).and_then(Value::as_array_mut);
            lost += samples.and_then(Vec::pop).iter().count();
        }
    }
    (lost > 0).then(|| answer.to_string().into())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const ANSWER: &str = r#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,"2"],[3,"4"]]}]}}"#;

    /// What a client gets that asks at `path`, by status and body.
    fn got(how: Spoiled, path: &str) -> (Option<(u16, String)>, u64) {
        let saboteur = SpoilAnswers::new(how);
        let (mut head, ()) = Request::builder().uri(path).body(()).unwrap().into_parts();
        let text =
            |status: StatusCode, body: &[u8]| Some((status.as_u16(), String::from_utf8_lossy(body).into_owned()));
        let got = match saboteur.request(&mut head, Bytes::new()) {
            Action::Forward(_) => {
                let answer = saboteur.response(&head, Response::new(Bytes::from(ANSWER)));
                text(answer.status(), answer.body())
            }
            Action::Answer(status, body) => text(status, &body),
            Action::Drop => None,
        };
        (got, saboteur.injected())
    }

    #[test]
    fn answers_are_spoiled_and_nothing_else() {
        let whole = (Some((200, ANSWER.to_owned())), 0);
        let range = "/prometheus/api/v1/query?query=up";
        let unavailable = Spoiled::Status(StatusCode::SERVICE_UNAVAILABLE);
        for how in [unavailable, Spoiled::Half, Spoiled::Nothing, Spoiled::Part] {
            assert_eq!(got(how, "/api/v1/push"), whole, "{how:?}");
        }
        assert_eq!(got(unavailable, range), (Some((503, "spoiled on purpose\n".to_owned())), 1));
        assert_eq!(got(Spoiled::Nothing, range), (None, 1));
        assert_eq!(got(Spoiled::Half, range), (Some((200, ANSWER[..ANSWER.len() / 2].to_owned())), 1));
        let part = r#"{"data":{"result":[{"metric":{},"values":[[1,"2"]]}]},"status":"success"}"#;
        let (Some((status, left)), 1) = got(Spoiled::Part, range) else { panic!("nothing was spoiled") };
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!((status, value(&left)), (200, value(part)));
        assert_eq!(got(Spoiled::Part, "/prometheus/api/v1/read"), whole);
    }
}
