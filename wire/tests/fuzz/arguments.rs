//! Argument bytes: of every signature, of its relatives, damaged, and made up.

use crate::dice::Dice;
use candid::utils::ArgumentEncoder;
use candid::{Int, Nat, Reserved};
use serde_bytes::ByteBuf;

const PAGE: u64 = 65_536;

/// Header bytes, where every one counts: where damage is done.
const HEAD_LEN_BYTES: usize = 28;

/// Numbers that matter: small, around pages, huge.
pub fn number(dice: &mut Dice) -> u64 {
    match dice.below(13) {
        0..4 => dice.below(200),
        4..8 => dice.below(4 * PAGE),
        8..11 => (dice.below(5) * PAGE + dice.below(3)).saturating_sub(1),
        11 => dice.number(),
        _ => u64::MAX - dice.below(2_000),
    }
}

/// The bytes of an argument for a method, often of another one's; `data` makes those of a blob.
pub fn argument(dice: &mut Dice, method: &str, data: impl FnOnce(&mut Dice) -> Vec<u8>) -> Vec<u8> {
    let fitting = match method {
        "stable_size" | "heap_size" => 0,
        "stable_read" | "heap_read" => 1,
        "stable_sha256" | "heap_sha256" => 5,
        _ => 9,
    };
    let kind = if dice.once_in(4) {
        dice.below(20)
    } else {
        fitting
    };
    let mut arg = match kind {
        0 => encode(()),
        1..5 => encode((number(dice), number(dice))),
        5..9 => {
            let count = if dice.once_in(16) {
                number(dice)
            } else {
                dice.below(20)
            };
            encode((number(dice), number(dice), count))
        }
        9..17 => {
            let offset = number(dice);
            encode((offset, ByteBuf::from(data(dice))))
        }
        17 => reply(dice),
        18 => relative(dice),
        _ => {
            let length = dice.length(60);
            let made_up = dice.bytes(length);
            let magic = if dice.once_in(4) { &b""[..] } else { b"DIDL" };
            [magic, &made_up].concat()
        }
    };
    while dice.once_in(5) {
        damage(dice, &mut arg);
    }
    arg
}

fn encode(value: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(value).unwrap()
}

/// What is a reply's type and no argument's.
fn reply(dice: &mut Dice) -> Vec<u8> {
    if dice.once_in(2) {
        encode((number(dice),))
    } else {
        let length = dice.length(300);
        encode((ByteBuf::from(dice.bytes(length)),))
    }
}

/// What a client with a slightly different interface sends.
fn relative(dice: &mut Dice) -> Vec<u8> {
    let (first, second) = (number(dice), number(dice));
    match dice.below(9) {
        0 => encode((Nat::from(first), Nat::from(second))),
        1 => encode((first as i64, second as i64)),
        2 => encode((first as u32, second as u32)),
        3 => encode((first, Some(second))),
        4 => encode((first, second.to_string())),
        5 => encode((Int::from(first), ByteBuf::from(second.to_le_bytes()))),
        6 => encode((first, vec![second as u16])),
        7 => encode((first, second, first, second)),
        _ => encode((Reserved, first, second)),
    }
}

/// Changes a few bytes, mostly where every one counts.
fn damage(dice: &mut Dice, arg: &mut Vec<u8>) {
    let reach = if dice.once_in(8) {
        arg.len()
    } else {
        arg.len().min(HEAD_LEN_BYTES)
    };
    let at = dice.length(reach + 1);
    match dice.below(7) {
        0 => arg.truncate(at),
        1 => arg.insert(at, dice.byte()),
        2 => arg.push(dice.byte()),
        // A length in more bytes than it needs: each but the last says that another follows.
        3 => arg.insert(at, 0x80),
        4 if at < arg.len() => {
            arg.remove(at);
        }
        5 if at < arg.len() => arg[at] ^= 1 << dice.below(8),
        _ if at < arg.len() => arg[at] = dice.byte(),
        _ => {}
    }
}
