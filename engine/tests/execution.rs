//! What messages do to a state, and what does not survive them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Canister, engine, module, reply};
use engine::{
    CallKind, Closure, Entry, ExecutionError, ExecutionState, GlobalValue, HeapHandling, Limits,
    Method, Response, TrapCode,
};

/// Counts in heap, global and stable memory; `trap` counts and traps.
const COUNTER: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (import "ic0" "debug_print" (func $print (param i32 i32)))
    (import "ic0" "stable64_grow" (func $sgrow (param i64) (result i64)))
    (import "ic0" "stable64_size" (func $ssize (result i64)))
    (import "ic0" "stable64_write" (func $swrite (param i64 i64 i64)))
    (import "ic0" "stable64_read" (func $sread (param i64 i64 i64)))
    (memory 1)
    (data (i32.const 100) "data")
    (global $g (mut i32) (i32.const 10))
    (func $count
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (if (i64.eqz (call $ssize)) (then (drop (call $sgrow (i64.const 1)))))
        (call $swrite (i64.const 0) (i64.const 0) (i64.const 4)))
    (func $answer
        (i32.store (i32.const 4) (global.get $g))
        (if (i64.ne (call $ssize) (i64.const 0))
            (then (call $sread (i64.const 8) (i64.const 0) (i64.const 4))))
        (call $append (i32.const 0) (i32.const 12))
        (call $append (i32.const 100) (i32.const 4))
        (call $reply))
    (func (export "canister_update count") (call $count) (call $answer))
    (func (export "canister_update trap")
        (call $print (i32.const 100) (i32.const 4)) (call $count) (unreachable))
    (func (export "canister_update grow")
        (drop (memory.grow (i32.const 3)))
        (i32.store (i32.const 0x3fffc) (i32.const 0x01020304)) (call $reply))
    (func (export "canister_query read") (call $answer))
    (func (export "canister_query scribble")
        (call $count) (drop (memory.grow (i32.const 5)))
        (memory.fill (i32.const 0x20000) (i32.const 0xEE) (i32.const 0x10000))
        (call $answer)))"#;

/// Heap counter, global, stable counter, data segment.
fn counters(data: &[u8]) -> (u32, u32, u32, &[u8]) {
    let number = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    (number(0), number(4), number(8), &data[12..16])
}

fn trapped(code: TrapCode) -> ExecutionError {
    ExecutionError::Trapped {
        code,
        backtrace: None,
    }
}

#[test]
fn updates_build_on_each_other() {
    let mut canister = Canister::install(COUNTER);
    for i in 1..=20 {
        let data = reply(canister.update("count", &[]));
        assert_eq!(counters(&data), (i, 10 + i, i, &b"data"[..]));
    }
}

#[test]
fn a_trap_leaves_nothing_but_its_log() {
    let mut canister = Canister::install(COUNTER);
    canister.update("count", &[]).unwrap();
    let before = canister.state.clone();
    let entry = Entry::Update {
        method: "trap".to_string(),
        arg: Vec::new(),
    };
    let outcome = canister.run(entry, Limits::update());
    assert_eq!(outcome.result.unwrap_err(), trapped(TrapCode::Unreachable));
    assert_eq!(
        outcome.logs,
        [b"data".to_vec(), b"[TRAP]: unreachable".to_vec()]
    );
    assert_eq!(canister.state.globals, before.globals);
    let data = reply(canister.query("read", &[]));
    assert_eq!(counters(&data), (1, 11, 1, &b"data"[..]));
}

#[test]
fn a_query_scribbles_on_a_copy() {
    let mut canister = Canister::install(COUNTER);
    canister.update("count", &[]).unwrap();
    for replicated in [false, true] {
        canister.env.replicated = replicated;
        let entry = Entry::Query {
            method: "scribble".to_string(),
            arg: Vec::new(),
        };
        let outcome = canister.run(entry, Limits::query());
        let effects = outcome.result.unwrap();
        assert_eq!(effects.heap_bytes, 6 * 65_536);
        assert_eq!(counters(&reply(Ok(effects))), (2, 12, 2, &b"data"[..]));
        assert_eq!(canister.state.heap.size_pages(), 1);
        assert_eq!(canister.state.stable.size_pages(), 1);
    }
    let data = reply(canister.query("read", &[]));
    assert_eq!(counters(&data), (1, 11, 1, &b"data"[..]));
}

