//! How the programs are run: how often, how large, on which disks and buckets, in which processes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Program, told};
use crate::prediction::{bucket_setting, factor_setting, setting_at};

/// What no pod's limit may reach, bytes (design.md, NFR-lgtm-d4f8c2a1-SCALE-002).
const MEMORY_CEILING: u64 = 2 << 30;

/// Where OTLP is spoken over gRPC (design.md, API).
const OTLP_PORT: u64 = 4317;

impl<'a> Answer<'a> {
    pub(super) fn resources(&mut self, program: Program, [processor, requested, limit]: [u64; 3]) {
        let Some(release) = self.release_of("requests", program.name()) else { return };
        let workloads = self.tree.workloads(release);
        if workloads.is_empty() {
            self.object("requests", self.tree.says(release, &["values"], "no workload"));
        }
        for workload in workloads {
            let at = |path: &str| workload.container.pointer(&format!("/resources/{path}"));
            let keys: Vec<&str> = workload.keys.iter().copied().chain(["resources"]).collect();
            let (cpu, memory) = (at("requests/cpu").and_then(millis), at("requests/memory").and_then(bytes));
            if (cpu, memory) != (Some(processor), Some(requested << 20)) {
                let says = format!("requests {}, not {processor}m and {requested}Mi", told(at("requests")));
                self.object("requests", self.tree.says(release, &keys, says));
            }
            if at("limits/memory").and_then(bytes) != Some(limit << 20) {
                let says = format!("memory is limited to {}, not {limit}Mi", told(at("limits/memory")));
                self.object("memory limit", self.tree.says(release, &keys, says));
            }
            if let Some(cpu) = at("limits/cpu") {
                self.object(
                    "no processor limit",
                    self.tree.says(release, &keys, format!("the processor is limited to {cpu}")),
                );
            }
        }
    }

    pub(super) fn memory_limits(&mut self) {
        for (_, release) in self.releases("memory limit") {
            for workload in self.tree.workloads(release) {
                let limit = workload.container.pointer("/resources/limits/memory");
                if limit.and_then(bytes).is_none_or(|limit| limit >= MEMORY_CEILING) {
                    let keys: Vec<&str> = workload.keys.iter().copied().chain(["resources", "limits"]).collect();
                    let says = format!("memory is limited to {}, not below 2Gi", told(limit));
                    self.object("memory limit", self.tree.says(release, &keys, says));
                }
            }
        }
    }

    pub(super) fn persistence(&mut self) {
        for (_, release) in self.releases("persistence off") {
            let values = release.values();
            let of_workloads =
                self.tree.workloads(release).into_iter().map(|workload| (workload.keys, workload.settings));
            let mut places: Vec<(Vec<&str>, Option<&Value>)> =
                of_workloads.map(|(keys, settings)| (keys, settings.get("persistence"))).collect();
            if self.tree.chart(release) != Some("loki") {
                places = vec![(Vec::new(), values.get("persistence"))];
            }
            for (keys, persistence) in places {
                let keys: Vec<&str> = keys.into_iter().chain(["persistence"]).collect();
                if persistence.and_then(|persistence| persistence.get("enabled")) != Some(&json!(false)) {
                    self.object("persistence off", self.tree.says(release, &keys, "persistence.enabled is not false"));
                }
                let volumes = persistence.and_then(Value::as_object).into_iter().flatten();
                for (name, volume) in volumes {
                    if volume.get("type").and_then(Value::as_str) == Some("persistentVolumeClaim") {
                        self.object("no claims", self.tree.says(release, &keys, format!("{name} is a claim")));
                    }
                }
            }
        }
        for claim in self.tree.of_kind("PersistentVolumeClaim") {
            self.object("no claims", self.tree.says(claim, &["kind"], format!("a claim called {}", claim.name())));
        }
        for set in self.tree.of_kind("StatefulSet").filter(|set| set.at("/spec/volumeClaimTemplates").is_some()) {
            self.object("no claims", self.tree.says(set, &["spec", "volumeClaimTemplates"], "a template of claims"));
        }
    }

