//! Patient: a canister whose state lives in the Wasm heap and is written to stable memory by its hook alone.
//!
//! Maps, vectors and boxed closures behind `thread_local`; with `place = blocks` the values lie in stable memory
//! and only the heap knows where, as in libraries that write their roots in `pre_upgrade`. How the hook is
//! broken is chosen at installation. `put`, `push` and `add_rule`, with the queries that mirror them, are its
//! own way to export and import. It is a patient: no other code uses it.

// The macro that exports the interface writes an undocumented function.
#![allow(missing_docs)]

use candid::CandidType;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;

mod hooks;
mod narrow;
mod state;

use hooks::Hook;
use state::{Note, Place, Rule, State};

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

#[derive(CandidType, Deserialize)]
struct Choice {
    hook: Hook,
    place: Place,
}

#[ic_cdk::init]
fn init(choice: Option<Choice>) {
    STATE.with_borrow_mut(|state| {
        if let Some(choice) = choice {
            state.hook = choice.hook;
            state.place = choice.place;
        }
    });
}

#[ic_cdk::update]
fn put(notes: Vec<Note>) -> u64 {
    STATE.with_borrow_mut(|state| {
        for note in notes {
            state.put(note);
        }
        state.notes.len() as u64
    })
}

#[ic_cdk::update]
fn push(numbers: Vec<u64>) -> u64 {
    STATE.with_borrow_mut(|state| {
        state.numbers.extend(numbers);
        state.numbers.len() as u64
    })
}

#[ic_cdk::update]
fn add_rule(rule: Rule) {
    STATE.with_borrow_mut(|state| state.add_rule(rule));
}

#[ic_cdk::update]
fn reserve_stable(pages: u64) -> u64 {
    ic_cdk::stable::stable_grow(pages).expect("stable memory cannot grow that far");
    ic_cdk::stable::stable_size()
}

#[ic_cdk::update]
fn reserve_heap(bytes: u64) {
    // Never written and never freed: the heap is large, its pages are zeros.
    std::mem::forget(Vec::<u8>::with_capacity(bytes as usize));
}

#[ic_cdk::query]
fn notes(after: Option<String>, count: u64) -> Vec<Note> {
    use std::ops::Bound::{Excluded, Unbounded};
    STATE.with_borrow(|state| {
        let start = after.map_or(Unbounded, Excluded);
        let chosen = state.notes.range((start, Unbounded)).take(count as usize);
        chosen
            .map(|(key, value)| Note {
                key: key.clone(),
                value: value.read(),
            })
            .collect()
    })
}

#[ic_cdk::query]
fn numbers(first: u64, count: u64) -> Vec<u64> {
    STATE.with_borrow(|state| {
        let chosen = state
            .numbers
            .iter()
            .skip(first as usize)
            .take(count as usize);
        chosen.copied().collect()
    })
}

#[ic_cdk::query]
fn rules() -> Vec<Rule> {
    STATE.with_borrow(|state| state.rules.clone())
}

#[ic_cdk::query]
fn apply(number: u64) -> u64 {
    STATE.with_borrow(|state| {
        state
            .closures
            .iter()
            .fold(number, |number, rule| rule(number))
    })
}

#[ic_cdk::query]
fn digest() -> u64 {
    STATE.with_borrow(State::digest)
}

#[ic_cdk::query]
fn version() -> u64 {
    ic_cdk::api::canister_version()
}

#[ic_cdk::query]
fn build() -> String {
    hooks::BUILD.to_string()
}

/// The method more that makes a build another one.
#[cfg(feature = "rebuilt")]
#[ic_cdk::query]
fn longest_key() -> Option<String> {
    STATE.with_borrow(|state| state.notes.keys().max_by_key(|key| key.len()).cloned())
}

/// The keys and values of the map while the canister runs.
type Notes = BTreeMap<String, state::Value>;

ic_cdk::export_candid!();
