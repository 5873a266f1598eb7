use std::collections::BTreeMap;

use harness_core::ports::{Component, PortError};

use crate::{
    kube::{Cluster, Forward},
    targets::blueprint::Role,
};

/// A port of a Service in the stack's namespace, by the design's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Door {
    service: &'static str,
    port: u16,
}

impl Door {
    /// Host and port inside the cluster.
    fn name(self, namespace: &str) -> String {
        format!("{}.{namespace}.svc:{}", self.service, self.port)
    }
}

/// Host and port of every role inside the cluster; `store` is the object store's endpoint.
fn names(namespace: &str, store: &str) -> BTreeMap<Role, String> {
    let store = store.split_once("://").map_or(store, |(_, place)| place).trim_end_matches('/');
    ROLES.into_iter().map(|(role, door)| (role, door.name(namespace))).chain([(Role::S3, store.to_owned())]).collect()
}

/// The doors that runs go through (the design, "Interface", and what stands behind Loki's gateway).
const ROLES: [(Role, Door); 7] = [
    (Role::Loki, Door { service: "loki-gateway", port: 3100 }),
    (Role::LokiGrpc, Door { service: "loki-gateway", port: 9095 }),
    (Role::LokiStoreReader, Door { service: "loki-store-reader", port: 3100 }),
    (Role::Tempo, Door { service: "tempo", port: 3200 }),
    (Role::TempoOtlpGrpc, Door { service: "tempo", port: 4317 }),
    (Role::TempoOtlpHttp, Door { service: "tempo", port: 4318 }),
    (Role::Mimir, Door { service: "mimir-gateway", port: 8080 }),
];

/// The doors at which each component says how it is configured.
const ADMIN: [(Component, Door); 6] = [
    (Component::LokiWrite, Door { service: "loki-write", port: 3100 }),
    (Component::LokiRead, Door { service: "loki-read", port: 3100 }),
    (Component::LokiBackend, Door { service: "loki-backend", port: 3100 }),
    (Component::LokiStoreReader, Door { service: "loki-store-reader", port: 3100 }),
    (Component::Tempo, Door { service: "tempo", port: 3200 }),
    (Component::Mimir, Door { service: "mimir-gateway", port: 8080 }),
];

/// Where the stack is reached, as base URLs.
pub struct Doors {
    /// What runs send to and ask.
    pub roles: BTreeMap<Role, String>,
    /// Host and port of each role, by the names that the cluster has for them.
    pub names: BTreeMap<Role, String>,
    /// Where each component says how it is configured.
    pub admin: BTreeMap<Component, String>,
    /// Keeps the ways open.
    _forwards: Vec<Forward>,
}

impl Doors {
    /// The doors as they are seen inside the cluster: Services by name. `store` is the object store's endpoint.
    pub fn inside(namespace: &str, store: &str) -> Self {
        let url = |door: Door| format!("http://{}", door.name(namespace));
        let mut roles: BTreeMap<Role, String> = ROLES.into_iter().map(|(role, door)| (role, url(door))).collect();
        roles.insert(Role::S3, store.to_owned());
        let admin = ADMIN.into_iter().map(|(component, door)| (component, url(door))).collect();
        Self { roles, names: names(namespace, store), admin, _forwards: Vec::new() }
    }

    /// The doors of a cluster that this process is not in: a forward to each Service that there is, and to the object store where it is
    /// a Service too.
    pub async fn outside(cluster: &Cluster, store: &str) -> Result<Self, PortError> {
        let namespace = cluster.namespace_of(Component::LokiWrite);
        let mut forwards = Vec::new();
        let mut known: BTreeMap<(&str, u16), String> = BTreeMap::new();
        for door in ROLES.map(|(_, door)| door).into_iter().chain(ADMIN.map(|(_, door)| door)) {
            if known.contains_key(&(door.service, door.port)) {
                continue;
            }
            match cluster.forward_service(namespace, door.service, door.port).await.map_err(PortError::from) {
                Ok(forward) => {
                    known.insert((door.service, door.port), format!("http://{}", forward.address()));
                    forwards.push(forward);
                }
                // Not every stack has every part; a scenario that needs it says so.
                Err(PortError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let url = |door: Door| known.get(&(door.service, door.port)).cloned();
        let mut roles: BTreeMap<Role, String> =
            ROLES.into_iter().filter_map(|(role, door)| Some((role, url(door)?))).collect();
        let admin = ADMIN.into_iter().filter_map(|(component, door)| Some((component, url(door)?))).collect();
        let names = names(namespace, store);
        let store = match Service::of_url(store) {
            Some(service) => {
                let forward = cluster.forward_service(&service.namespace, &service.name, service.port).await?;
                let url = format!("{}://{}", service.scheme, forward.address());
                forwards.push(forward);
                url
            }
            None => store.to_owned(),
        };
        roles.insert(Role::S3, store);
        Ok(Self { roles, names, admin, _forwards: forwards })
    }
}

/// A Service, as a URL inside a cluster names it.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    scheme: String,
    name: String,
    namespace: String,
    port: u16,
}

impl Service {
    /// `https://NAME.NAMESPACE.svc[.cluster.local][:PORT]`; `None` for any other URL, which the world knows.
    fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let place = rest.split('/').next()?;
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (place, if scheme == "https" { 443 } else { 80 }),
        };
        match host.split('.').collect::<Vec<_>>().as_slice() {
            [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] => Some(Self {
                scheme: scheme.to_owned(),
                name: (*name).to_owned(),
                namespace: (*namespace).to_owned(),
                port,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_from_an_address_of_the_world() {
        let service = |scheme: &str, name: &str, namespace: &str, port| {
            Some(Service { scheme: scheme.into(), name: name.into(), namespace: namespace.into(), port })
        };
        for (url, expected) in [
            ("https://minio.minio.svc:443", service("https", "minio", "minio", 443)),
            ("https://minio.minio.svc", service("https", "minio", "minio", 443)),
            ("http://store.data.svc.cluster.local/", service("http", "store", "data", 80)),
            ("https://s3.example.org", None),
            ("https://a.b.svc.other.example", None),
            ("minio.minio.svc:443", None),
        ] {
            assert_eq!(Service::of_url(url), expected, "{url}");
        }
    }

    #[test]
    fn inside_every_door_is_a_service_of_the_namespace() {
        let doors = Doors::inside("monitoring", "https://minio.minio.svc:443");
        assert_eq!(doors.roles.len(), Role::ALL.len());
        assert_eq!(doors.roles[&Role::LokiGrpc], "http://loki-gateway.monitoring.svc:9095");
        assert_eq!(doors.roles[&Role::S3], "https://minio.minio.svc:443");
        assert_eq!(doors.admin[&Component::LokiBackend], "http://loki-backend.monitoring.svc:3100");
    }
}
