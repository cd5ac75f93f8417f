//! The embedded modules: the only ones a swap installs.

use sha2::{Digest, Sha256};

use crate::case::model::{Hash, Pair};

const DOWNLOADER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/downloader.wasm"));
const UPLOADER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/uploader.wasm"));

/// Bytes of a module.
#[must_use]
pub const fn bytes(pair: Pair) -> &'static [u8] {
    match pair {
        Pair::Downloader => DOWNLOADER,
        Pair::Uploader => UPLOADER,
    }
}

/// SHA-256 of a module, computed from its bytes: what the patient's module hash must be after a swap.
#[must_use]
pub fn hash(pair: Pair) -> Hash {
    sha256(bytes(pair))
}

/// Hashes of downloader and uploader.
#[must_use]
pub fn hashes() -> [Hash; 2] {
    [hash(Pair::Downloader), hash(Pair::Uploader)]
}

/// SHA-256 of any bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    Hash::new(digest)
}
