//! The system API: effects, contexts, texts.

#![allow(clippy::unwrap_used)]

mod common;

use candid::Principal;
use common::{Canister, reply};
use engine::{CallKind, Closure, Entry, Limits};

/// A module whose every entry point runs `body`.
fn everywhere(imports: &str, body: &str) -> Canister {
    let wat = format!(
        r#"(module
            {imports}
            (memory 1)
            (table 1 funcref) (elem (i32.const 0) $cb)
            (func $body {body})
            (func $cb (param i32) (call $body))
            (func (export "canister_init") (call $body))
            (func (export "canister_pre_upgrade") (call $body))
            (func (export "canister_inspect_message") (call $body))
            (func (export "canister_global_timer") (call $body))
            (func (export "canister_update u") (call $body))
            (func (export "canister_query q") (call $body))
            (func (export "canister_composite_query c") (call $body)))"#
    );
    Canister::with_module(common::module(&wat))
}

/// All contexts by their names in error texts.
fn contexts() -> Vec<(&'static str, bool, Entry)> {
    let closure = Closure { fun: 0, env: 0 };
    let arg = Vec::new;
    let method = |name: &str| name.to_string();
    let callbacks = |kind| {
        [
            Entry::Reply {
                closure,
                kind,
                data: arg(),
            },
            Entry::Reject {
                closure,
                kind,
                code: 4,
                message: "m".to_string(),
            },
            Entry::Cleanup {
                closure,
                kind,
                code: 0,
                message: String::new(),
            },
        ]
    };
    let [reply, reject, cleanup] = callbacks(CallKind::Update);
    let [composite_reply, composite_reject, composite_cleanup] =
        callbacks(CallKind::CompositeQuery);
    vec![
        ("init", true, Entry::Init { arg: arg() }),
        ("pre upgrade", true, Entry::PreUpgrade),
        (
            "update",
            true,
            Entry::Update {
                method: method("u"),
                arg: arg(),
            },
        ),
        (
            "replicated query",
            true,
            Entry::Query {
                method: method("q"),
                arg: arg(),
            },
        ),
        (
            "non replicated query",
            false,
            Entry::Query {
                method: method("q"),
                arg: arg(),
            },
        ),
        (
            "composite query",
            false,
            Entry::CompositeQuery {
                method: method("c"),
                arg: arg(),
            },
        ),
        ("reply callback", true, reply),
        ("reject callback", true, reject),
        ("cleanup", true, cleanup),
        ("composite reply callback", false, composite_reply),
        ("composite reject callback", false, composite_reject),
        ("composite cleanup", false, composite_cleanup),
        ("global timer", true, Entry::GlobalTimer),
        (
            "inspect message",
            false,
            Entry::InspectMessage {
                method: method("u"),
                arg: arg(),
            },
        ),
    ]
}

/// Names of the contexts in which calling the function is a violation.
fn forbidden(import: &str, call: &str) -> Vec<&'static str> {
    let mut canister = everywhere(import, call);
    let mut names = Vec::new();
    for (name, replicated, entry) in contexts() {
        canister.env.replicated = replicated;
        canister.env.data_certificate = (!replicated).then(|| vec![1]);
        let Err(error) = canister.run(entry, Limits::query()).result else {
            continue;
        };
        let text = error.description();
        assert!(
            text.contains(&format!("cannot be executed in {name} mode")),
            "{name}: {text}"
        );
        names.push(name);
    }
    names
}

