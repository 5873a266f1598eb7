use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Tree;

/// A change of a tree, in memory: what a check has to object to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alteration {
    /// A file is not there.
    WithoutFile {
        /// Its path below the tree.
        file: String,
    },
    /// A place in an object has another value.
    Set {
        /// The object's kind.
        kind: String,
        /// Its name.
        name: String,
        /// The place, as JSON pointers have it (RFC 6901); what is on the way there is made.
        at: String,
        /// The value; none where there is none any more.
        value: Option<Value>,
    },
    /// The first of these words in a file is another: the text is not what it was when it was signed.
    Tampered {
        /// Its path below the tree.
        file: String,
        /// The word.
        from: String,
        /// The other.
        to: String,
    },
}

impl Tree {
    /// The tree with these changes; `None` where there is nothing to change.
    pub fn altered(&self, alterations: &[Alteration]) -> Option<Self> {
        let mut altered = self.clone();
        for alteration in alterations {
            match alteration {
                Alteration::WithoutFile { file } => {
                    altered.files.remove(file)?;
                    altered.objects.retain(|object| object.file != *file);
                }
                Alteration::Set { kind, name, at, value } => {
                    let objects = &mut altered.objects;
                    let object = objects.iter_mut().find(|object| object.kind() == kind && object.name() == name)?;
                    set(&mut object.value, at.trim_start_matches('/').split('/'), value.as_ref());
                }
                Alteration::Tampered { file, from, to } => {
                    let text = altered.files.get_mut(file).filter(|text| text.contains(from))?;
                    *text = text.replacen(from, to, 1);
                }
            }
        }
        Some(altered)
    }
}

fn set<'a>(value: &mut Value, mut path: impl Iterator<Item = &'a str>, wanted: Option<&Value>) {
    let Some(key) = path.next() else {
        *value = wanted.cloned().unwrap_or(Value::Null);
        return;
    };
    let rest: Vec<&str> = path.collect();
    let key = key.replace("~1", "/").replace("~0", "~");
    match value {
        Value::Array(items) => {
            if let Some(item) = key.parse().ok().and_then(|place: usize| items.get_mut(place)) {
                set(item, rest.into_iter(), wanted);
            }
        }
        _ if rest.is_empty() && wanted.is_none() => {
            value.as_object_mut().map(|object| object.remove(&key));
        }
        _ => {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            if let Some(object) = value.as_object_mut() {
                set(object.entry(key).or_insert(Value::Null), rest.into_iter(), wanted);
            }
        }
    }
}
