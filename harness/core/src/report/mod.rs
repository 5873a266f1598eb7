//! What a record says about the criteria: one model, computed once, and its renderers. No renderer computes a status.

mod exit;
mod junit;
mod markdown;
mod model;
mod recheck;
mod terminal;
#[cfg(test)]
mod tests;
mod words;

pub use exit::{ExitStatus, exit_status};
pub use junit::junit;
pub use markdown::markdown;
pub use model::{
    ClauseReport, CriterionReport, CriterionStatus, DesignFindingReport, Report, RunReport, SCHEMA, Summary,
};
pub use recheck::{Disagreement, recheck};
pub use terminal::{Colour, Style, terminal};