    pub(super) fn replicas(&mut self) {
        for (program, release) in self.releases("one replica") {
            for workload in self.tree.workloads(release) {
                let replicas = workload.settings.get("replicas");
                if replicas != Some(&json!(1)) {
                    let keys: Vec<&str> = workload.keys.iter().copied().take(2).chain(["replicas"]).collect();
                    self.object("one replica", self.tree.says(release, &keys, format!("{} replicas", told(replicas))));
                }
            }
            let configuration = self.tree.configuration(release).unwrap_or_default();
            let factor = setting_at(&configuration, factor_setting(program.signal()));
            if factor != Some(&json!(1)) {
                let says = format!("replication factor {} of {}", told(factor), program.name());
                self.object("replication factor", self.tree.says(release, &["values"], says));
            }
        }
    }

    pub(super) fn buckets(&mut self) {
        let mut secrets: BTreeMap<String, Program> = BTreeMap::new();
        for (program, release) in self.releases("own bucket") {
            let configuration = self.tree.configuration(release).unwrap_or_default();
            let bucket = setting_at(&configuration, bucket_setting(program.signal()));
            if bucket != Some(&json!(program.bucket())) {
                let says = format!("{} is configured for {}, not {}", program.name(), told(bucket), program.bucket());
                self.object("own bucket", self.tree.says(release, &["values"], says));
            }
            let Some(secret) = self.secret_of("own secret", program) else { continue };
            let key = secret.text("/stringData/S3_ACCESS_KEY_ID").to_owned();
            if let Some(other) = secrets.insert(key, program) {
                let says = format!("{} has the key of {}", program.name(), other.name());
                self.object("own secret", self.tree.says(secret, &["stringData", "S3_ACCESS_KEY_ID"], says));
            }
        }
    }

    pub(super) fn loki_mode(&mut self) {
        let Some(release) = self.release_of("mode by name", "loki") else { return };
        let mode = release.values().get("deploymentMode");
        if mode != Some(&json!("SimpleScalable")) {
            self.object("mode by name", self.tree.says(release, &["deploymentMode"], format!("mode {}", told(mode))));
        }
        for process in ["write", "read", "backend"] {
            let replicas = release.values().get(process).and_then(|settings| settings.get("replicas")?.as_u64());
            if replicas.unwrap_or(0) == 0 {
                self.object(
                    "three workloads",
                    self.tree.says(release, &["values"], format!("no workload for {process}")),
                );
            }
        }
    }

    pub(super) fn one_process(&mut self, program: Program) {
        let Some(release) = self.release_of("one workload", program.name()) else { return };
        let count = self.tree.workloads(release).len();
        if count != 1 {
            self.object("one workload", self.tree.says(release, &["values"], format!("{count} workloads")));
        }
        let configuration = self.tree.configuration(release).unwrap_or_default();
        let target = configuration.get("target");
        if target != Some(&json!("all")) {
            self.object("target", self.tree.says(release, &["values"], format!("target {}", told(target))));
        }
    }

    pub(super) fn otlp_receiver(&mut self) {
        let Some(release) = self.release_of("receiver", "tempo") else { return };
        let configuration = self.tree.configuration(release).unwrap_or_default();
        let endpoint = configuration.pointer("/distributor/receivers/otlp/protocols/grpc/endpoint");
        let port = endpoint.and_then(Value::as_str).and_then(|endpoint| endpoint.rsplit(':').next()?.parse().ok());
        if port != Some(OTLP_PORT) {
            let says = format!("OTLP over gRPC at {}, not at port {OTLP_PORT}", told(endpoint));
            self.object("receiver", self.tree.says(release, &["config"], says));
        }
        let services = self.tree.services();
        if !services.iter().any(|service| service.name == "tempo" && service.has_port(OTLP_PORT)) {
            let says = format!("no service called tempo with port {OTLP_PORT}");
            self.object("port of the service", self.tree.says(release, &["values"], says));
        }
    }
}

/// A quantity of processor time, in thousandths of a core.
fn millis(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.strip_suffix('m') {
        Some(millis) => millis.parse().ok(),
        None => text.parse::<u64>().ok()?.checked_mul(1000),
    }
}

/// A quantity of memory, in bytes; of the suffixes, those of powers of two.
fn bytes(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let units = [("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let (number, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((&text, 0));
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let number = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part.parse().ok()?)?;
    number.checked_mul(1 << shift)?.checked_div(scale)
}
