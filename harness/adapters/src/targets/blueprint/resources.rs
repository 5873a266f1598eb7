use std::collections::BTreeMap;

use harness_core::ports::Component;
use serde::{Deserialize, Serialize};

use super::{RenderError, yaml};

const RESOURCES: &str = include_str!("../../../../../stack/resources.yaml");

/// What a process is given, in Kubernetes' quantities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::targets) struct Resources {
    /// What is set aside for it.
    pub(in crate::targets) requests: Requests,
    /// What it may not exceed.
    pub(in crate::targets) limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::targets) struct Requests {
    cpu: String,
    memory: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::targets) struct Limits {
    pub(in crate::targets) memory: String,
}

/// What every component is given.
pub(in crate::targets) fn resources() -> Result<BTreeMap<Component, Resources>, RenderError> {
    yaml("resources.yaml", RESOURCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_is_given_something() {
        let found = resources().unwrap();
        assert!(Component::ALL.iter().all(|component| found.contains_key(component)), "{found:?}");
        assert_eq!(found[&Component::Tempo].limits.memory, "1Gi");
    }
}
