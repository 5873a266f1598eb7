//! The tree that Flux applies, as files alone: objects and where they stand, what releases are told, what is declared of the stack. Must not
//! know where the files lie, nor which clause asks.

mod alter;
mod components;
mod questions;
mod services;

pub use alter::Alteration;
pub use components::Program;
pub use questions::{Beside, Findings, Question, findings_of};

use std::{collections::BTreeMap, fmt::Display};

use serde_json::Value;

/// Everything in a folder, by path below it.
pub type Files = BTreeMap<String, String>;

/// The folder of the stack's components, below the tree's own.
const MONITORING: &str = "apps/monitoring";

/// The tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Its files.
    pub files: Files,
    objects: Vec<Object>,
    /// What is YAML by its name and not by its content, each with file and line.
    broken: Vec<String>,
}

/// An object, and where it begins.
#[derive(Debug, Clone)]
struct Object {
    file: String,
    /// Counted from 1.
    line: usize,
    value: Value,
}

impl Tree {
    /// Reads every document of every YAML file.
    pub fn read(files: Files) -> Self {
        let (mut objects, mut broken) = (Vec::new(), Vec::new());
        for (file, text) in files.iter().filter(|(file, _)| is_yaml(file)) {
            for (line, document) in documents(text) {
                match serde_saphyr::from_str::<Value>(document) {
                    Ok(Value::Null) => {}
                    Ok(value) => objects.push(Object { file: file.clone(), line, value }),
                    Err(error) => {
                        let within = error.location().map_or(1, |location| location.line()).max(1);
                        let within = usize::try_from(within).unwrap_or(1);
                        let reason = error.to_string();
                        let reason = reason.lines().next().unwrap_or_default().trim_start_matches("error: ");
                        // The line is counted from the document's own beginning there.
                        let reason = reason
                            .strip_prefix("line ")
                            .and_then(|rest| rest.split_once(": "))
                            .map_or(reason, |(_, reason)| reason);
                        broken.push(format!("{file}:{}: no YAML: {reason}", line + within - 1));
                    }
                }
            }
        }
        Self { files, objects, broken }
    }

    /// The objects that an API server has, told by kind, namespace and name.
    pub fn of_objects(objects: Vec<Value>) -> Self {
        let named = |value: Value| {
            let text = |at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            let file = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            Object { file, line: 1, value }
        };
        Self { files: Files::new(), objects: objects.into_iter().map(named).collect(), broken: Vec::new() }
    }

    /// How much of it there is, in words.
    pub fn describe(&self) -> String {
        format!("{} files, {} objects", self.files.len(), self.objects.len())
    }

    /// The objects of this kind, in the order of their files.
    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().filter(move |object| object.kind() == kind)
    }

    /// The object of this kind and name, and of this group: kinds of one name there are several.
    fn named(&self, kind: &str, group: &str, name: &str) -> Option<&Object> {
        let is_it = |object: &&Object| object.kind() == kind && object.is_of(group) && object.name() == name;
        self.objects.iter().find(is_it)
    }

    /// What a component's release is told.
    fn release(&self, name: &str) -> Option<&Object> {
        self.named("HelmRelease", "helm.toolkit.fluxcd.io", name)
    }

    /// The source of a release's chart.
    fn source(&self, release: &Object) -> Option<&Object> {
        let name = release.at("/spec/chartRef/name")?.as_str()?;
        self.named("OCIRepository", "source.toolkit.fluxcd.io", name)
    }

    /// The last part of the address of a release's chart.
    fn chart(&self, release: &Object) -> Option<&str> {
        self.source(release)?.at("/spec/url")?.as_str()?.rsplit('/').next()
    }

    /// Where something stands in an object: at the line of the last of `keys`, each looked for after the one before.
    fn place(&self, object: &Object, keys: &[&str]) -> String {
        let Some(text) = self.files.get(&object.file) else {
            return [&[object.file.as_str()], keys].concat().join(" ");
        };
        let mut line = object.line;
        for key in keys {
            let found = text.lines().enumerate().skip(line.saturating_sub(1)).find(|(_, text)| {
                let text = text.trim_start().trim_start_matches("- ");
                text.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
            });
            let Some((number, _)) = found else { break };
            line = number + 1;
        }
        format!("{}:{line}", object.file)
    }

    fn says(&self, object: &Object, keys: &[&str], what: impl Display) -> String {
        format!("{}: {what}", self.place(object, keys))
    }
}

impl Object {
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.text("/kind")
    }

    fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    fn is_of(&self, group: &str) -> bool {
        self.text("/apiVersion").split('/').next() == Some(group)
    }

    fn values(&self) -> &Value {
        self.at("/spec/values").unwrap_or(&Value::Null)
    }
}

/// Whether a file is YAML by its name.
pub fn is_yaml(file: &str) -> bool {
    [".yaml", ".yml"].iter().any(|ending| file.ends_with(ending))
}

/// The documents of a file, each with the line at which it begins, counted from 1.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut begin, mut first) = (0, 1);
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" {
            found.push((first, text.get(begin..offset).unwrap_or_default()));
            (begin, first) = (offset + line.len(), number + 2);
        }
        offset += line.len();
    }
    found.push((first, text.get(begin..).unwrap_or_default()));
    found.retain(|(_, document)| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    found
}

#[cfg(test)]
mod tests;
