//! `checksums`: recorded digests, a page at a time.

use rescue_api::Refusal;

use crate::case::model::{CaseId, Memory};
use crate::limits;
use crate::store::{cases, digests};

/// Digests of up to `count` chunks from `first` on, concatenated; shorter past the last recorded one.
pub fn checksums(id: CaseId, memory: Memory, first: u64, count: u64) -> Result<Vec<u8>, Refusal> {
    let recorded = cases::get(id)?.memory(memory).recorded;
    let count = count.min(limits::DIGESTS_PAGE_MAX);
    let end = first.saturating_add(count).min(recorded);
    Ok(digests::range(id, memory, first, end))
}
