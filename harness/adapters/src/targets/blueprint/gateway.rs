use std::{convert::Infallible, io, sync::Arc};

use tokio::net::{TcpListener, TcpStream};

use crate::proxy::{self, Forwarder};

/// Which Loki process a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::targets) enum Upstream {
    Write,
    Backend,
    Read,
}

/// Where the processes listen now.
pub(in crate::targets) trait Upstreams: Send + Sync + 'static {
    /// `host:port` of the HTTP server.
    fn http(&self, upstream: Upstream) -> String;
    /// `host:port` of the write process' gRPC server.
    fn write_grpc(&self) -> String;
}

/// The process that serves `path` in simple scalable mode: pushes go to write, rules, deletions and compaction to backend,
/// every other question to read.
pub(in crate::targets) fn route(path: &str) -> Upstream {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let any = |prefixes: &[&str]| prefixes.iter().any(|prefix| below(prefix));
    if any(&["/loki/api/v1/push", "/api/prom/push", "/otlp"]) {
        Upstream::Write
    } else if any(&[
        "/loki/api/v1/rules",
        "/api/prom/rules",
        "/prometheus/api/v1/rules",
        "/prometheus/api/v1/alerts",
        "/loki/api/v1/delete",
        "/loki/api/v1/cache/generation_numbers",
        "/compactor",
        "/ruler",
    ]) {
        Upstream::Backend
    } else {
        Upstream::Read
    }
}

/// Serves Loki's HTTP API on `listener` until the task is dropped. Bodies are streamed; nothing is ever sent twice.
pub(in crate::targets) async fn serve_http(listener: TcpListener, upstreams: Arc<dyn Upstreams>) {
    let forwarder = Arc::new(Forwarder::new("gateway"));
    let handle = move |request: hyper::Request<hyper::body::Incoming>| {
        let address = upstreams.http(route(request.uri().path()));
        let forwarder = Arc::clone(&forwarder);
        async move { Ok::<_, Infallible>(forwarder.forward(&address, request).await) }
    };
    proxy::serve(listener, handle).await;
}

/// Serves Loki's gRPC API on `listener` until the task is dropped: bytes to and from the write process.
pub(in crate::targets) async fn serve_grpc(listener: TcpListener, upstreams: Arc<dyn Upstreams>) {
    loop {
        let Some(mut stream) = proxy::accept(&listener).await else { continue };
        let address = upstreams.write_grpc();
        tokio::spawn(async move {
            // Without an upstream the connection is closed, which is what its client has to see.
            let copied: io::Result<()> = async {
                let mut upstream = TcpStream::connect(address).await?;
                upstream.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
                Ok(())
            }
            .await;
            drop(copied);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
    };

    use super::*;

    #[test]
    fn each_path_goes_to_the_process_that_serves_it() {
        let table = [
            ("/loki/api/v1/push", Upstream::Write),
            ("/otlp/v1/logs", Upstream::Write),
            ("/api/prom/push", Upstream::Write),
            ("/loki/api/v1/rules/space", Upstream::Backend),
            ("/compactor/ring", Upstream::Backend),
            ("/loki/api/v1/delete", Upstream::Backend),
            ("/prometheus/api/v1/rules", Upstream::Backend),
            ("/loki/api/v1/query_range", Upstream::Read),
            ("/loki/api/v1/pushed", Upstream::Read),
            ("/compactors", Upstream::Read),
            ("/ready", Upstream::Read),
        ];
        for (path, expected) in table {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    struct One(SocketAddr);

    impl Upstreams for One {
        fn http(&self, _: Upstream) -> String {
            self.0.to_string()
        }

        fn write_grpc(&self) -> String {
            self.0.to_string()
        }
    }

    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_upstream_that_is_down_is_a_502_that_says_so() {
        // Bound and not listening: it refuses, and nobody else can have the port meanwhile.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let upstream = closed.local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_http(listener, Arc::new(One(upstream))));
        let answer = exchange(gateway, "GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        assert!(answer.contains(&format!("gateway: {upstream} did not answer: connection refused")), "{answer}");
        server.abort();
    }

    #[tokio::test]
    async fn bytes_pass_unchanged_both_ways() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_grpc(listener, Arc::new(One(upstream))));
        assert_eq!(exchange(gateway, "\u{1}PRI\u{2}").await, "\u{1}PRI\u{2}");
        echo.await.unwrap();
        server.abort();
    }
}
