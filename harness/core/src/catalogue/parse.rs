use std::{fmt::Display, str::FromStr, time::Duration};

use super::{
    Clause, ClauseId, Criterion, CriterionId, DesignFinding, FindingId, Level, Location, Reference, Source, Target,
    error::{CatalogueError, CatalogueErrorKind as Kind},
};

/// What a set of files says, with everything that could not be read. Where `errors` is not empty, entries may hold fallbacks.
#[derive(Default)]
pub(super) struct Draft {
    pub criteria: Vec<Criterion>,
    pub findings: Vec<DesignFinding>,
    pub errors: Vec<CatalogueError>,
}

/// One heading with what stands below it.
struct Entry<'a> {
    location: Location,
    depth: Depth,
    heading: &'a str,
    attributes: Vec<Attribute<'a>>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// `##`: a criterion or a design finding.
    Two,
    /// `###`: a clause.
    Three,
}

struct Attribute<'a> {
    location: Location,
    key: &'a str,
    value: &'a str,
}

/// What kind of entry a set of attributes belongs to.
#[derive(Clone, Copy)]
enum Scope {
    Criterion,
    Clause,
    Finding,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Criterion => "criterion",
            Self::Clause => "clause",
            Self::Finding => "design finding",
        }
    }

    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Criterion => &["level", "source", "requirement", "includes"],
            Self::Clause => &["targets", "bound"],
            Self::Finding => &["source", "related"],
        }
    }
}

/// Every key of every scope, to tell a misplaced attribute from an item of a list.
const KEYS: [&str; 7] = ["level", "source", "requirement", "includes", "targets", "bound", "related"];

/// Where the clauses that follow belong.
enum Parent {
    None,
    /// A heading that could not be read; its clauses are not blamed for that.
    Unreadable,
    /// The criterion read last.
    Last,
}

impl Draft {
    /// Adds what one file says.
    pub fn read(&mut self, file: &str, text: &str) {
        let mut parent = Parent::None;
        for entry in entries(file, text, &mut self.errors) {
            match entry.depth {
                Depth::Two if entry.heading.starts_with("DF-") => {
                    parent = Parent::None;
                    let finding = finding(entry, &mut self.errors);
                    self.findings.extend(finding);
                }
                Depth::Two => match criterion(entry, &mut self.errors) {
                    Some(criterion) => {
                        self.criteria.push(criterion);
                        parent = Parent::Last;
                    }
                    None => parent = Parent::Unreadable,
                },
                Depth::Three => {
                    let Some(clause) = clause(entry, &mut self.errors) else { continue };
                    match (&parent, self.criteria.last_mut()) {
                        (Parent::Unreadable, _) => {}
                        (Parent::Last, Some(criterion)) if criterion.id == clause.id.criterion() => {
                            criterion.clauses.push(clause);
                        }
                        _ => self.errors.push(CatalogueError::new(
                            &clause.location,
                            Kind::ClauseOutside {
                                clause: clause.id.to_string(),
                                criterion: clause.id.criterion().to_string(),
                            },
                        )),
                    }
                }
            }
        }
    }
}

/// Cuts a file at its headings. What stands above the first `##` is for readers only.
fn entries<'a>(file: &str, text: &'a str, errors: &mut Vec<CatalogueError>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let location = Location::new(file, index + 1);
        let line = line.trim_end();
        if line.trim_start().starts_with('#') {
            match heading(line) {
                Some((depth, heading)) => {
                    entries.push(Entry { location, depth, heading, attributes: Vec::new(), text: String::new() });
                }
                None if entries.is_empty() && line.starts_with("# ") => {}
                None => errors.push(CatalogueError::new(
                    &location,
                    Kind::MalformedHeading {
                        heading: line.to_owned(),
                        reason: "expected \"## \" or \"### \" and an id at the beginning of the line".to_owned(),
                    },
                )),
            }
            continue;
        }
        let Some(entry) = entries.last_mut() else { continue };
        if !entry.text.is_empty() {
            if let Some((key, _)) = attribute(line).filter(|(key, _)| KEYS.contains(key)) {
                errors.push(CatalogueError::new(&location, Kind::LateAttribute { key: key.to_owned() }));
            }
            entry.text.push('\n');
            entry.text.push_str(line);
        } else if line.starts_with("- ") || line.starts_with(' ') {
            // A blank at the beginning would be a second line of an attribute, which there is not.
            match attribute(line) {
                Some((key, value)) => entry.attributes.push(Attribute { location, key, value }),
                None => {
                    errors.push(CatalogueError::new(&location, Kind::MalformedAttribute { line: line.to_owned() }));
                }
            }
        } else {
            entry.text.push_str(line);
        }
    }
    for entry in &mut entries {
        entry.text.truncate(entry.text.trim_end().len());
    }
    entries
}

