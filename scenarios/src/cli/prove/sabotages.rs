use std::sync::Arc;

use harness_adapters::{
    faults::{LoseOneEntry, Saboteur},
    targets::blueprint::Role,
};
use harness_core::verdict::Finding;

/// Makes a saboteur for one proof.
pub type MakeSaboteur = fn() -> Arc<dyn Saboteur>;

/// One way to break the stack, and the clauses that must not pass then.
#[derive(Debug)]
pub struct Sabotage {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it breaks, for people.
    pub breaks: &'static str,
    /// Changes to the stack's configuration.
    pub overrides: &'static [&'static str],
    /// What goes between harness and stack, and before which address.
    pub saboteur: Option<(Role, MakeSaboteur)>,
    /// Every clause that must not pass; all others must.
    pub blamed: &'static [Blamed],
}

/// A clause that must not pass, and the finding that must name the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blamed {
    /// The clause.
    pub clause: &'static str,
    /// The rule of that finding.
    pub rule: &'static str,
    /// What the finding must say, in what it expected or found.
    pub says: &'static str,
}

impl Blamed {
    /// The finding that names the cause, where there is one.
    pub fn named_by<'a>(&self, findings: &'a [Finding]) -> Option<&'a Finding> {
        findings.iter().find(|finding| finding.rule == self.rule && finding.to_string().contains(self.says))
    }
}

const fn blamed(clause: &'static str, rule: &'static str, says: &'static str) -> Blamed {
    Blamed { clause, rule, says }
}

/// Every sabotage. The first breaks nothing: what is not passed under the others is then their doing.
pub const SABOTAGES: &[Sabotage] = &[
    Sabotage { name: "none", breaks: "nothing", overrides: &[], saboteur: None, blamed: &[] },
    Sabotage {
        name: "idle-period",
        breaks: "Loki keeps idle chunks for 10 minutes, beyond the bound of 5",
        overrides: &["loki.ingester.chunk_idle_period=10m"],
        saboteur: None,
        blamed: &[
            blamed("AC-lgtm-001-02/http-json", "impossible by configuration", "chunk_idle_period=10m"),
            blamed("AC-lgtm-001-02/http-protobuf", "impossible by configuration", "chunk_idle_period=10m"),
            blamed("AC-lgtm-001-02/grpc", "impossible by configuration", "chunk_idle_period=10m"),
        ],
    },
    Sabotage {
        name: "versioning-suspended",
        breaks: "the bucket loki-chunks keeps no versions",
        overrides: &["buckets.loki-chunks.versioning=suspended"],
        saboteur: None,
        blamed: &[blamed("AC-lgtm-001-01/versioning", "versioning", "suspended")],
    },
    Sabotage {
        name: "wrong-bucket",
        breaks: "Loki writes into mimir-blocks, which its keys do not open",
        overrides: &["loki.common.storage.s3.bucketnames=mimir-blocks"],
        saboteur: None,
        blamed: &[
            blamed("AC-lgtm-001-01/bucket", "no other bucket configured", "mimir-blocks"),
            blamed("AC-lgtm-001-02/http-json", "bucket", "mimir-blocks"),
            blamed("AC-lgtm-001-02/http-protobuf", "bucket", "mimir-blocks"),
            blamed("AC-lgtm-001-02/grpc", "bucket", "mimir-blocks"),
            blamed("AC-lgtm-001-02/index", "log", "AccessDenied"),
        ],
    },
    Sabotage {
        name: "swapped-key",
        breaks: "Loki runs with the S3 keys of Tempo",
        overrides: &["loki.credentials=tempo"],
        saboteur: None,
        blamed: &[
            blamed("AC-lgtm-001-01/bucket", "log", "AccessDenied"),
            blamed("AC-lgtm-001-02/http-json", "log", "AccessDenied"),
            blamed("AC-lgtm-001-02/http-protobuf", "log", "AccessDenied"),
            blamed("AC-lgtm-001-02/grpc", "log", "AccessDenied"),
            blamed("AC-lgtm-001-02/index", "log", "AccessDenied"),
            blamed("NFR-lgtm-d4f8c2a1-SEC-001/isolation", "loki-write list tempo-traces", "allowed"),
        ],
    },
    Sabotage {
        name: "lost-entry",
        breaks: "a proxy takes one entry out of each acknowledged push over HTTP to Loki",
        overrides: &[],
        saboteur: Some((Role::Loki, || Arc::new(LoseOneEntry::last()))),
        blamed: &[
            blamed("AC-lgtm-001-02/http-json", "missing", "1 missing"),
            blamed("AC-lgtm-001-02/http-protobuf", "missing", "1 missing"),
            blamed("AC-lgtm-001-02/index", "missing", "1 missing"),
        ],
    },
    Sabotage {
        name: "over-wide-key",
        breaks: "Tempo runs with keys that open every bucket",
        overrides: &["tempo.credentials=minio"],
        saboteur: None,
        blamed: &[blamed("NFR-lgtm-d4f8c2a1-SEC-001/isolation", "tempo list loki-chunks", "allowed")],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness_adapters::targets::blueprint::Override;

    use super::*;
    use crate::cli::load;

    #[test]
    fn every_sabotage_can_be_told_from_the_others_and_blames_only_what_is_driven() {
        let (_, scenarios) = load().unwrap();
        let driven: BTreeSet<String> = scenarios
            .iter()
            .filter(|scenario| scenario.tags.contains(&"main"))
            .flat_map(|scenario| scenario.covers.iter().map(ToString::to_string))
            .collect();
        let names: BTreeSet<&str> = SABOTAGES.iter().map(|sabotage| sabotage.name).collect();
        assert_eq!(names.len(), SABOTAGES.len());
        for sabotage in SABOTAGES {
            for text in sabotage.overrides {
                assert!(text.parse::<Override>().is_ok(), "{text}");
            }
            let breaks_something = !sabotage.overrides.is_empty() || sabotage.saboteur.is_some();
            assert_eq!(breaks_something, !sabotage.blamed.is_empty(), "{}", sabotage.name);
            let clauses: BTreeSet<&str> = sabotage.blamed.iter().map(|blamed| blamed.clause).collect();
            assert_eq!(clauses.len(), sabotage.blamed.len(), "{}", sabotage.name);
            for clause in clauses {
                assert!(driven.contains(clause), "{}: {clause}", sabotage.name);
            }
        }
    }

    #[test]
    fn a_cause_is_named_by_its_rule_and_its_words_together() {
        let cause = blamed("AC-lgtm-001-01/versioning", "versioning", "suspended");
        let finding = |rule: &str, found: &str| Finding::new(rule, "enabled", found);
        let table = [
            (vec![finding("versioning", "suspended")], true),
            (vec![finding("versions kept", "1"), finding("versioning", "suspended")], true),
            (vec![finding("versioning", "off")], false),
            (vec![finding("seen", "suspended")], false),
            (vec![finding("versioning", "off"), finding("seen", "suspended")], false),
            (Vec::new(), false),
        ];
        for (findings, named) in table {
            assert_eq!(cause.named_by(&findings).is_some(), named, "{findings:?}");
        }
    }
}