#[test]
fn an_older_state_never_changes() {
    let mut canister = Canister::install(COUNTER);
    canister.update("count", &[]).unwrap();
    let snapshot = canister.state.clone();
    for _ in 0..5 {
        canister.update("count", &[]).unwrap();
        canister.update("grow", &[]).unwrap();
    }
    let now = reply(canister.query("read", &[]));
    assert_eq!(counters(&now), (6, 16, 6, &b"data"[..]));
    canister.state = snapshot.clone();
    let then = reply(canister.query("read", &[]));
    assert_eq!(counters(&then), (1, 11, 1, &b"data"[..]));
    // The same message on the same state does the same again.
    let first = reply(canister.update("count", &[]));
    canister.state = snapshot;
    let second = reply(canister.update("count", &[]));
    assert_eq!(first, second);
}

#[test]
fn an_upgrade_replaces_or_keeps_the_heap() {
    let mut canister = Canister::install(COUNTER);
    canister.update("count", &[]).unwrap();
    canister.update("grow", &[]).unwrap();
    let changed = COUNTER
        .replace("\"data\"", "\"DATA\"")
        .replace("(i32.const 10)", "(i32.const 20)");
    let new = module(&changed);
    let old = canister.state.clone();

    canister.state = old.with_module(new.clone(), HeapHandling::Replace);
    assert_eq!(canister.state.heap.size_pages(), 1);
    let data = reply(canister.query("read", &[]));
    assert_eq!(counters(&data), (0, 20, 1, &b"DATA"[..]));

    canister.state = old.with_module(new, HeapHandling::Keep);
    assert_eq!(canister.state.globals, [GlobalValue::I32(20)]);
    assert_eq!(canister.state.heap.size_pages(), 4);
    let data = reply(canister.query("read", &[]));
    assert_eq!(counters(&data), (1, 20, 1, &b"data"[..]));
    let mut tail = [0; 4];
    canister.state.heap.read(0x3fffc, &mut tail).unwrap();
    assert_eq!(tail, [4, 3, 2, 1]);
}

#[test]
fn a_kept_heap_meets_other_memory_declarations() {
    let mut canister = Canister::install(COUNTER);
    canister.update("grow", &[]).unwrap();
    let old = canister.state.clone();
    let reader = |memory: &str| {
        module(&format!(
            r#"(module
                (import "ic0" "msg_reply" (func $reply))
                (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
                {memory}
                (func (export "canister_query size")
                    (i32.store (i32.const 0) (memory.size))
                    (call $append (i32.const 0) (i32.const 4)) (call $reply))
                (func (export "canister_update touch") (call $reply)))"#
        ))
    };
    let mut size = |memory: &str| {
        canister.state = old.with_module(reader(memory), HeapHandling::Keep);
        canister.query("size", &[])
    };
    assert_eq!(reply(size("(memory 0)")), 4u32.to_le_bytes());
    assert_eq!(reply(size("(memory 1 4)")), 4u32.to_le_bytes());
    assert_eq!(reply(size("(memory 17)")), 17u32.to_le_bytes());
    let error = size("(memory 1 1)").unwrap_err();
    assert_eq!(
        error,
        ExecutionError::HeapExceedsDeclaredMaximum {
            pages: 4,
            maximum_pages: 1
        }
    );
    // The state grows to the declared minimum as soon as a message is kept.
    canister.state = old.with_module(reader("(memory 17)"), HeapHandling::Keep);
    assert_eq!(canister.state.heap.size_pages(), 4);
    canister.update("touch", &[]).unwrap();
    assert_eq!(canister.state.heap.size_pages(), 17);
}

#[test]
fn the_start_function_runs_when_asked() {
    let wat = r#"(module (memory 1)
        (func $s (i32.store (i32.const 0) (i32.const 9))) (start $s))"#;
    let mut canister = Canister::with_module(module(wat));
    assert!(canister.state.module.exports(&Method::Start));
    let mut first = [0; 4];
    canister.state.heap.read(0, &mut first).unwrap();
    assert_eq!(first, [0; 4]);
    canister
        .run(Entry::Start, Limits::install(1_000))
        .result
        .unwrap();
    canister.state.heap.read(0, &mut first).unwrap();
    assert_eq!(first, [9, 0, 0, 0]);
}

