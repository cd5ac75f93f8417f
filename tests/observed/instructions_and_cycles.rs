//! Section 8: instructions and cycles, on a subnet of 13 nodes.

use crate::lab::{KEEP_SKIP, Lab, Module, PLAIN, SKIP, refused};
use crate::modules::{patient, reader, wat};
use candid::Principal;
use ic_management_canister_types::CanisterInstallMode;
use pocket_ic::{ErrorCode, RejectCode};
use serde_json::Value;

const COSTS: &str = include_str!("../conformance/transcripts/instruction_costs.json");

/// Measures `body` with the counter; the argument's first four bytes are in `$n`.
fn meter(name: &str, body: &str) -> Module {
    wat(
        name,
        &format!(
            r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
            (import "ic0" "performance_counter" (func $counter (param i32) (result i64)))
            (import "ic0" "stable64_grow" (func $stable_grow (param i64) (result i64)))
            (import "ic0" "stable64_read" (func $stable_read (param i64 i64 i64)))
            (import "ic0" "stable64_write" (func $stable_write (param i64 i64 i64)))
            (memory 64)
            (func (export "canister_init") (drop (call $stable_grow (i64.const 64))))
            (func (export "canister_query measure") (local $n i32) (local $before i64)
                (call $arg (i32.const 0) (i32.const 0) (i32.const 4))
                (local.set $n (i32.load (i32.const 0)))
                (local.set $before (call $counter (i32.const 0)))
                {body}
                (i64.store (i32.const 0) (i64.sub (call $counter (i32.const 0)) (local.get $before)))
                (call $append (i32.const 0) (i32.const 8))
                (call $reply)))"#
        ),
    )
}

/// What `n` more than 0 adds to the count.
fn added(lab: &Lab, canister: Principal, n: u32) -> u64 {
    let count = |n: u32| {
        let mut arg = n.to_le_bytes().to_vec();
        // The argument is long enough to be copied as a whole.
        arg.resize(2_000_000, 0);
        let reply = lab.query(canister, "measure", &arg).unwrap();
        u64::from_le_bytes(reply[reply.len() - 8..].try_into().unwrap())
    };
    count(n) - count(0)
}

/// A module of `pairs` times two instructions that nobody runs.
fn filler(pairs: usize) -> Module {
    let body: String = (0..pairs)
        .map(|number| format!("(drop (i32.const {number}))"))
        .collect();
    wat(
        &format!("{pairs} pairs"),
        &format!("(module (memory 0) (func {body}))"),
    )
}

fn echo() -> Module {
    wat(
        "echo",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
        (memory 40)
        (func (export "canister_query give")
            (call $arg (i32.const 0) (i32.const 0) (i32.const 4))
            (call $append (i32.const 0) (i32.load (i32.const 0)))
            (call $reply))
        (func (export "canister_update take") (call $reply)))"#,
    )
}

