//! Random messages through the metered engine, which rolls back and commits as the IC does.
//!
//! The campaign of millions is `tests/fuzz`, on a bare engine; here some of its messages show that
//! nothing depends on that.

use crate::arguments::argument;
use crate::campaign::Campaign;
use crate::data::data;
use crate::harness::{Canister, READERS, noise};
use crate::model::Model;
use crate::updates::WRITERS;
use wire::limits::PAGE_LEN_BYTES;
use wire::methods::{READS, WRITES};

const PAGE: usize = PAGE_LEN_BYTES as usize;
/// Pages that the memories of a canister may grow by in one message.
const ROOM_PAGES: usize = 6;
/// Messages to each canister.
const LIFE_MESSAGES: u64 = 4;
/// Canisters.
const LIVES: u64 = 250;

#[test]
fn no_message_does_anything_that_the_model_does_not() {
    let Campaign { mut dice, .. } = Campaign::begin(LIVES);
    for _ in 0..LIVES {
        let name = dice.pick(&READERS);
        let mut model = Model {
            heap: noise(dice.length(3) * PAGE, 1),
            stable: noise(dice.length(3) * PAGE, 2),
            room_pages: ROOM_PAGES,
        };
        let mut canister = Canister::holding(name, &model.heap, &model.stable)
            .with_room_bytes(ROOM_PAGES as u64 * PAGE_LEN_BYTES);
        for _ in 0..LIFE_MESSAGES {
            let write = dice.once_in(2);
            let method = dice.pick(if write { &WRITES[..] } else { &READS });
            let arg = argument(&mut dice, method, data);
            let (expected, got) = if !write {
                let got = if dice.once_in(2) {
                    canister.replicated_query(method, &arg)
                } else {
                    canister.query(method, &arg)
                };
                (model.query(method, &arg), got.result)
            } else if WRITERS.contains(&name) {
                let expected = model.update(method, &arg);
                (expected, canister.update(method, &arg).result)
            } else {
                let expected = Err(Some("has no update method"));
                (expected, canister.update(method, &arg).result)
            };
            let same = match (&expected, &got) {
                (Ok(expected), Ok(got)) => expected == got,
                (Err(Some(text)), Err(got)) => got.contains(text),
                (Err(None), Err(_)) => true,
                _ => false,
            };
            assert!(
                same,
                "{name} {method} {arg:?}: expected {expected:?}, got {got:?}"
            );
            assert!(
                canister.heap() == model.heap && canister.stable() == model.stable,
                "{name} {method} {arg:?} left other memories"
            );
        }
    }
}
