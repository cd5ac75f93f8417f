//! No argument bytes, from whatever caller, change a memory except through an accepted write.
//!
//! Every message goes to the built module and to the model, which decodes and encodes with the candid
//! crate: the replies and the refusals must be the same, and after an accepted write both memories.
//! A query may scribble in the heap, which the system discards; it must not touch stable memory.

use crate::arguments::argument;
use crate::campaign::Campaign;
use crate::data::data;
use crate::dice::Dice;
use crate::machine::{CONTROLLER, Machine, READERS, WRITERS};
use crate::model::{Model, Refusal};
use wire::limits::PAGE_LEN_BYTES;
use wire::methods::{READS, WRITES};

/// Messages that memories live through before they are replaced.
const LIFE_MESSAGES: u64 = 12;
/// Pages that the memories of a canister may grow by in one message.
const ROOM_PAGES: usize = 4;

const STRANGERS: [&[u8]; 5] = [&[], &[4], &[7; 28], &[8; 29], &[7; 40]];

fn memories(dice: &mut Dice, noise: &[u8]) -> Model {
    let mut memory = || {
        let length = dice.length(3) * PAGE_LEN_BYTES as usize;
        let from = dice.length(noise.len() - length);
        noise[from..from + length].to_vec()
    };
    Model {
        heap: memory(),
        stable: memory(),
        room_pages: ROOM_PAGES,
    }
}

fn agree(expected: &Result<Vec<u8>, Refusal>, got: &Result<Vec<u8>, String>) -> bool {
    match (expected, got) {
        (Ok(expected), Ok(got)) => expected == got,
        (Err(Some(text)), Err(got)) => got == text,
        (Err(None), Err(_)) => true,
        _ => false,
    }
}

#[test]
fn no_argument_changes_anything_but_through_an_accepted_write() {
    let Campaign { cases, mut dice } = Campaign::begin(20_000);
    let noise = dice.bytes(16 * PAGE_LEN_BYTES as usize);
    let mut machines = READERS.map(Machine::load);
    let (mut writes, mut reads) = (0, 0);
    let mut model = memories(&mut dice, &noise);
    let mut number = 0;
    for case in 0..cases {
        if case % LIFE_MESSAGES == 0 {
            model = memories(&mut dice, &noise);
            number = dice.length(READERS.len());
        }
        let machine = &mut machines[number];
        machine.hold(&model.heap, &model.stable, model.room_pages);
        let may_write = WRITERS.contains(&READERS[number]);
        let write = may_write && dice.once_in(2);
        let stranger = dice.once_in(32).then(|| dice.pick(&STRANGERS));
        let caller = stranger.unwrap_or(&CONTROLLER);
        let before = stranger.map(|_| model.clone());
        let method = dice.pick(if write { &WRITES[..] } else { &READS });
        let arg = argument(&mut dice, method, data);
        let kind = if write { "update" } else { "query" };

        let mut expected = if write {
            model.update(method, &arg)
        } else {
            model.query(method, &arg)
        };
        if let Some(before) = before {
            model = before;
            expected = Err(Some("only a controller may call this"));
        }
        let got = machine.send(&format!("canister_{kind} {method}"), caller, &arg);
        let what = || format!("{} {method} {arg:?} by {caller:?}", READERS[number]);
        assert!(
            agree(&expected, &got),
            "{}: expected {expected:?}, got {got:?}",
            what()
        );
        if write && got.is_ok() {
            assert!(machine.heap() == model.heap, "{}: heap", what());
            assert!(machine.stable() == model.stable, "{}: stable", what());
        } else if !write {
            assert!(!machine.stable_touched(), "{}: stable", what());
        }
        writes += u64::from(write && got.is_ok());
        reads += u64::from(!write && got.is_ok());
    }
    println!("{cases} messages: {reads} reads and {writes} writes accepted");
    assert!(cases < 1_000 || reads * 10 > cases && writes * 20 > cases);
}
