//! The writes: who may call, what goes where, whether there is a place for it, the reply.
//!
//! The data of a message reaches stable memory through a window of [`WINDOW_LEN_BYTES`] that is
//! borrowed from the heap once, and reaches the heap without a detour. A trap undoes everything,
//! so a message either writes all of its data or changes nothing.

// An export name is an unsafe attribute; no other unsafe code stands here.
// SAFETY: nothing else in the pair exports a name that begins with `canister_update`.
#![allow(unsafe_code)]

use crate::candid::{Data, take_write};
use crate::grow::{fit_heap, fit_stable};
use crate::lz4;
use crate::system::stable64_write;
use downloader::candid::reply_unit;
use downloader::guard::enter;
use downloader::refuse;
use downloader::scratch::{AT, borrow_at};
use downloader::system::{load32, msg_arg_data_copy};
use wire::limits::{COMPRESSED_HEADER_LEN_BYTES, DECOMPRESSED_LEN_MAX_BYTES};

/// What a write of stable memory borrows from the heap.
pub const WINDOW_LEN_BYTES: usize = 1_024;
/// What precedes the block of a compressed write.
const HEADER_LEN_BYTES: usize = COMPRESSED_HEADER_LEN_BYTES as usize;

/// Writes stable memory.
#[unsafe(export_name = "canister_update stable_write")]
pub extern "C" fn stable_write() {
    write(Write::Stable);
}

/// Writes stable memory from a compressed message.
#[unsafe(export_name = "canister_update stable_write_compressed")]
pub extern "C" fn stable_write_compressed() {
    write(Write::StableCompressed);
}

/// Writes the heap.
#[unsafe(export_name = "canister_update heap_write")]
pub extern "C" fn heap_write() {
    write(Write::Heap);
}

/// The three ways to write.
#[derive(Clone, Copy)]
enum Write {
    Stable,
    StableCompressed,
    Heap,
}

#[inline(never)]
fn write(way: Write) {
    enter();
    let Data {
        offset,
        data_at,
        len_bytes,
    } = take_write();
    match way {
        Write::Heap => fit_heap(offset, len_bytes as u64),
        Write::Stable => place(AT, false, data_at, len_bytes, offset),
        Write::StableCompressed => place(AT, true, data_at, len_bytes, offset),
    }
    reply_unit();
    // The reply needs scratch, so it comes before data that may lie there.
    if let Write::Heap = way {
        msg_arg_data_copy(offset as usize, data_at, len_bytes);
    }
}

/// Places data of the message in stable memory, with the window borrowed from `start` on.
///
/// Borrows a sixteenth of it and calls itself for the rest: the old bytes wait in the locals of
/// sixteen calls, and the code that moves them exists once.
#[inline(never)]
fn place(start: usize, compressed: bool, data_at: usize, len_bytes: usize, offset: u64) {
    const PART_LEN_BYTES: usize = WINDOW_LEN_BYTES / 16;
    if start < AT + WINDOW_LEN_BYTES {
        borrow_at::<{ PART_LEN_BYTES / 16 }, _>(start, || {
            place(
                start + PART_LEN_BYTES,
                compressed,
                data_at,
                len_bytes,
                offset,
            );
        });
        return;
    }
    let expanded_len_bytes = if compressed {
        announced_len_bytes(data_at, len_bytes)
    } else {
        len_bytes as u64
    };
    fit_stable(offset, expanded_len_bytes);
    if compressed {
        lz4::expand(
            data_at + HEADER_LEN_BYTES,
            data_at + len_bytes,
            offset,
            expanded_len_bytes,
        );
    } else {
        copy(data_at, len_bytes, offset);
    }
}

/// Copies data of the message to stable memory through the window.
#[inline(always)]
fn copy(mut data_at: usize, mut left_bytes: usize, mut offset: u64) {
    while left_bytes > 0 {
        let part = if left_bytes < WINDOW_LEN_BYTES {
            left_bytes
        } else {
            WINDOW_LEN_BYTES
        };
        msg_arg_data_copy(AT, data_at, part);
        stable64_write(offset, AT as u64, part as u64);
        data_at += part;
        offset += part as u64;
        left_bytes -= part;
    }
}

/// What a compressed message says that it decompresses to.
#[inline(always)]
fn announced_len_bytes(data_at: usize, len_bytes: usize) -> u64 {
    if len_bytes < HEADER_LEN_BYTES {
        refuse::malformed_block();
    }
    msg_arg_data_copy(AT, data_at, HEADER_LEN_BYTES);
    let announced = u64::from(load32(AT));
    if announced > DECOMPRESSED_LEN_MAX_BYTES {
        refuse::block_too_long();
    }
    announced
}
