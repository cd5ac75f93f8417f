//! Growing a memory so that a write has a place, or refusing the write.

use crate::system::stable64_grow;
use downloader::refuse;
use downloader::system::{grow_heap, heap_len_bytes, stable_len_bytes};
use wire::geometry::pages_for;
use wire::limits::PAGE_LEN_BYTES;

/// Makes stable memory hold `len_bytes` from `offset` on.
#[inline(always)]
pub fn fit_stable(offset: u64, len_bytes: u64) {
    let missing = missing_pages(offset, len_bytes, stable_len_bytes());
    if missing > 0 && stable64_grow(missing) == u64::MAX {
        refuse::cannot_grow();
    }
}

/// Makes the heap hold `len_bytes` from `offset` on.
#[inline(always)]
pub fn fit_heap(offset: u64, len_bytes: u64) {
    let missing = missing_pages(offset, len_bytes, heap_len_bytes());
    let fits = match usize::try_from(missing) {
        Ok(0) => true,
        Ok(pages) => grow_heap(pages),
        Err(_) => false,
    };
    if !fits {
        refuse::cannot_grow();
    }
}

/// Pages that a memory lacks to hold a range.
#[inline(always)]
fn missing_pages(offset: u64, len_bytes: u64, memory_len_bytes: u64) -> u64 {
    match offset.checked_add(len_bytes) {
        Some(end) => pages_for(end).saturating_sub(memory_len_bytes / PAGE_LEN_BYTES),
        None => refuse::cannot_grow(),
    }
}
