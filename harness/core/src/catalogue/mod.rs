//! What is asked of a stack: criteria and their clauses, read from text and linted. Must not know scenarios' code, targets'
//! addresses, or whether anything passed.

mod criterion;
mod entries;
mod error;
mod id;
mod level;
mod lint;
mod load;
mod lock;
mod parse;
mod target;
#[cfg(test)]
mod tests;

pub use criterion::{Clause, Criterion, DesignFinding, Location, Source};
pub use entries::Catalogue;
pub use error::{CatalogueError, CatalogueErrorKind};
pub use id::{ClauseId, CriterionId, FindingId, IdError, Reference};
pub use level::Level;
pub use target::Target;
