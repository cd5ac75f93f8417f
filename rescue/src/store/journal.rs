//! The journal: what happened in each case, in order, never changed.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_stable_structures::StableBTreeMap;
use serde::{Deserialize, Serialize};

use super::versioned::Versioned;
use crate::case::model::{CaseId, Operation, Phase};
use crate::memory::{self, Region};

/// An entry.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, nanoseconds.
    pub at: u64,
    /// Who asked.
    pub actor: Principal,
    /// The step it belongs to.
    pub operation: Option<Operation>,
    /// One word of a fixed list.
    pub event: String,
    /// The rest, for people.
    pub detail: String,
    /// Where the case stands after it.
    pub phase: Phase,
    /// The step whose outcome is in doubt after it.
    pub in_doubt: Option<Operation>,
}

type Map = StableBTreeMap<[u8; 16], Versioned<Entry>, Region>;

thread_local! {
    static JOURNAL: RefCell<Map> = RefCell::new(StableBTreeMap::init(memory::journal()));
}

/// Case and index, so that a case's entries lie next to each other, in order.
fn key(case: CaseId, index: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&case.to_be_bytes());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Adds an entry.
pub fn add(case: CaseId, index: u64, entry: Entry) {
    JOURNAL.with_borrow_mut(|map| map.insert(key(case, index), Versioned(entry)));
}

/// Reads `count` entries from `first` on, or fewer.
pub fn page(case: CaseId, first: u64, count: u64) -> Vec<(u64, Entry)> {
    let end = first.saturating_add(count);
    JOURNAL.with_borrow(|map| {
        map.range(key(case, first)..key(case, end))
            .zip(first..)
            .map(|(entry, index)| (index, entry.value().0))
            .collect()
    })
}

/// Removes all entries of a case.
pub fn remove(case: CaseId, length: u64) {
    JOURNAL.with_borrow_mut(|map| {
        for index in 0..length {
            map.remove(&key(case, index));
        }
    });
}
