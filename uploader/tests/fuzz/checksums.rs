//! The pair's SHA-256 against the sha2 crate: random memories, random cuts.

use crate::campaign::Campaign;
use crate::dice::Dice;
use crate::machine::{CONTROLLER, Machine, READERS};
use crate::model::Model;
use wire::limits::PAGE_LEN_BYTES;

/// Cuts of the same memory.
const CUTS: u64 = 64;
/// Bytes that one message may ask for, at most.
const ASKED_MAX_BYTES: u64 = 160_000;

/// Noise, or zeros with a few bits set: groups of zeros take a shortcut.
fn memory(dice: &mut Dice) -> Vec<u8> {
    let length = (dice.length(4) + 1) * PAGE_LEN_BYTES as usize;
    if dice.once_in(2) {
        return dice.bytes(length);
    }
    let mut memory = vec![0; length];
    for _ in 0..dice.below(6) {
        let at = dice.length(length);
        memory[at] = 1 << dice.below(8);
    }
    memory
}

/// Offset, length and number of chunks that lie in a memory; lengths around blocks more often.
fn cut(dice: &mut Dice, memory_len_bytes: u64) -> (u64, u64, u64) {
    let chunk_len_bytes = match dice.below(8) {
        0..3 => 1 + dice.below(300),
        3 => 64 * (1 + dice.below(40)),
        4 => 8_192 - 70 + dice.below(140),
        5 => 1 + dice.below(20_000),
        6 => 1 + (dice.below(ASKED_MAX_BYTES) >> dice.below(8)),
        // One chunk, cut short.
        _ => memory_len_bytes.saturating_add(dice.number() >> dice.below(64)),
    };
    let from_end_bytes = 1 + (dice.below(memory_len_bytes) >> dice.below(12));
    let offset = if dice.once_in(2) {
        memory_len_bytes - from_end_bytes
    } else {
        from_end_bytes - 1
    };
    let available = (memory_len_bytes - offset).div_ceil(chunk_len_bytes);
    let affordable = (ASKED_MAX_BYTES / chunk_len_bytes).clamp(1, 14);
    (
        offset,
        chunk_len_bytes,
        dice.below(available.min(affordable) + 1),
    )
}

#[test]
fn every_cut_of_every_memory_has_the_digests_of_the_sha2_crate() {
    let Campaign { cases, mut dice } = Campaign::begin(8_000);
    let mut machines = READERS.map(Machine::load);
    let mut model = Model {
        heap: Vec::new(),
        stable: Vec::new(),
        room_pages: 1,
    };
    let (mut number, mut chunks) = (0, 0);
    for case in 0..cases {
        if case % CUTS == 0 {
            model.heap = memory(&mut dice);
            model.stable = memory(&mut dice);
            number = dice.length(READERS.len());
        }
        let machine = &mut machines[number];
        let (method, memory) = if dice.once_in(2) {
            ("heap_sha256", &model.heap)
        } else {
            ("stable_sha256", &model.stable)
        };
        let cut = cut(&mut dice, memory.len() as u64);
        let arg = candid::encode_args(cut).unwrap();
        machine.hold(&model.heap, &model.stable, model.room_pages);
        let got = machine.send(&format!("canister_query {method}"), &CONTROLLER, &arg);
        let expected = model.query(method, &arg).unwrap();
        assert!(
            got.as_ref() == Ok(&expected),
            "{} {method} {cut:?} of {} bytes: {got:?}",
            READERS[number],
            memory.len()
        );
        chunks += cut.2;
    }
    println!("{cases} cuts, {chunks} chunks");
    assert!(chunks >= cases / 2);
}
