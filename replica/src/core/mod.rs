//! The network itself, without any network around it.
//!
//! An [`Instance`](instance::Instance) is a handful of subnets with canisters, a clock that moves only when told to, and rounds that
//! happen only when asked for. Given the same seed and the same calls it gives the same answers,
//! bit by bit: nothing here reads a clock, a socket, a random device or the environment. The HTTP
//! side (`crate::http`) drives it and owns the cryptography (see [`keys`]).

pub mod api;
pub mod errors;
pub mod instance;
pub mod keys;
pub mod topology;
