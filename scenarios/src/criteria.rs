//! The committed catalogue: the files of `criteria/` and their lock, built into the program. Must not know how they are read.

use harness_core::{
    catalogue::{Catalogue, CatalogueError},
    report::{ExpectedError, ExpectedVerdict},
};

/// Name (from the root of the repository) and text of a file of `criteria/`.
macro_rules! file {
    ($name:literal) => {
        (concat!("scenarios/criteria/", $name), include_str!(concat!("../criteria/", $name)))
    };
}

/// The catalogue's files, in the order in which they are reported.
pub const FILES: &[(&str, &str)] = &[
    file!("requirements.md"),
    file!("logs.md"),
    file!("traces.md"),
    file!("metrics.md"),
    file!("secrets.md"),
    file!("grafana.md"),
    file!("operations.md"),
    file!("decisions.md"),
    file!("tree.md"),
    file!("interfaces.md"),
    file!("design-findings.md"),
];

/// The fingerprints of every accepted revision.
pub const LOCK: (&str, &str) = file!("criteria.lock");

/// The list of expected verdicts.
pub const EXPECTED: (&str, &str) = file!("expected.txt");

/// What a stack as it is deployed here is expected not to meet.
///
/// # Errors
/// Every line of the list that makes no sense, or not any more.
pub fn expected(catalogue: &Catalogue) -> Result<Vec<ExpectedVerdict>, Vec<ExpectedError>> {
    ExpectedVerdict::read(EXPECTED.0, EXPECTED.1, catalogue)
}

/// The catalogue, linted and checked against its lock.
pub fn load() -> Result<Catalogue, Vec<CatalogueError>> {
    Catalogue::load(FILES, LOCK)
}

