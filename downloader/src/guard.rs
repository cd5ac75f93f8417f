//! Who may call: the controllers of the canister, for every method.

use crate::refuse;
use crate::scratch::{AT, borrow, provide};
use crate::system::{is_controller, msg_caller_copy, msg_caller_size};
use wire::limits::PRINCIPAL_LEN_MAX_BYTES;

/// Begins every method: traps unless the caller is a controller, and returns the size of the heap
/// in bytes.
#[inline(never)]
pub fn enter() -> u64 {
    let heap_len_bytes = provide();
    const { assert!(PRINCIPAL_LEN_MAX_BYTES <= 32) };
    let size = msg_caller_size();
    if size > PRINCIPAL_LEN_MAX_BYTES as usize {
        refuse::not_a_controller();
    }
    let allowed = borrow::<2, _>(|| {
        msg_caller_copy(AT, 0, size);
        is_controller(AT, size)
    });
    if allowed != 1 {
        refuse::not_a_controller();
    }
    heap_len_bytes
}
