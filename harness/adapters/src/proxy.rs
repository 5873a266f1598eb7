//! Passing HTTP requests on: connections in, the one request out, the answer back. Must not know which upstream is the right one,
//! nor what requests and answers mean.

use std::{error::Error, fmt::Display};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, header::HOST, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// An answer's body, streamed or whole.
pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

/// Sends requests on, each once.
pub(crate) struct Forwarder<B> {
    client: Client<HttpConnector, B>,
    name: &'static str,
}

impl<B> Forwarder<B>
where
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    /// A sender of requests; `name` is who speaks in the answers that it gives itself.
    pub(crate) fn new(name: &'static str) -> Self {
        // A connection of its own for each request: one that was idle while its server restarted would break a push that the
        // server never saw.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).retry_canceled_requests(false).build_http();
        Self { client, name }
    }

    /// The answer of `upstream` (`host:port`) to `request`, or one of status 502 that says why there is none.
    pub(crate) async fn forward(&self, upstream: &(impl Display + Sync), mut request: Request<B>) -> Response<Body> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = match format!("http://{upstream}{path}").parse::<Uri>() {
            Ok(uri) => uri,
            Err(error) => return refuse(self.name, StatusCode::BAD_REQUEST, &format!("not a path: {error}")),
        };
        *request.uri_mut() = uri;
        request.headers_mut().remove(HOST);
        match self.client.request(request).await {
            Ok(answer) => answer.map(BodyExt::boxed),
            Err(error) => {
                let reason = format!("{upstream} did not answer: {}", innermost(&error));
                refuse(self.name, StatusCode::BAD_GATEWAY, &reason)
            }
        }
    }
}

/// Answers every request that comes to `listener` by `handle`, until the task is dropped, and then no more: its connections end
/// with it. An error of `handle` closes the connection without an answer.
pub(crate) async fn serve<H, F, E>(listener: TcpListener, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            stream = accept(&listener) => {
                let Some(stream) = stream else { continue };
                let handle = handle.clone();
                connections.spawn(async move {
                    // What breaks one connection is that connection's matter: its client sees it.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service_fn(handle))
                        .await;
                });
            }
        }
    }
}

/// The next connection.
pub(crate) async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some(stream)
        }
        Err(_) => {
            // Out of file descriptors, or a client that was gone already: let others have their turn.
            tokio::task::yield_now().await;
            None
        }
    }
}

/// A body that is there already.
pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

/// An answer that `name` gives of itself.
pub(crate) fn refuse(name: &str, status: StatusCode, reason: &str) -> Response<Body> {
    let mut answer = Response::new(whole(Bytes::from(format!("{name}: {reason}\n"))));
    *answer.status_mut() = status;
    answer
}

fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().to_lowercase()
}
