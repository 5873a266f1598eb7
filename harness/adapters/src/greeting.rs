//! Connecting as one client or another, and saying the least to which a server owes an answer. Must not judge who should be answered.

use std::{io, sync::Arc, time::Duration};

use harness_core::ports::Reception;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    causes,
    certificates::{Identity, parsed},
};

/// How long a server has for each step.
const LIMIT: Duration = Duration::from_secs(5);

/// How a client of HTTP/2 begins: the preface, and a frame of settings without any (RFC 9113, 3.4 and 6.5).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Where the type of an HTTP/2 frame is, and the type with which a server begins (RFC 9113, 4.1 and 3.4).
const FRAME_TYPE: usize = 3;
const SETTINGS: u8 = 4;

/// What Go's server says in plain text at a port of TLS.
const BAD_REQUEST: &[u8] = b" 400 ";

/// What is spoken after the connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Http1,
    /// As gRPC needs it.
    Http2,
}

/// As whom to come.
#[derive(Clone, Copy)]
pub(crate) enum Guise<'a> {
    PlainText,
    Tls(Option<&'a Identity>),
}

/// Why it cannot be told how a client is received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    #[error("no connection within 5 s")]
    Late,
    #[error("the client's certificate cannot be used: {0}")]
    Identity(String),
}

/// Connects to `host:port`, greets, and tells how that was received and what was said.
pub(crate) async fn greet(
    address: &str,
    language: Language,
    guise: Guise<'_>,
) -> Result<(Reception, String), GreetingError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let connected = timeout(LIMIT, TcpStream::connect(address)).await.map_err(|_| GreetingError::Late)?;
    let stream = connected.map_err(GreetingError::Unreachable)?;
    let Guise::Tls(identity) = guise else { return Ok(exchange(stream, host, language).await) };
    let config = config(identity, language).map_err(GreetingError::Identity)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| GreetingError::Identity(error.to_string()))?;
    let met = timeout(LIMIT, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    Ok(match met {
        Ok(Ok(stream)) => exchange(stream, host, language).await,
        Ok(Err(error)) => (turned_away(&error), causes(&error)),
        Err(_) => (Reception::NoTls, "the handshake was not answered within 5 s".to_owned()),
    })
}

/// A server that speaks TLS says so by an alert when it ends the handshake.
fn turned_away(error: &io::Error) -> Reception {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(_)) => Reception::Refused,
        _ => Reception::NoTls,
    }
}

/// A client that is refused by TLS 1.3 learns it only after its own side of the handshake is done (RFC 8446, 4.4.2.4): what counts is the
/// answer to what it says then.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    language: Language,
) -> (Reception, String) {
    let greeting = match language {
        Language::Http1 => format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
        Language::Http2 => HTTP2.to_vec(),
    };
    let mut answer = [0; 64];
    let talk = async {
        stream.write_all(&greeting).await?;
        stream.flush().await?;
        stream.read(&mut answer).await
    };
    let read = match timeout(LIMIT, talk).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return (Reception::Refused, causes(&error)),
        Err(_) => return (Reception::Refused, "no answer within 5 s".to_owned()),
    };
    let answer = answer.get(..read).unwrap_or_default();
    let answered = match language {
        Language::Http1 => answer.starts_with(b"HTTP/1.") && !answer.windows(5).any(|word| word == BAD_REQUEST),
        Language::Http2 => answer.get(FRAME_TYPE) == Some(&SETTINGS),
    };
    let told = match (answered, read, language) {
        (_, 0, _) => "the connection was closed".to_owned(),
        (true, _, Language::Http2) => "a frame of settings".to_owned(),
        _ => answer.split(|byte| *byte == b'\r').next().unwrap_or_default().escape_ascii().to_string(),
    };
    (if answered { Reception::Answered } else { Reception::Refused }, told)
}

fn config(identity: Option<&Identity>, language: Language) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| causes(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider.signature_verification_algorithms)));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let (chain, key) = parsed(certificate, key)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| causes(&error))?
        }
    };
    if language == Language::Http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(config)
}

/// Takes every server for whom it says it is: nothing is told to it, and whether *it* is to be trusted is asked elsewhere.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
