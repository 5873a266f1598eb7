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

    fn lets_through(&self, scenario: &Scenario, clause: &ClauseId) -> bool {
        let any = |none: bool, matches: bool| none || matches;
        let id = clause.to_string();
        any(self.criteria.is_empty(), self.criteria.contains(&clause.criterion().to_string()))
            && any(self.clauses.is_empty(), self.clauses.contains(&id))
            && any(self.tags.is_empty(), scenario.tags.iter().any(|tag| self.tags.iter().any(|wanted| wanted == tag)))
            && any(self.signals.is_empty(), scenario.signal.is_some_and(|signal| self.signals.contains(&signal)))
            && any(self.substrings.is_empty(), self.substrings.iter().any(|part| id.contains(part.as_str())))
    }
}

fn nearest(name: &str, known: &BTreeSet<&str>) -> Option<String> {
    known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
        .map(ToString::to_string)
}

/// The scenarios that `filter` lets through, and the clauses of theirs that it lets through.
///
/// # Errors
/// A filter that names an unknown criterion, clause or tag.
pub fn select(
    filter: &Filter,
    catalogue: &Catalogue,
    scenarios: &[Scenario],
) -> Result<(Vec<Scenario>, BTreeSet<ClauseId>), FilterError> {
    filter.check(catalogue, scenarios)?;
    let mut clauses = BTreeSet::new();
    let mut chosen = Vec::new();
    for scenario in scenarios {
        let through: Vec<_> =
            scenario.covers.iter().filter(|clause| filter.lets_through(scenario, clause)).cloned().collect();
        if !through.is_empty() {
            clauses.extend(through);
            chosen.push(scenario.clone());
        }
    }
    Ok((chosen, clauses))
}