/// Depth and text of a heading that can carry an id.
fn heading(line: &str) -> Option<(Depth, &str)> {
    let (marks, text) = line.split_once(' ')?;
    match marks {
        "##" => Some((Depth::Two, text)),
        "###" => Some((Depth::Three, text)),
        _ => None,
    }
}

/// Key and value of `- key: value`.
fn attribute(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("- ")?.split_once(": ")?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_key.then(|| (key, value.trim()))
}

fn criterion(entry: Entry<'_>, errors: &mut Vec<CatalogueError>) -> Option<Criterion> {
    let (id, revision, title) = revised::<CriterionId>(&entry, errors)?;
    let mut values = Values::of(&entry, Scope::Criterion, id.as_str(), errors);
    let level = values.required("level", str::parse::<Level>);
    let source = values.required("source", source);
    let requirements = values.optional("requirement", list::<CriterionId>).unwrap_or_default();
    let includes = values.optional("includes", list::<CriterionId>).unwrap_or_default();
    Some(Criterion {
        id,
        revision,
        title,
        level: level.unwrap_or(Level::Shall),
        source: source.unwrap_or_else(no_source),
        requirements,
        includes,
        text: entry.text,
        clauses: Vec::new(),
        location: entry.location,
    })
}

fn clause(entry: Entry<'_>, errors: &mut Vec<CatalogueError>) -> Option<Clause> {
    let (id, revision, title) = revised::<ClauseId>(&entry, errors)?;
    let mut values = Values::of(&entry, Scope::Clause, id.as_str(), errors);
    let targets = values.required("targets", targets).unwrap_or_default();
    let bound = values.optional("bound", bound);
    Some(Clause { id, revision, title, targets, bound, text: entry.text, location: entry.location })
}

fn finding(entry: Entry<'_>, errors: &mut Vec<CatalogueError>) -> Option<DesignFinding> {
    let (id, title) = identified::<FindingId>(&entry, errors)?;
    let mut values = Values::of(&entry, Scope::Finding, id.as_str(), errors);
    let source = values.required("source", source).unwrap_or_else(no_source);
    let related = values.required("related", list::<Reference>).unwrap_or_default();
    Some(DesignFinding { id, title: title.to_owned(), source, related, text: entry.text, location: entry.location })
}

/// Reads `ID ~REVISION Title`.
fn revised<I: Display + FromStr<Err: Display>>(
    entry: &Entry<'_>,
    errors: &mut Vec<CatalogueError>,
) -> Option<(I, u32, String)> {
    let (id, rest) = identified::<I>(entry, errors)?;
    let mut reject = |reason: &str| {
        errors.push(CatalogueError::new(
            &entry.location,
            Kind::MalformedHeading { heading: entry.heading.to_owned(), reason: reason.to_owned() },
        ));
    };
    let (word, title) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(digits) = word.strip_prefix('~').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) else {
        reject("expected a revision such as ~1 behind the id");
        return None;
    };
    let Ok(revision) = digits.parse::<u32>() else {
        reject("expected a whole number behind ~");
        return None;
    };
    if title.trim().is_empty() {
        reject("expected a title behind the revision");
        return None;
    }
    if revision == 0 {
        errors.push(CatalogueError::new(&entry.location, Kind::RevisionZero { id: id.to_string() }));
    }
    Some((id, revision, title.trim().to_owned()))
}

