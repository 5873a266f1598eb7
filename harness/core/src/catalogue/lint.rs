use std::collections::BTreeMap;

use super::{
    Catalogue, ClauseId, Criterion, CriterionId, Level, Location, Reference,
    error::{CatalogueError, CatalogueErrorKind as Kind},
};

/// What entries that can each be read get wrong together.
pub(super) fn check(catalogue: &Catalogue) -> Vec<CatalogueError> {
    let mut errors = Vec::new();
    duplicates(catalogue, &mut errors);
    for criterion in &catalogue.criteria {
        substance(criterion, &mut errors);
        references(catalogue, criterion, &mut errors);
    }
    for finding in &catalogue.findings {
        for reference in &finding.related {
            let known = match reference {
                Reference::Criterion(id) => catalogue.criterion(id).is_some(),
                Reference::Clause(id) => catalogue.clause(id).is_some(),
            };
            if !known {
                errors.push(unknown(catalogue, &finding.location, finding.id.as_str(), reference.as_str()));
            }
        }
    }
    errors
}

fn duplicates(catalogue: &Catalogue, errors: &mut Vec<CatalogueError>) {
    let mut first: BTreeMap<&str, &Location> = BTreeMap::new();
    let criteria = catalogue.criteria.iter().map(|criterion| (criterion.id.as_str(), &criterion.location));
    let clauses = catalogue.clauses().map(|clause| (clause.id.as_str(), &clause.location));
    let findings = catalogue.findings.iter().map(|finding| (finding.id.as_str(), &finding.location));
    for (id, location) in criteria.chain(clauses).chain(findings) {
        match first.get(id) {
            Some(first) => errors
                .push(CatalogueError::new(location, Kind::DuplicateId { id: id.to_owned(), first: (*first).clone() })),
            None => {
                first.insert(id, location);
            }
        }
    }
}

/// Whether there is something to decide, exactly where there should be.
fn substance(criterion: &Criterion, errors: &mut Vec<CatalogueError>) {
    let empty = criterion.clauses.is_empty() && criterion.includes.is_empty();
    let id = criterion.id.to_string();
    match (criterion.level, empty) {
        (Level::Undefined, false) => {
            errors.push(CatalogueError::new(&criterion.location, Kind::UndefinedDecided { id }));
        }
        (Level::Shall | Level::Should | Level::May, true) => {
            errors.push(CatalogueError::new(&criterion.location, Kind::NothingToDecide { id }));
        }
        _ => {}
    }
}

fn references(catalogue: &Catalogue, criterion: &Criterion, errors: &mut Vec<CatalogueError>) {
    for id in criterion.requirements.iter().chain(&criterion.includes) {
        if catalogue.criterion(id).is_none() {
            errors.push(unknown(catalogue, &criterion.location, criterion.id.as_str(), id.as_str()));
        }
    }
    let mut path = vec![&criterion.id];
    if leads_back(catalogue, criterion, &mut path) {
        let path = path.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" > ");
        errors.push(CatalogueError::new(
            &criterion.location,
            Kind::IncludesItself { id: criterion.id.to_string(), path },
        ));
    }
}

/// Follows inclusions depth first until they come back to where `path` began; `path` is then the way round.
fn leads_back<'c>(catalogue: &'c Catalogue, criterion: &'c Criterion, path: &mut Vec<&'c CriterionId>) -> bool {
    for id in &criterion.includes {
        if path.first() == Some(&id) {
            path.push(id);
            return true;
        }
        // A way round that does not touch the beginning is reported where it begins.
        let Some(next) = catalogue.criterion(id).filter(|_| !path.contains(&id)) else { continue };
        path.push(id);
        if leads_back(catalogue, next, path) {
            return true;
        }
        path.pop();
    }
    false
}

fn unknown(catalogue: &Catalogue, location: &Location, by: &str, id: &str) -> CatalogueError {
    CatalogueError::new(
        location,
        Kind::UnknownReference { by: by.to_owned(), id: id.to_owned(), nearest: catalogue.nearest(id) },
    )
}

/// What one scenario gets wrong about the clauses that it covers.
pub(super) fn check_scenario(
    catalogue: &Catalogue,
    scenario: &str,
    location: &Location,
    covers: &[ClauseId],
) -> Vec<CatalogueError> {
    covers
        .iter()
        .filter(|clause| catalogue.clause(clause).is_none())
        .map(|clause| {
            let criterion = clause.criterion();
            let (scenario, clause) = (scenario.to_owned(), clause.to_string());
            let undefined =
                catalogue.criterion(&criterion).is_some_and(|criterion| criterion.level == Level::Undefined);
            let kind = if undefined {
                Kind::UndefinedCovered { scenario, clause, criterion: criterion.to_string() }
            } else {
                let clauses = catalogue.clauses().map(|clause| clause.id.as_str());
                let nearest = super::entries::nearest_of(&clause, clauses);
                Kind::UnknownClause { scenario, clause, nearest }
            };
            CatalogueError::new(location, kind)
        })
        .collect()
}
