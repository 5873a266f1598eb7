//! Where the stack is, and how it comes and goes. Must not know what is sent to it or asked of it.

pub mod blueprint;
pub mod cluster;
pub mod containers;
pub mod kind;
pub mod local;
pub mod nightly;
pub mod tree;
