//! Refusals: short texts, trapped, so that nothing of a refused message remains.
//!
//! A text cannot lie in a data segment (those are not applied over a kept heap), so it is part of
//! the code and stored word by word.

use crate::scratch::AT;
use crate::system::{store64, trap};

/// Eight bytes of a text, padded with zeros.
const fn word(text: &str, index: usize) -> u64 {
    let text = text.as_bytes();
    let mut word = 0;
    let mut byte = 0;
    while byte < 8 && 8 * index + byte < text.len() {
        word |= (text[8 * index + byte] as u64) << (8 * byte);
        byte += 1;
    }
    word
}

/// Traps with a text of at most 32 bytes.
#[cold]
#[inline(never)]
fn refuse(first: u64, second: u64, third: u64, fourth: u64, len_bytes: usize) -> ! {
    store64(AT, first);
    store64(AT + 8, second);
    store64(AT + 16, third);
    store64(AT + 24, fourth);
    trap(AT, len_bytes)
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        #[cold]
        #[inline(never)]
        pub fn $name() -> ! {
            const { assert!($text.len() <= 32) };
            refuse(
                const { word($text, 0) },
                const { word($text, 1) },
                const { word($text, 2) },
                const { word($text, 3) },
                $text.len(),
            )
        }
    )*};
}

refusals! {
    /// The caller does not control this canister.
    not_a_controller = "only a controller may call this";
    /// The argument is not what a standard encoder makes for the signature.
    malformed_argument = "malformed candid argument";
    /// The range does not lie within the memory.
    out_of_range = "range lies outside the memory";
    /// More than a query's reply holds.
    too_long = "more than a reply can hold";
    /// Chunks of no length.
    zero_chunk_length = "chunk length must not be 0";
    /// No memory left for what would have to grow.
    cannot_grow = "memory cannot grow that far";
    /// A compressed write that does not decompress to the length it announces.
    malformed_block = "malformed compressed data";
    /// A compressed write that announces more than one message may write.
    block_too_long = "decompressed data too long";
}
