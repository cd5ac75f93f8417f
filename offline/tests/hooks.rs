//! Hooks that fail on chain run off chain, each by the rule it needs, and leave what they would have left.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use common::{SAVES, back_up_whole, engine, filled, notes, open, pre_upgrade, saved, stable_start};
use engine::{Engine, Entry, Env, ExecutionState, Limits, StableMemory};
use offline::patient::Given;
use offline::trace::Tracer;
use offline::{OfflineError, Patient, Ran, run};
use std::sync::{Arc, Mutex};

const RECORDS: [&[u8]; 2] = [b"one record", b" and another"];

fn patient(dir: &tempfile::TempDir, state: &ExecutionState) -> Patient {
    back_up_whole(dir.path(), state);
    open(dir.path(), Given::default()).unwrap()
}

/// Runs the hook off chain after checking that it fails on chain.
fn run_broken(
    state: &ExecutionState,
    rules: &[&str],
    answers: &[&str],
) -> Result<Ran, OfflineError> {
    let dir = tempfile::tempdir().unwrap();
    let patient = patient(&dir, state);
    let env = Env::new(patient.canister);
    let limits = Limits::install(Limits::INSTALL_INSTRUCTIONS);
    let on_chain = engine().execute(state, &Entry::PreUpgrade, &env, &limits);
    on_chain.result.unwrap_err();
    run(&engine(), &patient, pre_upgrade(rules, answers), None)
}

fn broken(hook: &str) -> ExecutionState {
    filled(&notes(hook), &RECORDS)
}

fn forbidden_call() -> String {
    format!(
        "(call $call_new (i32.const 32) (i32.const 0) (i32.const 32) (i32.const 3)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
         (if (i32.ne (call $call_perform) (i32.const 7)) (then (call $give_up))) {SAVES}"
    )
}

#[test]
fn a_working_hook_leaves_what_it_leaves_on_chain() {
    let dir = tempfile::tempdir().unwrap();
    let state = broken(SAVES);
    let patient = patient(&dir, &state);
    let ran = run(&engine(), &patient, pre_upgrade(&[], &[]), None).unwrap();
    let env = offline::Surroundings::default().env(&patient);
    let limits = Limits::install(Limits::INSTALL_INSTRUCTIONS);
    let on_chain = engine().execute(&state, &Entry::PreUpgrade, &env, &limits);
    assert_eq!(ran.provenance.instructions, on_chain.instructions_used);
    assert_eq!(
        stable_start(&ran.state, 65_536),
        stable_start(&on_chain.state, 65_536)
    );
    assert_eq!(ran.state.stable.size_pages(), 1);
    assert!(ran.provenance.rules_used.is_empty());
}

#[test]
fn stable_memory_that_was_not_grown_grows() {
    let hook = SAVES.replace("(drop (call $stable64_grow (i64.const 1)))", "");
    let ran = run_broken(&broken(&hook), &[], &[]).unwrap();
    let expected = saved(&RECORDS);
    assert_eq!(stable_start(&ran.state, expected.len()), expected);
    assert_eq!(ran.provenance.rules_used["stable=grows"], 1);
    let error = run_broken(&broken(&hook), &["stable=fixed"], &[]).unwrap_err();
    assert!(error.to_string().contains("--rule stable=grows"), "{error}");
}

#[test]
fn a_hook_beyond_the_instruction_limit_runs_to_its_end() {
    // Bytes of memory.fill count as instructions: 6.5 billion in all.
    let hook = format!(
        "(local $turns i32)
         (loop $again
           (memory.fill (i32.const 196608) (i32.const 1) (i32.const 65536))
           (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $turns) (i32.const 100000)))) {SAVES}"
    );
    let state = broken(&hook);
    let dir = tempfile::tempdir().unwrap();
    let patient = patient(&dir, &state);
    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = {
        let told = told.clone();
        Box::new(move |used| told.lock().unwrap().push(used))
    };
    let order = pre_upgrade(&["instructions=1_000_000_000"], &[]);
    let error = run(&engine(), &patient, order, None).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("limit of 1000000000 instructions"),
        "{error}"
    );
    let ran = run(&engine(), &patient, pre_upgrade(&[], &[]), Some(progress)).unwrap();
    assert!(ran.provenance.instructions > 6_000_000_000);
    let expected = saved(&RECORDS);
    assert_eq!(stable_start(&ran.state, expected.len()), expected);
    let told = told.lock().unwrap();
    assert!(told.len() >= 5 && told.is_sorted(), "{told:?}");
}

