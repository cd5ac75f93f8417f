//! The system calls and the memory instructions, as functions of numbers.
//!
//! The one file of this crate with `unsafe` code in it. Addresses are plain numbers: the module
//! keeps no object in memory (no static, no stack, no allocation), so no store can invalidate
//! one. `usize` is as wide as the build, like the pointers of the system interface.

#![allow(unsafe_code)]

use crate::wasm::{self, v128};
use wire::limits::PAGE_LEN_BYTES;

#[link(wasm_import_module = "ic0")]
unsafe extern "C" {
    /// Size of the argument in bytes.
    pub safe fn msg_arg_data_size() -> usize;
    /// Copies a part of the argument to memory; traps out of range.
    pub safe fn msg_arg_data_copy(to: usize, offset: usize, size: usize);
    /// Size of the caller's principal in bytes.
    pub safe fn msg_caller_size() -> usize;
    /// Copies a part of the caller's principal to memory; traps out of range.
    pub safe fn msg_caller_copy(to: usize, offset: usize, size: usize);
    /// 1 if the principal in memory controls this canister.
    pub safe fn is_controller(from: usize, size: usize) -> i32;
    /// Appends bytes from memory to the reply; traps out of range and above the reply's limit.
    pub safe fn msg_reply_data_append(from: usize, size: usize);
    /// Sends the reply.
    pub safe fn msg_reply();
    /// Ends the message with a text from memory; every change is undone.
    pub safe fn trap(from: usize, size: usize) -> !;
    /// Size of stable memory in pages.
    pub safe fn stable64_size() -> u64;
    /// Copies stable memory to memory; traps out of range.
    pub safe fn stable64_read(to: u64, offset: u64, size: u64);
}

/// Which of the two memories.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Stable memory: reached through system calls.
    Stable,
    /// The heap: reached by load and store.
    Heap,
}

/// Size of the heap in bytes.
#[inline(always)]
pub fn heap_len_bytes() -> u64 {
    wasm::memory_size::<0>() as u64 * PAGE_LEN_BYTES
}

/// Grows the heap; false if that is refused.
#[inline(always)]
pub fn grow_heap(pages: usize) -> bool {
    wasm::memory_grow::<0>(pages) != usize::MAX
}

/// Size of stable memory in bytes.
#[inline(always)]
pub fn stable_len_bytes() -> u64 {
    stable64_size() * PAGE_LEN_BYTES
}

macro_rules! accessors {
    ($load:ident, $store:ident, $type:ty) => {
        /// Reads memory at any alignment; traps out of range.
        #[inline(always)]
        pub fn $load(at: usize) -> $type {
            // SAFETY: memory holds plain bytes and no object of this module; an address out of
            // range traps.
            unsafe { core::ptr::with_exposed_provenance::<$type>(at).read_unaligned() }
        }

        /// Writes memory at any alignment; traps out of range.
        #[inline(always)]
        pub fn $store(at: usize, value: $type) {
            // SAFETY: memory holds no object of this module that the write could invalidate; an
            // address out of range traps.
            unsafe { core::ptr::with_exposed_provenance_mut::<$type>(at).write_unaligned(value) }
        }
    };
}

accessors!(load8, store8, u8);
accessors!(load16, store16, u16);
accessors!(load32, store32, u32);
accessors!(load64, store64, u64);
accessors!(load128, store128, v128);
