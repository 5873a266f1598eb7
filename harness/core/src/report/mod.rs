//! What a record says about the criteria: one model, computed once, and its renderers. No renderer computes a status.

mod model;

pub use model::{
    ClauseReport, CriterionReport, CriterionStatus, DesignFindingReport, Report, RunReport, SCHEMA, Summary,
};

mod exit;
mod recheck;

pub use exit::{ExitStatus, exit_status};
pub use recheck::{Disagreement, recheck};
