//! What both ends of a wire agree on: candid bytes, chunk geometry, method names, named limits and the memory root.
//!
//! Shared by the modules installed over a canister, by the rescue canister, the backup on disk and
//! the command line, so that none of them can disagree about a byte. No allocation, no
//! dependencies, no input or output; compiles for wasm and for the host.

#![no_std]
#![forbid(unsafe_code)]

pub mod candid;
pub mod geometry;
pub mod limits;
pub mod methods;
pub mod root;
