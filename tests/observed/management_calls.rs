//! Management calls of canisters: what is refused before the call has left the canister.

use crate::lab::{Lab, Module};
use crate::modules::wat;
use candid::{CandidType, Encode, Principal};
use ic_management_canister_types::{CanisterSettings, UninstallCodeArgs, UpdateSettingsArgs};

/// Calls the method of the management canister whose name is in its argument (a byte of length, the name, what is
/// passed on), and answers the reject message, or nothing.
fn messenger() -> Module {
    wat(
        "messenger",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
        (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
        (import "ic0" "msg_reject_msg_size" (func $message_size (result i32)))
        (import "ic0" "msg_reject_msg_copy" (func $message (param i32 i32 i32)))
        (import "ic0" "canister_version" (func $version (result i64)))
        (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "ic0" "call_data_append" (func $data (param i32 i32)))
        (import "ic0" "call_perform" (func $perform (result i32)))
        (memory 1)
        (table 2 2 funcref)
        (elem (i32.const 0) $replied $rejected)
        (func $replied (param i32) (call $reply))
        (func $rejected (param i32)
            (call $message (i32.const 0) (i32.const 0) (call $message_size))
            (call $append (i32.const 0) (call $message_size))
            (call $reply))
        (func (export "canister_update ask") (local $rest i32)
            (call $arg (i32.const 0) (i32.const 0) (call $arg_size))
            (local.set $rest (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
            (call $new (i32.const 0) (i32.const 0) (i32.const 1) (i32.load8_u (i32.const 0))
                (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
            (call $data (local.get $rest) (i32.sub (call $arg_size) (local.get $rest)))
            (drop (call $perform)))
        (func (export "canister_query version")
            (i64.store (i32.const 0) (call $version))
            (call $append (i32.const 0) (i32.const 8))
            (call $reply)))"#,
    )
}

/// A messenger that controls itself.
fn install(lab: &Lab) -> Principal {
    let canister = lab.installed("A", &messenger(), b"");
    let controllers = vec![Principal::anonymous(), canister];
    lab.pic
        .set_controllers(canister, None, controllers)
        .unwrap();
    canister
}

fn ask_raw(lab: &Lab, canister: Principal, method: &str, arg: &[u8]) -> String {
    let asked = [&[method.len() as u8], method.as_bytes(), arg].concat();
    let reply = lab
        .pic
        .update_call(canister, Principal::anonymous(), "ask", asked);
    String::from_utf8(reply.unwrap()).unwrap()
}

fn ask(lab: &Lab, canister: Principal, method: &str, arg: &impl CandidType) -> String {
    ask_raw(lab, canister, method, &Encode!(arg).unwrap())
}

fn version(lab: &Lab, canister: Principal) -> u64 {
    let reply = lab
        .pic
        .query_call(canister, Principal::anonymous(), "version", Vec::new());
    u64::from_le_bytes(reply.unwrap().try_into().unwrap())
}

fn settings_with(
    canister_id: Principal,
    sender_canister_version: Option<u64>,
) -> UpdateSettingsArgs {
    UpdateSettingsArgs {
        canister_id,
        settings: CanisterSettings {
            freezing_threshold: Some(1_000_u32.into()),
            ..CanisterSettings::default()
        },
        sender_canister_version,
    }
}

facts! {
    fn a_canister_that_tells_its_version_has_to_tell_the_right_one(lab) {
        let canister = install(lab);
        for is_told in [false, true] {
            let told = is_told.then(|| version(lab, canister));
            let answer = ask(lab, canister, "update_settings", &settings_with(canister, told));
            assert_eq!(answer, "");
        }
        for off_by in [-1_i64, 1] {
            let actual = version(lab, canister);
            let told = actual.wrapping_add_signed(off_by);
            let expected = format!(
                "IC0504: Management canister call payload includes sender canister version {told} that does not match \
                 the actual sender canister version {actual}."
            );
            let settings = settings_with(canister, Some(told));
            assert_eq!(ask(lab, canister, "update_settings", &settings), expected);
        }
        let told = version(lab, canister) + 5;
        let uninstall = UninstallCodeArgs {
            canister_id: canister,
            sender_canister_version: Some(told),
        };
        let answer = ask(lab, canister, "uninstall_code", &uninstall);
        assert!(answer.contains("does not match"), "{answer}");
        assert!(lab.status(canister).module_hash.is_some());
    }

    fn the_argument_has_to_decode_before_the_call_leaves(lab) {
        let canister = install(lab);
        for method in ["update_settings", "install_code", "uninstall_code", "load_canister_snapshot"] {
            let answer = ask_raw(lab, canister, method, b"no candid");
            assert!(answer.starts_with("IC0408: Error decoding candid: "), "{method}: {answer}");
        }
        let answer = ask_raw(lab, canister, "create_canister", b"no candid");
        assert_eq!(answer, "IC0408: Payload deserialization error.");
        // Methods without the field are routed by what they are about.
        let answer = ask_raw(lab, canister, "start_canister", b"no candid");
        let words = "Unable to route management canister request start_canister: UserError";
        assert!(answer.starts_with(words), "{answer}");
        let answer = ask_raw(lab, canister, "no_such_method", b"");
        assert_eq!(answer, "IC0536: Management canister has no method 'no_such_method'");
    }
}
