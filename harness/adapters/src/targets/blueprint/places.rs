use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use harness_core::ports::Component;
use thiserror::Error;

use super::{Role, Sockets, Store, Surroundings, readiness};
use crate::loopback;

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::targets) enum Socket {
    Http,
    Grpc,
    Gossip,
    OtlpGrpc,
    OtlpHttp,
}

/// Why the stack has nowhere to listen.
#[derive(Debug, Error)]
pub enum PortsError {
    /// A port that the design gives cannot be listened at.
    #[error("port {port} of 127.0.0.1, where the design has {owner}, is taken")]
    Taken {
        /// The port.
        port: u16,
        /// Which component the design has there.
        owner: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The whole range is taken.
    #[error("no port of 127.0.0.1 between 20000 and 31999 is free")]
    NoneFree,
}

/// Where each component listens, all on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) struct Ports {
    components: BTreeMap<(Component, Socket), u16>,
    /// Whether the store speaks HTTPS.
    store_tls: bool,
}

fn sockets(component: Component) -> &'static [Socket] {
    match component {
        Component::Minio => &[Socket::Http],
        Component::Tempo => &[Socket::Http, Socket::Grpc, Socket::Gossip, Socket::OtlpGrpc, Socket::OtlpHttp],
        _ => &[Socket::Http, Socket::Grpc, Socket::Gossip],
    }
}

fn by_design(component: Component, socket: Socket) -> Option<u16> {
    match (component, socket) {
        (Component::Minio, Socket::Http) => Some(9000),
        (Component::Tempo, Socket::Http) => Some(3200),
        (Component::Tempo, Socket::OtlpGrpc) => Some(4317),
        (Component::Tempo, Socket::OtlpHttp) => Some(4318),
        (Component::Mimir, Socket::Http) => Some(8080),
        _ => None,
    }
}

/// A listener of ours: on the design's port, or on any.
pub(in crate::targets) fn listen(design: Option<u16>, owner: &str) -> Result<TcpListener, PortsError> {
    let port = design.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| PortsError::Taken {
        port,
        owner: owner.to_owned(),
        source,
    })
}

impl Ports {
    /// Free ports for `components`, where the store speaks HTTPS or does not.
    pub(in crate::targets) fn find(
        components: &[Component],
        design_ports: bool,
        store_tls: bool,
    ) -> Result<Self, PortsError> {
        let mut ports = Self { components: BTreeMap::new(), store_tls };
        for &component in components {
            for &socket in sockets(component) {
                let design = by_design(component, socket).filter(|_| design_ports);
                let port = match design {
                    Some(port) => listen(Some(port), component.name()).map(|_| port)?,
                    None => ports.free()?,
                };
                ports.components.insert((component, socket), port);
            }
        }
        Ok(ports)
    }

    /// Other ports for `component`: one of those that it had is taken.
    pub(in crate::targets) fn replace(&mut self, component: Component) -> Result<(), PortsError> {
        for &socket in sockets(component) {
            let port = self.free()?;
            self.components.insert((component, socket), port);
        }
        Ok(())
    }

    fn free(&self) -> Result<u16, PortsError> {
        let chosen: BTreeSet<u16> = self.components.values().copied().collect();
        loopback::free_port(&chosen).ok_or(PortsError::NoneFree)
    }

    /// The port of `component` for `socket`; 0 where it has none.
    pub(in crate::targets) fn of(&self, component: Component, socket: Socket) -> u16 {
        self.components.get(&(component, socket)).copied().unwrap_or(0)
    }

    pub(in crate::targets) fn address(&self, component: Component, socket: Socket) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.of(component, socket)))
    }

    /// Base URL of the HTTP server of `component`.
    pub(in crate::targets) fn admin(&self, component: Component) -> String {
        format!("{}://{}", self.scheme(component), self.address(component, Socket::Http))
    }

    fn scheme(&self, component: Component) -> &'static str {
        if component == Component::Minio && self.store_tls { "https" } else { "http" }
    }

    /// Where `component` runs, with its data below `data`.
    pub(in crate::targets) fn surroundings(&self, component: Component, data: &Path) -> Surroundings {
        let gossip = [Component::LokiWrite, Component::LokiRead, Component::LokiBackend];
        let place = |component, socket| self.address(component, socket).to_string();
        Surroundings {
            listen: "127.0.0.1",
            advertise: "127.0.0.1",
            sockets: Sockets {
                http: self.of(component, Socket::Http),
                grpc: self.of(component, Socket::Grpc),
                gossip: self.of(component, Socket::Gossip),
                otlp_grpc: self.of(component, Socket::OtlpGrpc),
                otlp_http: self.of(component, Socket::OtlpHttp),
            },
            loki_gossip: gossip.into_iter().map(|component| place(component, Socket::Gossip)).collect(),
            loki_backend: place(Component::LokiBackend, Socket::Http),
            store: Store { endpoint: place(Component::Minio, Socket::Http), tls: self.store_tls },
            data: data.join(component.name()).to_string_lossy().into_owned(),
        }
    }

    /// The path of `component` that answers 200 when it is ready.
    pub(in crate::targets) fn readiness(&self, component: Component) -> String {
        format!("{}{}", self.admin(component), readiness(component))
    }

    /// Endpoints of the components, by role; Loki's gateway is not among them.
    pub(in crate::targets) fn endpoints(&self) -> BTreeMap<Role, String> {
        let places = [
            (Role::LokiStoreReader, Component::LokiStoreReader, Socket::Http),
            (Role::Tempo, Component::Tempo, Socket::Http),
            (Role::TempoOtlpGrpc, Component::Tempo, Socket::OtlpGrpc),
            (Role::TempoOtlpHttp, Component::Tempo, Socket::OtlpHttp),
            (Role::Mimir, Component::Mimir, Socket::Http),
            (Role::S3, Component::Minio, Socket::Http),
        ];
        places
            .into_iter()
            .filter(|(_, component, socket)| self.components.contains_key(&(*component, *socket)))
            .map(|(role, component, socket)| {
                (role, format!("{}://{}", self.scheme(component), self.address(component, socket)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let mut ports = Ports::find(&Component::ALL, false, true).unwrap();
        let distinct: BTreeSet<u16> = ports.components.values().copied().collect();
        assert_eq!(distinct.len(), ports.components.len());
        let before = ports.clone();
        ports.replace(Component::Tempo).unwrap();
        assert_ne!(ports.of(Component::Tempo, Socket::Http), before.of(Component::Tempo, Socket::Http));
        assert_eq!(ports.of(Component::Mimir, Socket::Http), before.of(Component::Mimir, Socket::Http));
    }

    #[test]
    fn a_taken_port_is_named() {
        let held = listen(None, "a test").unwrap();
        let port = held.local_addr().unwrap().port();
        let error = listen(Some(port), "tempo").unwrap_err();
        assert_eq!(error.to_string(), format!("port {port} of 127.0.0.1, where the design has tempo, is taken"));
    }

    #[test]
    fn only_what_runs_has_an_endpoint() {
        let ports = Ports::find(&[Component::Minio, Component::Mimir], false, true).unwrap();
        assert_eq!(ports.endpoints().into_keys().collect::<Vec<_>>(), [Role::Mimir, Role::S3]);
    }
}
