//! Folders, files, and where charts come from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{super::MONITORING, Answer, Program};

impl<'a> Answer<'a> {
    pub(super) fn folder(&mut self, program: Program) {
        let folder = format!("{MONITORING}/{}", program.name());
        let wanted = [
            ("ks.yaml", "Kustomization", "kustomize.toolkit.fluxcd.io"),
            ("app/kustomization.yaml", "Kustomization", "kustomize.config.k8s.io"),
            ("app/secret.sops.yaml", "Secret", "v1"),
            ("app/helmrelease.yaml", "HelmRelease", "helm.toolkit.fluxcd.io"),
        ];
        for (name, kind, group) in wanted {
            let file = format!("{folder}/{name}");
            if !self.tree.files.contains_key(&file) {
                self.object("files", format!("{file}: is not there"));
                continue;
            }
            let mut inside = self.tree.objects.iter().filter(|object| object.file == file);
            if !inside.any(|object| object.kind() == kind && object.is_of(group)) {
                self.object("kinds", format!("{file}:1: no {kind} of {group}"));
            }
        }
        let application = format!("{folder}/app");
        let kustomization = self.tree.objects.iter().find(|object| object.file == format!("{folder}/ks.yaml"));
        if let Some(kustomization) = kustomization {
            let path = kustomization.text("/spec/path");
            if !path.trim_end_matches('/').ends_with(&application) {
                self.object(
                    "path",
                    self.tree.says(kustomization, &["spec", "path"], format!("{path:?} is not {application}")),
                );
            }
        }
        let list = format!("{application}/kustomization.yaml");
        let Some(list) = self.tree.objects.iter().find(|object| object.file == list) else { return };
        let listed: BTreeSet<&str> = list
            .at("/resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.trim_start_matches("./")))
            .collect();
        let inside = self.tree.files.keys().filter_map(|file| file.strip_prefix(&format!("{application}/")));
        let there: BTreeSet<&str> = inside.filter(|file| *file != "kustomization.yaml").collect();
        for missing in there.difference(&listed) {
            self.object("listed", self.tree.says(list, &["resources"], format!("{missing} is not listed")));
        }
        for gone in listed.difference(&there) {
            self.object("listed", self.tree.says(list, &["resources"], format!("{gone} is listed and not there")));
        }
    }

    pub(super) fn release_stands(&mut self, name: &str) {
        let file = format!("{MONITORING}/{name}/app/helmrelease.yaml");
        let stands = self.tree.release(name).is_some_and(|release| release.file == file);
        if !stands {
            self.object("release", format!("{file}: no HelmRelease called {name}"));
        }
    }

    pub(super) fn chart_source(&mut self) {
        for (program, release) in self.releases("chart reference") {
            if release.at("/spec/chart").is_some() {
                let says = self.tree.says(release, &["spec", "chart"], "a chart of a HelmRepository");
                self.object("chart reference", says);
            }
            if release.text("/spec/chartRef/kind") != "OCIRepository" {
                self.object("chart reference", self.tree.says(release, &["spec"], "no chartRef to an OCIRepository"));
                continue;
            }
            let Some(source) = self.tree.source(release) else {
                let missing = format!("no OCIRepository called {}", release.text("/spec/chartRef/name"));
                self.object("chart reference", self.tree.says(release, &["spec", "chartRef", "name"], missing));
                continue;
            };
            let (tag, digest) = (source.text("/spec/ref/tag"), source.text("/spec/ref/digest"));
            let is_version = tag.split('.').count() == 3 && tag.starts_with(|first: char| first.is_ascii_digit());
            if !is_version && digest.is_empty() {
                let says = format!("{tag:?} is no version of the chart of {}", program.name());
                self.object("pinned tag", self.tree.says(source, &["spec", "ref"], says));
            }
        }
    }
}
