//! The rim: everything that calls another canister.

pub mod look;
pub mod management;
pub mod outstanding;
pub mod patient;
