//! One file per update.

pub mod accept;
pub mod advance;
pub mod attest;
pub mod checksum;
pub mod close;
pub mod declare;
pub mod forget;
pub mod hashing;
pub mod install;
pub mod module_chunks;
pub mod open_case;
pub mod rollback;
pub mod set_auditors;
pub mod settle;
pub mod snapshot;
pub mod start;
pub mod stop;
pub mod swap_in;