/// Splits a heading into the id that it begins with and the rest, which is not empty.
fn identified<'a, I: FromStr<Err: Display>>(
    entry: &Entry<'a>,
    errors: &mut Vec<CatalogueError>,
) -> Option<(I, &'a str)> {
    let (word, rest) = entry.heading.split_once(' ').unwrap_or((entry.heading, ""));
    let reason = match word.parse::<I>() {
        Ok(id) if !rest.trim().is_empty() => return Some((id, rest.trim())),
        Ok(_) => "expected a title behind the id".to_owned(),
        Err(error) => error.to_string(),
    };
    errors.push(CatalogueError::new(
        &entry.location,
        Kind::MalformedHeading { heading: entry.heading.to_owned(), reason },
    ));
    None
}

/// The attributes of one entry, each known to its kind and given once.
struct Values<'e, 'a> {
    entry: &'e Entry<'a>,
    id: &'e str,
    errors: &'e mut Vec<CatalogueError>,
}

impl<'e, 'a> Values<'e, 'a> {
    fn of(entry: &'e Entry<'a>, scope: Scope, id: &'e str, errors: &'e mut Vec<CatalogueError>) -> Self {
        for (index, Attribute { location, key, .. }) in entry.attributes.iter().enumerate() {
            if !scope.keys().contains(key) {
                let kind = Kind::UnknownAttribute {
                    key: (*key).to_owned(),
                    of: scope.name(),
                    nearest: nearest_key(key, scope.keys()),
                };
                errors.push(CatalogueError::new(location, kind));
            } else if entry.attributes.iter().take(index).any(|before| before.key == *key) {
                errors.push(CatalogueError::new(location, Kind::RepeatedAttribute { key: (*key).to_owned() }));
            }
        }
        if entry.text.is_empty() {
            errors.push(CatalogueError::new(&entry.location, Kind::EmptyText { id: id.to_owned() }));
        }
        Self { entry, id, errors }
    }

    fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let attribute = self.entry.attributes.iter().find(|attribute| attribute.key == key)?;
        match read(attribute.value) {
            Ok(value) => Some(value),
            Err(reason) => {
                let kind = Kind::BadValue { key: key.to_owned(), value: attribute.value.to_owned(), reason };
                self.errors.push(CatalogueError::new(&attribute.location, kind));
                None
            }
        }
    }

    fn required<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if !self.entry.attributes.iter().any(|attribute| attribute.key == key) {
            let kind = Kind::MissingAttribute { id: self.id.to_owned(), key };
            self.errors.push(CatalogueError::new(&self.entry.location, kind));
        }
        self.optional(key, read)
    }
}

fn nearest_key(key: &str, keys: &'static [&'static str]) -> &'static str {
    keys.iter().copied().min_by_key(|known| strsim::damerau_levenshtein(key, known)).unwrap_or_default()
}

/// Ids, separated by single spaces.
fn list<I: FromStr<Err: Display> + PartialEq>(value: &str) -> Result<Vec<I>, String> {
    let mut ids = Vec::new();
    for word in value.split(' ') {
        let id = word.parse().map_err(|error: I::Err| error.to_string())?;
        if ids.contains(&id) {
            return Err(format!("{word} is given twice"));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn targets(value: &str) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = list(value)?;
    targets.sort_unstable();
    Ok(targets)
}

fn bound(value: &str) -> Result<Duration, String> {
    match humantime::parse_duration(value) {
        Ok(bound) if bound.is_zero() => Err("expected a time above zero".to_owned()),
        Ok(bound) => Ok(bound),
        Err(error) => Err(format!("expected a time such as 5m or 3s ({error})")),
    }
}

/// A document's name, then line numbers.
fn source(value: &str) -> Result<Source, String> {
    let expected = || "expected a document and its lines such as \"design.md 152 157\"".to_owned();
    let (document, lines) = value.split_once(' ').ok_or_else(expected)?;
    let lines: Vec<u32> = lines
        .split(' ')
        .map(|line| line.parse().ok().filter(|line| *line > 0))
        .collect::<Option<_>>()
        .ok_or_else(expected)?;
    Ok(Source { document: document.to_owned(), lines })
}

/// Stands in for a source that could not be read; never leaves the draft.
fn no_source() -> Source {
    Source { document: String::new(), lines: Vec::new() }
}
