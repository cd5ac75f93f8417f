//! The history of a canister: the last changes of its code and its controllers.

use std::collections::VecDeque;

use ic_management_canister_types::{Change, ChangeDetails, ChangeOrigin};

use super::limits::MAX_HISTORY_ENTRIES;

/// The last entries and how many there ever were.
#[derive(Clone, Debug, Default)]
pub struct History {
    total: u64,
    entries: VecDeque<Change>,
}

impl History {
    /// Adds an entry.
    pub fn push(
        &mut self,
        time_ns: u64,
        version: u64,
        origin: ChangeOrigin,
        details: ChangeDetails,
    ) {
        self.total += 1;
        self.entries.push_back(Change {
            timestamp_nanos: time_ns,
            canister_version: version,
            origin,
            details: Some(details),
        });
        while self.entries.len() > MAX_HISTORY_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// How many changes there were over the canister's life.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The last `count` entries, oldest first.
    pub fn last(&self, count: u64) -> Vec<Change> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let skip = self.entries.len().saturating_sub(count);
        self.entries.iter().skip(skip).cloned().collect()
    }

    /// Forgets the entries, not their number.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// What the history counts for, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.entries.iter().map(entry_bytes).sum()
    }
}

/// The Internet Computer counts an entry by the sizes of its in-memory records.
fn entry_bytes(change: &Change) -> u64 {
    const ENTRY_BYTES: u64 = 160;
    const PRINCIPAL_BYTES: u64 = 30;
    let controllers = match &change.details {
        Some(ChangeDetails::Creation(record)) => record.controllers.len(),
        Some(ChangeDetails::ControllersChange(record)) => record.controllers.len(),
        _ => 0,
    };
    ENTRY_BYTES + controllers as u64 * PRINCIPAL_BYTES
}
