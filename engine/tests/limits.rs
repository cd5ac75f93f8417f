//! Instruction, payload and memory limits, and what is accounted for.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Canister, module};
use engine::{Entry, ExecutionError, Limits, Outcome};

const LOOP: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "stable64_grow" (func $sgrow (param i64) (result i64)))
    (import "ic0" "stable64_read" (func $sread (param i64 i64 i64)))
    (import "ic0" "stable64_write" (func $swrite (param i64 i64 i64)))
    (import "ic0" "debug_print" (func $print (param i32 i32)))
    (memory 1)
    (func (export "canister_update forever") (loop $l (br $l)))
    (func (export "canister_query forever_query") (loop $l (br $l)))
    (func (export "canister_update fill")
        (drop (memory.grow (i32.const 65535)))
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 0xFFFFFFFF)))
    (func (export "canister_update store")
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store8 (i32.const 100) (i32.const 1))
        (i32.store8 (i32.const 8192) (i32.const 0))
        (call $reply))
    (func (export "canister_update nothing") (call $reply))
    (func (export "canister_update grow") (drop (memory.grow (i32.const 4))) (call $reply))
    (func (export "canister_global_timer") (drop (memory.grow (i32.const 4))))
    (func (export "canister_update write")
        (drop (call $sgrow (i64.const 100000)))
        (call $swrite (i64.const 0) (i64.const 0) (i64.const 4096))
        (call $swrite (i64.const 4096) (i64.const 0) (i64.const 1)))
    (func (export "canister_update log")
        (call $print (i32.const 0) (i32.const 4000)) (call $print (i32.const 0) (i32.const 1000))
        (call $print (i32.const 0) (i32.const 65536)) (call $reply)))"#;

fn update(canister: &mut Canister, method: &str, limits: Limits) -> Outcome {
    let entry = Entry::Update {
        method: method.to_string(),
        arg: Vec::new(),
    };
    canister.run(entry, limits)
}

#[test]
fn an_endless_loop_ends_at_the_limit() {
    let mut canister = Canister::install(LOOP);
    let mut limits = Limits::update();
    limits.instructions = Some(1_000_000);
    let outcome = update(&mut canister, "forever", limits);
    let error = outcome.result.unwrap_err();
    assert_eq!(error.code(), "CanisterInstructionLimitExceeded");
    // The limit of the whole operation is what the text names.
    assert_eq!(
        error.description(),
        "Canister exceeded the limit of 40000000000 instructions for single message execution."
    );
    assert_eq!(outcome.instructions_used, 1_000_000);

    let error = canister.query("forever_query", &[]).unwrap_err();
    let limit = 5_000_000_000;
    assert_eq!(error, ExecutionError::InstructionLimitExceeded { limit });
}

#[test]
fn an_operation_longer_than_two_slices_fails() {
    let mut canister = Canister::install(LOOP);
    let error = update(&mut canister, "fill", Limits::update())
        .result
        .unwrap_err();
    let ExecutionError::SliceOverrun {
        instructions,
        limit,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(limit, 2_000_000_000);
    assert!(instructions > u64::from(u32::MAX));
}

#[test]
fn written_heap_pages_are_charged() {
    let mut canister = Canister::install(LOOP);
    let base = update(&mut canister, "nothing", Limits::update()).instructions_used;
    let outcome = update(&mut canister, "store", Limits::update());
    assert_eq!(outcome.result.unwrap().dirty_pages, 2);
    // Three stores of three instructions each and two pages, one of them written with its value.
    assert_eq!(outcome.instructions_used, base + 9 + 2 * 1_000);
}

#[test]
fn the_heap_limit_binds_updates_but_not_timers() {
    let mut canister = Canister::install(LOOP);
    canister.env.wasm_memory_limit = Some(4 * 65_536);
    let error = update(&mut canister, "grow", Limits::update())
        .result
        .unwrap_err();
    assert_eq!(error.code(), "CanisterWasmMemoryLimitExceeded");
    assert_eq!(
        error,
        ExecutionError::WasmMemoryLimitExceeded {
            bytes: 5 * 65_536,
            limit: 4 * 65_536
        }
    );
    canister
        .run(Entry::GlobalTimer, Limits::update())
        .result
        .unwrap();
    assert_eq!(canister.state.heap.size_pages(), 5);
    canister.env.wasm_memory_limit = Some(0);
    update(&mut canister, "grow", Limits::update())
        .result
        .unwrap();
    assert_eq!(canister.state.heap.size_pages(), 9);
}

#[test]
fn memory_of_the_subnet_is_finite() {
    let mut canister = Canister::install(LOOP);
    canister.env.subnet_available_memory_bytes = 3 * 65_536;
    let error = update(&mut canister, "grow", Limits::update())
        .result
        .unwrap_err();
    assert_eq!(error, ExecutionError::OutOfMemory);
}

#[test]
fn stable_writes_are_bounded_per_message() {
    let mut canister = Canister::install(LOOP);
    let mut limits = Limits::update();
    limits.stable_access_max_bytes = 4096;
    let error = update(&mut canister, "write", limits).result.unwrap_err();
    assert_eq!(error.code(), "CanisterMemoryAccessLimitExceeded");
    assert!(canister.state.stable.size_pages() == 0);
}

#[test]
fn logging_costs_less_when_the_log_is_full() {
    let mut canister = Canister::install(LOOP);
    let base = update(&mut canister, "nothing", Limits::update()).instructions_used;
    let outcome = update(&mut canister, "log", Limits::update());
    assert_eq!(outcome.logs.len(), 3);
    assert_eq!(outcome.logs[2].len(), 4056);
    let calls = 3 * (100 + 2 + 5);
    let printed = 4_000 + 1_000 + 65_536;
    // Stored up to the log's size; transmitted as far as there is room: 4096, then 56 bytes, and
    // 3056 after the first line made way.
    let stored = 2 * (4_000 + 1_000 + 4_096);
    let transmitted = 50 * (4_000 + 56 + 3_056);
    assert_eq!(
        outcome.instructions_used,
        base + calls + printed + stored + transmitted
    );
}

#[test]
fn without_limits_code_runs_offline() {
    let wat = r#"(module
        (import "ic0" "stable64_read" (func $sread (param i64 i64 i64)))
        (import "ic0" "stable64_write" (func $swrite (param i64 i64 i64)))
        (memory 1)
        (func (export "canister_pre_upgrade")
            (call $swrite (i64.const 1000000) (i64.const 0) (i64.const 5))
            (call $sread (i64.const 0) (i64.const 2000000) (i64.const 5))))"#;
    let mut canister = Canister::with_module(module(wat));
    let bounded = canister.run(Entry::PreUpgrade, Limits::install(1_000_000));
    assert!(bounded.result.is_err());
    let free = canister.run(Entry::PreUpgrade, Limits::unbounded());
    free.result.unwrap();
    assert_eq!(canister.state.stable.size_pages(), 31);
}
