//! No argument bytes do anything but what the model does, to either memory or to the reply.
//!
//! `PAIR_FUZZ_CASES` sets the number of cases; the default keeps the suite short.

use crate::compressed::compress;
use crate::harness::{Canister, READERS, noise};
use crate::model::{Model, Refusal};
use crate::updates::WRITERS;
use proptest::prelude::*;
use wire::limits::PAGE_LEN_BYTES;

const PAGE: u64 = PAGE_LEN_BYTES;
/// Pages that the memories of a canister may grow by in one message.
const ROOM_PAGES: usize = 6;

fn config() -> ProptestConfig {
    let cases = std::env::var("PAIR_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(400),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Numbers that matter: small, around pages, huge.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..200u64,
        4 => 0..4 * PAGE,
        3 => (0..5u64, 0..3u64).prop_map(|(page, near)| (page * PAGE).saturating_add(near) - near.min(1)),
        1 => any::<u64>(),
        1 => (0..2_000u64).prop_map(|below| u64::MAX - below),
    ]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let plain = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (0..3_000usize, any::<u64>()).prop_map(|(length, seed)| noise(length, seed)),
        (0..100_000usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    let parts = prop::collection::vec(plain, 0..4).prop_map(|parts| parts.concat());
    (parts, 0..4, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(parts, form, at, byte)| {
        match form {
            0 => parts,
            1 => compress(&parts),
            // Compressed and damaged.
            _ => {
                let mut block = compress(&parts);
                let at = at.index(block.len());
                block[at] = byte;
                block
            }
        }
    })
}

/// Arguments of all signatures, whole, damaged and made up.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![
        1 => Just(candid::encode_args(()).unwrap()),
        3 => (number(), number()).prop_map(|numbers| candid::encode_args(numbers).unwrap()),
        3 => (number(), number(), 0..20u64)
            .prop_map(|numbers| candid::encode_args(numbers).unwrap()),
        6 => (number(), data()).prop_map(|write| candid::encode_args(write).unwrap()),
    ];
    let damage = prop_oneof![
        8 => Just(None),
        1 => (any::<prop::sample::Index>(), any::<u8>(), 0..3).prop_map(Some),
    ];
    prop_oneof![
        12 => (whole, damage).prop_map(|(mut arg, damage)| {
            if let Some((at, byte, kind)) = damage {
                // Mostly in the header, where every byte counts.
                let at = at.index(arg.len().min(24));
                match kind {
                    0 => arg[at] = byte,
                    1 => arg.truncate(at),
                    _ => arg.insert(at, byte),
                }
            }
            arg
        }),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

#[derive(Clone, Debug)]
struct Message {
    method: &'static str,
    replicated: bool,
    arg: Vec<u8>,
}

fn message() -> impl Strategy<Value = Message> {
    let methods = [&wire::methods::READS[..], &wire::methods::WRITES[..]].concat();
    (prop::sample::select(methods), any::<bool>(), argument()).prop_map(
        |(method, replicated, arg)| Message {
            method,
            replicated,
            arg,
        },
    )
}

fn agree(message: &Message, expected: Result<Vec<u8>, Refusal>, got: Result<Vec<u8>, String>) {
    match (expected, got) {
        (Ok(expected), Ok(got)) => assert!(expected == got, "{message:?}: another reply"),
        (Err(Some(text)), Err(got)) => assert!(got.contains(text), "{message:?}: {got}"),
        (Err(None), Err(_)) => {}
        (expected, got) => panic!("{message:?}: {expected:?} expected, got {got:?}"),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_message_does_anything_that_the_model_does_not(
        name in prop::sample::select(&READERS[..]),
        heap_pages in 0..3usize,
        stable_pages in 0..3usize,
        messages in prop::collection::vec(message(), 1..6),
    ) {
        let mut model = Model {
            heap: noise(heap_pages * PAGE as usize, 1),
            stable: noise(stable_pages * PAGE as usize, 2),
            room_pages: ROOM_PAGES,
        };
        let mut canister = Canister::holding(name, &model.heap, &model.stable)
            .with_room_bytes(ROOM_PAGES as u64 * PAGE);
        for message in &messages {
            let Message { method, replicated, arg } = message;
            if wire::methods::READS.contains(method) {
                let expected = model.query(method, arg);
                let answer = if *replicated {
                    canister.replicated_query(method, arg)
                } else {
                    canister.query(method, arg)
                };
                agree(message, expected, answer.result);
            } else if WRITERS.contains(&name) {
                let expected = model.update(method, arg);
                agree(message, expected, canister.update(method, arg).result);
            } else {
                let answer = canister.update(method, arg);
                prop_assert!(answer.result.is_err_and(|text| text.contains("has no update method")));
            }
            prop_assert!(model.agrees_with(&canister), "{message:?} left other memories");
        }
    }
}
