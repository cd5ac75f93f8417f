//! Section 1: a classical canister whose `pre_upgrade` traps.

use crate::lab::{Module, PLAIN, SKIP, refused};
use crate::modules::{PAGE, patient, pattern, wat};
use pocket_ic::ErrorCode;
use tests::wasms;

const CALLS_TRAP: &str = "(i32.store (i32.const 0) (i32.const 0x6e6b6f62))
    (call $trap (i32.const 0) (i32.const 4))";

facts! {
    fn a_plain_upgrade_is_refused_and_nothing_changes(lab) {
        let patient = patient(CALLS_TRAP);
        let canister = lab.installed("A", &patient, b"");
        let before = lab.status(canister);
        let stable = lab.stable_memory(canister);

        let reject = refused(lab.upgrade(canister, &patient, PLAIN));
        let id = canister.to_text();
        reject.expect_error(
            ErrorCode::CanisterCalledTrap,
            &format!("Error from Canister {id}: Canister called `ic0.trap` with message: 'bokn'"),
        );
        assert_eq!(reject.error as u16, 503);

        assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 8u64.to_le_bytes());
        assert!(lab.stable_memory(canister) == stable);
        let after = lab.status(canister);
        assert_eq!(after.module_hash, before.module_hash);
        assert_eq!(after.version, before.version);
        assert_eq!(
            after.memory_metrics.wasm_memory_size,
            before.memory_metrics.wasm_memory_size
        );
    }

    fn a_rust_canister_tells_its_panic_and_a_backtrace(lab) {
        let first = Module::new("ledger", wasms::load("patients/ledger"));
        let broken = Module::new("ledger with a hook", wasms::load("patients/ledger_hook_panics"));
        let nothing = candid::encode_args(()).unwrap();
        let canister = lab.installed("A", &first, &nothing);
        let entries = candid::encode_args((vec![Entry {
            account: "a".to_owned(),
            amount: 1,
            memo: vec![1, 2, 3],
        }],))
        .unwrap();
        lab.update(canister, "append", &entries).unwrap();
        lab.upgrade(canister, &broken, PLAIN).unwrap();
        let reject = refused(lab.upgrade(canister, &first, PLAIN));
        reject.expect_error(
            ErrorCode::CanisterCalledTrap,
            "Panicked at 'cannot serialise 1 entries: the scratch buffer is too small'",
        );
        assert!(reject.message.contains("\nCanister Backtrace:\n"), "{}", reject.message);
    }

    fn skipping_the_hook_gives_a_fresh_heap_and_the_same_stable_memory(lab) {
        let patient = patient(CALLS_TRAP);
        let canister = lab.installed("A", &patient, b"");
        let stable = lab.stable_memory(canister);
        assert_eq!(stable.len(), 131_072);
        // Only `canister_init` fills the heap, and an upgrade does not run it.
        lab.upgrade(canister, &patient, SKIP).unwrap();
        assert!(lab.query(canister, "heap", b"").unwrap() == vec![0; 4 * PAGE]);
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 7u64.to_le_bytes());
        assert!(lab.stable_memory(canister) == stable);
    }

    fn a_hook_that_traps_otherwise_is_refused_with_the_traps_name(lab) {
        for (hook, error, part) in [
            ("unreachable", ErrorCode::CanisterTrapped, "Canister trapped: unreachable"),
            (
                "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
                ErrorCode::CanisterTrapped,
                "Canister trapped: integer division by 0",
            ),
            (
                "(drop (i32.load (i32.const 0x7fffffff)))",
                ErrorCode::CanisterTrapped,
                "Canister trapped: heap out of bounds",
            ),
            (
                "(call $append (i32.const 0) (i32.const 1))",
                ErrorCode::CanisterContractViolation,
                "\"ic0_msg_reply_data_append\" cannot be executed in pre upgrade mode",
            ),
        ] {
            let patient = patient(hook);
            let canister = lab.installed("A", &patient, b"");
            let empty = wat("empty", "(module)");
            refused(lab.upgrade(canister, &empty, PLAIN)).expect_error(error, part);
            // Traps of a hook stay in the log, violations leave no line.
            let traces = lab.logs(canister).len();
            assert_eq!(traces, usize::from(error == ErrorCode::CanisterTrapped));
            assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
        }
    }
}

/// An entry of the ledger.
#[derive(candid::CandidType)]
struct Entry {
    account: String,
    amount: u64,
    memo: Vec<u8>,
}