#[test]
fn a_64_bit_memory_works_like_a_32_bit_one() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
        (import "ic0" "msg_arg_data_size" (func $argsize (result i64)))
        (import "ic0" "msg_arg_data_copy" (func $argcopy (param i64 i64 i64)))
        (import "ic0" "stable64_grow" (func $sgrow (param i64) (result i64)))
        (import "ic0" "stable64_write" (func $swrite (param i64 i64 i64)))
        (memory i64 65537)
        (table 1 funcref) (elem (i32.const 0) $callback)
        (func $callback (param i64)
            (i64.store (i64.const 8) (local.get 0)) (call $echo (i64.const 0) (i64.const 16)))
        (func $echo (param i64 i64) (call $append (local.get 0) (local.get 1)) (call $reply))
        (func (export "canister_update high")
            (call $argcopy (i64.const 0x100000010) (i64.const 0) (call $argsize))
            (drop (call $sgrow (i64.const 1)))
            (call $swrite (i64.const 3) (i64.const 0x100000010) (call $argsize))
            (call $echo (i64.const 0x100000010) (call $argsize)))
        (func (export "canister_update beyond")
            (drop (i64.load (i64.const 0x100010000)))))"#;
    let mut canister = Canister::install(wat);
    assert!(canister.state.module.is_wasm64());
    assert_eq!(reply(canister.update("high", b"above")), b"above");
    let mut bytes = [0; 5];
    canister.state.heap.read(0x1_0000_0010, &mut bytes).unwrap();
    assert_eq!(&bytes, b"above");
    canister.state.stable.read(3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"above");
    let error = canister.update("beyond", &[]).unwrap_err();
    assert_eq!(error, trapped(TrapCode::HeapOutOfBounds));
    let callback = Entry::Reply {
        closure: Closure {
            fun: 0,
            env: 0x1_2345_6789,
        },
        kind: CallKind::Update,
        data: Vec::new(),
    };
    let data = reply(canister.run(callback, Limits::update()).result);
    assert_eq!(data[8..], 0x1_2345_6789u64.to_le_bytes());
}

fn callback(state: &ExecutionState, fun: u64) -> Result<(), String> {
    let env = Canister::with_module(state.module.clone()).env;
    let entry = Entry::Reply {
        closure: Closure { fun, env: 0 },
        kind: CallKind::Update,
        data: Vec::new(),
    };
    let outcome = engine().execute(state, &entry, &env, &Limits::update());
    outcome
        .result
        .map(drop)
        .map_err(|error| error.description())
}

#[test]
fn callbacks_meet_whatever_table_there_is() {
    let state = |wat: &str| ExecutionState::fresh(module(wat));
    let none = state("(module)");
    let table = state(
        r#"(module (table 3 funcref) (func $a (param i32)) (func $b (param i64))
            (elem (i32.const 0) $a) (elem (i32.const 2) $b))"#,
    );
    let violation = |what: &str| Err(format!("Canister violated contract: {what}"));
    assert_eq!(callback(&none, 0), violation("table not found"));
    assert_eq!(callback(&table, 0), Ok(()));
    assert_eq!(
        callback(&table, 1),
        violation("unexpected null function reference")
    );
    assert_eq!(
        callback(&table, 2),
        violation("function invocation does not match its signature")
    );
    assert_eq!(
        callback(&table, 3),
        Err("Canister requested to invoke a non-existent Wasm function 3 from table 0".into())
    );
}

#[test]
fn traps_have_the_recorded_texts() {
    let body = |code: &str| {
        let wat = format!(
            r#"(module
                (type $t (func (param i32)))
                (import "ic0" "trap" (func $trap (param i32 i32)))
                (import "ic0" "stable64_read" (func $sread (param i64 i64 i64)))
                (memory 1) (table 2 2 funcref) (elem (i32.const 1) $other)
                (data (i32.const 0) "oh no")
                (func $other (param i64))
                (func $deep (result i32) (i32.add (call $deep) (i32.const 1)))
                (func (export "canister_update u") (local $n i32) {code}))"#
        );
        let error = Canister::install(&wat).update("u", &[]).unwrap_err();
        error.without_backtrace()
    };
    let texts = [
        ("(unreachable)", "Canister trapped: unreachable"),
        (
            "(drop (i32.load (i32.const 0x7fffffff)))",
            "Canister trapped: heap out of bounds",
        ),
        (
            "(drop (i32.div_u (i32.const 1) (local.get $n)))",
            "Canister trapped: integer division by 0",
        ),
        ("(drop (call $deep))", "Canister trapped: stack overflow"),
        (
            "(call $sread (i64.const 0) (i64.const 0) (i64.const 1))",
            "Canister trapped: stable memory out of bounds",
        ),
        (
            "(call_indirect (type $t) (i32.const 0) (i32.const 7))",
            "Canister trapped: table out of bounds",
        ),
        (
            "(call_indirect (type $t) (i32.const 0) (i32.const 0))",
            "Canister trapped: unknown",
        ),
        (
            "(call_indirect (type $t) (i32.const 0) (i32.const 1))",
            "Canister violated contract: function invocation does not match its signature",
        ),
        (
            "(call $trap (i32.const 0) (i32.const 5))",
            "Canister called `ic0.trap` with message: 'oh no'",
        ),
        (
            "(call $trap (i32.const 65530) (i32.const 100))",
            "Canister called `ic0.trap` with message: '(trap message out of memory bounds)'",
        ),
    ];
    for (code, text) in texts {
        assert_eq!(body(code).description(), text, "{code}");
    }
    let help = body("(unreachable)").to_string();
    assert!(
        help.ends_with("execution-errors#trapped") && help.contains("unreachable.\nConsider"),
        "{help}"
    );
}

