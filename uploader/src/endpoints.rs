//! The writes: who may call, what goes where, whether there is a place for it, the reply.
//!
//! The data of a message reaches stable memory through a window of [`WINDOW_LEN_BYTES`] that is
//! borrowed from the heap once, and reaches the heap without a detour. A trap undoes everything,
//! so a message either writes all of its data or changes nothing.

// An export name is an unsafe attribute; no other unsafe code stands here.
// SAFETY: nothing else in the pair exports a name that begins with `canister_update`.
#![allow(unsafe_code)]

use crate::candid::take_write;
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
    let argument = take_write();
    match way {
        Write::Heap => {
            fit_heap(argument.offset, argument.len_bytes as u64);
            // The reply needs scratch, so it comes before the data.
            reply_unit();
            msg_arg_data_copy(
                argument.offset as usize,
                argument.data_at,
                argument.len_bytes,
            );
            return;
        }
        Write::Stable => {
            fit_stable(argument.offset, argument.len_bytes as u64);
            borrow_window(|| copy(argument.data_at, argument.len_bytes, argument.offset));
        }
        Write::StableCompressed => {
            borrow_window(|| expand(argument.data_at, argument.len_bytes, argument.offset));
        }
    }
    reply_unit();
}

/// Runs `work` with the window borrowed from the heap, and puts the old bytes back.
#[inline(always)]
fn borrow_window(work: impl FnOnce()) {
    const EIGHTH: usize = WINDOW_LEN_BYTES / 8;
    borrow_at::<AT, 8, _>(|| {
        borrow_at::<{ AT + EIGHTH }, 8, _>(|| {
            borrow_at::<{ AT + 2 * EIGHTH }, 8, _>(|| {
                borrow_at::<{ AT + 3 * EIGHTH }, 8, _>(|| {
                    borrow_at::<{ AT + 4 * EIGHTH }, 8, _>(|| {
                        borrow_at::<{ AT + 5 * EIGHTH }, 8, _>(|| {
                            borrow_at::<{ AT + 6 * EIGHTH }, 8, _>(|| {
                                borrow_at::<{ AT + 7 * EIGHTH }, 8, _>(work);
                            });
                        });
                    });
                });
            });
        });
    });
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

/// Decompresses data of the message into stable memory through the window.
#[inline(always)]
fn expand(data_at: usize, len_bytes: usize, offset: u64) {
    const HEADER: usize = COMPRESSED_HEADER_LEN_BYTES as usize;
    if len_bytes < HEADER {
        refuse::malformed_block();
    }
    msg_arg_data_copy(AT, data_at, HEADER);
    let expanded_len_bytes = u64::from(load32(AT));
    if expanded_len_bytes > DECOMPRESSED_LEN_MAX_BYTES {
        refuse::block_too_long();
    }
    fit_stable(offset, expanded_len_bytes);
    lz4::expand(
        data_at + HEADER,
        data_at + len_bytes,
        offset,
        expanded_len_bytes,
    );
}
