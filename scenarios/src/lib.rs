//! The scenarios and what drives them from outside: command line and acceptance run. Must not know an address or a client.

mod architecture;
mod buckets;
pub mod cli;
mod clients;
mod compaction;
pub mod criteria;
mod interfaces;
mod latency;
mod load;
mod logs_index;
mod logs_outage;
mod logs_push;
mod logs_recover;
mod logs_start;
mod metrics_push;
mod metrics_recover;
mod metrics_store;
mod readers;
mod secrets;
mod shapes;
mod traces_push;
mod traces_recover;
mod traces_store;
mod tree;

use harness_core::scenario::Scenario;

/// Where a scenario is written, for the linter's messages.
macro_rules! written_here {
    () => {
        concat!(file!(), ":", line!())
    };
}
pub(crate) use written_here;

/// Every scenario, file by file.
///
/// # Errors
/// A scenario that names a clause in a shape that no clause id has; with its file and line.
pub fn all() -> Result<Vec<Scenario>, String> {
    let files = [
        logs_push::all()?,
        logs_index::all()?,
        traces_push::all()?,
        traces_store::all()?,
        metrics_push::all()?,
        metrics_store::all()?,
        compaction::all()?,
        buckets::all()?,
        secrets::all()?,
        logs_recover::all()?,
        traces_recover::all()?,
        metrics_recover::all()?,
        logs_start::all()?,
        logs_outage::all()?,
        architecture::all()?,
        interfaces::all()?,
        clients::all()?,
        readers::all()?,
        latency::all()?,
        load::all()?,
        tree::all()?,
    ];
    Ok(files.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use harness_core::scenario::Filter;

    use crate::cli::{ListFormat, list, load};

    #[test]
    fn criteria_and_scenarios_agree() {
        let (_, scenarios) = load().unwrap();
        let names: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), scenarios.len(), "a scenario's name is its record's");
    }

    #[test]
    fn what_covers_what_changes_by_review_only() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/coverage.snapshot.txt");
        let committed = fs::read_to_string(&path).unwrap();
        let now = list(&Filter::default(), ListFormat::Text).unwrap();
        assert!(committed == now, "{} is outdated: look at the change, then `make snapshot`", path.display());
    }

    #[test]
    fn an_unknown_name_is_told_with_the_nearest_known_one() {
        let unknown = |filter: Filter| list(&filter, ListFormat::Text).unwrap_err().to_string();
        let clause = Filter { clauses: vec!["AC-lgtm-001-02/grcp".into()], ..Filter::default() };
        assert_eq!(unknown(clause), r#"unknown clause "AC-lgtm-001-02/grcp": did you mean AC-lgtm-001-02/grpc?"#);
        let tag = Filter { tags: vec!["pipeline".into()], ..Filter::default() };
        assert_eq!(unknown(tag), r#"unknown tag "pipeline": did you mean pipelines?"#);
    }
}
