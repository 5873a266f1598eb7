//! The only I/O of the harness against the stack: clients, targets, faults, settings. Must not judge what it sees.
