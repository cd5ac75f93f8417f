//! Section 5: a call is open when the module is swapped.

use crate::lab::{KEEP_SKIP, Lab, Module, Outcome, refused};
use crate::modules::{marked, reader, wat};
use candid::Principal;
use ic_management_canister_types::{CanisterInstallMode, UpgradeFlags, WasmMemoryPersistence};
use pocket_ic::ErrorCode;
use pocket_ic::common::rest::RawMessageId;

/// Calls `answer` of the canister in its argument; its callback writes 1 to byte 64 and replies `old`.
fn caller() -> Module {
    wat(
        "caller",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
        (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "ic0" "call_perform" (func $perform (result i32)))
        (memory 1)
        (table 4 4 funcref)
        (elem (i32.const 1) $callback)
        (data (i32.const 16) "answer")
        (data (i32.const 32) "old")
        (func $callback (param i32)
            (i32.store8 (i32.const 64) (i32.const 1))
            (call $append (i32.const 32) (i32.const 3))
            (call $reply))
        (func (export "canister_update go")
            (call $arg (i32.const 0) (i32.const 0) (i32.const 10))
            (call $new (i32.const 0) (i32.const 10) (i32.const 16) (i32.const 6)
                (i32.const 1) (i32.const 5) (i32.const 1) (i32.const 6))
            (drop (call $perform)))
        (func (export "canister_query heap")
            (call $append (i32.const 0) (i32.mul (memory.size) (i32.const 65536)))
            (call $reply)))"#,
    )
}

fn callee() -> Module {
    wat(
        "callee",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (memory 1)
        (func (export "canister_update answer") (call $reply)))"#,
    )
}

/// A call that waits for an answer from the other subnet.
fn open_call(lab: &Lab) -> (Principal, RawMessageId) {
    let caller = lab.installed("A", &caller(), b"");
    let callee_id = lab.create_with("B", 1, 100_000_000_000_000);
    lab.install(callee_id, &callee(), b"").unwrap();
    let message = lab.submit(caller, "go", callee_id.as_slice());
    // The call leaves in this round; its answer takes two more.
    lab.tick(1);
    assert!(lab.pic.ingress_status(message.clone()).is_none());
    (caller, message)
}

/// Swaps the module under an open call and gives what its caller gets.
fn swap_under(lab: &Lab, module: &Module) -> (Principal, Outcome) {
    let (caller, message) = open_call(lab);
    lab.upgrade(caller, module, KEEP_SKIP).unwrap();
    let outcome = lab.answer("the open call", message);
    (caller, outcome)
}

fn expect_stops(lab: &Lab, canister: Principal) {
    let status = lab.status(canister);
    assert_eq!(format!("{:?}", status.status), "Running");
    lab.simple(canister, "stop_canister").unwrap();
    assert_eq!(format!("{:?}", lab.status(canister).status), "Stopped");
}

facts! {
    fn a_module_without_a_table_loses_the_answer(lab) {
        let (canister, outcome) = swap_under(lab, &reader("(memory 1)", ""));
        refused(outcome).expect_error(
            ErrorCode::CanisterContractViolation,
            "violated contract: table not found",
        );
        expect_stops(lab, canister);
    }

    fn an_empty_slot_of_the_table_loses_it_too(lab) {
        let (canister, outcome) = swap_under(lab, &reader("(memory 1)", "(table 4 4 funcref)"));
        refused(outcome).expect_error(
            ErrorCode::CanisterContractViolation,
            "violated contract: unexpected null function reference",
        );
        expect_stops(lab, canister);
    }

    fn a_function_of_another_type_is_not_run(lab) {
        let other = "(table 4 4 funcref) (elem (i32.const 1) $other)
            (func $other (param i64) (result i64) (local.get 0))";
        let (canister, outcome) = swap_under(lab, &reader("(memory 1)", other));
        refused(outcome).expect_error(
            ErrorCode::CanisterContractViolation,
            "violated contract: function invocation does not match its signature",
        );
        expect_stops(lab, canister);
    }

    fn another_function_of_the_same_type_runs_and_its_writes_stay(lab) {
        let wrong = "(table 4 4 funcref) (elem (i32.const 1) $wrong)
            (func $wrong (param i32) (i32.store (i32.const 128) (i32.const 0xBAD)))";
        let (canister, outcome) = swap_under(lab, &reader("(memory 1)", wrong));
        refused(outcome).expect_error(ErrorCode::CanisterDidNotReply, "did not reply");
        let heap = lab.query(canister, "heap", b"").unwrap();
        assert_eq!(heap[128..132], 0xBADu32.to_le_bytes());
        assert_eq!(heap[64], 0, "the callback itself has not run");
        expect_stops(lab, canister);
    }

    fn the_same_bytes_with_the_marker_get_the_answer(lab) {
        let (canister, outcome) = swap_under(lab, &marked(&caller()));
        assert_eq!(outcome.unwrap(), b"old");
        assert_eq!(lab.query(canister, "heap", b"").unwrap()[64], 1);
    }

    fn stopping_first_lets_the_old_module_finish(lab) {
        let (canister, message) = open_call(lab);
        lab.simple(canister, "stop_canister").unwrap();
        assert_eq!(lab.answer("the open call", message).unwrap(), b"old");
        lab.upgrade(canister, &reader("(memory 1)", ""), KEEP_SKIP).unwrap();
        lab.simple(canister, "start_canister").unwrap();
        assert_eq!(lab.query(canister, "heap", b"").unwrap()[64], 1);
    }

    fn a_reinstallation_under_an_open_call_is_not_refused_either(lab) {
        let (canister, message) = open_call(lab);
        let mode = CanisterInstallMode::Reinstall;
        lab.install_code(canister, mode, &reader("(memory 1)", ""), b"").unwrap();
        let outcome = lab.answer("the open call", message);
        refused(outcome).expect_error(
            ErrorCode::CanisterContractViolation,
            "violated contract: table not found",
        );
        let mode = CanisterInstallMode::Upgrade(Some(UpgradeFlags {
            skip_pre_upgrade: Some(false),
            wasm_memory_persistence: Some(WasmMemoryPersistence::Replace),
        }));
        lab.install_code(canister, mode, &caller(), b"").unwrap();
    }
}
