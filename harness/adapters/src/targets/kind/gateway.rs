use std::{io, net::SocketAddr, sync::Arc};

use thiserror::Error;
use tokio::net::TcpListener;

use crate::targets::blueprint::{Upstream, Upstreams, serve_grpc, serve_http};

/// The port on which every Loki process serves HTTP in the cluster.
const HTTP: u16 = 3100;

/// The port on which every Loki process serves gRPC in the cluster.
const GRPC: u16 = 9095;

/// Loki's gateway as a program of its own: where it listens, and the names of the processes behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Where it serves HTTP.
    pub http: SocketAddr,
    /// Where it serves gRPC.
    pub grpc: SocketAddr,
    /// The host of the write process.
    pub write: String,
    /// The host of the read process.
    pub read: String,
    /// The host of the backend process.
    pub backend: String,
}

/// Why the gateway cannot serve.
#[derive(Debug, Error)]
#[error("the gateway cannot listen on {address}")]
pub struct GatewayError {
    /// The address.
    pub address: SocketAddr,
    /// What is wrong with it.
    pub source: io::Error,
}

impl Gateway {
    /// Serves until `end` completes.
    ///
    /// # Errors
    /// [`GatewayError`]: an address is taken or not this machine's.
    pub async fn serve(self, end: impl Future<Output = ()>) -> Result<(), GatewayError> {
        let http = listen(self.http).await?;
        let grpc = listen(self.grpc).await?;
        let upstreams: Arc<dyn Upstreams> = Arc::new(self);
        tokio::select! {
            () = serve_http(http, Arc::clone(&upstreams)) => {}
            () = serve_grpc(grpc, upstreams) => {}
            () = end => {}
        }
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    TcpListener::bind(address).await.map_err(|source| GatewayError { address, source })
}

impl Upstreams for Gateway {
    fn http(&self, upstream: Upstream) -> String {
        let host = match upstream {
            Upstream::Write => &self.write,
            Upstream::Backend => &self.backend,
            Upstream::Read => &self.read,
        };
        format!("{host}:{HTTP}")
    }

    fn write_grpc(&self) -> String {
        format!("{}:{GRPC}", self.write)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn gateway(http: SocketAddr) -> Gateway {
        Gateway {
            http,
            grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            write: "w".to_owned(),
            read: "r".to_owned(),
            backend: "b".to_owned(),
        }
    }

    #[test]
    fn every_process_is_found_under_its_own_name() {
        let gateway = gateway(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let table = [(Upstream::Write, "w:3100"), (Upstream::Read, "r:3100"), (Upstream::Backend, "b:3100")];
        for (upstream, expected) in table {
            assert_eq!(gateway.http(upstream), expected);
        }
        assert_eq!(gateway.write_grpc(), "w:9095");
    }

    #[tokio::test]
    async fn a_taken_address_is_named_and_the_end_ends_it() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let taken = held.local_addr().unwrap();
        let error = gateway(taken).serve(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the gateway cannot listen on {taken}"));
        drop(held);
        gateway(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).serve(std::future::ready(())).await.unwrap();
    }
}
