use std::collections::BTreeSet;

use super::{Catalogue, ClauseId, Location, error::CatalogueError, lint, lock, parse::Draft};

impl Catalogue {
    /// Reads `files` (name and text each) and checks them against the lock (name and text).
    ///
    /// The errors are all that there are, in the order of files and lines.
    pub fn load(files: &[(&str, &str)], lock: (&str, &str)) -> Result<Self, Vec<CatalogueError>> {
        let (catalogue, mut errors) = Self::read(files);
        // What the lock has to say about an entry that is wrong in itself is noise.
        let wrong: BTreeSet<_> = errors.iter().filter_map(|error| catalogue.heading_above(&error.location)).collect();
        let differences = lock::check(&catalogue, lock);
        errors.extend(differences.into_iter().filter(|error| !wrong.contains(&error.location)));
        catalogue.unless(errors, files)
    }

    /// Reads `files` (name and text each) without a lock: what [`Catalogue::accept`] needs.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Vec<CatalogueError>> {
        let (catalogue, errors) = Self::read(files);
        catalogue.unless(errors, files)
    }

    fn read(files: &[(&str, &str)]) -> (Self, Vec<CatalogueError>) {
        let mut draft = Draft::default();
        for (file, text) in files {
            draft.read(file, text);
        }
        let catalogue = Self { criteria: draft.criteria, findings: draft.findings };
        let mut errors = draft.errors;
        errors.extend(lint::check(&catalogue));
        (catalogue, errors)
    }

    fn unless(self, mut errors: Vec<CatalogueError>, files: &[(&str, &str)]) -> Result<Self, Vec<CatalogueError>> {
        if errors.is_empty() {
            return Ok(self);
        }
        errors.sort_by_key(|error| {
            // The lock is none of the files and comes last.
            let file = files.iter().position(|(file, _)| *file == error.location.file).unwrap_or(files.len());
            (file, error.location.line)
        });
        Err(errors)
    }

    /// The heading of the criterion or clause that a line belongs to.
    fn heading_above(&self, location: &Location) -> Option<Location> {
        let criteria = self.criteria.iter().map(|criterion| &criterion.location);
        criteria
            .chain(self.clauses().map(|clause| &clause.location))
            .filter(|heading| heading.file == location.file && heading.line <= location.line)
            .max_by_key(|heading| heading.line)
            .cloned()
    }

    /// The text of the lock with a line at its end for every criterion and clause that it lacks (name and text given).
    ///
    /// No line that stands is ever touched; where one contradicts the catalogue, that is an error.
    pub fn accept(&self, lock: (&str, &str)) -> Result<String, Vec<CatalogueError>> {
        lock::accept(self, lock)
    }

    /// Checks what scenarios say that they cover. Each is given by its name, its place as `file:line`, and its clauses.
    pub fn check_scenarios(&self, scenarios: &[(&str, &str, Vec<ClauseId>)]) -> Vec<CatalogueError> {
        scenarios
            .iter()
            .flat_map(|(name, place, covers)| lint::check_scenario(self, name, &place_of(place), covers))
            .collect::<Vec<CatalogueError>>()
    }
}

/// Reads `file:line`; a place without a line number is the beginning of the file.
fn place_of(place: &str) -> Location {
    match place.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => Location::new(file, line),
        None => Location::new(place, 1),
    }
}
