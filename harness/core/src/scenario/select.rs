use std::collections::BTreeSet;

use thiserror::Error;

use super::Scenario;
use crate::{
    catalogue::{Catalogue, ClauseId, CriterionId},
    signal::Signal,
};

/// What was asked for. Filters of one kind add up; filters of different kinds narrow each other down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Criteria, by id.
    pub criteria: Vec<String>,
    /// Clauses, by id.
    pub clauses: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Pipelines.
    pub signals: Vec<Signal>,
    /// Parts of clause ids.
    pub substrings: Vec<String>,
}

/// A filter that names something that does not exist.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("unknown {kind} {name:?}{}", nearest.as_ref().map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default())]
pub struct FilterError {
    /// What was named.
    pub kind: &'static str,
    /// As given.
    pub name: String,
    /// The nearest known name.
    pub nearest: Option<String>,
}

impl Filter {
    /// The filter in words, as it was given; empty when everything is let through.
    pub fn words(&self) -> Vec<String> {
        let with =
            |flag: &str, values: &[String]| values.iter().map(|value| format!("{flag} {value}")).collect::<Vec<_>>();
        let signals: Vec<String> = self.signals.iter().map(|signal| signal.name().to_owned()).collect();
        [
            with("--ac", &self.criteria),
            with("--clause", &self.clauses),
            with("--tag", &self.tags),
            with("--signal", &signals),
            self.substrings.clone(),
        ]
        .concat()
    }

    fn check(&self, catalogue: &Catalogue, scenarios: &[Scenario]) -> Result<(), FilterError> {
        let unknown = |kind, name: &String, nearest| Err(FilterError { kind, name: name.clone(), nearest });
        for name in &self.criteria {
            if name.parse::<CriterionId>().ok().and_then(|id| catalogue.criterion(&id)).is_none() {
                return unknown("criterion", name, catalogue.nearest(name));
            }
        }
        for name in &self.clauses {
            if name.parse::<ClauseId>().ok().and_then(|id| catalogue.clause(&id)).is_none() {
                return unknown("clause", name, catalogue.nearest(name));
            }
        }
        let tags: BTreeSet<&str> = scenarios.iter().flat_map(|scenario| scenario.tags.iter().copied()).collect();
        for name in &self.tags {
            if !tags.contains(name.as_str()) {
                return unknown("tag", name, nearest(name, &tags));
            }
        }
        Ok(())
    }

    /// Whether the clause's id is let through.
    fn names(&self, clause: &ClauseId) -> bool {
        let id = clause.as_str();
        let criterion = clause.criterion();
        (self.criteria.is_empty() || self.criteria.iter().any(|wanted| wanted == criterion.as_str()))
            && (self.clauses.is_empty() || self.clauses.iter().any(|wanted| wanted == id))
            && (self.substrings.is_empty() || self.substrings.iter().any(|part| id.contains(part.as_str())))
    }

    /// Whether the scenario's kind is let through.
    fn takes(&self, scenario: &Scenario) -> bool {
        (self.tags.is_empty() || scenario.tags.iter().any(|tag| self.tags.iter().any(|wanted| wanted == tag)))
            && (self.signals.is_empty() || scenario.signal.is_some_and(|signal| self.signals.contains(&signal)))
    }

    /// Whether only scenarios can be asked for, so that a clause that none covers is not meant.
    fn is_about_scenarios(&self) -> bool {
        !self.tags.is_empty() || !self.signals.is_empty()
    }
}

fn nearest(name: &str, known: &BTreeSet<&str>) -> Option<String> {
    known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
        .map(ToString::to_string)
}

/// The clauses that `filter` lets through, whether a scenario covers them or not, and the scenarios that decide them.
///
/// # Errors
/// A filter that names an unknown criterion, clause or tag.
pub fn select(
    filter: &Filter,
    catalogue: &Catalogue,
    scenarios: &[Scenario],
) -> Result<(Vec<Scenario>, BTreeSet<ClauseId>), FilterError> {
    filter.check(catalogue, scenarios)?;
    let chosen: Vec<Scenario> = scenarios
        .iter()
        .filter(|scenario| filter.takes(scenario) && scenario.covers.iter().any(|clause| filter.names(clause)))
        .cloned()
        .collect();
    let decided = chosen.iter().flat_map(|scenario| &scenario.covers).filter(|clause| filter.names(clause)).cloned();
    let uncovered = catalogue
        .clauses()
        .map(|clause| &clause.id)
        .filter(|clause| !filter.is_about_scenarios() && filter.names(clause))
        .filter(|clause| !scenarios.iter().any(|scenario| scenario.covers.contains(clause)))
        .cloned();
    let clauses = decided.chain(uncovered).collect();
    Ok((chosen, clauses))
}
