//! SHA-256 of four chunks at a time, one in each 32-bit lane of a vector.
//!
//! Chunks are hashed independently, so four of them advance together: every operation of the
//! algorithm (FIPS 180-4) is one vector instruction for four blocks. Constants are part of the
//! code; the state and the message schedule live in locals.
//!
//! ```text
//! chunk 0  [block][block]...[tail ‖ padding]      lane 0
//! chunk 1  [block][block]...[tail ‖ padding]      lane 1
//! chunk 2  [block][block]...[tail ‖ padding]      lane 2
//! chunk 3  [block][block]...[tail ‖ padding]      lane 3
//! ```
//!
//! A group that is zeros gets the digests of the first such group: sparse memories are common.
//! A group of fewer than four chunks repeats its last one in the idle lanes, which costs
//! instructions and no code. A chunk cut short at the end of memory is a group of its own, because
//! all lanes take the same number of blocks.
//!
//! The heap is hashed where it lies, without a copy, and a tail is completed with its padding in
//! vectors: nothing is written before a group's digests are.

mod block;
mod constants;

use block::{compress, transpose};
use constants::H;
use core::cmp::min;

use crate::scratch::{AT, LEN_BYTES, borrow};
use crate::system::{Source, load128, msg_reply_data_append, stable64_read, store128};
use crate::wasm::{
    i8x16, i8x16_add, i8x16_eq, i8x16_lt, i8x16_splat, i8x16_swizzle, u32x4_splat, v128, v128_and,
    v128_any_true, v128_or,
};
use wire::limits::{DIGEST_LEN_BYTES, HASH_LANES, PAGE_LEN_BYTES};

/// Bytes that one step of the algorithm takes in.
const BLOCK_LEN_BYTES: u64 = 64;

/// Part of a stable chunk that is in memory at a time, a window for each lane.
const WINDOW_LEN_BYTES: u64 = 8_192;
/// Where the windows begin, one behind the other.
const WINDOWS_AT: u64 = 1_024;

const _: () = {
    assert!(WINDOW_LEN_BYTES.is_multiple_of(BLOCK_LEN_BYTES));
    assert!(WINDOWS_AT >= (AT + LEN_BYTES) as u64);
    assert!(WINDOWS_AT + HASH_LANES * WINDOW_LEN_BYTES <= PAGE_LEN_BYTES);
    assert!(HASH_LANES * DIGEST_LEN_BYTES <= LEN_BYTES as u64);
};

/// Appends the digests of `count` chunks to the reply. All of them begin within the memory.
///
/// Where a whole group is zeros, its digests are those of the first such group.
#[inline(always)]
pub fn append_digests(
    source: Source,
    memory_len_bytes: u64,
    mut offset: u64,
    chunk_len_bytes: u64,
    mut count: u64,
) {
    let mut zeros_known = false;
    let mut zeros = [u32x4_splat(0); 2];
    while count > 0 {
        let left_bytes = memory_len_bytes - offset;
        let mut lanes = 1;
        let mut len_bytes = left_bytes;
        let mut is_zero = false;
        if left_bytes >= chunk_len_bytes {
            lanes = min(HASH_LANES, min(count, left_bytes / chunk_len_bytes));
            len_bytes = chunk_len_bytes;
            is_zero = all_zero(source, offset, lanes * chunk_len_bytes);
        }
        let (first, second) = if is_zero && zeros_known {
            ([zeros[0]; 4], [zeros[1]; 4])
        } else {
            let group = Group {
                offset,
                stride_bytes: chunk_len_bytes,
                len_bytes,
                lanes,
            };
            hash(source, memory_len_bytes, group)
        };
        if is_zero {
            zeros_known = true;
            zeros = [first[0], second[0]];
        }
        append(first, second, lanes);
        offset = offset.wrapping_add(lanes.wrapping_mul(chunk_len_bytes));
        count -= lanes;
    }
}

