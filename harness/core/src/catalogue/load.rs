use std::collections::BTreeSet;

use super::{
    Clause, ClauseId, Criterion, CriterionId, DesignFinding, Location, error::CatalogueError, lint, lock, parse::Draft,
};

/// Below this likeness (1 is the same, 0 has nothing in common) no id is offered in place of another.
const LIKENESS: f64 = 0.5;

/// Everything that is asked of a stack, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    /// The criteria with their clauses.
    pub criteria: Vec<Criterion>,
    /// What the design gets wrong.
    pub findings: Vec<DesignFinding>,
}

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

    /// The criterion with this id.
    pub fn criterion(&self, id: &CriterionId) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.id == *id)
    }

    /// The clause with this id.
    pub fn clause(&self, id: &ClauseId) -> Option<&Clause> {
        self.clauses().find(|clause| clause.id == *id)
    }

    /// All clauses, in the order of the files.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.criteria.iter().flat_map(|criterion| &criterion.clauses)
    }

    /// The id of a criterion or clause that is most like `id`, upper and lower case alike; `None` where nothing resembles it.
    pub fn nearest(&self, id: &str) -> Option<String> {
        let criteria = self.criteria.iter().map(|criterion| criterion.id.as_str());
        nearest_of(id, criteria.chain(self.clauses().map(|clause| clause.id.as_str())))
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

/// Which of `ids` is most like `id`.
pub(super) fn nearest_of<'a>(id: &str, ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = id.to_lowercase();
    ids.map(|known| (strsim::normalized_damerau_levenshtein(&wanted, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known.to_owned())
}