facts! {
    fn bytes_cost_what_the_system_calls_say(lab) {
        for (name, body, n, expected) in [
            ("append", "(call $append (i32.const 0) (local.get $n))", 1_000_000, 50_000_000),
            (
                "stable read",
                "(call $stable_read (i64.const 0) (i64.const 0) (i64.extend_i32_u (local.get $n)))",
                1_000_000,
                1_000_000,
            ),
            // A thousand for each of the 256 pages that become dirty.
            (
                "stable write",
                "(call $stable_write (i64.const 0) (i64.const 0) (i64.extend_i32_u (local.get $n)))",
                1_048_576,
                1_048_576 + 256 * 1_000,
            ),
            ("fill", "(memory.fill (i32.const 8) (i32.const 1) (local.get $n))", 1_000_000, 1_000_000),
            (
                "copy",
                "(memory.copy (i32.const 8) (i32.const 99) (local.get $n))",
                1_000_000,
                1_000_000,
            ),
            (
                "argument",
                "(call $arg (i32.const 8) (i32.const 0) (local.get $n))",
                1_000_000,
                1_000_000,
            ),
        ] {
            let canister = lab.installed("A", &meter(name, body), b"");
            assert_eq!(added(lab, canister, n), expected, "{name}");
        }
    }

    fn every_probe_counts_as_recorded(lab) {
        let costs: Value = serde_json::from_str(COSTS).unwrap();
        let template = costs["template"].as_str().unwrap();
        let canister = lab.create("A");
        for probe in costs["probes"].as_array().unwrap() {
            let name = probe["name"].as_str().unwrap();
            let text = template.replace("%BODY%", probe["body"].as_str().unwrap());
            let module = wat(&format!("probe {name}"), &text);
            for (field, method) in [("delta_query", "q"), ("delta_update", "u")] {
                lab.install_code(canister, CanisterInstallMode::Reinstall, &module, b"").unwrap();
                let outcome = match method {
                    "q" => lab.query(canister, method, &[0; 100]),
                    _ => lab.update(canister, method, &[0; 100]),
                };
                let measured = match outcome {
                    Ok(reply) => {
                        Value::from(u64::from_le_bytes(reply[reply.len() - 8..].try_into().unwrap()))
                    }
                    Err(reject) => {
                        serde_json::json!({ "error_code": format!("{:?}", reject.error_code) })
                    }
                };
                assert_eq!(measured, probe[field], "{name} {field}");
            }
        }
    }

    fn replies_and_arguments_are_charged_by_the_byte(lab) {
        let canister = lab.installed("A", &echo(), b"");
        let give = |bytes: u32| {
            lab.cycles_spent(canister, &format!("a reply of {bytes} bytes"), || {
                lab.update(canister, "give", &bytes.to_le_bytes()).unwrap();
            })
        };
        let nothing = give(0);
        assert_eq!(give(1_000_000) - nothing, 50_000_000);
        assert_eq!(give(2_000_000) - nothing, 100_000_000);
        let take = |bytes: usize| {
            lab.cycles_spent(canister, &format!("an argument of {bytes} bytes"), || {
                lab.update(canister, "take", &vec![0; bytes]).unwrap();
            })
        };
        // Four bytes more say how long it is.
        assert_eq!(take(1_000_000) - take(0), 2_000 * 1_000_004);
        let query = lab.cycles_spent(canister, "a plain query", || {
            lab.query(canister, "give", &1_000u32.to_le_bytes()).unwrap();
        });
        assert_eq!(query, 0);
    }

    fn an_installation_needs_its_limit_in_cycles_and_gets_it_back(lab) {
        let canister = lab.create_with("A", 0, 300_000_000_000);
        let module = reader("(memory 0)", "");
        refused(lab.install(canister, &module, b"")).expect(
            RejectCode::SysTransient,
            ErrorCode::CanisterOutOfCycles,
            true,
            &format!(
                "Canister installation failed with `Canister {canister} is out of cycles: please top up the \
                 canister with at least "
            ),
        );
        let canister = lab.create("B");
        let spent = lab.cycles_spent(canister, "installing a reader", || {
            lab.install(canister, &module, b"").unwrap();
        });
        assert!(spent < 20_000_000, "{spent}");
    }

    fn compilation_costs_by_the_instruction_and_a_hundredth_when_cached(lab) {
        let canister = lab.create("A");
        let saved = |pairs: usize| {
            let module = filler(pairs);
            let install = |what: &str| {
                lab.cycles_spent(canister, what, || {
                    let mode = CanisterInstallMode::Reinstall;
                    lab.install_code(canister, mode, &module, b"").unwrap();
                })
            };
            let first = install(&format!("{pairs} pairs"));
            first - install(&format!("{pairs} pairs again"))
        };
        let (few, many) = (saved(5_000), saved(15_000));
        assert_eq!(many - few, 6_000 * 20_000 * 99 / 100);
    }

    fn a_hook_over_the_limit_is_paid_for_and_holds_up_the_next_installation(lab) {
        let patient = patient(
            "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $again))",
        );
        let canister = lab.installed("A", &patient, b"");
        let mut outcome = None;
        let spent = lab.cycles_spent(canister, "a hook without end", || {
            outcome = Some(lab.upgrade(canister, &patient, PLAIN));
        });
        refused(outcome.unwrap()).expect_error(
            ErrorCode::CanisterInstructionLimitExceeded,
            "Canister exceeded the limit of 300000000000 instructions for single message execution.",
        );
        assert!((300_005_000_000..300_015_000_000).contains(&spent), "{spent}");
        // Even though the next would not run the hook.
        for _ in 0..2 {
            let reject = refused(lab.upgrade(canister, &patient, SKIP));
            assert_eq!(reject.error, ErrorCode::CanisterInstallCodeRateLimited);
            lab.tick(70);
        }
        lab.tick(20);
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
    }
}
