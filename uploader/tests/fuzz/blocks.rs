//! Compressed data of all kinds, made by an encoder, by hand and damaged, against the decoder of lz4_flex.

use crate::campaign::Campaign;
use crate::data::compressed;
use crate::machine::{CONTROLLER, Machine, WRITERS};
use crate::model::Model;
use serde_bytes::Bytes;
use wire::limits::PAGE_LEN_BYTES;

/// Pages that stable memory may grow by.
const ROOM_PAGES: usize = 4;

#[test]
fn every_block_expands_or_is_refused_as_lz4_flex_does() {
    let Campaign { cases, mut dice } = Campaign::begin(12_000);
    let mut machines = WRITERS.map(Machine::load);
    let noise = dice.bytes(3 * PAGE_LEN_BYTES as usize);
    let mut accepted = 0;
    for _ in 0..cases {
        let number = dice.length(WRITERS.len());
        let machine = &mut machines[number];
        let (from, pages) = (dice.length(PAGE_LEN_BYTES as usize), dice.length(2));
        let mut model = Model {
            heap: noise[from..from + PAGE_LEN_BYTES as usize].to_vec(),
            stable: noise[..pages * PAGE_LEN_BYTES as usize].to_vec(),
            room_pages: ROOM_PAGES,
        };
        machine.hold(&model.heap, &model.stable, model.room_pages);
        let data = compressed(&mut dice);
        let offset = dice.below(70_000) >> dice.below(17);
        let arg = candid::encode_args((offset, Bytes::new(&data))).unwrap();
        let expected = model.update("stable_write_compressed", &arg);
        let export = "canister_update stable_write_compressed";
        let got = machine.send(export, &CONTROLLER, &arg);
        let same = match (&expected, &got) {
            (Ok(expected), Ok(got)) => expected == got,
            (Err(Some(text)), Err(got)) => got == text,
            _ => false,
        };
        let name = WRITERS[number];
        assert!(
            same,
            "{name} at {offset}: {data:?}: expected {expected:?}, got {got:?}"
        );
        if got.is_ok() {
            accepted += 1;
            assert!(machine.heap() == model.heap, "{name} at {offset}: {data:?}");
            assert!(
                machine.stable() == model.stable,
                "{name} at {offset}: {data:?}"
            );
        }
    }
    println!("{cases} blocks, {accepted} of them whole");
    assert!(cases < 1_000 || accepted * 3 > cases && accepted * 20 < cases * 19);
}
