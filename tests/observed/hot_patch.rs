//! Section 4: a canister goes on with its own heap when its own bytes come back, marked and without hooks.

use crate::lab::{KEEP_SKIP, Lab, Module, PLAIN, refused};
use crate::modules::{marked, reader, without_hook};
use candid::{CandidType, Decode, Encode, Principal};
use pocket_ic::ErrorCode;
use tests::wasms;

/// An entry of the ledger.
#[derive(CandidType)]
struct Entry {
    account: String,
    amount: u64,
    memo: Vec<u8>,
}

fn append(lab: &Lab, canister: Principal, first: u64, count: u64) {
    let entries: Vec<Entry> = (first..first + count)
        .map(|number| Entry {
            account: format!("account {}", number % 7),
            amount: number * number,
            memo: vec![number as u8; 40],
        })
        .collect();
    lab.update(canister, "append", &Encode!(&entries).unwrap())
        .unwrap();
}

/// What lives in the heap alone: how many entries were appended since the installation, and a cached balance.
fn in_heap(lab: &Lab, canister: Principal) -> (u64, u64) {
    let count = lab
        .query(canister, "appended_since_install", &Encode!().unwrap())
        .unwrap();
    let balance = lab
        .query(canister, "balance", &Encode!(&"account 3").unwrap())
        .unwrap();
    (
        Decode!(&count, u64).unwrap(),
        Decode!(&balance, u64).unwrap(),
    )
}

fn digest(lab: &Lab, canister: Principal) -> u64 {
    let reply = lab.query(canister, "digest", &Encode!().unwrap()).unwrap();
    Decode!(&reply, u64).unwrap()
}

fn broken() -> Module {
    Module::new("broken ledger", wasms::load("patients/ledger_hook_panics"))
}

/// The deployed bytes without their hook, with the marker.
fn patched() -> Module {
    let mut module = marked(&without_hook(&broken(), "canister_pre_upgrade"));
    module.name = "patched ledger".to_owned();
    module
}

facts! {
    fn the_same_bytes_go_on_as_if_nothing_had_been(lab) {
        let nothing = Encode!().unwrap();
        let patient = lab.installed("A", &broken(), &nothing);
        let twin = lab.installed("T", &broken(), &nothing);
        for canister in [patient, twin] {
            append(lab, canister, 0, 300);
        }
        let before = (in_heap(lab, patient), digest(lab, patient));
        refused(lab.upgrade(patient, &broken(), PLAIN))
            .expect_error(ErrorCode::CanisterCalledTrap, "cannot serialise 300 entries");

        lab.upgrade(patient, &patched(), KEEP_SKIP).unwrap();
        assert_eq!((in_heap(lab, patient), digest(lab, patient)), before);
        for canister in [patient, twin] {
            append(lab, canister, 300, 200);
        }
        assert_eq!(in_heap(lab, patient), in_heap(lab, twin));
        assert_eq!(digest(lab, patient), digest(lab, twin));

        // Again, and by way of a reader.
        lab.upgrade(patient, &patched(), KEEP_SKIP).unwrap();
        lab.upgrade(patient, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        lab.upgrade(patient, &patched(), KEEP_SKIP).unwrap();
        assert_eq!(in_heap(lab, patient), in_heap(lab, twin));
        assert_eq!(digest(lab, patient), digest(lab, twin));
    }

    fn a_module_with_other_functions_meets_a_foreign_table(lab) {
        // The heap holds an index into the table of the module that wrote it.
        let calls = |first: &str| crate::modules::wat(
            &format!("boxed call, {first} first"),
            &format!(r#"(module
            (type $boxed (func (result i32)))
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (memory 1)
            (table 4 funcref)
            (elem (i32.const 1) ${first})
            (elem (i32.const 2) $same)
            (func $right (result i32) (i32.const 77))
            (func $same (result i32) (i32.const 78))
            (func $other (param i64) (result i64) (local.get 0))
            (func (export "canister_update box")
                (i32.store (i32.const 0) (i32.const 1)) (call $reply))
            (func (export "canister_query call")
                (i32.store (i32.const 8) (call_indirect (type $boxed) (i32.load (i32.const 0))))
                (call $append (i32.const 8) (i32.const 4))
                (call $reply)))"#),
        );
        let canister = lab.installed("A", &calls("right"), b"");
        lab.update(canister, "box", b"").unwrap();
        assert_eq!(lab.query(canister, "call", b"").unwrap(), [77, 0, 0, 0]);
        lab.upgrade(canister, &marked(&calls("other")), KEEP_SKIP).unwrap();
        refused(lab.query(canister, "call", b"")).expect_query_error(
            ErrorCode::CanisterContractViolation,
            "function invocation does not match its signature",
        );
        lab.upgrade(canister, &marked(&calls("right")), KEEP_SKIP).unwrap();
        assert_eq!(lab.query(canister, "call", b"").unwrap(), [77, 0, 0, 0]);
    }

    fn a_hook_that_is_left_in_runs_on_the_kept_heap(lab) {
        let hooked = crate::modules::wat("hooked", r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (memory 1)
            (func (export "canister_update set")
                (i64.store (i32.const 0) (i64.const 0x3332)) (call $reply))
            (func (export "canister_post_upgrade") (i64.store (i32.const 0) (i64.const 0)))
            (func (export "canister_query get")
                (call $append (i32.const 0) (i32.const 2)) (call $reply)))"#);
        let canister = lab.installed("A", &hooked, b"");
        for (module, expected) in [
            (marked(&without_hook(&hooked, "canister_post_upgrade")), [0x32, 0x33]),
            (marked(&hooked), [0, 0]),
        ] {
            lab.update(canister, "set", b"").unwrap();
            lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
            assert_eq!(lab.query(canister, "get", b"").unwrap(), expected);
        }
    }
}
