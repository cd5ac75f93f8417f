//! Staged chunks of final modules, until they are installed, cleared, or their case is closed.

use std::cell::RefCell;

use ic_stable_structures::StableBTreeMap;

use crate::case::model::CaseId;
use crate::limits::MODULE_CHUNKS_MAX;
use crate::memory::{self, Region};

type Key = [u8; 12];

thread_local! {
    static CHUNKS: RefCell<StableBTreeMap<Key, Vec<u8>, Region>> =
        RefCell::new(StableBTreeMap::init(memory::modules()));
}

fn key(case: CaseId, index: u32) -> Key {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&case.to_be_bytes());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Writes a chunk.
pub fn put(case: CaseId, index: u32, data: Vec<u8>) {
    CHUNKS.with_borrow_mut(|map| map.insert(key(case, index), data));
}

/// Reads a chunk.
pub fn get(case: CaseId, index: u32) -> Option<Vec<u8>> {
    CHUNKS.with_borrow(|map| map.get(&key(case, index)))
}

/// Lengths of the chunks that are there, by index.
pub fn lengths(case: CaseId) -> Vec<(u32, u64)> {
    CHUNKS.with_borrow(|map| {
        (0..MODULE_CHUNKS_MAX)
            .filter_map(|index| Some((index, map.get(&key(case, index))?.len() as u64)))
            .collect()
    })
}

/// Chunks staged for all cases.
pub fn total_count() -> u64 {
    CHUNKS.with_borrow(StableBTreeMap::len)
}

/// Removes all chunks of a case.
pub fn remove(case: CaseId) {
    CHUNKS.with_borrow_mut(|map| {
        for index in 0..MODULE_CHUNKS_MAX {
            map.remove(&key(case, index));
        }
    });
}
