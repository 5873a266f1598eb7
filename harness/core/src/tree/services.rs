//! The services that a tree declares, itself or by what it tells charts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Object, Tree};

/// Loki's processes, each with a service of its own by Loki's chart.
const LOKI_PROCESSES: [&str; 3] = ["write", "read", "backend"];

/// The ports of the services of Loki's processes, and of Tempo's, by their charts.
const LOKI_PORTS: [(&str, u64); 2] = [("http-metrics", 3100), ("grpc", 9095)];
const TEMPO_PORTS: [(&str, u64); 3] = [("http", 3200), ("otlp-grpc", 4317), ("otlp-http", 4318)];

/// A service, and which object declares it.
#[derive(Debug, Clone)]
pub(super) struct Service<'a> {
    pub(super) name: String,
    pub(super) ports: BTreeMap<String, u64>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) declared: &'a Object,
    /// The key below which its settings are, for people.
    pub(super) key: &'static str,
}

impl Service<'_> {
    pub(super) fn has_port(&self, port: u64) -> bool {
        self.ports.values().any(|known| *known == port)
    }
}

impl Tree {
    /// Every service that is declared, itself, by a chart of Loki's or Tempo's, or by the chart that runs any image.
    pub(super) fn services(&self) -> Vec<Service<'_>> {
        let mut services: Vec<Service<'_>> = self.of_kind("Service").map(plain).collect();
        for release in self.of_kind("HelmRelease") {
            match self.chart(release) {
                Some("loki") => services.extend(of_loki(release)),
                Some("tempo") => services.push(of_tempo(release)),
                _ => services.extend(of_any(release)),
            }
        }
        services
    }

    /// The service at `http://NAME.NAMESPACE.svc:PORT/…`, and the port.
    pub(super) fn service_at(&self, url: &str) -> Option<(Service<'_>, u64)> {
        let place = url.split_once("://")?.1.split('/').next()?;
        let (host, port) = place.rsplit_once(':')?;
        let name = host.split('.').next()?;
        let service = self.services().into_iter().find(|service| service.name == name)?;
        Some((service, port.parse().ok()?))
    }
}

fn plain(object: &Object) -> Service<'_> {
    let ports = object.at("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    Service {
        name: object.name().to_owned(),
        ports: ports.filter_map(|port| Some((text(port, "name"), port.get("port")?.as_u64()?))).collect(),
        labels: texts(object.at("/metadata/labels")),
        annotations: texts(object.at("/metadata/annotations")),
        declared: object,
        key: "annotations",
    }
}

fn of_loki(release: &Object) -> Vec<Service<'_>> {
    let own = |process: &str| Service {
        name: format!("{}-{process}", release.name()),
        ports: owned(&LOKI_PORTS),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        declared: release,
        key: "values",
    };
    let mut services: Vec<Service<'_>> = LOKI_PROCESSES.into_iter().map(own).collect();
    let gateway = release.at("/spec/values/gateway").unwrap_or(&Value::Null);
    if gateway.get("enabled").and_then(Value::as_bool).unwrap_or(true) {
        let port = gateway.pointer("/service/port").and_then(Value::as_u64).unwrap_or(80);
        services.push(Service {
            name: format!("{}-gateway", release.name()),
            ports: owned(&[("http-metrics", port)]),
            labels: texts(gateway.pointer("/service/labels")),
            annotations: texts(gateway.pointer("/service/annotations")),
            declared: release,
            key: "gateway",
        });
    }
    services
}

fn of_tempo(release: &Object) -> Service<'_> {
    Service {
        name: release.name().to_owned(),
        ports: owned(&TEMPO_PORTS),
        labels: texts(release.at("/spec/values/service/labels")),
        annotations: texts(release.at("/spec/values/service/annotations")),
        declared: release,
        key: "service",
    }
}

/// As the library chart of app-template names and fills them.
fn of_any(release: &Object) -> Vec<Service<'_>> {
    let declared = release.at("/spec/values/service").and_then(Value::as_object);
    let several = declared.is_some_and(|declared| declared.len() > 1);
    let service = |(id, service): (&String, &Value)| {
        let ports = service.get("ports")?.as_object()?;
        let own = if several { format!("{}-{id}", release.name()) } else { release.name().to_owned() };
        let forced = text(service, "forceRename");
        Some(Service {
            name: if forced.is_empty() { own } else { forced },
            ports: ports.iter().filter_map(|(name, port)| Some((name.clone(), port.get("port")?.as_u64()?))).collect(),
            labels: texts(service.get("labels")),
            annotations: texts(service.get("annotations")),
            declared: release,
            key: "service",
        })
    };
    declared.into_iter().flatten().filter_map(service).collect()
}

fn owned(ports: &[(&str, u64)]) -> BTreeMap<String, u64> {
    ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let object = value.and_then(Value::as_object).into_iter().flatten();
    object.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
