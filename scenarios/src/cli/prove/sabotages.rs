use std::{sync::Arc, time::Duration};

use harness_adapters::{
    faults::{LoseOneEntry, Saboteur, SlowQueries, SpoilAnswers, Spoiled, StatusCode},
    targets::blueprint::Role,
};
use harness_core::{stage::FULL_LOAD, verdict::Finding};

/// Makes a saboteur for one proof.
pub type MakeSaboteur = fn() -> Arc<dyn Saboteur>;

/// One way to break the stack, and the clauses that must not pass then.
#[derive(Debug)]
pub struct Sabotage {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it breaks, for people.
    pub breaks: &'static str,
    /// What is driven against it.
    pub drives: Drives,
    /// Changes to the stack's configuration.
    pub overrides: &'static [&'static str],
    /// What goes between harness and stack, and before which address.
    pub saboteur: Option<(Role, MakeSaboteur)>,
    /// Every clause that must not pass; all others must.
    pub blamed: &'static [Blamed],
}

/// Which scenarios are driven against a broken stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drives {
    /// The main ones.
    Main,
    /// The load, for so many seconds.
    Load(u64),
    /// Those that time answers, by the smaller plan.
    Latency,
    /// Those of samples that have to be visible within a minute.
    Visible,
}

impl Drives {
    /// The tag of the scenarios.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Load(_) => "load",
            Self::Latency => "latency",
            Self::Visible => "visible",
        }
    }

    /// How long loads last.
    pub fn load_lasts(self) -> Duration {
        match self {
            Self::Main | Self::Latency | Self::Visible => FULL_LOAD,
            Self::Load(seconds) => Duration::from_secs(seconds),
        }
    }
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
    Sabotage { name: "none", breaks: "nothing", drives: Drives::Main, overrides: &[], saboteur: None, blamed: &[] },
    Sabotage {
        name: "idle-period",
        breaks: "Loki keeps idle chunks for 10 minutes, beyond the bound of 5",
        drives: Drives::Main,
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
        drives: Drives::Main,
        overrides: &["buckets.loki-chunks.versioning=suspended"],
        saboteur: None,
        blamed: &[blamed("AC-lgtm-001-01/versioning", "versioning", "suspended")],
    },
    Sabotage {
        name: "wrong-bucket",
        breaks: "Loki writes into mimir-blocks, which its keys do not open",
        drives: Drives::Main,
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
        drives: Drives::Main,
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
        drives: Drives::Main,
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
        drives: Drives::Main,
        overrides: &["tempo.credentials=minio"],
        saboteur: None,
        blamed: &[blamed("NFR-lgtm-d4f8c2a1-SEC-001/isolation", "tempo list loki-chunks", "allowed")],
    },
    Sabotage {
        name: "default-limits",
        breaks: "Loki has the limits that it has by default, 4 MB/s",
        drives: Drives::Load(10),
        overrides: &["loki.limits_config.ingestion_rate_mb=4", "loki.limits_config.ingestion_burst_size_mb=6"],
        saboteur: None,
        blamed: &[
            blamed(INGEST, "accepted", "status 429: ingestion rate limit exceeded"),
            blamed(MEMORY, "set-up", NOT_TAKEN),
            blamed(CAPACITY, "set-up", NOT_TAKEN),
        ],
    },
    Sabotage {
        name: "lost-entries",
        breaks: "a proxy takes one entry out of each acknowledged push of the load to Loki",
        drives: Drives::Load(10),
        overrides: &[],
        saboteur: Some((Role::Loki, || Arc::new(LoseOneEntry::last()))),
        blamed: &[
            blamed(INGEST, "missing", "500 missing"),
            blamed(MEMORY, "set-up", NOT_TAKEN),
            blamed(CAPACITY, "set-up", NOT_TAKEN),
        ],
    },
    Sabotage {
        name: "held-back",
        breaks: "Loki gives each flush a millisecond, so that none succeeds",
        drives: Drives::Load(10),
        overrides: &["loki.ingester.flush_op_timeout=1ms"],
        saboteur: None,
        blamed: &[
            blamed(INGEST, "missing", "missing"),
            blamed(MEMORY, "set-up", NOT_TAKEN),
            blamed(CAPACITY, "disk of loki-write in thousandths of its allowance", "at most 1000"),
        ],
    },
    Sabotage {
        name: "untold-limit",
        breaks: "Tempo's runtime is not told of the memory limit",
        drives: Drives::Load(60),
        overrides: &["tempo.go-memory-limit=off"],
        saboteur: None,
        blamed: &[blamed(MEMORY, "memory of tempo in thousandths of its 1024 MiB", "at most 1000")],
    },
    Sabotage {
        name: "slow-queries",
        breaks: "a proxy keeps one in twenty queries to Loki for 4 seconds, beyond the bound of 3",
        drives: Drives::Latency,
        overrides: &[],
        saboteur: Some((Role::Loki, || Arc::new(SlowQueries::new(20, Duration::from_secs(4))))),
        blamed: &[blamed("AC-lgtm-001-05/latency", "in time", "1 slow")],
    },
    Sabotage {
        name: "cached-answers",
        breaks: "Loki keeps results of queries in its memory",
        drives: Drives::Latency,
        overrides: &["loki.query_range.cache_results=true"],
        saboteur: None,
        blamed: &[blamed("AC-lgtm-001-05/latency", "caches off", "query_range.cache_results")],
    },
    Sabotage {
        name: "answers-429",
        breaks: "a proxy answers each query to Mimir with status 429",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || Arc::new(SpoilAnswers::new(Spoiled::Status(StatusCode::TOO_MANY_REQUESTS))))),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "seen", "status 429"),
            blamed("AC-lgtm-003-02/rw2", "seen", "status 429"),
        ],
    },
    Sabotage {
        name: "answers-500",
        breaks: "a proxy answers each query to Mimir with status 500",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || {
            Arc::new(SpoilAnswers::new(Spoiled::Status(StatusCode::INTERNAL_SERVER_ERROR)))
        })),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "seen", "status 500"),
            blamed("AC-lgtm-003-02/rw2", "seen", "status 500"),
        ],
    },
    Sabotage {
        name: "answers-503",
        breaks: "a proxy answers each query to Mimir with status 503",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || Arc::new(SpoilAnswers::new(Spoiled::Status(StatusCode::SERVICE_UNAVAILABLE))))),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "seen", "status 503"),
            blamed("AC-lgtm-003-02/rw2", "seen", "status 503"),
        ],
    },
    Sabotage {
        name: "answers-half",
        breaks: "a proxy cuts each answer of Mimir in two",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || Arc::new(SpoilAnswers::new(Spoiled::Half)))),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "readable", "unreadable"),
            blamed("AC-lgtm-003-02/rw2", "readable", "unreadable"),
        ],
    },
    Sabotage {
        name: "answers-none",
        breaks: "a proxy closes the connection of each query to Mimir",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || Arc::new(SpoilAnswers::new(Spoiled::Nothing)))),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "seen", "cannot be reached"),
            blamed("AC-lgtm-003-02/rw2", "seen", "cannot be reached"),
        ],
    },
    Sabotage {
        name: "answers-part",
        breaks: "a proxy takes the last sample of each series out of Mimir's answers to PromQL",
        drives: Drives::Visible,
        overrides: &[],
        saboteur: Some((Role::Mimir, || Arc::new(SpoilAnswers::new(Spoiled::Part)))),
        blamed: &[
            blamed("AC-lgtm-003-02/rw1", "oracles agree", "missing"),
            blamed("AC-lgtm-003-02/rw2", "oracles agree", "missing"),
        ],
    },
];

const INGEST: &str = "NFR-lgtm-d4f8c2a1-PERF-002/ingest";
const MEMORY: &str = "NFR-lgtm-d4f8c2a1-SCALE-002/memory";
const CAPACITY: &str = "NFR-lgtm-d4f8c2a1-SCALE-001/s3-capacity";
/// What a clause says that was to be tried under a load which the stack did not take.
const NOT_TAKEN: &str = "the load was not shown to be taken";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness_adapters::targets::blueprint::Override;

    use super::*;
    use crate::cli::load;

    #[test]
    fn every_sabotage_can_be_told_from_the_others_and_blames_only_what_is_driven() {
        let (_, scenarios) = load().unwrap();
        let driven = |drives: Drives| -> BTreeSet<String> {
            let chosen = scenarios.iter().filter(|scenario| scenario.tags.contains(&drives.tag()));
            chosen.flat_map(|scenario| scenario.covers.iter().map(ToString::to_string)).collect()
        };
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
                assert!(driven(sabotage.drives).contains(clause), "{}: {clause}", sabotage.name);
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
