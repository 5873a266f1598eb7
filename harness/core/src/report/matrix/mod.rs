//! What several runs say together, clause by target: one model, computed once from the reports of the runs, and its renderers. Must not
//! know scenarios, or how a run was driven; must not say anything better than the reports it was computed from.

mod markdown;
mod merge;
mod model;
mod terminal;
#[cfg(test)]
mod tests;
mod words;

pub use markdown::matrix_markdown;
pub use merge::Source;
pub use model::{
    Cell, Column, MATRIX_SCHEMA, Matrix, MatrixClause, MatrixCriterion, MatrixRun, MatrixStatus, OtherVerdict,
};
pub use terminal::matrix_terminal;
