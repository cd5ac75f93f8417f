//! Small patients that live: every call of `live` counts in both memories, so that what a patient was at one time
//! can be told from what it was at another. `heap` shows the heap to anyone who asks.
//!
//! They install in a round, so that a scenario can afford thousands of them.

use wire::limits::PAGE_LEN_BYTES;

/// The update that counts.
pub const LIVE: &str = "live";
/// The query that answers the whole heap.
pub const HEAP: &str = "heap";
/// Pages of either memory.
const PAGES: u64 = 2;
/// Multiplies an address into the eight bytes that lie there.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Custom section of a module that may keep the heap of the one before it.
const MARKER: &str = r#"(@custom "icp:private enhanced-orthogonal-persistence" "")"#;
/// What a patient is ill of.
const HOOK: &str = r#"(func (export "canister_pre_upgrade") unreachable)"#;

/// Both memories of a patient.
#[derive(Clone, PartialEq, Eq)]
pub struct Memories {
    /// The Wasm heap.
    pub heap: Vec<u8>,
    /// Stable memory.
    pub stable: Vec<u8>,
}

impl Memories {
    /// Of a patient that was installed and has lived so many calls since.
    pub fn after(calls: u64) -> Self {
        let mut heap: Vec<u8> = (0..PAGES * PAGE_LEN_BYTES)
            .step_by(8)
            .flat_map(|at| (at + 1).wrapping_mul(FACTOR).to_le_bytes())
            .collect();
        let mut stable = heap.clone();
        let counter = FACTOR.wrapping_add(calls).to_le_bytes();
        heap[..8].copy_from_slice(&counter);
        stable[..8].copy_from_slice(&counter);
        if calls > 0 {
            heap[8..16].copy_from_slice(&counter);
        }
        Self { heap, stable }
    }
}

/// A patient whose `pre_upgrade` traps.
pub fn patient() -> Vec<u8> {
    module("own", HOOK)
}

/// What it is upgraded to in the end. It may keep the heap.
pub fn cured() -> Vec<u8> {
    module("final", MARKER)
}

/// What someone else installs.
pub fn strange() -> Vec<u8> {
    module("strange", "")
}

fn module(name: &str, more: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
            (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
            (memory {PAGES})
            (func $count (param $at i32)
                (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (i64.const 1))))
            (func (export "canister_init") (local $at i64)
                (loop $next
                    (i64.store (i32.wrap_i64 (local.get $at))
                        (i64.mul (i64.add (local.get $at) (i64.const 1)) (i64.const {factor})))
                    (local.set $at (i64.add (local.get $at) (i64.const 8)))
                    (br_if $next (i64.lt_u (local.get $at) (i64.const {len_bytes}))))
                (drop (call $grow (i64.const {PAGES})))
                (call $write (i64.const 0) (i64.const 0) (i64.const {len_bytes})))
            (func (export "canister_update {LIVE}")
                (call $count (i32.const 0))
                (call $read (i64.const 8) (i64.const 0) (i64.const 8))
                (call $count (i32.const 8))
                (call $write (i64.const 0) (i64.const 8) (i64.const 8))
                (call $reply))
            (func (export "canister_query {HEAP}")
                (call $append (i32.const 0) (i32.const {len_bytes}))
                (call $reply))
            (func (export "canister_query {name}") (call $reply))
            {more})"#,
        factor = FACTOR as i64,
        len_bytes = PAGES * PAGE_LEN_BYTES,
    ))
    .unwrap()
}
