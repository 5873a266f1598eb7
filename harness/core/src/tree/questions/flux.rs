//! What Flux reconciles, in which order, and whether it has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{MONITORING, Object},
    Answer, told,
};

/// What each release waits for.
const DEPENDS: [(&str, &[&str]); 5] = [
    ("loki", &[]),
    ("tempo", &[]),
    ("mimir", &[]),
    ("grafana", &["loki", "mimir", "tempo"]),
    ("kube-prometheus-stack", &["mimir"]),
];

impl<'a> Answer<'a> {
    pub(super) fn kustomization_of(&mut self, rule: &'static str, name: &str) -> Option<&'a Object> {
        let found = self.tree.named("Kustomization", "kustomize.toolkit.fluxcd.io", name);
        if found.is_none() {
            self.object(rule, format!("{MONITORING}/{name}/ks.yaml: no Kustomization of Flux called {name}"));
        }
        found
    }

    pub(super) fn depends(&mut self) {
        let ours: BTreeSet<&str> = DEPENDS.iter().map(|(name, _)| *name).collect();
        for (name, wanted) in DEPENDS {
            let Some(kustomization) = self.kustomization_of("dependencies", name) else { continue };
            let declared = kustomization.at("/spec/dependsOn").and_then(Value::as_array).into_iter().flatten();
            let declared: BTreeSet<&str> = declared.filter_map(|on| on.get("name")?.as_str()).collect();
            let among_ours: BTreeSet<&str> = declared.intersection(&ours).copied().collect();
            let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
            if among_ours != wanted {
                let says = format!("{name} waits for {among_ours:?}, not for {wanted:?}");
                self.object("dependencies", self.tree.says(kustomization, &["spec", "dependsOn"], says));
            }
        }
    }

    pub(super) fn reconciled(&mut self) {
        for (name, _) in DEPENDS {
            let Some(release) = self.release_of("not suspended", name) else { continue };
            let Some(kustomization) = self.kustomization_of("not suspended", name) else { continue };
            for object in [release, kustomization] {
                if object.at("/spec/suspend") == Some(&json!(true)) {
                    let says = format!("{} {name} is suspended", object.kind());
                    self.object("not suspended", self.tree.says(object, &["spec", "suspend"], says));
                }
            }
            let checks = kustomization.at("/spec/healthChecks").and_then(Value::as_array).into_iter().flatten();
            let mut checked = checks.filter(|check| check.get("kind") == Some(&json!("HelmRelease")));
            let waits = kustomization.at("/spec/wait") == Some(&json!(true));
            if !waits && !checked.any(|check| check.get("name") == Some(&json!(name))) {
                let says = format!("no health check of the release {name}");
                self.object("health checks", self.tree.says(kustomization, &["spec"], says));
            }
        }
    }

    pub(super) fn ready(&mut self) {
        self.reconciled();
        for (name, _) in DEPENDS {
            let Some(release) = self.release_of("ready", name) else { continue };
            let Some(kustomization) = self.kustomization_of("ready", name) else { continue };
            self.stands(release);
            self.stands(kustomization);
            let (applied, attempted) = (
                kustomization.text("/status/lastAppliedRevision"),
                kustomization.text("/status/lastAttemptedRevision"),
            );
            if applied.is_empty() || applied != attempted {
                let says = format!("applied {applied:?}, attempted {attempted:?}");
                self.object("revision", self.tree.says(kustomization, &["status"], says));
            }
            let Some(source) = self.tree.source(release) else { continue };
            self.stands(source);
            let tag = source.text("/spec/ref/tag");
            let artifact = source.text("/status/artifact/revision");
            let installed = release.text("/status/history/0/chartVersion");
            let is_tag = |version: &str| version.split(['@', '+']).next() == Some(tag);
            if !is_tag(artifact) || !is_tag(installed) {
                let says = format!("tag {tag:?}, artifact {artifact:?}, installed {installed:?}");
                self.object("revision", self.tree.says(source, &["status"], says));
            }
        }
    }

    /// An object that Flux has reconciled as it is declared now.
    pub(super) fn stands(&mut self, object: &'a Object) {
        let conditions = object.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let ready = conditions.into_iter().find(|condition| condition.get("type") == Some(&json!("Ready")));
        if ready.and_then(|ready| ready.get("status")) != Some(&json!("True")) {
            let says = told(ready.and_then(|ready| ready.get("message")));
            self.object("ready", self.tree.says(object, &["status"], format!("not ready: {says}")));
        }
        let (declared, observed) = (object.at("/metadata/generation"), object.at("/status/observedGeneration"));
        if observed.is_none() || declared != observed {
            let says = format!("generation {} is declared, {} was observed", told(declared), told(observed));
            self.object("generation", self.tree.says(object, &["status"], says));
        }
    }
}
