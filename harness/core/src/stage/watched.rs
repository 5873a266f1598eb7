use crate::{catalogue::ClauseId, observation::Look};

use super::Stimulus;

/// A clause whose records are waited for: what was expected of it stands in the record.
#[derive(Debug)]
pub struct Watched {
    pub(super) clause: ClauseId,
    pub(super) stimulus: Stimulus,
    pub(super) looks: Vec<Look>,
}

impl Watched {
    /// The clause.
    pub fn clause(&self) -> &ClauseId {
        &self.clause
    }
}
