//! The embedded modules: the only ones a swap installs.
//!
//! Each comes with 32-bit and with 64-bit addresses. The 32-bit one is taken for every heap that it can
//! address, whatever the patient's own module is: it costs half as much, and the IC compares only sizes
//! when a heap is kept.

use sha2::{Digest, Sha256};
use wire::limits::HEAP32_MAX_BYTES;

use crate::case::model::{Case, Hash, Memories, Operation, Pair};

/// Width of a module's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Heaps of up to 4 GiB.
    Bits32,
    /// Larger heaps.
    Bits64,
}

/// Every embedded module.
pub const ALL: [(Pair, Width); 4] = [
    (Pair::Downloader, Width::Bits32),
    (Pair::Uploader, Width::Bits32),
    (Pair::Downloader, Width::Bits64),
    (Pair::Uploader, Width::Bits64),
];

/// Bytes of a module.
#[must_use]
pub const fn bytes(pair: Pair, width: Width) -> &'static [u8] {
    match (pair, width) {
        (Pair::Downloader, Width::Bits32) => {
            include_bytes!(concat!(env!("OUT_DIR"), "/downloader.wasm"))
        }
        (Pair::Uploader, Width::Bits32) => {
            include_bytes!(concat!(env!("OUT_DIR"), "/uploader.wasm"))
        }
        (Pair::Downloader, Width::Bits64) => {
            include_bytes!(concat!(env!("OUT_DIR"), "/downloader64.wasm"))
        }
        (Pair::Uploader, Width::Bits64) => {
            include_bytes!(concat!(env!("OUT_DIR"), "/uploader64.wasm"))
        }
    }
}

/// SHA-256 of a module, computed from its bytes: what the patient's module hash must be after a swap.
#[must_use]
pub fn hash(pair: Pair, width: Width) -> Hash {
    sha256(bytes(pair, width))
}

/// Hashes of all embedded modules.
#[must_use]
pub fn hashes() -> Vec<(Pair, Hash)> {
    ALL.into_iter()
        .map(|(pair, width)| (pair, hash(pair, width)))
        .collect()
}

/// Which width a step of a case is about: for a swap, that of the module which can address the heap that
/// stays or that will be written back; otherwise, that of the module which the patient holds.
#[must_use]
pub fn width(case: &Case, operation: Operation) -> Width {
    let wide = match operation {
        Operation::SwapIn {
            memories: Memories::Keep,
            ..
        } => case.last_seen.heap_bytes > HEAP32_MAX_BYTES,
        Operation::SwapIn { .. } => case.heap.size_bytes > Some(HEAP32_MAX_BYTES),
        _ => [Pair::Downloader, Pair::Uploader]
            .into_iter()
            .any(|pair| case.last_seen.module_hash == Some(hash(pair, Width::Bits64))),
    };
    if wide { Width::Bits64 } else { Width::Bits32 }
}

/// SHA-256 of any bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    Hash::new(digest)
}
