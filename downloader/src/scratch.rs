//! The few bytes of memory that system calls need, borrowed from the heap and given back.
//!
//! System calls read and write memory, never locals. A method therefore saves a small region of
//! the heap in locals, uses it, and puts the old bytes back before anything looks at the heap
//! again. An empty heap has no region to borrow and grows by one page, left zero: in a query
//! that is discarded with everything else.

use crate::system::{grow_heap, heap_len_bytes, load128, store128};
use crate::wasm::{self, v128};

/// Where the borrowed region begins. Not 0: the compiler takes a constant null for an error.
pub const AT: usize = 16;

/// Length of the region that reads borrow: a caller, an argument of three numbers, a group of four
/// digests.
pub const LEN_BYTES: usize = 128;

/// Makes sure that there is memory at all, and returns the size of the heap from before.
#[inline(always)]
pub fn provide() -> u64 {
    let len_bytes = heap_len_bytes();
    if len_bytes == 0 && !grow_heap(1) {
        wasm::unreachable()
    }
    len_bytes
}

/// Runs `work` with `N` times 16 bytes at [`AT`] borrowed, and puts the old bytes back.
#[inline(always)]
pub fn borrow<const N: usize, T>(work: impl FnOnce() -> T) -> T {
    borrow_at::<N, T>(AT, work)
}

/// Runs `work` with `N` times 16 bytes at `start` borrowed, and puts the old bytes back. `N` is at
/// most 8: so few the compiler keeps in locals, instead of in an array on a stack in memory.
#[inline(always)]
pub fn borrow_at<const N: usize, T>(start: usize, work: impl FnOnce() -> T) -> T {
    const { assert!(N <= 8) };
    let saved: [v128; N] = core::array::from_fn(|index| load128(start.wrapping_add(16 * index)));
    let result = work();
    for (index, bytes) in saved.into_iter().enumerate() {
        store128(start.wrapping_add(16 * index), bytes);
    }
    result
}
