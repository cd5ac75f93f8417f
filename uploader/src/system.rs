//! The system calls that write, which the downloader does not even import.
//!
//! The one file of this crate with `unsafe` code in it besides the export names.

#![allow(unsafe_code)]

// SAFETY: these are the functions of the system interface under their names; they read memory in
// which this module keeps no object, and trap out of range.
#[link(wasm_import_module = "ic0")]
unsafe extern "C" {
    /// Grows stable memory; `u64::MAX` if that is refused.
    pub safe fn stable64_grow(pages: u64) -> u64;
    /// Copies memory to stable memory; traps out of range.
    pub safe fn stable64_write(offset: u64, from: u64, size: u64);
}
