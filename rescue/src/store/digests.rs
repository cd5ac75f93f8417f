//! Chunk digests: 32 bytes each, 64 to a block, so that 50 GiB are 800 blocks and nothing is ever
//! copied to the heap whole.
//!
//! ```text
//! key    0  8  case, big-endian
//!        8  1  memory: 0 stable, 1 heap
//!        9  8  block, big-endian; block b holds the digests of chunks 64b to 64b+63
//! value  n × 32 bytes, n ≤ 64
//! ```

use std::cell::RefCell;

use ic_stable_structures::StableBTreeMap;
use sha2::{Digest, Sha256};
use wire::geometry::Geometry;
use wire::root::{Header, MemoryKind};

use crate::case::model::{CaseId, Hash, Memory};
use crate::limits::CHUNKS_PER_BATCH;
use crate::memory::{self, Region};

/// Length of a digest, bytes.
pub const DIGEST_LEN_BYTES: usize = 32;

type Key = [u8; 17];

thread_local! {
    static DIGESTS: RefCell<StableBTreeMap<Key, Vec<u8>, Region>> =
        RefCell::new(StableBTreeMap::init(memory::digests()));
}

fn key(case: CaseId, memory: Memory, block: u64) -> Key {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&case.to_be_bytes());
    key[8] = match memory {
        Memory::Stable => 0,
        Memory::Heap => 1,
    };
    key[9..].copy_from_slice(&block.to_be_bytes());
    key
}

/// Writes the block that begins at chunk `first`, which is a multiple of 64.
pub fn put_block(case: CaseId, memory: Memory, first: u64, digests: Vec<u8>) {
    assert!(first.is_multiple_of(CHUNKS_PER_BATCH) && digests.len() <= 64 * DIGEST_LEN_BYTES);
    let block = first / CHUNKS_PER_BATCH;
    DIGESTS.with_borrow_mut(|map| map.insert(key(case, memory, block), digests));
}

/// Reads the block that begins at chunk `first`; empty if there is none.
pub fn block(case: CaseId, memory: Memory, first: u64) -> Vec<u8> {
    DIGESTS
        .with_borrow(|map| map.get(&key(case, memory, first / CHUNKS_PER_BATCH)))
        .unwrap_or_default()
}

/// Digests of chunks `first` to `end` (exclusive), as far as they are recorded.
pub fn range(case: CaseId, memory: Memory, first: u64, end: u64) -> Vec<u8> {
    let mut digests = Vec::new();
    let mut chunk = first;
    while chunk < end {
        let block_first = chunk - chunk % CHUNKS_PER_BATCH;
        let bytes = block(case, memory, block_first);
        let from = (chunk - block_first) as usize * DIGEST_LEN_BYTES;
        let to = ((end - block_first).min(CHUNKS_PER_BATCH) as usize) * DIGEST_LEN_BYTES;
        let Some(part) = bytes.get(from..to.min(bytes.len())) else {
            break;
        };
        digests.extend_from_slice(part);
        chunk = block_first + CHUNKS_PER_BATCH;
    }
    digests
}

/// The memory root over all recorded digests.
pub fn root(case: CaseId, memory: Memory, size_bytes: u64) -> Hash {
    let geometry = Geometry::of_memory(size_bytes);
    let kind = match memory {
        Memory::Stable => MemoryKind::Stable,
        Memory::Heap => MemoryKind::Heap,
    };
    let mut hasher = Sha256::new();
    hasher.update(Header::new(kind, geometry).as_bytes());
    let mut first = 0;
    while first < geometry.chunk_count() {
        hasher.update(block(case, memory, first));
        first += CHUNKS_PER_BATCH;
    }
    let root: [u8; 32] = hasher.finalize().into();
    Hash::new(root)
}

/// Removes the digests of a memory.
pub fn remove(case: CaseId, memory: Memory) {
    DIGESTS.with_borrow_mut(|map| {
        let keys: Vec<Key> = map
            .keys_range(key(case, memory, 0)..=key(case, memory, u64::MAX))
            .collect();
        for key in keys {
            map.remove(&key);
        }
    });
}