#[test]
fn a_name_section_gives_traps_a_backtrace() {
    let wasm = wat::parse_str(
        r#"(module
            (import "ic0" "trap" (func (param i32 i32)))
            (memory 1)
            (func (call 0 (i32.const 0) (i32.const 0)))
            (func (call 1))
            (func unreachable)
            (export "canister_update called" (func 2))
            (export "canister_update stopped" (func 3)))"#,
    )
    .unwrap();
    let mut named = wasm.clone();
    // Custom section "name", subsection 1: names of functions 1 and 2.
    let mangled = b"_ZN3abc3def17h0123456789abcdefE";
    let names = [
        &[2u8, 1, 5][..],
        b"inner",
        &[2, mangled.len() as u8],
        mangled,
    ]
    .concat();
    let section = [&[4u8][..], b"name", &[1, names.len() as u8], &names].concat();
    named.extend([&[0, section.len() as u8][..], &section].concat());

    let run = |wasm: &[u8], method: &str| {
        let mut canister = Canister::with_module(engine().load_module(wasm).unwrap());
        let entry = Entry::Update {
            method: method.to_string(),
            arg: Vec::new(),
        };
        canister.run(entry, Limits::update())
    };
    let outcome = run(&named, "called");
    let error = outcome.result.unwrap_err();
    let text =
        "Canister called `ic0.trap` with message: ''\nCanister Backtrace:\ninner\nabc::def\n";
    assert_eq!(error.description(), text);
    let line = b"[TRAP]: (no message)\nCanister Backtrace:\ninner\nabc::def\n";
    assert_eq!(outcome.logs, [line.to_vec()]);
    let plain = run(&wasm, "called").result.unwrap_err();
    assert_eq!(error.without_backtrace(), plain);
    // A frame without name does not make a backtrace.
    let error = run(&named, "stopped").result.unwrap_err();
    assert_eq!(error, trapped(TrapCode::Unreachable));
}

#[test]
fn stable_memory_functions_are_frames_of_their_own() {
    let wasm = wat::parse_str(
        r#"(module
            (import "ic0" "stable64_read" (func (param i64 i64 i64)))
            (memory 1)
            (func (call 0 (i64.const 0) (i64.const 0) (i64.const 1)))
            (export "canister_update u" (func 1)))"#,
    )
    .unwrap();
    let mut canister = Canister::with_module(engine().load_module(&wasm).unwrap());
    let text = canister.update("u", &[]).unwrap_err().to_string();
    let start =
        "Canister trapped: stable memory out of bounds\nCanister Backtrace:\nstable64_read\n";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn a_missing_method_is_named_and_a_missing_hook_is_skipped() {
    let mut canister = Canister::install("(module)");
    let error = canister.update("nothing", &[]).unwrap_err();
    assert_eq!(error.code(), "CanisterMethodNotFound");
    assert_eq!(
        error.description(),
        "Canister has no update method 'nothing'."
    );
    for entry in [Entry::PreUpgrade, Entry::Heartbeat, Entry::GlobalTimer] {
        let outcome = canister.run(entry, Limits::update());
        assert!(outcome.result.is_ok());
        assert_eq!(outcome.instructions_used, 0);
    }
}

#[test]
fn a_reply_is_given_once() {
    let wat = |body: &str| {
        format!(
            r#"(module
                (import "ic0" "msg_reply" (func $reply))
                (import "ic0" "msg_reject" (func $reject (param i32 i32)))
                (memory 1) (data (i32.const 0) "no")
                (func (export "canister_update u") {body}))"#
        )
    };
    let mut twice = Canister::install(&wat("(call $reply) (call $reply)"));
    assert_eq!(
        twice.update("u", &[]).unwrap_err().description(),
        "Canister violated contract: ic0.msg_reply: the call is already replied"
    );
    let mut reject = Canister::install(&wat("(call $reject (i32.const 0) (i32.const 2))"));
    let effects = reject.update("u", &[]).unwrap();
    assert_eq!(effects.response, Some(Response::Reject("no".to_string())));
    reject.env.already_responded = true;
    assert!(reject.update("u", &[]).is_err());
}
