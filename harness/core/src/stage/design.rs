//! What the design names: the buckets and their owners (design.md, ADR-003), and what each component is given.

use crate::{ports::Component, signal::Signal};

/// Every bucket of the stack with the component that owns it.
pub const BUCKETS: [(&str, Component); 3] =
    [("loki-chunks", Component::LokiWrite), ("tempo-traces", Component::Tempo), ("mimir-blocks", Component::Mimir)];

/// The most memory that each component may take, bytes (design.md, resource limits).
pub const MEMORY_LIMITS: [(Component, u64); 5] = [
    (Component::LokiWrite, 1536 << 20),
    (Component::LokiRead, 1536 << 20),
    (Component::LokiBackend, 1536 << 20),
    (Component::Tempo, 1024 << 20),
    (Component::Mimir, 1536 << 20),
];

/// The bucket in which records of `signal` have to end up.
pub fn bucket_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "loki-chunks",
        Signal::Traces => "tempo-traces",
        Signal::Metrics => "mimir-blocks",
    }
}

/// The component that accepts records of `signal` and has to bring them into the bucket.
pub fn owner_of(signal: Signal) -> Component {
    match signal {
        Signal::Logs => Component::LokiWrite,
        Signal::Traces => Component::Tempo,
        Signal::Metrics => Component::Mimir,
    }
}
