//! The uploader: the downloader, and updates that write memory back.
//!
//! It is installed over a canister to restore stable memory or the heap. The reads are those of
//! [`downloader`], linked in whole. Of a kept heap no method but `heap_write` changes a byte:
//! whatever an update needs as scratch it borrows and puts back before it ends. Every write may
//! be repeated, and one that cannot be placed traps and changes nothing.
//!
//! On the host this crate is empty; the built module is what the tests run.

#![cfg_attr(target_family = "wasm", no_std)]

// The reads: linked for their exports.
#[cfg(target_family = "wasm")]
use downloader as _;

#[cfg(target_family = "wasm")]
pub mod candid;
#[cfg(target_family = "wasm")]
pub mod endpoints;
#[cfg(target_family = "wasm")]
pub mod grow;
#[cfg(target_family = "wasm")]
pub mod lz4;
#[cfg(target_family = "wasm")]
pub mod system;
