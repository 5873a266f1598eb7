//! Secrets: what is in them, for whom they are encrypted, and who is given them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Answer, Program};

/// The four keys of a secret.
const KEYS: [&str; 4] = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_ENDPOINT", "S3_BUCKET"];

/// Those that are credentials.
const CREDENTIALS: [&str; 2] = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];

/// How a ciphertext of SOPS begins.
const CIPHERTEXT: &str = "ENC[AES256_GCM,";

impl<'a> Answer<'a> {
    pub(super) fn secret_environment(&mut self, program: Program) {
        let Some(release) = self.release_of("environment from the secret", program.name()) else { return };
        let values = release.values();
        let containers = self.tree.workloads(release);
        let own = containers.iter().filter_map(|workload| workload.container.get("envFrom"));
        let chart = [values.pointer("/global/extraEnvFrom"), values.pointer("/tempo/extraEnvFrom")];
        let sources = own.chain(chart.into_iter().flatten()).filter_map(Value::as_array).flatten();
        let names: Vec<&str> =
            sources.filter_map(|source| source.pointer("/secretRef/name").and_then(Value::as_str)).collect();
        if !names.contains(&program.secret().as_str()) {
            let says = format!("no envFrom of {}", program.secret());
            self.object("environment from the secret", self.tree.says(release, &["values"], says));
        }
        let configuration = self.tree.configuration(release).unwrap_or_default().to_string();
        for variable in CREDENTIALS {
            if !configuration.contains(&format!("${{{variable}}}")) {
                let says = format!("the configuration does not refer to {variable}");
                self.object("variables in the configuration", self.tree.says(release, &["values"], says));
            }
        }
    }

    pub(super) fn keys(&mut self) {
        for program in Program::ALL {
            let Some(secret) = self.secret_of("four keys", program) else { continue };
            for key in KEYS {
                let value = ["stringData", "data"].into_iter().find_map(|place| secret.at(&format!("/{place}/{key}")));
                if value.and_then(Value::as_str).is_none_or(str::is_empty) {
                    self.object("four keys", self.tree.says(secret, &["stringData"], format!("no {key}")));
                }
            }
            let bucket = secret.text("/stringData/S3_BUCKET");
            if !bucket.is_empty() && !bucket.starts_with(CIPHERTEXT) && bucket != program.bucket() {
                let says = format!("bucket {bucket}, not {}", program.bucket());
                self.object("own bucket", self.tree.says(secret, &["stringData", "S3_BUCKET"], says));
            }
        }
    }

    pub(super) fn encrypted(&mut self) {
        let declared = self.recipients();
        if declared.is_empty() {
            self.object("recipients", ".sops.yaml: no age recipient is declared");
        }
        for program in Program::ALL {
            let Some(secret) = self.secret_of("ciphertexts", program) else { continue };
            for key in CREDENTIALS {
                let value = ["stringData", "data"].into_iter().find_map(|place| secret.at(&format!("/{place}/{key}")));
                if !value.and_then(Value::as_str).is_some_and(|value| value.starts_with(CIPHERTEXT)) {
                    let says = format!("{key} is no ciphertext");
                    self.object("ciphertexts", self.tree.says(secret, &["stringData", key], says));
                }
            }
            let recipients = secret.at("/sops/age").and_then(Value::as_array).into_iter().flatten();
            let recipients: BTreeSet<&str> =
                recipients.filter_map(|recipient| recipient.get("recipient")?.as_str()).collect();
            let wanted: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
            if recipients != wanted {
                let says = format!("for {recipients:?}, not for the declared {wanted:?}");
                self.object("recipients", self.tree.says(secret, &["sops"], says));
            }
        }
    }

    /// The age keys that the tree declares.
    pub(super) fn recipients(&self) -> BTreeSet<String> {
        let rules = self.tree.objects.iter().filter(|object| object.file == ".sops.yaml");
        let rules = rules.filter_map(|object| object.at("/creation_rules")?.as_array()).flatten();
        let keys = rules.filter_map(|rule| rule.get("age")?.as_str()).flat_map(|keys| keys.split(','));
        keys.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect()
    }
}
