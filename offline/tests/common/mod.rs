//! A small canister in text, and backups of it made without a network.

#![allow(dead_code)] // each test binary uses a part of it

use archive::digests::sha256;
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{ChunkDigests, Draft, Exclusive, Memory, Seal, Shared, Subject};
use engine::{Engine, EngineConfig, Entry, Env, ExecutionState, Limits};
use offline::patient::Given;
use offline::rules::Rules;
use offline::run::Order;
use offline::{OfflineError, Patient, Surroundings, globals};
use std::path::Path;

pub const CANISTER: &str = "lxzze-o7777-77777-aaaaa-cai";
pub const CHUNK: u64 = 1 << 20;

/// Keeps records in its heap: `put` appends the bytes of its argument, `get` gives them all back.
/// The hook writes them to stable memory behind their length; `$hook` says how it is broken.
pub fn notes(hook: &str) -> Vec<u8> {
    wat::parse_str(notes_text(hook)).unwrap()
}

/// Their text.
pub fn notes_text(hook: &str) -> String {
    NOTES.replace("$HOOK", hook)
}

/// The hook as it should be.
pub const SAVES: &str = r#"
    (drop (call $stable64_grow (i64.const 1)))
    (i64.store (i32.const 8) (i64.extend_i32_u (i32.load (i32.const 0))))
    (call $stable64_write (i64.const 0) (i64.const 8) (i64.const 8))
    (call $stable64_write (i64.const 8) (i64.const 65536) (i64.extend_i32_u (i32.load (i32.const 0))))
"#;

const NOTES: &str = r#"(module
  (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_caller_size" (func $caller_size (result i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (import "ic0" "stable64_grow" (func $stable64_grow (param i64) (result i64)))
  (import "ic0" "stable64_size" (func $stable64_size (result i64)))
  (import "ic0" "stable64_write" (func $stable64_write (param i64 i64 i64)))
  (import "ic0" "stable64_read" (func $stable64_read (param i64 i64 i64)))
  (import "ic0" "stable_write" (func $stable_write (param i32 i32 i32)))
  (memory 4)
  (global $sp (mut i32) (i32.const 65536))
  (data (i32.const 32) "the list is too long")
  (func $put
    (call $arg_copy
      (i32.add (i32.const 65536) (i32.load (i32.const 0))) (i32.const 0) (call $arg_size))
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (call $arg_size)))
    (call $reply))
  (func $get
    (call $append (i32.const 65536) (i32.load (i32.const 0)))
    (call $reply))
  (func $who
    (i32.store8 (i32.const 16) (call $caller_size))
    (call $append (i32.const 16) (i32.const 1))
    (call $reply))
  (func $ask
    (call $call_new (i32.const 32) (i32.const 0) (i32.const 32) (i32.const 3)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (drop (call $call_perform)))
  (func $give_up (call $trap (i32.const 32) (i32.const 20)) unreachable)
  (func $save $HOOK)
  (func $load
    (if (i64.ne (call $stable64_size) (i64.const 0)) (then
      (call $stable64_read (i64.const 0) (i64.const 0) (i64.const 4))
      (call $stable64_read (i64.const 65536) (i64.const 8) (i64.load32_u (i32.const 0))))))
  (func $ticks (global.set $sp (i32.add (global.get $sp) (i32.const 1))) (call $reply))
  (export "canister_update put" (func $put))
  (export "canister_update ask" (func $ask))
  (export "canister_query get" (func $get))
  (export "canister_query who" (func $who))
  (export "canister_pre_upgrade" (func $save))
  (export "canister_post_upgrade" (func $load)))"#;

pub fn engine() -> Engine {
    Engine::new(EngineConfig::default())
}

