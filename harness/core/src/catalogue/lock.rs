use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write,
};

use sha2::{Digest, Sha256};

use super::{
    Catalogue, Clause, Criterion, Location,
    error::{CatalogueError, CatalogueErrorKind as Kind},
};

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 16;

/// The accepted meaning of every revision that ever was: `ID~REVISION FINGERPRINT` a line. Empty lines and lines that begin
/// with `#` are for readers.
#[derive(Default)]
struct Lock<'a> {
    /// By id, then revision: fingerprint and line.
    entries: BTreeMap<&'a str, BTreeMap<u32, (&'a str, usize)>>,
    errors: Vec<CatalogueError>,
}

impl<'a> Lock<'a> {
    fn read(file: &str, text: &'a str) -> Self {
        let mut lock = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let kind = match read_line(line) {
                None => Kind::MalformedLock { line: line.to_owned() },
                Some((id, revision, fingerprint)) => match lock.entries.entry(id).or_default().entry(revision) {
                    Entry::Vacant(entry) => {
                        entry.insert((fingerprint, number));
                        continue;
                    }
                    Entry::Occupied(entry) => Kind::RepeatedLock { id: id.to_owned(), revision, first: entry.get().1 },
                },
            };
            lock.errors.push(CatalogueError::new(&Location::new(file, number), kind));
        }
        lock
    }

    /// What the lock has against one entry of the catalogue.
    fn judge(&self, entry: &Meaning<'_>) -> Option<CatalogueError> {
        let Meaning { id, revision, location, .. } = *entry;
        let found = entry.fingerprint();
        let accepted = self.entries.get(id);
        let kind = match accepted.and_then(|revisions| revisions.get(&revision)) {
            Some((locked, _)) if *locked != found => {
                Kind::ChangedText { id: id.to_owned(), revision, locked: (*locked).to_owned(), found }
            }
            same => match accepted.and_then(|revisions| revisions.keys().last()) {
                Some(highest) if *highest > revision => {
                    Kind::RevisionBack { id: id.to_owned(), revision, highest: *highest }
                }
                _ if same.is_none() => Kind::NotAccepted { id: id.to_owned(), revision },
                _ => return None,
            },
        };
        Some(CatalogueError::new(location, kind))
    }
}

fn read_line(line: &str) -> Option<(&str, u32, &str)> {
    let (name, fingerprint) = line.split_once(' ')?;
    let (id, revision) = name.split_once('~')?;
    let hexadecimal = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_fingerprint = fingerprint.len() == DIGITS && fingerprint.bytes().all(hexadecimal);
    let revision = revision.parse().ok().filter(|revision| *revision > 0)?;
    (is_fingerprint && !id.is_empty()).then_some((id, revision, fingerprint))
}

/// What a fingerprint is taken of.
struct Meaning<'a> {
    id: &'a str,
    revision: u32,
    title: &'a str,
    text: &'a str,
    attributes: Vec<(&'static str, String)>,
    location: &'a Location,
}

impl Meaning<'_> {
    /// The first digits of SHA-256 over title, text and attributes, one a line. Runs of white space count as one blank, so
    /// that a paragraph may be wrapped anew without a new revision.
    fn fingerprint(&self) -> String {
        let mut meaning = String::with_capacity(self.title.len() + self.text.len() + 64);
        let mut add = |text: &str| {
            for word in text.split_ascii_whitespace() {
                meaning.push_str(word);
                meaning.push(' ');
            }
            meaning.push('\n');
        };
        add(self.title);
        add(self.text);
        for (key, value) in &self.attributes {
            add(key);
            add(value);
        }
        hex::encode(Sha256::digest(meaning.as_bytes()).get(..DIGITS / 2).unwrap_or_default())
    }
}

impl<'a> From<&'a Criterion> for Meaning<'a> {
    fn from(criterion: &'a Criterion) -> Self {
        Self {
            id: criterion.id.as_str(),
            revision: criterion.revision,
            title: &criterion.title,
            text: &criterion.text,
            attributes: vec![("level", criterion.level.to_string())],
            location: &criterion.location,
        }
    }
}

impl<'a> From<&'a Clause> for Meaning<'a> {
    fn from(clause: &'a Clause) -> Self {
        let targets = clause.targets.iter().map(|target| target.name()).collect::<Vec<_>>().join(" ");
        let mut attributes = vec![("targets", targets)];
        if let Some(bound) = clause.bound {
            attributes.push(("bound", humantime::format_duration(bound).to_string()));
        }
        Self {
            id: clause.id.as_str(),
            revision: clause.revision,
            title: &clause.title,
            text: &clause.text,
            attributes,
            location: &clause.location,
        }
    }
}

/// Criteria and clauses in the order of the files.
fn meanings(catalogue: &Catalogue) -> impl Iterator<Item = Meaning<'_>> {
    catalogue
        .criteria
        .iter()
        .flat_map(|criterion| std::iter::once(criterion.into()).chain(criterion.clauses.iter().map(Meaning::from)))
}

/// Everything in which catalogue and lock differ.
pub(super) fn check(catalogue: &Catalogue, (file, text): (&str, &str)) -> Vec<CatalogueError> {
    let lock = Lock::read(file, text);
    let differences: Vec<_> = meanings(catalogue).filter_map(|entry| lock.judge(&entry)).collect();
    lock.errors.into_iter().chain(differences).collect()
}

/// The lock with a line at its end for every entry that it lacked, or everything else in which the two differ.
pub(super) fn accept(catalogue: &Catalogue, (file, text): (&str, &str)) -> Result<String, Vec<CatalogueError>> {
    let lock = Lock::read(file, text);
    let mut grown = text.to_owned();
    if !grown.is_empty() && !grown.ends_with('\n') {
        grown.push('\n');
    }
    let mut errors = Vec::new();
    for entry in meanings(catalogue) {
        match lock.judge(&entry) {
            None => {}
            Some(CatalogueError { kind: Kind::NotAccepted { id, revision }, .. }) => {
                // Writing to a String cannot fail.
                let _ = writeln!(grown, "{id}~{revision} {}", entry.fingerprint());
            }
            Some(error) => errors.push(error),
        }
    }
    errors.splice(..0, lock.errors);
    if errors.is_empty() { Ok(grown) } else { Err(errors) }
}
