//! Runs scenarios: claims what they need, drives each once, and sees to it that every clause ends with a word. Knows ports, not
//! adapters; must not know what any scenario does.

mod drive;
mod schedule;

pub use drive::{RunError, drive_once, run};
pub use schedule::Durations;
