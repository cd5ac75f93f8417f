//! SHA-256's compression function for one block of each of four lanes.
//!
//! Eight rounds are written out and run eight times: the smallest code after which every value is
//! back in the local that it came from, without a stack in memory. Only the two halves of the
//! message schedule have to change places in between.

use super::constants::K;
use crate::wasm::{
    i8x16, i8x16_add, i8x16_shuffle, i8x16_splat, i8x16_sub, i8x16_swizzle, i32x4_shuffle, u32x4,
    u32x4_add, u32x4_shl, u32x4_shr, v128, v128_bitselect, v128_or, v128_xor,
};

/// Rows of four words to columns, with the bytes of every word reversed.
#[inline(always)]
pub fn transpose([r0, r1, r2, r3]: [v128; 4]) -> [v128; 4] {
    let low01 = i32x4_shuffle::<0, 4, 1, 5>(r0, r1);
    let low23 = i32x4_shuffle::<0, 4, 1, 5>(r2, r3);
    let high01 = i32x4_shuffle::<2, 6, 3, 7>(r0, r1);
    let high23 = i32x4_shuffle::<2, 6, 3, 7>(r2, r3);
    let even = |a, b| i8x16_shuffle::<3, 2, 1, 0, 7, 6, 5, 4, 19, 18, 17, 16, 23, 22, 21, 20>(a, b);
    let odd =
        |a, b| i8x16_shuffle::<11, 10, 9, 8, 15, 14, 13, 12, 27, 26, 25, 24, 31, 30, 29, 28>(a, b);
    [
        even(low01, low23),
        odd(low01, low23),
        even(high01, high23),
        odd(high01, high23),
    ]
}

/// One round for four lanes; the names rotate from round to round instead of the values.
macro_rules! round {
    ($pick:ident $w:ident $j:literal:
        $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let early = const { u32x4(K[$j], K[8 + $j], K[16 + $j], K[24 + $j]) };
        let late = const { u32x4(K[32 + $j], K[40 + $j], K[48 + $j], K[56 + $j]) };
        // A place that a vector does not have gives zero.
        let constant = v128_or(
            i8x16_swizzle(early, $pick),
            i8x16_swizzle(late, i8x16_sub($pick, i8x16_splat(16))),
        );
        let sum = u32x4_add(u32x4_add($h, $w[$j]), constant);
        let sum = u32x4_add(sum, v128_bitselect($f, $g, $e));
        let sum = u32x4_add(
            sum,
            xor3(rotate::<6>($e), rotate::<11>($e), rotate::<25>($e)),
        );
        $d = u32x4_add($d, sum);
        let sum = u32x4_add(sum, v128_bitselect($c, $b, v128_xor($a, $b)));
        $h = u32x4_add(
            sum,
            xor3(rotate::<2>($a), rotate::<13>($a), rotate::<22>($a)),
        );
    };
}

/// One word of the message schedule, in the place of the word 16 before it.
macro_rules! extend {
    ($w:ident $($j:literal)*) => {$(
        let early = $w[($j + 1) % 16];
        let late = $w[($j + 14) % 16];
        let early = xor3(rotate::<7>(early), rotate::<18>(early), u32x4_shr(early, 3));
        let late = xor3(rotate::<17>(late), rotate::<19>(late), u32x4_shr(late, 10));
        $w[$j] = u32x4_add(u32x4_add($w[$j], $w[($j + 9) % 16]), u32x4_add(early, late));
    )*};
}

/// Lets the words of the next pass take the places of this one's, and the other way round.
macro_rules! swap_halves {
    ($w:ident $($j:literal)*) => {$(
        $w.swap($j, $j + 8);
    )*};
}

/// Takes a block of each lane into the state.
#[inline(always)]
pub fn compress(state: &mut [v128; 8], mut w: [v128; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    // Bytes of the round constant of this pass, in two vectors that hold one for each pass.
    let mut pick = i8x16(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    let mut passes_left = 8;
    loop {
        round!(pick w 0: a b c d e f g h);
        round!(pick w 1: h a b c d e f g);
        round!(pick w 2: g h a b c d e f);
        round!(pick w 3: f g h a b c d e);
        round!(pick w 4: e f g h a b c d);
        round!(pick w 5: d e f g h a b c);
        round!(pick w 6: c d e f g h a b);
        round!(pick w 7: b c d e f g h a);
        passes_left -= 1;
        if passes_left == 0 {
            break;
        }
        pick = i8x16_add(pick, i8x16_splat(4));
        // The last two passes take words that exist already.
        if passes_left > 1 {
            extend!(w 0 1 2 3 4 5 6 7);
        }
        swap_halves!(w 0 1 2 3 4 5 6 7);
    }
    let added = [a, b, c, d, e, f, g, h];
    let mut index = 0;
    while index < 8 {
        state[index] = u32x4_add(state[index], added[index]);
        index += 1;
    }
}

#[inline(always)]
fn rotate<const N: u32>(x: v128) -> v128 {
    v128_or(u32x4_shr(x, N), u32x4_shl(x, 32 - N))
}

#[inline(always)]
fn xor3(x: v128, y: v128, z: v128) -> v128 {
    v128_xor(v128_xor(x, y), z)
}
