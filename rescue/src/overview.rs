//! A word on every case, in the heap, so that metrics need not read them all. Built when the module is
//! installed or upgraded; follows every case that changes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::case::model::CaseId;

/// Phases of all cases.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    phases: BTreeMap<CaseId, &'static str>,
}

impl Overview {
    /// Takes over a case's phase.
    pub fn put(&mut self, case: CaseId, phase: &'static str) {
        self.phases.insert(case, phase);
    }

    /// Drops a case.
    pub fn remove(&mut self, case: CaseId) {
        self.phases.remove(&case);
    }

    /// How many cases are in each phase.
    #[must_use]
    pub fn by_phase(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for phase in self.phases.values() {
            *counts.entry(*phase).or_default() += 1;
        }
        counts
    }

    /// The newest cases.
    #[must_use]
    pub fn newest(&self, count_max: usize) -> Vec<CaseId> {
        self.phases.keys().rev().take(count_max).copied().collect()
    }
}

thread_local! {
    static OVERVIEW: RefCell<Overview> = RefCell::new(Overview::default());
}

/// Reads.
pub fn with<T>(read: impl FnOnce(&Overview) -> T) -> T {
    OVERVIEW.with_borrow(read)
}

/// Changes.
pub fn change(change: impl FnOnce(&mut Overview)) {
    OVERVIEW.with_borrow_mut(change);
}
