//! Saboteurs at work between a client and a server on loopback. The server only records what reached it.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use harness_adapters::faults::{Action, FaultError, LoseOneEntry, Parts, Proxy, Refuse, Saboteur, StatusCode, Swallow};
use harness_core::{
    signal::LogEntry,
    stimulus::encode::{loki_json, loki_protobuf, loki_push_request, selector},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use prost::Message;
use protos::logproto::PushRequest;
use tokio::{net::TcpListener, task::JoinSet};

const PUSH: &str = "/loki/api/v1/push";

/// What reached the server.
#[derive(Debug, Clone, PartialEq)]
struct Received {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

/// A server that writes down requests and gives each the same answer.
struct Recorder {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    _server: JoinSet<()>,
}

impl Recorder {
    async fn start(status: u16, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let record = Arc::clone(&received);
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let record = Arc::clone(&record);
                let service = service_fn(move |request: Request<Incoming>| {
                    let record = Arc::clone(&record);
                    async move {
                        let (head, body) = request.into_parts();
                        let headers = head
                            .headers
                            .iter()
                            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                            .collect();
                        let (method, path) = (head.method.to_string(), head.uri.to_string());
                        let body = body.collect().await.unwrap().to_bytes();
                        record.lock().unwrap().push(Received { method, path, headers, body });
                        let mut response = Response::new(Full::new(Bytes::from(answer)));
                        *response.status_mut() = StatusCode::from_u16(status).unwrap();
                        response.headers_mut().insert("x-told", "by the server".parse().unwrap());
                        Ok::<_, Infallible>(response)
                    }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        });
        Self { url, received, _server: server }
    }

    /// What came since the last call.
    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

fn client() -> reqwest::Client {
    harness_adapters::http::client().unwrap()
}

async fn post(url: &str, content_type: &str, body: Vec<u8>) -> Result<(u16, Bytes), reqwest::Error> {
    let answer = client().post(url).header("content-type", content_type).body(body).send().await?;
    Ok((answer.status().as_u16(), answer.bytes().await?))
}

/// Two streams, `web` with entries 0 to 2 and `db` with 3 and 4, one of them with structured metadata.
fn entries() -> Vec<LogEntry> {
    (0..5)
        .map(|number| LogEntry {
            stream: [("app".to_owned(), if number < 3 { "web" } else { "db" }.to_owned())].into(),
            timestamp_ns: 1_795_458_623_123_456_789 + number,
            line: format!("line {number} \"ü\"\n"),
            structured_metadata: if number == 1 { [("pod".to_owned(), "a".to_owned())].into() } else { [].into() },
            line_base64: None,
        })
        .collect()
}

/// The two forms of a push, by content type.
fn forms(entries: &[LogEntry]) -> [(&'static str, Vec<u8>); 2] {
    [
        ("application/json; charset=utf-8", loki_json(entries).unwrap()),
        ("application/x-protobuf", loki_protobuf(entries).unwrap()),
    ]
}

/// The push in `body`, whatever its form, as its protobuf message.
fn decoded(content_type: &str, body: &[u8]) -> PushRequest {
    if content_type == "application/x-protobuf" {
        return PushRequest::decode(snap::raw::Decoder::new().decompress_vec(body).unwrap().as_slice()).unwrap();
    }
    let push: serde_json::Value = serde_json::from_slice(body).unwrap();
    let streams = push["streams"].as_array().unwrap().iter();
    let entries: Vec<LogEntry> = streams
        .flat_map(|stream| {
            stream["values"].as_array().unwrap().iter().map(|value| LogEntry {
                stream: serde_json::from_value(stream["stream"].clone()).unwrap(),
                timestamp_ns: value[0].as_str().unwrap().parse().unwrap(),
                line: value[1].as_str().unwrap().to_owned(),
                structured_metadata: value
                    .get(2)
                    .map(|pairs| serde_json::from_value(pairs.clone()).unwrap())
                    .unwrap_or_default(),
                line_base64: None,
            })
        })
        .collect();
    loki_push_request(&entries).unwrap()
}

fn without(index: usize) -> PushRequest {
    let mut entries = entries();
    entries.remove(index);
    loki_push_request(&entries).unwrap()
}

#[tokio::test]
async fn one_entry_is_lost_and_the_ack_lies() {
    let server = Recorder::start(204, "").await;
    for (saboteur, lost) in [
        (LoseOneEntry::default(), 4),
        (LoseOneEntry::nth(0), 0),
        (LoseOneEntry::nth(2), 2),
        (LoseOneEntry::nth(3), 3),
        (LoseOneEntry::nth(4), 4),
    ] {
        let saboteur = Arc::new(saboteur);
        let proxy = Proxy::start(&server.url, saboteur.clone()).unwrap();
        for (count, (content_type, body)) in (1..).zip(forms(&entries())) {
            let (status, _) = post(&format!("{}{PUSH}?a=b", proxy.url()), content_type, body).await.unwrap();
            assert_eq!(status, 204);
            assert_eq!(saboteur.injected(), count);
            let received = server.take();
            assert_eq!(received.len(), 1);
            assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/loki/api/v1/push?a=b"));
            assert_eq!(received[0].headers["content-type"], content_type);
            assert_eq!(received[0].headers["content-length"], received[0].body.len().to_string());
            assert_eq!(decoded(content_type, &received[0].body), without(lost), "{content_type} {lost}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_one_entry_goes_with_it() {
    let server = Recorder::start(204, "").await;
    let proxy = Proxy::start(&server.url, Arc::new(LoseOneEntry::last())).unwrap();
    let four = &entries()[..4];
    for (content_type, body) in forms(four) {
        post(&format!("{}{PUSH}", proxy.url()), content_type, body).await.unwrap();
        let received = server.take();
        let rest = decoded(content_type, &received[0].body);
        let labels: Vec<_> = rest.streams.iter().map(|stream| stream.labels.clone()).collect();
        assert_eq!(labels, [selector(&four[0].stream)]);
    }
}

#[tokio::test]
async fn a_push_of_one_entry_is_acknowledged_and_goes_nowhere() {
    let server = Recorder::start(500, "").await;
    let saboteur = Arc::new(LoseOneEntry::last());
    let proxy = Proxy::start(&server.url, saboteur.clone()).unwrap();
    for (content_type, body) in forms(&entries()[..1]) {
        let (status, body) = post(&format!("{}{PUSH}", proxy.url()), content_type, body).await.unwrap();
        assert_eq!((status, body.len()), (204, 0));
    }
    assert_eq!(server.take(), []);
    assert_eq!(saboteur.injected(), 2);
}

/// The twin of the losses: what is not to be robbed arrives byte for byte, and no fault is claimed.
#[tokio::test]
async fn everything_else_goes_through_unchanged_and_is_not_counted() {
    let server = Recorder::start(200, "an answer").await;
    let saboteur = Arc::new(LoseOneEntry::nth(5));
    let proxy = Proxy::start(&server.url, saboteur.clone()).unwrap();
    let [(json, as_json), (protobuf, as_protobuf)] = forms(&entries());
    for (path, content_type, body) in [
        (PUSH, json, as_json.clone()),
        (PUSH, protobuf, as_protobuf.clone()),
        (PUSH, json, as_protobuf.clone()),
        (PUSH, protobuf, as_json.clone()),
        (PUSH, json, b"{\"streams\":[]}".to_vec()),
        (PUSH, json, b"{\"streams\":[{\"values\":1},2]}".to_vec()),
        (PUSH, json, b"[]".to_vec()),
        (PUSH, protobuf, vec![0xff; 20]),
        (PUSH, protobuf, Vec::new()),
        ("/loki/api/v1/query_range", json, as_json),
        ("/loki/api/v1/push/", protobuf, as_protobuf),
    ] {
        let answer = post(&format!("{}{path}", proxy.url()), content_type, body.clone()).await.unwrap();
        assert_eq!(answer, (200, Bytes::from("an answer")), "{path}");
        assert_eq!(server.take()[0].body, body, "{path}");
    }
    let answer = client().get(format!("{}{PUSH}", proxy.url())).header("x-scope-orgid", "a").send().await.unwrap();
    assert_eq!(answer.headers()["x-told"], "by the server");
    assert_eq!(answer.text().await.unwrap(), "an answer");
    assert_eq!(server.take()[0].headers["x-scope-orgid"], "a");
    assert_eq!(saboteur.injected(), 0);
}

#[tokio::test]
async fn a_refused_push_was_no_lie() {
    for status in [400, 500] {
        let server = Recorder::start(status, "why").await;
        let saboteur = Arc::new(LoseOneEntry::last());
        let proxy = Proxy::start(&server.url, saboteur.clone()).unwrap();
        for (content_type, body) in forms(&entries()) {
            let answer = post(&format!("{}{PUSH}", proxy.url()), content_type, body).await.unwrap();
            assert_eq!(answer, (status, Bytes::from("why")));
        }
        assert_eq!(server.take().len(), 2);
        assert_eq!(saboteur.injected(), 0);
    }
}

#[tokio::test]
async fn pushes_are_swallowed_or_refused_and_questions_are_not() {
    let server = Recorder::start(200, "an answer").await;
    let cases: [(Arc<dyn Saboteur>, u16, &str); 2] = [
        (Arc::new(Swallow::default()), 204, ""),
        (Arc::new(Refuse::new(StatusCode::TOO_MANY_REQUESTS)), 429, "refused on purpose\n"),
    ];
    for (saboteur, status, text) in cases {
        let proxy = Proxy::start(&server.url, Arc::clone(&saboteur)).unwrap();
        for (count, path) in (1..).zip([PUSH, "/v1/traces", "/api/v1/push"]) {
            let answer = post(&format!("{}{path}", proxy.url()), "application/json", b"{}".to_vec()).await.unwrap();
            assert_eq!(answer, (status, Bytes::from(text)), "{path}");
            assert_eq!(saboteur.injected(), count, "{path}");
        }
        assert_eq!(server.take(), []);

        let url = format!("{}/prometheus/api/v1/query", proxy.url());
        assert_eq!(post(&url, "text/plain", b"up".to_vec()).await.unwrap(), (200, Bytes::from("an answer")));
        let url = format!("{}{PUSH}", proxy.url());
        assert_eq!(client().get(&url).send().await.unwrap().status(), 200);
        assert_eq!(server.take().len(), 2);
        assert_eq!(saboteur.injected(), 3);
    }
}

/// Drops requests with a body; of the others it changes the answer.
struct Rude;

impl Saboteur for Rude {
    fn request(&self, _: &mut Parts, body: Bytes) -> Action {
        if body.is_empty() { Action::Forward(body) } else { Action::Drop }
    }

    fn response(&self, _: &Parts, answer: Response<Bytes>) -> Response<Bytes> {
        answer.map(|body| [b"not ".as_slice(), &body].concat().into())
    }

    fn injected(&self) -> u64 {
        0
    }
}

#[tokio::test]
async fn connections_can_be_dropped_and_answers_changed() {
    let server = Recorder::start(200, "found").await;
    let proxy = Proxy::start(&server.url, Arc::new(Rude)).unwrap();
    assert!(post(proxy.url(), "text/plain", b"x".to_vec()).await.is_err());
    assert_eq!(server.take(), []);
    let (status, body) = post(proxy.url(), "text/plain", Vec::new()).await.unwrap();
    assert_eq!((status, body), (200, Bytes::from("not found")));
}

#[tokio::test]
async fn a_server_that_is_down_is_a_502_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    drop(listener);
    let saboteur = Arc::new(LoseOneEntry::last());
    let proxy = Proxy::start(&format!("http://{upstream}"), saboteur.clone()).unwrap();
    for (content_type, body) in forms(&entries()) {
        let (status, body) = post(&format!("{}{PUSH}", proxy.url()), content_type, body).await.unwrap();
        assert_eq!(status, 502);
        let expected = format!("interposing proxy: {upstream} did not answer: connection refused");
        assert!(String::from_utf8_lossy(&body).starts_with(&expected), "{body:?}");
    }
    assert_eq!(saboteur.injected(), 0);
}

#[tokio::test]
async fn the_proxy_ends_when_it_is_dropped() {
    let server = Recorder::start(200, "").await;
    let proxy = Proxy::start(&server.url, Arc::new(Swallow::default())).unwrap();
    let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
    let mut kept = tokio::net::TcpStream::connect(&address).await.unwrap();
    // An answered request shows that the connection was served, not just queued.
    tokio::io::AsyncWriteExt::write_all(&mut kept, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_ne!(tokio::io::AsyncReadExt::read(&mut kept, &mut [0; 1000]).await.unwrap(), 0);
    drop(proxy);
    let ended = tokio::io::AsyncReadExt::read(&mut kept, &mut [0; 1000]).await;
    assert_eq!(ended.unwrap_or(0), 0);
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}

#[test]
fn without_a_runtime_it_says_so() {
    let error = Proxy::start("http://127.0.0.1:1", Arc::new(Swallow::default())).unwrap_err();
    assert!(matches!(error, FaultError::NoRuntime), "{error}");
}

/// A saboteur's decision on a push to Loki, without a proxy.
fn decide(saboteur: &LoseOneEntry, content_type: &str, body: &[u8]) -> Action {
    let request = Request::post(PUSH).header("content-type", content_type).body(()).unwrap();
    saboteur.request(&mut request.into_parts().0, Bytes::copy_from_slice(body))
}

proptest! {
    #[test]
    fn exactly_one_entry_is_missing(sizes in prop::collection::vec(1_usize..4, 1..5), index in 0_usize..20) {
        let sent: Vec<LogEntry> = (0..).zip(&sizes).flat_map(|(stream, &size)| (0..size).map(move |entry| LogEntry {
            stream: [("stream".to_owned(), format!("{stream}"))].into(),
            timestamp_ns: 0,
            line: format!("{stream}/{entry}"),
            structured_metadata: [].into(),
            line_base64: None,
        })).collect();
        let mut expected = sent.clone();
        if index < sent.len() {
            expected.remove(index);
        }
        for (content_type, body) in forms(&sent) {
            match decide(&LoseOneEntry::nth(index), content_type, &body) {
                Action::Forward(left) => {
                    prop_assert_eq!(decoded(content_type, &left), loki_push_request(&expected).unwrap());
                }
                Action::Answer(..) => prop_assert!(expected.is_empty()),
                Action::Drop => prop_assert!(false),
            }
        }
    }

    #[test]
    fn bytes_that_are_no_push_are_left_alone(body in prop::collection::vec(any::<u8>(), 0..60)) {
        for content_type in ["application/json", "application/x-protobuf", ""] {
            let left = decide(&LoseOneEntry::last(), content_type, &body);
            prop_assert_eq!(left, Action::Forward(body.clone().into()));
        }
    }
}
