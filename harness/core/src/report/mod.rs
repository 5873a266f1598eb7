//! What a record says about the criteria, and what several say together: one model each, computed once, and its renderers. No renderer
//! computes a status.

mod exit;
mod expected;
mod junit;
mod markdown;
mod matrix;
mod model;
mod recheck;
mod terminal;
#[cfg(test)]
mod tests;
mod words;

pub use exit::{ExitStatus, exit_status, matrix_exit_status};
pub use expected::{ExpectedError, ExpectedVerdict, Expectedness, expectations};
pub use junit::junit;
pub use markdown::markdown;
pub use matrix::{
    Cell, Column, MATRIX_SCHEMA, Matrix, MatrixClause, MatrixCriterion, MatrixRun, MatrixStatus, OtherVerdict, Source,
    matrix_markdown, matrix_terminal,
};
pub use model::{
    ClauseReport, CriterionReport, CriterionStatus, DesignFindingReport, Report, RunReport, SCHEMA, Summary,
};
pub use recheck::{Disagreement, recheck};
pub use terminal::{Colour, Style, terminal};