/// A canister of `module` after `put` with each of `records`.
pub fn filled(module: &[u8], records: &[&[u8]]) -> ExecutionState {
    let engine = engine();
    let mut state = ExecutionState::fresh(engine.load_module(module).unwrap());
    for record in records {
        let entry = Entry::Update {
            method: "put".into(),
            arg: record.to_vec(),
        };
        let env = Env::new(candid::Principal::from_text(CANISTER).unwrap());
        let outcome = engine.execute(&state, &entry, &env, &Limits::update());
        outcome.result.unwrap();
        state = outcome.state;
    }
    state
}

/// What a backup of a state holds beside its memories.
pub struct Kept<'a> {
    pub installed: &'a [u8],
    pub with_module: bool,
    pub with_globals: bool,
}

/// Backs `state` up into `dir`.
pub fn back_up(dir: &Path, state: &ExecutionState, kept: &Kept<'_>) {
    let subject = Subject {
        canister: CANISTER.into(),
        module_hash: Some(hex::encode(sha256(kept.installed))),
        canister_version: Some(3),
        network: "http://127.0.0.1:8000".into(),
        route: Route::Rescue,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: 1_757_000_000_000_000_001,
        snapshot: None,
    };
    let mut draft = Draft::begin(Exclusive::create(dir).unwrap(), subject).unwrap();
    let mut stable = vec![0; state.stable.size_bytes() as usize];
    state.stable.read(0, &mut stable).unwrap();
    let mut heap = vec![0; state.heap.size_bytes() as usize];
    state.heap.read(0, &mut heap).unwrap();
    for (memory, data) in [(Memory::Stable, stable), (Memory::Heap, heap)] {
        let mut writer = draft
            .writer(ChunkDigests::of_bytes(memory, &data, CHUNK))
            .unwrap();
        for chunk in writer.survey(&mut |_| {}).unwrap() {
            let start = writer.digests().offset_bytes(chunk) as usize;
            let end = start + writer.digests().len_bytes(chunk) as usize;
            writer.write(chunk, &data[start..end]).unwrap();
        }
        draft.add_image(writer.seal(&mut |_| {}).unwrap());
    }
    let globals = if kept.with_globals {
        globals::to_metadata(&state.globals)
    } else {
        Vec::new()
    };
    draft
        .seal(Seal {
            metadata: Metadata {
                taken_at_timestamp: 1_757_000_000_000_000_001,
                canister_version: 3,
                globals,
                ..Metadata::empty()
            },
            module: kept.with_module.then(|| kept.installed.to_vec()),
            chunk_store: vec![b"a stored chunk".to_vec()],
            certified: Vec::new(),
            loadable_as_snapshot: kept.with_module && kept.with_globals,
            sealed_at_ns: 1_757_000_001_000_000_000,
            tool_version: "0.1.0".into(),
        })
        .unwrap();
}

/// A whole backup of `state`.
pub fn back_up_whole(dir: &Path, state: &ExecutionState) {
    let installed = state.module.bytes().to_vec();
    let kept = Kept {
        installed: &installed,
        with_module: true,
        with_globals: true,
    };
    back_up(dir, state, &kept);
}

pub fn open(dir: &Path, given: Given) -> Result<Patient, OfflineError> {
    Patient::open(&engine(), Shared::existing(dir).unwrap(), given)
}

/// The hook, with rules.
pub fn pre_upgrade(rules: &[&str], answers: &[&str]) -> Order {
    let own = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| text.to_string())
            .collect::<Vec<_>>()
    };
    Order {
        entry: Entry::PreUpgrade,
        surroundings: Surroundings::default(),
        rules: Rules::parse(&own(rules), &own(answers)).unwrap(),
        trace: None,
    }
}

/// The first bytes of a state's stable memory.
pub fn stable_start(state: &ExecutionState, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    state.stable.read(0, &mut bytes).unwrap();
    bytes
}

/// What the good hook saves for `records`.
pub fn saved(records: &[&[u8]]) -> Vec<u8> {
    let all = records.concat();
    let mut bytes = (all.len() as u64).to_le_bytes().to_vec();
    bytes.extend(all);
    bytes
}
