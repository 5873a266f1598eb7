use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that has not the shape of an id.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{text:?} is no {what}, expected the shape {shape}")]
pub struct IdError {
    /// The text.
    pub text: String,
    /// What it should be.
    pub what: &'static str,
    /// How such an id looks.
    pub shape: &'static str,
}

/// A newtype over an id's text: shape-checked on every way in, a plain string on the way out.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $shape:literal, $is:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if $is(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { text: text.to_owned(), what: $what, shape: $shape })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// Identifies a criterion: `AC-lgtm-001-02`, `REQ-lgtm-d4f8c2a1-001`, `NFR-lgtm-d4f8c2a1-OPS-001`, `ADR-001`, `API-1`,
    /// `API-mtls-1`, `TREE-layout`.
    CriterionId,
    "criterion id",
    "AC-lgtm-001-02, REQ-lgtm-d4f8c2a1-001, NFR-lgtm-d4f8c2a1-OPS-001, ADR-001, API-1 or TREE-layout",
    is_criterion
);

id!(
    /// Identifies a clause: its criterion, a slash, a name in lower case: `AC-lgtm-001-02/grpc`. Also a trial's name.
    ClauseId,
    "clause id",
    "AC-lgtm-001-02/http-json",
    is_clause
);

id!(
    /// Identifies a finding about the design: `DF-01`.
    FindingId,
    "design finding id",
    "DF-01",
    is_finding
);

impl ClauseId {
    /// The criterion that the clause is part of.
    pub fn criterion(&self) -> CriterionId {
        CriterionId(self.halves().0.to_owned())
    }

    /// What stands behind the slash.
    pub fn name(&self) -> &str {
        self.halves().1
    }

    fn halves(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

/// A criterion or one of its clauses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reference {
    /// One clause.
    Clause(ClauseId),
    /// A whole criterion.
    Criterion(CriterionId),
}

impl Reference {
    /// The id as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Clause(id) => id.as_str(),
            Self::Criterion(id) => id.as_str(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reference {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') { text.parse().map(Self::Clause) } else { text.parse().map(Self::Criterion) }
    }
}

fn is_criterion(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        ["AC", system, area, number] => is_word(system) && is_number(area, 3) && is_number(number, 2),
        ["REQ", system, set, number] => is_word(system) && is_set(set) && is_number(number, 3),
        ["NFR", system, set, quality, number] => {
            is_word(system)
                && is_set(set)
                && !quality.is_empty()
                && quality.bytes().all(|byte| byte.is_ascii_uppercase())
                && is_number(number, 3)
        }
        ["ADR", number] => is_number(number, 3),
        ["API" | "TREE", words @ ..] => !words.is_empty() && words.iter().all(|word| is_word(word)),
        _ => false,
    }
}

fn is_clause(text: &str) -> bool {
    text.split_once('/').is_some_and(|(criterion, name)| is_criterion(criterion) && name.split('-').all(is_word))
}

fn is_finding(text: &str) -> bool {
    text.strip_prefix("DF-").is_some_and(|number| is_number(number, 2))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_number(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The hexadecimal name of a set of requirements.
fn is_set(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_family_are_read_and_written_alike() {
        for text in [
            "AC-lgtm-001-02",
            "REQ-lgtm-d4f8c2a1-001",
            "NFR-lgtm-d4f8c2a1-OPS-001",
            "ADR-007",
            "API-1",
            "API-mtls-6",
            "TREE-remote-write",
        ] {
            let id: CriterionId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            let clause: ClauseId = format!("{text}/http-json").parse().unwrap();
            assert_eq!((clause.criterion(), clause.name()), (id, "http-json"));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "AC",
            "AC-lgtm-1-02",
            "AC-lgtm-001-2",
            "AC-lgtm-001-02 ",
            "ac-lgtm-001-02",
            "AC-LGTM-001-02",
            "AC-lgtm-001-02-03",
            "REQ-lgtm-d4f8c2a-001",
            "REQ-lgtm-D4F8C2A1-001",
            "NFR-lgtm-d4f8c2a1-ops-001",
            "NFR-lgtm-d4f8c2a1--001",
            "ADR-1",
            "API",
            "API-",
            "TREE-Layout",
            "AC-lgtm-001-02/grpc",
        ] {
            assert!(text.parse::<CriterionId>().is_err(), "{text}");
        }
        for text in
            ["AC-lgtm-001-02", "AC-lgtm-001-02/", "/grpc", "AC-lgtm-001-02/a/b", "AC-lgtm-001-02/Grpc", "ADR-1/a"]
        {
            assert!(text.parse::<ClauseId>().is_err(), "{text}");
        }
        for text in ["DF-1", "DF-001", "DF-", "df-01", "01"] {
            assert!(text.parse::<FindingId>().is_err(), "{text}");
        }
    }

    #[test]
    fn in_json_an_id_is_a_string_that_is_checked_on_the_way_in() {
        let id: ClauseId = serde_json::from_str("\"ADR-002/replicas\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"ADR-002/replicas\"");
        let message = serde_json::from_str::<ClauseId>("\"ADR-002\"").unwrap_err().to_string();
        assert!(message.contains("\"ADR-002\" is no clause id"), "{message}");
    }

    #[test]
    fn a_reference_is_a_clause_where_it_has_a_slash() {
        assert!(matches!("ADR-001/a".parse(), Ok(Reference::Clause(_))));
        assert!(matches!("ADR-001".parse(), Ok(Reference::Criterion(_))));
        assert!("ADR-001/".parse::<Reference>().is_err());
    }
}
