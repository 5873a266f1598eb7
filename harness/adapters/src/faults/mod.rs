//! Faults on the way to the stack: a proxy between harness and server, and the saboteurs that it lets at the traffic; the door of a
//! store with nothing behind it. Must not know scenarios, nor judge whether a fault was noticed; each saboteur counts, so that a fault that did not happen shows.

mod door;
mod interposer;
mod lose_one_entry;
mod pushes;
mod saboteur;
mod slow_queries;
mod spoil_answers;

pub(crate) use door::Door;
pub use hyper::{StatusCode, http::request::Parts};
pub use interposer::{FaultError, Proxy};
pub use lose_one_entry::LoseOneEntry;
pub use pushes::{Refuse, Swallow};
pub use saboteur::{Action, Saboteur};
pub use slow_queries::SlowQueries;
pub use spoil_answers::{SpoilAnswers, Spoiled};
