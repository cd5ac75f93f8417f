//! `journal`: what happened in a case, a page at a time.

use rescue_api::{JournalEntry, Phase, Refusal};

use crate::case::model::CaseId;
use crate::limits;
use crate::store::journal::Entry;
use crate::store::{cases, journal};
use crate::view;

/// Up to `count` entries from `first` on.
pub fn journal(id: CaseId, first: u64, count: u32) -> Result<Vec<JournalEntry>, Refusal> {
    cases::get(id)?;
    let count = count.min(limits::JOURNAL_PAGE_MAX);
    Ok(journal::page(id, first, u64::from(count))
        .into_iter()
        .map(|(index, entry)| view_entry(index, entry))
        .collect())
}

/// An entry as it travels.
pub fn view_entry(index: u64, entry: Entry) -> JournalEntry {
    JournalEntry {
        index,
        at_nanos: entry.at,
        actor: entry.actor,
        operation: entry.operation.map(view::operation),
        event: entry.event,
        detail: entry.detail,
        phase: match entry.in_doubt {
            Some(operation) => Phase::Unknown {
                operation: view::operation(operation),
            },
            None => view::settled_phase(&entry.phase),
        },
    }
}
