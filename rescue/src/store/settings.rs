//! Settings: auditors, dashboard, times of installation.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_stable_structures::StableCell;
use serde::{Deserialize, Serialize};

use super::versioned::Versioned;
use crate::memory::{self, Region};

/// What is set.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Principals that may look.
    pub auditors: Vec<Principal>,
    /// Whether `/` and `/metrics` are served.
    pub dashboard: bool,
    /// When this canister was installed, nanoseconds.
    pub installed_at: u64,
    /// When its module was last upgraded, nanoseconds.
    pub upgraded_at: Option<u64>,
    /// Number of the next case.
    pub next_case: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auditors: Vec::new(),
            dashboard: true,
            installed_at: 0,
            upgraded_at: None,
            next_case: 1,
        }
    }
}

thread_local! {
    static SETTINGS: RefCell<StableCell<Versioned<Settings>, Region>> =
        RefCell::new(StableCell::init(memory::settings(), Versioned(Settings::default())));
}

/// Reads the settings.
pub fn get() -> Settings {
    SETTINGS.with_borrow(|cell| cell.get().0.clone())
}

/// Changes the settings.
pub fn change<T>(change: impl FnOnce(&mut Settings) -> T) -> T {
    SETTINGS.with_borrow_mut(|cell| {
        let mut settings = cell.get().0.clone();
        let result = change(&mut settings);
        cell.set(Versioned(settings));
        result
    })
}