/// Appends the first `lanes` digests of a group, each in two halves.
#[inline(always)]
fn append(first: [v128; 4], second: [v128; 4], lanes: u64) {
    borrow::<8, _>(|| {
        store128(AT, first[0]);
        store128(AT + 16, second[0]);
        store128(AT + 32, first[1]);
        store128(AT + 48, second[1]);
        store128(AT + 64, first[2]);
        store128(AT + 80, second[2]);
        store128(AT + 96, first[3]);
        store128(AT + 112, second[3]);
        msg_reply_data_append(AT, (lanes * DIGEST_LEN_BYTES) as usize);
    });
}

/// Whether a range is zeros. Ends at the first part that is not, so that memory in use is hardly
/// read twice; a range that is no whole number of blocks is not looked at.
#[inline(always)]
fn all_zero(source: Source, mut offset: u64, mut left_bytes: u64) -> bool {
    if !left_bytes.is_multiple_of(BLOCK_LEN_BYTES) {
        return false;
    }
    while left_bytes > 0 {
        let part_bytes = min(WINDOW_LEN_BYTES, left_bytes);
        let mut at = match source {
            Source::Stable => {
                stable64_read(WINDOWS_AT, offset, part_bytes);
                WINDOWS_AT as usize
            }
            Source::Heap => offset as usize,
        };
        let end = at.wrapping_add(part_bytes as usize);
        let mut bits = u32x4_splat(0);
        while at != end {
            let low = v128_or(load128(at), load128(at.wrapping_add(16)));
            let high = v128_or(load128(at.wrapping_add(32)), load128(at.wrapping_add(48)));
            bits = v128_or(bits, v128_or(low, high));
            at = at.wrapping_add(BLOCK_LEN_BYTES as usize);
        }
        if v128_any_true(bits) {
            return false;
        }
        offset += part_bytes;
        left_bytes -= part_bytes;
    }
    true
}

/// Up to four chunks of one length, hashed together.
#[derive(Clone, Copy)]
struct Group {
    offset: u64,
    stride_bytes: u64,
    len_bytes: u64,
    lanes: u64,
}

