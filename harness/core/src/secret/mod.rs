//! Secrets in the forms in which they turn up, and where they are in a text. Must not know whose secrets they are, nor print one.

mod form;
mod search;

pub use form::{Form, Needle, needles};
pub use search::Searcher;
