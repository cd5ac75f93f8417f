//! Counters for `/metrics`. They only grow, and survive upgrades.

use std::cell::RefCell;

use candid::CandidType;
use ic_stable_structures::StableCell;
use serde::{Deserialize, Serialize};

use super::versioned::Versioned;
use crate::memory::{self, Region};

/// What is counted.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Updates that were let in.
    pub updates: u64,
    /// Updates that ended in a refusal.
    pub refusals: u64,
    /// Calls to the management canister and to patients.
    pub calls: u64,
    /// Calls of them that failed.
    pub call_errors: u64,
    /// Bytes hashed for checksums.
    pub checksummed_bytes: u64,
    /// Bytes hashed for attestations.
    pub attested_bytes: u64,
    /// Foreign changes noticed.
    pub foreign_changes: u64,
    /// Calls whose answers have not come back; absent is none.
    pub calls_out: Option<u64>,
}

thread_local! {
    static COUNTERS: RefCell<StableCell<Versioned<Counters>, Region>> =
        RefCell::new(StableCell::init(memory::counters(), Versioned(Counters::default())));
}

/// Reads the counters.
pub fn get() -> Counters {
    COUNTERS.with_borrow(|cell| cell.get().0.clone())
}

/// Counts.
pub fn count(change: impl FnOnce(&mut Counters)) {
    COUNTERS.with_borrow_mut(|cell| {
        let mut counters = cell.get().0.clone();
        change(&mut counters);
        cell.set(Versioned(counters));
    });
}
