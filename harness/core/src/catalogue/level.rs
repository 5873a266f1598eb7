use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How binding a criterion is (the words of RFC 2119), or that the design leaves it without a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Binding.
    Shall,
    /// Recommended.
    Should,
    /// Permitted.
    May,
    /// The design implies the id and defines it nowhere; nothing can be decided.
    Undefined,
}

impl Level {
    /// Every level, most binding first.
    pub const ALL: [Self; 4] = [Self::Shall, Self::Should, Self::May, Self::Undefined];

    /// The word used in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shall => "shall",
            Self::Should => "should",
            Self::May => "may",
            Self::Undefined => "undefined",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| "expected shall, should, may or undefined".to_owned())
    }
}
