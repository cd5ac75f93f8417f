//! Patient: a small ledger as users write canisters.
//!
//! Entries live in a stable BTreeMap and the name in a stable Cell, both behind a MemoryManager; balances
//! are a `thread_local` cache rebuilt from them. The features choose the build: healthy at first, then one
//! whose `pre_upgrade` panics, never ends or works, then the fixed one. It is a patient: no other code uses it.

// The macro that exports the interface writes an undocumented function.
#![allow(missing_docs)]

use candid::{CandidType, Decode, Encode};
use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::storable::Bound;
use ic_stable_structures::{Cell, DefaultMemoryImpl, StableBTreeMap, Storable};
use serde::Deserialize;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

mod hooks;

type Memory = VirtualMemory<DefaultMemoryImpl>;

const ENTRIES_MEMORY: MemoryId = MemoryId::new(0);
const NAME_MEMORY: MemoryId = MemoryId::new(1);

#[derive(CandidType, Deserialize, Clone)]
struct Entry {
    account: String,
    amount: u64,
    memo: Vec<u8>,
}

impl Storable for Entry {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(Encode!(self).expect("BUG: an entry is encodable"))
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<'_, [u8]>) -> Self {
        Decode!(&bytes, Entry).expect("BUG: stored entries are decodable")
    }

    const BOUND: Bound = Bound::Unbounded;
}

thread_local! {
    static MEMORIES: RefCell<MemoryManager<DefaultMemoryImpl>> =
        RefCell::new(MemoryManager::init(DefaultMemoryImpl::default()));
    static ENTRIES: RefCell<StableBTreeMap<u64, Entry, Memory>> =
        RefCell::new(StableBTreeMap::init(memory(ENTRIES_MEMORY)));
    static NAME: RefCell<Cell<String, Memory>> =
        RefCell::new(Cell::init(memory(NAME_MEMORY), "unnamed".to_string()));
    static BALANCES: RefCell<BTreeMap<String, u64>> = RefCell::new(sum_balances());
    static APPENDED: RefCell<u64> = const { RefCell::new(0) };
}

fn memory(id: MemoryId) -> Memory {
    MEMORIES.with_borrow(|memories| memories.get(id))
}

fn sum_balances() -> BTreeMap<String, u64> {
    let mut balances = BTreeMap::new();
    ENTRIES.with_borrow(|entries| {
        for entry in entries.values() {
            *balances.entry(entry.account).or_insert(0) += entry.amount;
        }
    });
    balances
}

#[cfg(feature = "hook-saves")]
fn save_balances(balances: &BTreeMap<String, u64>) {
    const BALANCES_MEMORY: MemoryId = MemoryId::new(2);
    let mut saved = StableBTreeMap::<String, u64, Memory>::init(memory(BALANCES_MEMORY));
    for (account, balance) in balances {
        saved.insert(account.clone(), *balance);
    }
}

#[ic_cdk::update]
fn append(new: Vec<Entry>) -> u64 {
    // Balances first: the cache is built from the entries when it is first used.
    BALANCES.with_borrow_mut(|balances| {
        for entry in &new {
            *balances.entry(entry.account.clone()).or_insert(0) += entry.amount;
        }
    });
    APPENDED.with_borrow_mut(|count| *count += new.len() as u64);
    ENTRIES.with_borrow_mut(|entries| {
        for entry in new {
            entries.insert(entries.len(), entry);
        }
        entries.len()
    })
}

#[ic_cdk::update]
fn rename(name: String) {
    NAME.with_borrow_mut(|cell| cell.set(name));
}

#[ic_cdk::query]
fn entries(first: u64, count: u64) -> Vec<Entry> {
    ENTRIES.with_borrow(|entries| {
        entries
            .range(first..first.saturating_add(count))
            .map(|entry| entry.value())
            .collect()
    })
}

#[ic_cdk::query]
fn balance(account: String) -> u64 {
    BALANCES.with_borrow(|balances| balances.get(&account).copied().unwrap_or(0))
}

#[ic_cdk::query]
fn length() -> u64 {
    ENTRIES.with_borrow(|entries| entries.len())
}

#[ic_cdk::query]
fn name() -> String {
    NAME.with_borrow(|name| name.get().clone())
}

#[ic_cdk::query]
fn digest() -> u64 {
    let mut fold = Fnv::default();
    fold.add(name().as_bytes());
    ENTRIES.with_borrow(|entries| {
        for entry in entries.values() {
            fold.add(entry.account.as_bytes());
            fold.add(&entry.amount.to_le_bytes());
            fold.add(&entry.memo);
        }
    });
    fold.0
}

#[ic_cdk::query]
fn build() -> String {
    hooks::BUILD.to_string()
}

#[ic_cdk::query]
fn appended_since_install() -> u64 {
    APPENDED.with_borrow(|count| *count)
}

/// FNV-1a, 64 bits, with the length of each part folded in.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, part: &[u8]) {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

ic_cdk::export_candid!();
