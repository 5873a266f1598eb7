use std::{error::Error, io, net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use harness_core::ports::Clock;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_LENGTH, EXPECT, HeaderMap, TRANSFER_ENCODING},
    http::uri::{Authority, Scheme},
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};

use super::{Action, Saboteur};
use crate::{
    SystemClock,
    proxy::{self, Body, Forwarder},
};

/// Who speaks in answers that are neither the server's nor the saboteur's.
const NAME: &str = "interposing proxy";

/// Longest body of a request or an answer, in bytes.
const BODY_CEILING: usize = 256 << 20;

/// Why a proxy can't be had.
#[derive(Debug, Error)]
pub enum FaultError {
    /// The server's address makes no sense.
    #[error("the server behind the proxy: expected http://host:port, {found}")]
    Upstream {
        /// What stands there instead, without what may be a secret.
        found: String,
    },
    /// No port.
    #[error("no port of 127.0.0.1 for the proxy to listen on")]
    Listen(#[source] io::Error),
    /// Called from outside of a tokio runtime.
    #[error("the proxy needs a tokio runtime to run in")]
    NoRuntime,
}

/// A proxy before one HTTP server, at work until it is dropped: its connections end with it. Bodies are held whole, up to 256 MiB;
/// nothing is sent twice.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    server: AbortHandle,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes on to `upstream` (`http://host:port`) what `saboteur` lets through. Call it
    /// in a tokio runtime.
    pub fn start(upstream: &str, saboteur: Arc<dyn Saboteur>) -> Result<Self, FaultError> {
        let upstream = authority(upstream)?;
        let runtime = Handle::try_current().map_err(|_| FaultError::NoRuntime)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(FaultError::Listen)?;
        let address = listener.local_addr().map_err(FaultError::Listen)?;
        listener.set_nonblocking(true).map_err(FaultError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(FaultError::Listen)?;

        let between =
            Arc::new(Between { upstream, saboteur, forwarder: Forwarder::new(NAME), clock: SystemClock::start() });
        let handle = move |request| Arc::clone(&between).pass(request);
        let server: JoinHandle<()> = runtime.spawn(proxy::serve(listener, handle));
        Ok(Self { url: format!("http://{address}"), server: server.abort_handle() })
    }

    /// Where it listens, `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn authority(upstream: &str) -> Result<Authority, FaultError> {
    let wrong = |found: String| FaultError::Upstream { found };
    // An address may hold a password, and then so does the error of a parser that quotes it.
    if upstream.contains('@') {
        return Err(wrong("found one with a user".to_owned()));
    }
    let uri: Uri = upstream.parse().map_err(|_| wrong(format!("found {upstream:?}")))?;
    let plain = uri.scheme() == Some(&Scheme::HTTP) && matches!(uri.path(), "" | "/") && uri.query().is_none();
    uri.authority().filter(|_| plain).cloned().ok_or_else(|| wrong(format!("found {upstream:?}")))
}

/// Closes a connection without an answer.
#[derive(Debug, Error)]
enum Dropped {
    #[error("dropped on purpose")]
    OnPurpose,
    #[error("the body broke off")]
    BrokenOff(#[source] Box<dyn Error + Send + Sync>),
}

struct Between {
    upstream: Authority,
    saboteur: Arc<dyn Saboteur>,
    forwarder: Forwarder<Full<Bytes>>,
    clock: SystemClock,
}

impl Between {
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let (mut head, body) = request.into_parts();
        let body = match Limited::new(body, BODY_CEILING).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let reason = format!("a body of more than {BODY_CEILING} bytes");
                return Ok(proxy::refuse(NAME, StatusCode::PAYLOAD_TOO_LARGE, &reason));
            }
            Err(error) => return Err(Dropped::BrokenOff(error)),
        };
        let body = match self.saboteur.request(&mut head, body) {
            Action::Forward(body) => body,
            Action::Answer(status, body) => {
                let mut answer = Response::new(proxy::whole(body));
                *answer.status_mut() = status;
                return Ok(answer);
            }
            Action::Drop => return Err(Dropped::OnPurpose),
        };

        let delay = self.saboteur.delay(&head);
        if !delay.is_zero() {
            self.clock.sleep_until(self.clock.now().after(delay)).await;
        }
        forget_length(&mut head.headers);
        // The body is here already: nobody has to ask for it.
        head.headers.remove(EXPECT);
        let request = Request::from_parts(head.clone(), Full::new(body));
        let (answer, body) = self.forwarder.forward(&self.upstream, request).await.into_parts();
        let body = Limited::new(body, BODY_CEILING).collect().await.map_err(Dropped::BrokenOff)?.to_bytes();
        let mut answer = self.saboteur.response(&head, Response::from_parts(answer, body));
        // The answer to HEAD tells the length of a body that doesn't come.
        if head.method != Method::HEAD {
            forget_length(answer.headers_mut());
        }
        Ok(answer.map(proxy::whole))
    }
}

/// The length is that of the body before the saboteur.
fn forget_length(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_plain_http_address() {
        for (upstream, expected) in [
            ("http://127.0.0.1:3100", Some("127.0.0.1:3100")),
            ("http://localhost:3100/", Some("localhost:3100")),
            ("http://[::1]:3100", Some("[::1]:3100")),
            ("https://localhost:3100", None),
            ("http://localhost:3100/loki", None),
            ("http://localhost:3100/?tenant=a", None),
            ("localhost:3100", None),
            ("/", None),
            ("", None),
        ] {
            let found = authority(upstream).ok();
            assert_eq!(found.as_ref().map(Authority::as_str), expected, "{upstream}");
        }
    }

    #[test]
    fn a_password_is_not_told() {
        let error = authority("http://user:secret@localhost:3100").unwrap_err();
        assert_eq!(error.to_string(), "the server behind the proxy: expected http://host:port, found one with a user");
    }
}