#[test]
fn calls_that_are_forbidden_are_answered_as_chosen() {
    let state = broken(&forbidden_call());
    let error = run_broken(&state, &[], &[]).unwrap_err().to_string();
    assert!(
        error.contains("ic0_call_new") && error.contains("--answer"),
        "{error}"
    );
    let ran = run_broken(&state, &[], &["call=7"]).unwrap();
    let expected = saved(&RECORDS);
    assert_eq!(stable_start(&ran.state, expected.len()), expected);
    assert_eq!(ran.provenance.rules_used["answer call_new"], 1);
    assert_eq!(ran.provenance.rules_used["answer call_perform"], 1);
    // The code sees the answer that was chosen.
    let error = run_broken(&state, &[], &["call=3"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("the list is too long"), "{error}");
}

#[test]
fn a_trap_is_shown_with_the_names_of_functions() {
    let error = run_broken(&broken("(call $give_up)"), &[], &[]).unwrap_err();
    let text = error.to_string();
    for part in [
        "the list is too long",
        "Canister Backtrace:\ngive_up\nsave\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// Beyond what 32-bit functions reach, with data there.
fn outgrown() -> ExecutionState {
    let hook = SAVES
        .replace("(drop (call $stable64_grow (i64.const 1)))", "")
        .replace("call $stable64_write (i64.const 0) (i64.const 8) (i64.const 8)", 
                 "call $stable_write (i32.const 0) (i32.const 8) (i32.const 8)")
        .replace(
            "call $stable64_write (i64.const 8) (i64.const 65536) (i64.extend_i32_u (i32.load (i32.const 0)))",
            "call $stable_write (i32.const 8) (i32.const 65536) (i32.load (i32.const 0))",
        );
    let mut state = broken(&hook);
    state.stable = StableMemory::zeroed(70_000).unwrap();
    state.stable.write(4_500_000_000, b"far away").unwrap();
    state
}

/// As [`run_broken`], over a state whose stable memory is too large to be backed up in a test's memory.
fn run_outgrown(rule: &str) -> Result<Ran, OfflineError> {
    let dir = tempfile::tempdir().unwrap();
    let mut small = outgrown();
    let stable = std::mem::replace(&mut small.stable, StableMemory::new());
    let mut patient = patient(&dir, &small);
    patient.state.stable = stable;
    run(&engine(), &patient, pre_upgrade(&[rule], &[]), None)
}

fn far(memory: &StableMemory) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    memory.read(4_500_000_000, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_32_bit_functions_reach_what_is_chosen_beyond_4_gib() {
    let expected = saved(&RECORDS);
    let error = run_outgrown("stable32=traps").unwrap_err().to_string();
    assert!(
        error.contains("larger than 4GB") && error.contains("stable32=low"),
        "{error}"
    );

    let low = run_outgrown("stable32=low").unwrap();
    assert_eq!(stable_start(&low.state, expected.len()), expected);
    assert_eq!(far(&low.state.stable), b"far away");
    assert_eq!(low.provenance.rules_used["stable32=low"], 2);

    let fresh = run_outgrown("stable32=fresh").unwrap();
    assert_eq!(stable_start(&fresh.state, expected.len()), expected);
    assert_eq!(fresh.state.stable.size_pages(), 1);

    let separate = run_outgrown("stable32=separate").unwrap();
    let memory = separate.separate.unwrap();
    let mut bytes = vec![0; expected.len()];
    memory.read(0, &mut bytes).unwrap();
    assert_eq!(bytes, expected);
    assert_eq!(stable_start(&separate.state, 8), [0; 8]);
    assert_eq!(far(&separate.state.stable), b"far away");
}

/// A sink that can be looked into.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_system_call_is_traced() {
    let dir = tempfile::tempdir().unwrap();
    let patient = patient(&dir, &broken(&forbidden_call()));
    let lines = Lines::default();
    let mut order = pre_upgrade(&[], &["call=7"]);
    order.trace = Some(Tracer::new(Box::new(lines.clone())));
    let ran = run(&engine(), &patient, order, None).unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        "call_new(32, 0, 32, 3, 0, 0, 0, 0) answered\ncall_perform() -> 7 answered\n\
         stable64_grow(1) -> 0\nstable64_write(0, 8, 8)\nstable64_write(8, 65536, 22)\n"
    );
    let record = ran.provenance.trace.unwrap();
    assert_eq!(record.calls, 5);
    assert_eq!(
        record.sha256,
        hex::encode(archive::digests::sha256(text.as_bytes()))
    );
}

#[test]
fn an_answer_for_a_function_the_module_does_not_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let patient = patient(&dir, &broken(SAVES));
    let engine: Engine = engine();
    let error = run(
        &engine,
        &patient,
        pre_upgrade(&[], &["msg_cycles_accept=0"]),
        None,
    );
    assert!(matches!(error, Err(OfflineError::NotImported { .. })));
}
