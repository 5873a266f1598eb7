use serde::Serialize;

use super::stimulus::append_line;
use crate::{
    ports::Clock,
    record::{BodyStore, RecordError},
    secret::Searcher,
};

/// Keeps the bodies of what a look saw.
#[derive(Clone, Copy)]
pub(super) struct Keeper<'a> {
    bodies: &'a BodyStore,
    clock: &'a dyn Clock,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(bodies: &'a BodyStore, clock: &'a dyn Clock) -> Self {
        Self { bodies, clock }
    }

    /// Keeps an object or answer.
    pub(super) fn keep(&self, body: &[u8]) -> Result<String, RecordError> {
        self.bodies.keep(body)
    }

    /// Keeps records as NDJSON.
    pub(super) fn keep_records<R: Serialize>(&self, records: &[R]) -> Result<String, RecordError> {
        let mut body = Vec::new();
        for record in records {
            append_line(&mut body, record);
        }
        self.keep(&body)
    }

    /// Finds the stack's secrets, which nothing that is kept may have.
    pub(super) fn searcher(&self) -> Searcher {
        self.bodies.searcher()
    }

    /// Now, nanoseconds since the Unix epoch, for evidence.
    pub(super) fn unix_ns(&self) -> i64 {
        self.clock.unix_ns()
    }
}
