//! What somebody wants written: plain bytes, and compressed ones made by an encoder, by hand and damaged.

use crate::dice::Dice;

/// The data of any write.
pub fn data(dice: &mut Dice) -> Vec<u8> {
    match dice.below(6) {
        0..3 => compressed(dice),
        3 => {
            let length = dice.length(100_000) >> dice.below(16);
            vec![dice.byte(); length]
        }
        _ => {
            let length = dice.length(3_000) >> dice.below(12);
            dice.bytes(length)
        }
    }
}

/// Contents that compress well, badly and not at all.
fn content(dice: &mut Dice) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..dice.below(5) {
        let length = dice.length(60_000) >> dice.below(16);
        match dice.below(4) {
            0 => content.extend(vec![dice.byte(); length]),
            1 => {
                let few = dice.bytes(length.min(2_000));
                content.extend(few);
            }
            2 => {
                // A pattern that repeats.
                let period = 1 + (dice.length(3_000) >> dice.below(12));
                let pattern = dice.bytes(period);
                content.extend(pattern.iter().cycle().take(length));
            }
            _ if !content.is_empty() => {
                // What was there before, a little changed.
                let from = dice.length(content.len());
                let mut again = content[from..].to_vec();
                again.truncate(length);
                if !again.is_empty() {
                    let at = dice.length(again.len());
                    again[at] ^= 1;
                }
                content.extend(again);
            }
            _ => {}
        }
    }
    content
}

/// Sequences put together by hand, with distances and lengths that no encoder would choose.
fn handmade(dice: &mut Dice) -> Vec<u8> {
    let mut block = Vec::new();
    let mut made_bytes = 0usize;
    let length = |dice: &mut Dice| match dice.below(6) {
        0..4 => dice.length(20),
        4 => dice.length(600),
        _ => dice.length(9_000),
    };
    for _ in 0..dice.below(12) {
        let literals = length(dice).max(usize::from(made_bytes == 0));
        let matched = length(dice);
        let nibble = |len: usize| len.min(15) as u8;
        block.push(nibble(literals) << 4 | nibble(matched));
        extend_length(&mut block, literals);
        block.extend(dice.bytes(literals));
        made_bytes += literals;
        let reach = made_bytes.min(65_535);
        let distance = match dice.below(16) {
            0..8 => 1 + dice.length(reach),
            8..12 => 1 + dice.length(reach.min(20)),
            12..15 => reach - dice.length(reach.min(20)),
            // Mostly too far back, or no distance at all.
            _ => dice.length(65_536),
        };
        block.extend((distance as u16).to_le_bytes());
        extend_length(&mut block, matched);
        made_bytes += matched + 4;
    }
    let literals = length(dice);
    block.push((literals.min(15) as u8) << 4);
    extend_length(&mut block, literals);
    block.extend(dice.bytes(literals));
    made_bytes += literals;
    [&(made_bytes as u32).to_le_bytes()[..], &block].concat()
}

/// The bytes of a length behind its nibble.
fn extend_length(block: &mut Vec<u8>, length: usize) {
    if let Some(mut rest) = length.checked_sub(15) {
        while rest >= 255 {
            block.push(255);
            rest -= 255;
        }
        block.push(rest as u8);
    }
}

/// The data of a compressed write, one time in four damaged.
pub fn compressed(dice: &mut Dice) -> Vec<u8> {
    let mut message = if dice.once_in(2) {
        lz4_flex::block::compress_prepend_size(&content(dice))
    } else {
        handmade(dice)
    };
    if dice.once_in(4) {
        for _ in 0..1 + dice.below(3) {
            let reach = 40 << dice.below(8);
            let at = dice.length(message.len().min(reach));
            match dice.below(5) {
                0 => message.truncate(at),
                1 => message.insert(at, dice.byte()),
                2 => message.push(dice.byte()),
                3 => message[at] ^= 1 << dice.below(8),
                _ => message[at] = dice.byte(),
            }
            if message.is_empty() {
                break;
            }
        }
    }
    message
}