/// The text that [`LOCK`] is to have once everything new is accepted; equal to what it has where nothing is new.
pub fn accept() -> Result<String, Vec<CatalogueError>> {
    Catalogue::parse(FILES)?.accept(LOCK)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use harness_core::catalogue::{ClauseId, Level, Target};

    use super::*;

    /// Every clause, written by hand: criterion, its clauses' names, where they can be shown, the bound in seconds (0: none).
    /// T is the tree, L local, C containers, K any Kubernetes.
    const CLAUSES: &[(&str, &[&str], &str, u64)] = &[
        ("AC-lgtm-001-01", &["bucket", "versioning"], "LCK", 0),
        ("AC-lgtm-001-01", &["chart-source"], "TK", 0),
        ("AC-lgtm-001-01", &["secret-env"], "TLK", 0),
        ("AC-lgtm-001-02", &["http-json", "http-protobuf", "grpc", "agent"], "LCK", 300),
        ("AC-lgtm-001-02", &["index"], "LCK", 1200),
        ("AC-lgtm-001-03", &["recover"], "LCK", 0),
        ("AC-lgtm-001-04", &["start-write", "start-read", "start-backend", "outage"], "LCK", 0),
        ("AC-lgtm-001-05", &["latency"], "LCK", 3),
        ("AC-lgtm-002-01", &["bucket", "lifecycle"], "LCK", 0),
        ("AC-lgtm-002-02", &["otlp-grpc", "otlp-http", "sdk", "client"], "LCK", 600),
        ("AC-lgtm-002-03", &["from-blocks", "compacted", "restart", "search"], "LCK", 0),
        ("AC-lgtm-002-05", &["latency"], "LCK", 5),
        ("AC-lgtm-003-01", &["bucket"], "LCK", 0),
        ("AC-lgtm-003-02", &["rw1", "rw2", "prometheus"], "LCK", 60),
        ("AC-lgtm-003-02", &["servicemonitor"], "TK", 60),
        ("AC-lgtm-003-03", &["upload", "compacted"], "LCK", 0),
        ("AC-lgtm-003-05", &["latency"], "LCK", 3),
        ("AC-lgtm-004-01", &["sops", "keys"], "TK", 0),
        ("AC-lgtm-004-02", &["none-inline"], "TLK", 0),
        ("AC-lgtm-004-04", &["endpoint", "https"], "LCK", 0),
        ("AC-lgtm-005-01", &["provisioned", "healthy"], "TCK", 0),
        ("AC-lgtm-005-02", &["query", "cross-signal"], "CK", 0),
        ("NFR-lgtm-d4f8c2a1-SEC-001", &["isolation"], "LCK", 0),
        ("NFR-lgtm-d4f8c2a1-OPS-001", &["reconciled", "depends"], "TK", 0),
        ("NFR-lgtm-d4f8c2a1-OPS-002", &["declarative"], "TK", 0),
        ("NFR-lgtm-d4f8c2a1-SCALE-001", &["s3-capacity"], "LCK", 0),
        ("NFR-lgtm-d4f8c2a1-SCALE-002", &["memory"], "TLCK", 0),
        ("NFR-lgtm-d4f8c2a1-PERF-002", &["ingest"], "LCK", 0),
        ("NFR-lgtm-d4f8c2a1-RECOVER-001", &["loki", "tempo", "mimir"], "LCK", 300),
        ("ADR-001", &["chart-source"], "TK", 0),
        ("ADR-002", &["replicas"], "TLCK", 0),
        ("ADR-003", &["buckets"], "TLCK", 0),
        ("ADR-004", &["simple-scalable"], "TLCK", 0),
        ("ADR-005", &["monolithic", "otlp"], "TLCK", 0),
        ("ADR-006", &["monolithic", "remote-write"], "TLCK", 0),
        ("ADR-007", &["values"], "TK", 0),
        ("TREE-layout", &["loki", "tempo", "mimir", "grafana", "kube-prometheus-stack"], "TK", 0),
        ("TREE-resources", &["loki", "tempo", "mimir"], "TK", 0),
        ("TREE-persistence", &["disabled"], "TK", 0),
        ("TREE-discovery", &["annotations"], "TK", 0),
        ("TREE-remote-write", &["endpoint", "queue"], "TK", 0),
        ("TREE-service-monitor", &["declared"], "TK", 0),
        ("API-1", &["endpoint", "client"], "LCK", 0),
        ("API-2", &["endpoint", "client"], "LCK", 0),
        ("API-3", &["endpoint", "client"], "LCK", 0),
        ("API-4", &["endpoint", "client"], "LCK", 0),
        ("API-5", &["endpoint", "client"], "LCK", 0),
        ("API-6", &["endpoint", "client"], "LCK", 0),
        ("API-7", &["endpoint", "client"], "LCK", 0),
        ("API-mtls-1", &["client-refused"], "LCK", 0),
        ("API-mtls-2", &["client-refused"], "LCK", 0),
        ("API-mtls-3", &["client-refused"], "LCK", 0),
        ("API-mtls-4", &["client-refused"], "LCK", 0),
        ("API-mtls-5", &["client-refused"], "LCK", 0),
        ("API-mtls-6", &["client-refused"], "LCK", 0),
    ];

    /// Criteria without clauses of their own.
    const REQUIREMENTS: [&str; 5] = [
        "REQ-lgtm-d4f8c2a1-001",
        "REQ-lgtm-d4f8c2a1-002",
        "REQ-lgtm-d4f8c2a1-003",
        "REQ-lgtm-d4f8c2a1-004",
        "REQ-lgtm-d4f8c2a1-005",
    ];

    /// Criteria that the design only numbers.
    const UNDEFINED: [&str; 3] = ["AC-lgtm-002-04", "AC-lgtm-003-04", "AC-lgtm-004-03"];

    /// Lines of the design document.
    const DESIGN_LINES: u32 = 444;

    fn catalogue() -> Catalogue {
        load()
            .unwrap_or_else(|errors| panic!("{}", errors.iter().map(|error| format!("\n{error}")).collect::<String>()))
    }

    fn targets(letters: &str) -> Vec<Target> {
        let all = [
            ('T', Target::Tree),
            ('L', Target::Local),
            ('C', Target::Containers),
            ('K', Target::Kind),
            ('K', Target::Cluster),
        ];
        all.into_iter().filter(|(letter, _)| letters.contains(*letter)).map(|(_, target)| target).collect()
    }

    #[test]
    fn every_clause_is_there_with_its_targets_and_its_bound_and_no_other() {
        let catalogue = catalogue();
        let mut wanted = BTreeSet::new();
        for (criterion, names, letters, bound) in CLAUSES {
            for name in *names {
                let id: ClauseId = format!("{criterion}/{name}").parse().unwrap();
                let clause = catalogue.clause(&id).unwrap_or_else(|| panic!("{id} is missing"));
                assert_eq!(clause.targets, targets(letters), "{id}");
                assert_eq!(clause.bound.unwrap_or_default(), Duration::from_secs(*bound), "{id}");
                assert!(clause.text.contains("Control: "), "{id} does not say what must have been seen to fail");
                wanted.insert(id);
            }
        }
        let found: BTreeSet<_> = catalogue.clauses().map(|clause| clause.id.clone()).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn every_criterion_is_there_and_no_other() {
        let found: BTreeSet<String> =
            catalogue().criteria.iter().map(|criterion| criterion.id.as_str().to_owned()).collect();
        let wanted: BTreeSet<String> = CLAUSES
            .iter()
            .map(|(criterion, ..)| *criterion)
            .chain(REQUIREMENTS)
            .chain(UNDEFINED)
            .map(str::to_owned)
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn exactly_what_the_design_leaves_undefined_is_undefined() {
        let catalogue = catalogue();
        let undefined: Vec<_> = catalogue
            .criteria
            .iter()
            .filter(|criterion| criterion.level == Level::Undefined)
            .map(|criterion| criterion.id.as_str())
            .collect();
        assert_eq!(undefined, UNDEFINED);
    }

    #[test]
    fn sources_lie_within_the_design() {
        let catalogue = catalogue();
        let criteria = catalogue.criteria.iter().map(|criterion| &criterion.source);
        for source in criteria.chain(catalogue.findings.iter().map(|finding| &finding.source)) {
            assert_eq!(source.document, "design.md");
            assert!(source.lines.iter().all(|line| *line <= DESIGN_LINES), "{source}");
        }
    }

    #[test]
    fn findings_about_the_design_are_numbered_without_a_gap() {
        for (index, finding) in catalogue().findings.iter().enumerate() {
            assert_eq!(finding.id.as_str(), format!("DF-{:02}", index + 1));
        }
    }

    #[test]
    fn every_acceptance_criterion_belongs_to_a_requirement() {
        let catalogue = catalogue();
        let included: BTreeSet<_> = catalogue
            .criteria
            .iter()
            .filter(|criterion| criterion.id.as_str().starts_with("REQ-"))
            .flat_map(|criterion| criterion.includes.iter().cloned())
            .collect();
        let acceptance: BTreeSet<_> = catalogue
            .criteria
            .iter()
            .filter(|criterion| criterion.id.as_str().starts_with("AC-"))
            .map(|criterion| criterion.id.clone())
            .collect();
        assert_eq!(included, acceptance);
    }

    #[test]
    fn nothing_waits_to_be_accepted() {
        assert_eq!(accept().unwrap(), LOCK.1);
    }
}
