//! Candid arguments in, candid replies out, by comparing and storing fixed words.
//!
//! The bytes are those of [`wire::candid`]; here they pass through the borrowed region.

use crate::refuse;
use crate::scratch::{AT, borrow};
use crate::system::{
    load8, load16, load32, load64, msg_arg_data_copy, msg_arg_data_size, msg_reply,
    msg_reply_data_append, store8, store16, store32, store64,
};
use wire::candid as bytes;

/// Little-endian number made of `N` bytes of a constant, from `first` on.
const fn word<const N: usize>(from: &[u8], first: usize) -> u64 {
    let mut word = 0;
    let mut index = 0;
    while index < N {
        word |= (from[first + index] as u64) << (8 * index);
        index += 1;
    }
    word
}

/// Accepts an argument `()`.
#[inline(never)]
pub fn take_unit() {
    if msg_arg_data_size() != bytes::UNIT.len() {
        refuse::malformed_argument();
    }
    let expected = borrow::<1, _>(|| {
        msg_arg_data_copy(AT, 0, bytes::UNIT.len());
        (load32(AT) == const { word::<4>(&bytes::UNIT, 0) as u32 })
            & (load16(AT + 4) == const { word::<2>(&bytes::UNIT, 4) as u16 })
    });
    if !expected {
        refuse::malformed_argument();
    }
}

/// Takes an argument `(nat64, nat64)`.
#[inline(always)]
pub fn take_pair() -> (u64, u64) {
    if msg_arg_data_size() != bytes::NAT64_PAIR_LEN_BYTES {
        refuse::malformed_argument();
    }
    let (expected, first, second) = borrow::<2, _>(|| {
        msg_arg_data_copy(AT, 0, bytes::NAT64_PAIR_LEN_BYTES);
        let expected = load64(AT) == const { word::<8>(&bytes::NAT64_PAIR_PREFIX, 0) };
        (expected, load64(AT + 8), load64(AT + 16))
    });
    if !expected {
        refuse::malformed_argument();
    }
    (first, second)
}

/// Takes an argument `(nat64, nat64, nat64)`.
#[inline(always)]
pub fn take_triple() -> (u64, u64, u64) {
    if msg_arg_data_size() != bytes::NAT64_TRIPLE_LEN_BYTES {
        refuse::malformed_argument();
    }
    let (expected, first, second, third) = borrow::<3, _>(|| {
        msg_arg_data_copy(AT, 0, bytes::NAT64_TRIPLE_LEN_BYTES);
        // Not `&&`: a branch here would put the old bytes back in two places.
        let expected = (load64(AT) == const { word::<8>(&bytes::NAT64_TRIPLE_PREFIX, 0) })
            & (load8(AT + 8) == const { bytes::NAT64_TRIPLE_PREFIX[8] });
        (expected, load64(AT + 9), load64(AT + 17), load64(AT + 25))
    });
    if !expected {
        refuse::malformed_argument();
    }
    (first, second, third)
}

/// Replies `()`.
#[inline(always)]
pub fn reply_unit() {
    borrow::<1, _>(|| {
        store32(AT, const { word::<4>(&bytes::UNIT, 0) as u32 });
        store16(AT + 4, const { word::<2>(&bytes::UNIT, 4) as u16 });
        msg_reply_data_append(AT, bytes::UNIT.len());
    });
    msg_reply();
}

/// Replies `(nat64)`.
#[inline(never)]
pub fn reply_nat64(number: u64) {
    borrow::<1, _>(|| {
        store64(AT, const { word::<7>(&bytes::NAT64_PREFIX, 0) });
        store64(AT + bytes::NAT64_PREFIX.len(), number);
        msg_reply_data_append(AT, bytes::NAT64_LEN_BYTES);
    });
    msg_reply();
}

/// Begins a reply `(blob)`: what follows is `len_bytes` appended bytes and [`msg_reply`].
#[inline(never)]
pub fn begin_blob(len_bytes: u32) {
    borrow::<2, _>(|| {
        store64(AT, const { word::<8>(&bytes::BLOB_PREFIX, 0) });
        store8(AT + 8, const { bytes::BLOB_PREFIX[8] });
        let mut end = AT + bytes::BLOB_PREFIX.len();
        let mut rest = len_bytes;
        while rest >= 0x80 {
            store8(end, rest as u8 | 0x80);
            rest >>= 7;
            end += 1;
        }
        store8(end, rest as u8);
        msg_reply_data_append(AT, end + 1 - AT);
    });
}
