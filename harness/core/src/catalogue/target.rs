use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where the stack under test is, and so what a clause can be shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The deployment's files alone.
    Tree,
    /// Processes on this machine.
    Local,
    /// Containers on this machine.
    Containers,
    /// A kind cluster with the tree applied.
    Kind,
    /// Any other Kubernetes cluster with the tree applied.
    Cluster,
}

impl Target {
    /// Every target, the one with the least machinery first.
    pub const ALL: [Self; 5] = [Self::Tree, Self::Local, Self::Containers, Self::Kind, Self::Cluster];

    /// The word used in files, commands and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Local => "local",
            Self::Containers => "containers",
            Self::Kind => "kind",
            Self::Cluster => "cluster",
        }
    }

    /// Whether something runs there, with timers that a profile sets.
    pub fn has_timers(self) -> bool {
        self != Self::Tree
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|target| target.name() == text)
            .ok_or_else(|| format!("unknown target {text:?}, expected tree, local, containers, kind or cluster"))
    }
}
