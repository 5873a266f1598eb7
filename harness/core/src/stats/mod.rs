//! What a number of timed answers supports: sampling plans, exact binomial probabilities, order statistics. Pure numbers; must not know
//! what was timed, or by which clock.

mod binomial;
mod order;
mod plan;

pub use binomial::{at_least, at_most};
pub use order::{Band, band, nearest_rank};
pub use plan::{Decision, Plan, PlanError, percent, supported};
