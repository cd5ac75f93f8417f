//! One LZ4 block from the message into stable memory, through two small windows.
//!
//! ```text
//! block      sequence … sequence
//! sequence   token   4 bits literals, 4 bits match length - 4; 15 continues in bytes of 255
//!            …       more of the literals' length
//!            …       literals
//!            u16     distance of the match, back from here; absent at the end of the block
//!            …       more of the match's length
//! ```
//!
//! A match may reach further back than any window holds. What has left the output window already
//! lies in stable memory, so it is read from there: the output is its own dictionary. The
//! decoder accepts a block that ends with literals exactly at the announced length; everything
//! else is refused, and a refusal undoes what was written.

use crate::endpoints::WINDOW_LEN_BYTES;
use crate::system::stable64_write;
use downloader::refuse;
use downloader::scratch::AT;
use downloader::system::{load8, load64, msg_arg_data_copy, stable64_read, store64};

/// The input window.
const IN: usize = AT;
const IN_LEN_BYTES: usize = 256;
/// The output window. Copies move 8 bytes at a time and may write that much beyond its end.
const OUT: usize = IN + IN_LEN_BYTES;
const OUT_LEN_BYTES: usize = WINDOW_LEN_BYTES - IN_LEN_BYTES - 8;

/// Shortest match that the format knows.
const MATCH_LEN_MIN_BYTES: u64 = 4;

/// Decompresses bytes `data_at..data_end` of the argument to `offset` of stable memory, where
/// there is place for `expanded_len_bytes`.
#[inline(always)]
pub fn expand(mut data_at: usize, data_end: usize, offset: u64, expanded_len_bytes: u64) {
    // Unread input: from `input` to `input_end` in its window, then from `data_at` in the message.
    let mut input = IN;
    let mut input_end = IN;
    // Output so far, and how much of it is still in its window.
    let mut made_bytes = 0u64;
    let mut pending_bytes = 0;

    macro_rules! need_input {
        () => {
            if input == input_end {
                let part = fill(data_at, data_end);
                data_at += part;
                input = IN;
                input_end = IN + part;
            }
        };
    }
    macro_rules! next_byte {
        () => {{
            need_input!();
            let byte = u64::from(load8(input));
            input += 1;
            byte
        }};
    }
    macro_rules! length {
        ($nibble:expr) => {{
            let mut length: u64 = $nibble;
            if length == 15 {
                loop {
                    let byte = next_byte!();
                    length += byte;
                    if byte != 255 {
                        break;
                    }
                }
            }
            length
        }};
    }
    macro_rules! need_output {
        () => {
            if pending_bytes == OUT_LEN_BYTES {
                flush(offset, made_bytes, pending_bytes);
                pending_bytes = 0;
            }
        };
    }

    loop {
        let token = next_byte!();

        let mut literals = length!(token >> 4);
        if literals > expanded_len_bytes - made_bytes {
            refuse::malformed_block();
        }
        while literals > 0 {
            need_input!();
            need_output!();
            let room = min(input_end - input, OUT_LEN_BYTES - pending_bytes);
            let part = min(room, literals as usize);
            copy(OUT + pending_bytes, input, part);
            input += part;
            pending_bytes += part;
            made_bytes += part as u64;
            literals -= part as u64;
        }
        if input == input_end && data_at == data_end {
            break;
        }

        let distance = next_byte!() | next_byte!() << 8;
        let mut matched = length!(token & 15) + MATCH_LEN_MIN_BYTES;
        if distance == 0 || distance > made_bytes || matched > expanded_len_bytes - made_bytes {
            refuse::malformed_block();
        }
        let origin = made_bytes - distance;
        while matched > 0 {
            need_output!();
            // Everything from `origin` on repeats after `distance`; the longest whole number of
            // repetitions lets a short distance be copied in long parts.
            let known = made_bytes - origin;
            let from = origin + known % distance;
            let flushed_bytes = made_bytes - pending_bytes as u64;
            let room = min(OUT_LEN_BYTES - pending_bytes, matched as usize);
            let part = if from < flushed_bytes {
                let part = min(room, (flushed_bytes - from) as usize);
                stable64_read((OUT + pending_bytes) as u64, offset + from, part as u64);
                part
            } else {
                let part = min(room, (made_bytes - from) as usize);
                copy(
                    OUT + pending_bytes,
                    OUT + (from - flushed_bytes) as usize,
                    part,
                );
                part
            };
            pending_bytes += part;
            made_bytes += part as u64;
            matched -= part as u64;
        }
    }

    if made_bytes != expanded_len_bytes {
        refuse::malformed_block();
    }
    flush(offset, made_bytes, pending_bytes);
}

/// Fills the input window, and returns how much is in it now: at least a byte.
#[inline(never)]
fn fill(data_at: usize, data_end: usize) -> usize {
    let part = min(IN_LEN_BYTES, data_end - data_at);
    if part == 0 {
        refuse::malformed_block();
    }
    msg_arg_data_copy(IN, data_at, part);
    part
}

/// Writes the output window behind what left it before.
#[inline(always)]
fn flush(offset: u64, made_bytes: u64, pending_bytes: usize) {
    stable64_write(
        offset + made_bytes - pending_bytes as u64,
        OUT as u64,
        pending_bytes as u64,
    );
}

/// Copies within the windows, 8 bytes at a time: up to 7 bytes behind the target's end are
/// overwritten. The source ends at or before the target's start.
#[inline(always)]
fn copy(to: usize, from: usize, len_bytes: usize) {
    let mut done = 0;
    while done < len_bytes {
        store64(to + done, load64(from + done));
        done += 8;
    }
}

#[inline(always)]
fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}
