//! Grafana's data sources, and the services behind them.

use serde_json::{Value, json};

use super::{
    super::{MONITORING, Object, services::Service},
    Answer, Beside, told,
};

/// Data sources by the kind that Grafana has for them.
const DATA_SOURCES: [(&str, &str); 3] = [("Loki", "loki"), ("Tempo", "tempo"), ("Mimir", "prometheus")];

impl<'a> Answer<'a> {
    /// Grafana's data sources, with the release that has them.
    pub(super) fn declared_sources(&mut self, rule: &'static str) -> Vec<(&'a Object, &'a Value)> {
        let Some(release) = self.release_of(rule, Beside::Grafana.name()) else { return Vec::new() };
        let sources = release.values().pointer("/datasources/datasources.yaml/datasources").and_then(Value::as_array);
        if sources.is_none() {
            self.object(rule, self.tree.says(release, &["values"], "no section datasources.yaml"));
        }
        sources.into_iter().flatten().map(|source| (release, source)).collect()
    }

    pub(super) fn data_sources(&mut self) {
        let sources = self.declared_sources("data sources");
        for (name, kind) in DATA_SOURCES {
            let mut own = sources.iter().filter(|(_, source)| source.get("type") == Some(&json!(kind)));
            let is_it = |(_, source): &(&Object, &Value)| {
                source.get("url").and_then(Value::as_str).is_some_and(|url| {
                    self.tree
                        .service_at(url)
                        .is_some_and(|(service, port)| belongs(&service, name) && service.has_port(port))
                })
            };
            if let (Some((release, _)), false) = (sources.first(), own.any(is_it)) {
                let says = format!("no data source of type {kind} at a service and port of {name}'s");
                self.object("data sources", self.tree.says(release, &["datasources.yaml"], says));
            }
        }
    }

    pub(super) fn data_source_addresses(&mut self) {
        for (release, source) in self.declared_sources("addresses") {
            let url = source.get("url").and_then(Value::as_str).unwrap_or_default();
            let resolves = self.tree.service_at(url).is_some_and(|(service, port)| service.has_port(port));
            if !resolves {
                let says = format!("{url:?} is no service and port of the tree");
                self.object("addresses", self.tree.says(release, &["datasources.yaml", "url"], says));
            }
        }
    }

    pub(super) fn data_sources_declarative(&mut self) {
        for (release, source) in self.declared_sources("not editable") {
            if source.get("editable") != Some(&json!(false)) {
                let says = format!("{} can be edited by hand", told(source.get("name")));
                self.object("not editable", self.tree.says(release, &["datasources.yaml"], says));
            }
        }
    }

    pub(super) fn discovery(&mut self) {
        for (_, source) in self.declared_sources("annotations") {
            let url = source.get("url").and_then(Value::as_str).unwrap_or_default();
            // That an address is no service's is for another question to say.
            let Some((service, _)) = self.tree.service_at(url) else { continue };
            let annotation = |key: &str| service.annotations.get(&format!("prometheus.io/{key}")).map(String::as_str);
            let says =
                |what: String| self.tree.says(service.declared, &[service.key], format!("{}: {what}", service.name));
            let named = (annotation("scrape"), annotation("port"), annotation("path"));
            let (Some("true"), Some(port), Some(_)) = named else {
                let finding = says(format!("no annotations prometheus.io/scrape, port and path: {named:?}"));
                self.object("annotations", finding);
                continue;
            };
            if !port.parse().is_ok_and(|port| service.has_port(port)) {
                let finding = says(format!("it has no port {port}"));
                self.object("port of the service", finding);
            }
        }
    }
}

/// Whether a service is one of the program that a data source is named for: declared by its release, or beside it.
fn belongs(service: &Service<'_>, name: &str) -> bool {
    service.declared.file.starts_with(&format!("{MONITORING}/{}/", name.to_lowercase()))
}