#[test]
fn functions_are_forbidden_where_a_real_server_forbids_them() {
    let composite = [
        "composite reply callback",
        "composite reject callback",
        "composite cleanup",
    ];
    let no_answer = [
        "init",
        "pre upgrade",
        "cleanup",
        "composite cleanup",
        "global timer",
        "inspect message",
    ];
    let cases: [(&str, &str, Vec<&str>); 12] = [
        (
            "(import \"ic0\" \"msg_reply\" (func $f))",
            "(call $f)",
            no_answer.to_vec(),
        ),
        (
            "(import \"ic0\" \"time\" (func $f (result i64)))",
            "(drop (call $f))",
            vec![],
        ),
        (
            "(import \"ic0\" \"msg_arg_data_size\" (func $f (result i32)))",
            "(drop (call $f))",
            vec![
                "pre upgrade",
                "reject callback",
                "cleanup",
                "composite reject callback",
                "composite cleanup",
                "global timer",
            ],
        ),
        (
            "(import \"ic0\" \"msg_reject_code\" (func $f (result i32)))",
            "(drop (call $f))",
            vec![
                "init",
                "pre upgrade",
                "update",
                "replicated query",
                "non replicated query",
                "composite query",
                "cleanup",
                "composite cleanup",
                "global timer",
                "inspect message",
            ],
        ),
        (
            "(import \"ic0\" \"certified_data_set\" (func $f (param i32 i32)))",
            "(call $f (i32.const 0) (i32.const 0))",
            [
                &[
                    "replicated query",
                    "non replicated query",
                    "composite query",
                    "cleanup",
                ],
                &composite[..],
                &["inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"global_timer_set\" (func $f (param i64) (result i64)))",
            "(drop (call $f (i64.const 0)))",
            [
                &[
                    "replicated query",
                    "non replicated query",
                    "composite query",
                ],
                &composite[..],
                &["inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"cycles_burn128\" (func $f (param i64 i64 i32)))",
            "(call $f (i64.const 0) (i64.const 0) (i32.const 0))",
            [
                &["non replicated query", "composite query"],
                &composite[..],
                &["inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"msg_cycles_accept128\" (func $f (param i64 i64 i32)))",
            "(call $f (i64.const 0) (i64.const 0) (i32.const 0))",
            [
                &[
                    "init",
                    "pre upgrade",
                    "non replicated query",
                    "composite query",
                    "cleanup",
                ],
                &composite[..],
                &["global timer", "inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"msg_cycles_refunded128\" (func $f (param i32)))",
            "(call $f (i32.const 0))",
            [
                &[
                    "init",
                    "pre upgrade",
                    "update",
                    "replicated query",
                    "non replicated query",
                    "composite query",
                    "cleanup",
                ],
                &composite[..],
                &["global timer", "inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"data_certificate_size\" (func $f (result i32)))",
            "(drop (call $f))",
            [
                &[
                    "init",
                    "pre upgrade",
                    "update",
                    "replicated query",
                    "reply callback",
                    "reject callback",
                    "cleanup",
                ],
                &composite[..],
                &["global timer", "inspect message"],
            ]
            .concat(),
        ),
        (
            "(import \"ic0\" \"msg_deadline\" (func $f (result i64)))",
            "(drop (call $f))",
            no_answer.to_vec(),
        ),
        (
            "(import \"ic0\" \"accept_message\" (func $f))",
            "(call $f)",
            [
                &[
                    "init",
                    "pre upgrade",
                    "update",
                    "replicated query",
                    "non replicated query",
                    "composite query",
                    "reply callback",
                    "reject callback",
                    "cleanup",
                ],
                &composite[..],
                &["global timer"],
            ]
            .concat(),
        ),
    ];
    for (import, call, names) in cases {
        assert_eq!(forbidden(import, call), names, "{import}");
    }
}

const CALLER: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (import "ic0" "msg_arg_data_size" (func $size (result i32)))
    (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
    (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "ic0" "call_data_append" (func $data (param i32 i32)))
    (import "ic0" "call_on_cleanup" (func $cleanup (param i32 i32)))
    (import "ic0" "call_cycles_add128" (func $cycles (param i64 i64)))
    (import "ic0" "call_with_best_effort_response" (func $best (param i32)))
    (import "ic0" "call_perform" (func $perform (result i32)))
    (memory 1)
    (data (i32.const 200) "method")
    (func $prepare
        (call $copy (i32.const 0) (i32.const 0) (call $size))
        (call $new (i32.const 0) (call $size) (i32.const 200) (i32.const 6)
            (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)))
    (func (export "canister_update call")
        (call $prepare)
        (call $data (i32.const 200) (i32.const 3))
        (call $cleanup (i32.const 5) (i32.const 6))
        (call $cycles (i64.const 0) (i64.const 1000))
        (call $best (i32.const 1000))
        (i32.store (i32.const 100) (call $perform))
        (call $append (i32.const 100) (i32.const 4)) (call $reply))
    (func (export "canister_update forget")
        (call $prepare) (call $cycles (i64.const 0) (i64.const 1000)) (call $reply))
    (func (export "canister_update twice")
        (call $prepare) (call $cleanup (i32.const 5) (i32.const 6))
        (call $cleanup (i32.const 5) (i32.const 6))))"#;

#[test]
fn a_call_is_an_effect_with_its_prepayment() {
    let mut canister = Canister::install(CALLER);
    let callee = Principal::from_slice(&[1, 2, 3]);
    let effects = canister.update("call", callee.as_slice()).unwrap();
    let call = &effects.calls[0];
    assert_eq!(call.callee, callee);
    assert_eq!(
        (call.method.as_str(), &call.arg[..]),
        ("method", &b"met"[..])
    );
    assert_eq!(call.reply, Closure { fun: 1, env: 2 });
    assert_eq!(call.reject, Closure { fun: 3, env: 4 });
    assert_eq!(call.cleanup, Some(Closure { fun: 5, env: 6 }));
    assert_eq!(call.cycles, 1000);
    assert_eq!(call.timeout_seconds, Some(300));
    assert_eq!(call.prepayment.request_cycles, 260_000 + 9 * 1_000);
    assert_eq!(
        call.prepayment.response_transmission_cycles,
        (2 << 20) * 1_000
    );
    assert_eq!(call.prepayment.response_execution_cycles, 40_005_000_000);
    assert_eq!(reply(Ok(effects)), 0u32.to_le_bytes());
    let forgotten = canister.update("forget", callee.as_slice()).unwrap();
    assert!(forgotten.calls.is_empty());
}

#[test]
fn a_call_the_canister_cannot_pay_for_is_refused_politely() {
    let mut canister = Canister::install(CALLER);
    canister.env.cycle_balance = 10_000_000;
    let effects = canister.update("call", &[1]).unwrap();
    assert!(effects.calls.is_empty());
    assert_eq!(reply(Ok(effects)), 2u32.to_le_bytes());
    canister.env.cycle_balance = 999;
    let error = canister.update("call", &[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Canister {} is out of cycles", canister.env.canister_id)
    );
}

#[test]
fn a_full_queue_refuses_calls() {
    let mut canister = Canister::install(CALLER);
    let callee = Principal::from_slice(&[1]);
    canister.env.open_requests.insert(callee, 499);
    assert_eq!(canister.update("call", &[1]).unwrap().calls.len(), 1);
    canister.env.open_requests.insert(callee, 500);
    assert_eq!(canister.update("call", &[1]).unwrap().calls.len(), 0);
}

#[test]
fn misuse_of_calls_is_named() {
    let mut canister = Canister::install(CALLER);
    let error = canister.update("twice", &[1]).unwrap_err();
    assert_eq!(
        error.description(),
        "Canister violated contract: ic0.call_on_cleanup can be called at most once between \
         `ic0.call_new` and `ic0.call_perform`"
    );
    let error = canister.update("call", &[0; 30]).unwrap_err();
    assert_eq!(
        error.description(),
        "Canister provided invalid principal id"
    );
}

#[test]
fn cycles_are_accepted_up_to_what_is_there() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_cycles_accept128" (func $accept (param i64 i64 i32)))
        (import "ic0" "msg_cycles_available128" (func $available (param i32)))
        (import "ic0" "canister_cycle_balance128" (func $balance (param i32)))
        (import "ic0" "cycles_burn128" (func $burn (param i64 i64 i32)))
        (memory 1)
        (func (export "canister_update u")
            (call $accept (i64.const 0) (i64.const 30) (i32.const 0))
            (call $available (i32.const 16))
            (call $accept (i64.const 1) (i64.const 0) (i32.const 32))
            (call $burn (i64.const 0) (i64.const 10000) (i32.const 48))
            (call $balance (i32.const 64))
            (call $append (i32.const 0) (i32.const 80)) (call $reply)))"#;
    let mut canister = Canister::install(wat);
    canister.env.cycles_available = 100;
    canister.env.cycle_balance = 1_000;
    canister.env.freezing_threshold_cycles = 600;
    let effects = canister.update("u", &[]).unwrap();
    assert_eq!(effects.cycles_accepted, 100);
    assert_eq!(effects.cycles_burned, 500);
    let data = reply(Ok(effects));
    let amounts: Vec<u128> = data
        .chunks(16)
        .map(|bytes| u128::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(amounts, [30, 70, 70, 500, 600]);
}

#[test]
fn replies_are_bounded_by_mode() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
        (memory 64)
        (func $f
            (call $copy (i32.const 0) (i32.const 0) (i32.const 4))
            (call $append (i32.const 0) (i32.load (i32.const 0))) (call $reply))
        (func (export "canister_update u") (call $f))
        (func (export "canister_query q") (call $f)))"#;
    let mut canister = Canister::install(wat);
    let size = |bytes: u32| bytes.to_le_bytes();
    assert_eq!(reply(canister.query("q", &size(3 << 20))).len(), 3 << 20);
    assert_eq!(reply(canister.update("u", &size(2 << 20))).len(), 2 << 20);
    let error = canister.query("q", &size((3 << 20) + 1)).unwrap_err();
    assert_eq!(
        error.description(),
        "Canister violated contract: ic0.msg_reply_data_append: application payload size \
         (3145729) cannot be larger than 3145728."
    );
    let error = canister.update("u", &size((2 << 20) + 1)).unwrap_err();
    assert_eq!(error.code(), "CanisterContractViolation");
}

#[test]
fn certified_data_and_timer_are_effects() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
        (import "ic0" "global_timer_set" (func $timer (param i64) (result i64)))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (memory 1) (data (i32.const 0) "certified")
        (func (export "canister_update u")
            (call $certify (i32.const 0) (i32.const 9))
            (i64.store (i32.const 16) (call $timer (i64.const 77)))
            (i64.store (i32.const 24) (call $timer (i64.const 88)))
            (call $append (i32.const 16) (i32.const 16)) (call $reply))
        (func (export "canister_update long") (call $certify (i32.const 0) (i32.const 33))))"#;
    let mut canister = Canister::install(wat);
    canister.env.global_timer_ns = 66;
    let effects = canister.update("u", &[]).unwrap();
    assert_eq!(effects.certified_data.as_deref(), Some(&b"certified"[..]));
    assert_eq!(effects.global_timer, Some(88));
    let data = reply(Ok(effects));
    assert_eq!(data[..8], 66u64.to_le_bytes());
    assert_eq!(data[8..], 77u64.to_le_bytes());
    let error = canister.update("long", &[]).unwrap_err();
    let text = "Canister violated contract: ic0_certified_data_set failed because the passed data \
                must be no larger than 32 bytes. Found 33 bytes.";
    assert_eq!(error.description(), text);
}

#[test]
fn environment_variables_are_read_by_index_and_by_name() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "env_var_count" (func $count (result i32)))
        (import "ic0" "env_var_name_size" (func $nsize (param i32) (result i32)))
        (import "ic0" "env_var_name_copy" (func $ncopy (param i32 i32 i32 i32)))
        (import "ic0" "env_var_name_exists" (func $exists (param i32 i32) (result i32)))
        (import "ic0" "env_var_value_size" (func $vsize (param i32 i32) (result i32)))
        (import "ic0" "env_var_value_copy" (func $vcopy (param i32 i32 i32 i32 i32)))
        (memory 1) (data (i32.const 64) "missing")
        (func (export "canister_query q")
            (i32.store8 (i32.const 0) (call $count))
            (call $ncopy (i32.const 1) (i32.const 1) (i32.const 0) (call $nsize (i32.const 1)))
            (call $vcopy (i32.const 1) (i32.const 1) (i32.const 2) (i32.const 0)
                (call $vsize (i32.const 1) (i32.const 1)))
            (i32.store8 (i32.const 7) (call $exists (i32.const 64) (i32.const 7)))
            (call $append (i32.const 0) (i32.const 8)) (call $reply))
        (func (export "canister_query missing")
            (drop (call $vsize (i32.const 64) (i32.const 7)))))"#;
    let mut canister = Canister::install(wat);
    for (name, value) in [("b", "value"), ("a", "other")] {
        let variables = &mut canister.env.environment_variables;
        variables.insert(name.to_string(), value.to_string());
    }
    let data = reply(canister.query("q", &[]));
    assert_eq!(data, b"\x02bvalue\0");
    let error = canister.query("missing", &[]).unwrap_err();
    assert_eq!(
        error.description(),
        "Environment variable missing not found."
    );
}
