//! Heaps over many messages, compared with plain vectors.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Canister, module};
use proptest::prelude::*;

/// Writes its argument to the heap at the offset in the argument's first four bytes.
const POKE: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_arg_data_size" (func $size (result i32)))
    (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
    (memory 3)
    (global $at (mut i32) (i32.const 0))
    (func $poke
        (call $copy (i32.const 0) (i32.const 0) (i32.const 4))
        (global.set $at (i32.load (i32.const 0)))
        (i32.store (i32.const 0) (i32.const 0))
        (call $copy (global.get $at) (i32.const 4) (i32.sub (call $size) (i32.const 4))))
    (func (export "canister_update poke") (call $poke) (call $reply))
    (func (export "canister_update poke_and_trap") (call $poke) (unreachable))
    (func (export "canister_query poke_in_query") (call $poke) (call $reply)))"#;

#[derive(Clone, Debug)]
enum Message {
    Update(u32, Vec<u8>),
    Trap(u32, Vec<u8>),
    Query(u32, Vec<u8>),
    Snapshot,
    Load,
    Write(u32, Vec<u8>),
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let write = || {
        let bytes = prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..50),
            (1usize..20_000).prop_map(|length| vec![3; length]),
        ];
        (4u32..3 * 65_536 - 20_000, bytes)
    };
    let message = prop_oneof![
        4 => write().prop_map(|(at, bytes)| Message::Update(at, bytes)),
        1 => write().prop_map(|(at, bytes)| Message::Trap(at, bytes)),
        1 => write().prop_map(|(at, bytes)| Message::Query(at, bytes)),
        1 => Just(Message::Snapshot),
        1 => Just(Message::Load),
        1 => write().prop_map(|(at, bytes)| Message::Write(at, bytes)),
    ];
    proptest::collection::vec(message, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn messages_change_the_heap_as_a_vector_would(messages in messages()) {
        let mut canister = Canister::with_module(module(POKE));
        let mut model = vec![0u8; 3 * 65_536];
        let mut snapshot = (canister.state.clone(), model.clone());
        let arg = |at: u32, bytes: &[u8]| [&at.to_le_bytes()[..], bytes].concat();
        for message in messages {
            match message {
                Message::Update(at, bytes) => {
                    canister.update("poke", &arg(at, &bytes)).unwrap();
                    model[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
                }
                Message::Trap(at, bytes) => {
                    canister.update("poke_and_trap", &arg(at, &bytes)).unwrap_err();
                }
                Message::Query(at, bytes) => {
                    canister.query("poke_in_query", &arg(at, &bytes)).unwrap();
                }
                Message::Snapshot => snapshot = (canister.state.clone(), model.clone()),
                Message::Load => (canister.state, model) = snapshot.clone(),
                Message::Write(at, bytes) => {
                    canister.state.heap.write(at.into(), &bytes).unwrap();
                    model[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
                }
            }
        }
        for (state, model) in [(canister.state, model), snapshot] {
            let mut heap = vec![0xAA; model.len()];
            state.heap.read(0, &mut heap).unwrap();
            prop_assert!(heap == model);
        }
    }
}

/// More than a process may usually open files.
const STATES: u32 = 1_200;

#[test]
fn a_thousand_states_of_one_canister_live_side_by_side() {
    let mut canister = Canister::with_module(module(POKE));
    let states: Vec<_> = (0..STATES)
        .map(|i| {
            let arg = [100u32, i].map(u32::to_le_bytes).concat();
            canister.update("poke", &arg).unwrap();
            canister.state.clone()
        })
        .collect();
    for index in [0, 1, STATES - 1] {
        let mut bytes = [0; 4];
        states[index as usize].heap.read(100, &mut bytes).unwrap();
        assert_eq!(bytes, index.to_le_bytes());
    }
}

#[test]
fn a_message_that_rewrites_most_of_the_heap_keeps_the_rest() {
    let wat = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
        (memory 160)
        (func (export "canister_update fill")
            (call $copy (i32.const 0) (i32.const 0) (i32.const 12))
            (memory.fill (i32.load (i32.const 0)) (i32.load (i32.const 8))
                (i32.load (i32.const 4)))
            (call $reply)))"#;
    let mut canister = Canister::install(wat);
    let mut model = vec![0u8; 160 * 65_536];
    let mut states = Vec::new();
    // Small writes all over, then most of it with holes left, then a small one again.
    let fills = [
        (4_000_000u32, 10u32, 1u32),
        (9_999_000, 5_000, 2),
        (100_000, 3_500_000, 3),
        (3_700_001, 6_000_000, 4),
        (5_000_000, 1, 5),
        (200, 10_000_000, 6),
    ];
    for (offset, length, value) in fills {
        let arg = [offset, length, value].map(u32::to_le_bytes).concat();
        canister.update("fill", &arg).unwrap();
        model[..12].copy_from_slice(&arg);
        model[offset as usize..(offset + length) as usize].fill(value as u8);
        states.push((canister.state.clone(), model.clone()));
    }
    for (state, model) in states {
        let mut heap = vec![0xAA; model.len()];
        state.heap.read(0, &mut heap).unwrap();
        assert!(heap == model);
    }
}
