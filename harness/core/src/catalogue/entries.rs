use super::{Clause, ClauseId, Criterion, CriterionId, DesignFinding};

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
}

/// Which of `ids` is most like `id`.
pub(super) fn nearest_of<'a>(id: &str, ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = id.to_lowercase();
    ids.map(|known| (strsim::normalized_damerau_levenshtein(&wanted, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known.to_owned())
}