/// The digests of a group: their first halves, their second halves.
#[inline(always)]
fn hash(source: Source, memory_len_bytes: u64, group: Group) -> ([v128; 4], [v128; 4]) {
    let Group {
        offset,
        stride_bytes,
        len_bytes,
        lanes,
    } = group;
    // How far the chunk of each lane lies behind the first; idle lanes repeat the last one.
    let lane = |lane: u64| min(lane, lanes - 1);
    let (lane1, lane2, lane3) = (lane(1), lane(2), lane(3));
    let (mut p0, mut p1, mut p2, mut p3, readable_bytes) = match source {
        Source::Stable => (0, 0, 0, 0, PAGE_LEN_BYTES),
        Source::Heap => {
            let at = |lane: u64| offset.wrapping_add(lane.wrapping_mul(stride_bytes)) as usize;
            (at(0), at(lane1), at(lane2), at(lane3), memory_len_bytes)
        }
    };
    // The last place where a vector can be loaded.
    let last = (readable_bytes - 16) as usize;

    let mut state = [
        u32x4_splat(H[0]),
        u32x4_splat(H[1]),
        u32x4_splat(H[2]),
        u32x4_splat(H[3]),
        u32x4_splat(H[4]),
        u32x4_splat(H[5]),
        u32x4_splat(H[6]),
        u32x4_splat(H[7]),
    ];
    // The padding is one byte and a length of eight.
    let end_bytes = (len_bytes + 1 + 8).next_multiple_of(BLOCK_LEN_BYTES);
    let mut done_bytes = 0;
    loop {
        if source == Source::Stable && done_bytes % WINDOW_LEN_BYTES == 0 && done_bytes < len_bytes
        {
            let part_bytes = min(WINDOW_LEN_BYTES, len_bytes - done_bytes);
            let mut lane = 0;
            while lane < lanes {
                let from = offset + lane * stride_bytes + done_bytes;
                stable64_read(WINDOWS_AT + lane * WINDOW_LEN_BYTES, from, part_bytes);
                lane += 1;
            }
            let window = |lane: u64| (WINDOWS_AT + lane * WINDOW_LEN_BYTES) as usize;
            (p0, p1, p2, p3) = (window(0), window(lane1), window(lane2), window(lane3));
        }
        let left_bytes = len_bytes.wrapping_sub(done_bytes) as i64;
        done_bytes += BLOCK_LEN_BYTES;
        let rows = if left_bytes >= BLOCK_LEN_BYTES as i64 {
            gather(p0, p1, p2, p3, |at, _| load128(at))
        } else {
            gather(p0, p1, p2, p3, |at, before| {
                piece(at, left_bytes - before, last)
            })
        };
        // Written out instead of looped over, so that nothing becomes an array in memory.
        let [
            r0,
            r1,
            r2,
            r3,
            r4,
            r5,
            r6,
            r7,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
        ] = rows;
        let [w0, w1, w2, w3] = transpose([r0, r1, r2, r3]);
        let [w4, w5, w6, w7] = transpose([r4, r5, r6, r7]);
        let [w8, w9, w10, w11] = transpose([r8, r9, r10, r11]);
        let [w12, w13, mut w14, mut w15] = transpose([r12, r13, r14, r15]);
        if done_bytes == end_bytes {
            w14 = u32x4_splat((len_bytes >> 29) as u32);
            w15 = u32x4_splat((len_bytes << 3) as u32);
        }
        let words = [
            w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15,
        ];
        compress(&mut state, words);
        p0 = p0.wrapping_add(BLOCK_LEN_BYTES as usize);
        p1 = p1.wrapping_add(BLOCK_LEN_BYTES as usize);
        p2 = p2.wrapping_add(BLOCK_LEN_BYTES as usize);
        p3 = p3.wrapping_add(BLOCK_LEN_BYTES as usize);
        if done_bytes == end_bytes {
            break;
        }
    }

    let [s0, s1, s2, s3, s4, s5, s6, s7] = state;
    (transpose([s0, s1, s2, s3]), transpose([s4, s5, s6, s7]))
}

/// A block of each lane, quarter by quarter. `load` is given an address and how many bytes of the
/// block lie before it.
#[inline(always)]
fn gather(
    p0: usize,
    p1: usize,
    p2: usize,
    p3: usize,
    load: impl Fn(usize, i64) -> v128,
) -> [v128; 16] {
    let quarter = |before: usize| {
        let load = |block: usize| load(block.wrapping_add(before), before as i64);
        [load(p0), load(p1), load(p2), load(p3)]
    };
    let [r0, r1, r2, r3] = quarter(0);
    let [r4, r5, r6, r7] = quarter(16);
    let [r8, r9, r10, r11] = quarter(32);
    let [r12, r13, r14, r15] = quarter(48);
    [
        r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15,
    ]
}

/// Loads 16 bytes of which `left_bytes` belong to the chunk (none, if that is not positive); behind
/// them come the byte 0x80 and zeros. Touches nothing beyond `last`, where a last vector fits.
#[inline(never)]
// Only the C convention returns a vector in a register instead of through a stack in memory.
#[allow(improper_ctypes_definitions)]
extern "C" fn piece(at: usize, left_bytes: i64, last: usize) -> v128 {
    let places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let base = if at < last { at } else { last };
    // Nothing is left where the distance does not fit into a byte.
    let shifted = i8x16_swizzle(
        load128(base),
        i8x16_add(places, i8x16_splat((at - base) as i8)),
    );
    let left = i8x16_splat(left_bytes.clamp(-1, 16) as i8);
    let padding = v128_and(i8x16_eq(places, left), i8x16_splat(-128));
    v128_or(v128_and(shifted, i8x16_lt(places, left)), padding)
}
