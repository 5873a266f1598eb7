use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use hyper::{Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    causes,
    certificates::parsed,
    proxy::{self, Body},
};

/// How a TLS connection begins: the type of a handshake record (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// What S3 answers to whoever may not do what it asks for.
const DENIED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Nothing is behind this door.</Message></Error>";

/// Why there is no door.
#[derive(Debug, Error)]
pub(crate) enum DoorError {
    /// No port.
    #[error("no port of 127.0.0.1 for a door to listen on")]
    Listen(#[source] io::Error),
    /// Called from outside of a tokio runtime.
    #[error("a door needs a tokio runtime to stand in")]
    NoRuntime,
    /// A certificate or key that cannot be shown.
    #[error("the certificate of a door: {0}")]
    Certificate(String),
}

/// Who came, and who turned back at the sight of the certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visits {
    /// Requests through TLS.
    pub(crate) encrypted: usize,
    /// Requests in the clear.
    pub(crate) clear: usize,
    /// What was said when a handshake was broken off, one each.
    pub(crate) turned_back: Vec<String>,
}

/// An object store's door with nothing behind it, over TLS and in the clear at the same port; closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    visits: Arc<Mutex<Visits>>,
    keeper: AbortHandle,
}

impl Door {
    /// A door at a free port of 127.0.0.1 that shows the certificate in `certificate` with its key in `key`, both PEM. Call it in a tokio
    /// runtime.
    pub(crate) fn open(certificate: &str, key: &str) -> Result<Self, DoorError> {
        let acceptor = acceptor(certificate, key).map_err(DoorError::Certificate)?;
        let runtime = Handle::try_current().map_err(|_| DoorError::NoRuntime)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(DoorError::Listen)?;
        let address = listener.local_addr().map_err(DoorError::Listen)?;
        listener.set_nonblocking(true).map_err(DoorError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(DoorError::Listen)?;
        let visits = Arc::<Mutex<Visits>>::default();
        let seen = Arc::clone(&visits);
        let keeper = runtime.spawn(async move {
            let mut guests = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = guests.join_next() => {}
                    stream = proxy::accept(&listener) => {
                        let Some(stream) = stream else { continue };
                        guests.spawn(receive(stream, acceptor.clone(), Arc::clone(&seen)));
                    }
                }
            }
        });
        Ok(Self { address, visits, keeper: keeper.abort_handle() })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who came so far.
    pub(crate) fn visits(&self) -> Visits {
        lock(&self.visits).clone()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

fn lock(visits: &Mutex<Visits>) -> MutexGuard<'_, Visits> {
    visits.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, String> {
    let (chain, key) = parsed(certificate, key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| causes(&error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn receive(stream: TcpStream, acceptor: TlsAcceptor, visits: Arc<Mutex<Visits>>) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first == [HANDSHAKE] => match acceptor.accept(stream).await {
            Ok(stream) => answer(stream, true, visits).await,
            Err(error) => lock(&visits).turned_back.push(causes(&error)),
        },
        Ok(1) => answer(stream, false, visits).await,
        // Whoever says nothing wants nothing.
        _ => {}
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, encrypted: bool, visits: Arc<Mutex<Visits>>) {
    let handle = service_fn(|_: Request<Incoming>| {
        {
            let mut visits = lock(&visits);
            let Visits { encrypted: through_tls, clear, .. } = &mut *visits;
            *(if encrypted { through_tls } else { clear }) += 1;
        }
        async { Ok::<_, std::convert::Infallible>(denied()) }
    });
    // What breaks a connection is its client's matter.
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = { connection }.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), handle).await;
}

fn denied() -> Response<Body> {
    let mut answer = Response::new(proxy::whole(Bytes::from_static(DENIED.as_bytes())));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/xml"));
    answer
}
