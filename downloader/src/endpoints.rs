//! The methods: who may call, what is asked, whether it lies within the memory, the reply.
//!
//! `heap_read` hands the asked range to the system straight from memory. `stable_read` passes
//! through one page of memory at a time, so that it works on a heap that has nothing left to grow;
//! the page is not put back, because what a query writes is discarded.

// An export name is an unsafe attribute; no other unsafe code stands here.
// SAFETY: nothing else in the pair exports a name that begins with `canister_query`.
#![allow(unsafe_code)]

use crate::candid::{begin_blob, reply_nat64, take_pair, take_triple, take_unit};
use crate::guard::enter;
use crate::refuse;
use crate::sha256::append_digests;
use crate::system::{Source, msg_reply, msg_reply_data_append, stable_len_bytes, stable64_read};
use wire::geometry::end_within;
use wire::limits::{DIGEST_LEN_BYTES, PAGE_LEN_BYTES, QUERY_REPLY_MAX_BYTES};

/// Size of stable memory in bytes.
#[unsafe(export_name = "canister_query stable_size")]
pub extern "C" fn stable_size() {
    size(Source::Stable);
}

/// Bytes of stable memory.
#[unsafe(export_name = "canister_query stable_read")]
pub extern "C" fn stable_read() {
    read(Source::Stable);
}

/// Digests of consecutive chunks of stable memory.
#[unsafe(export_name = "canister_query stable_sha256")]
pub extern "C" fn stable_sha256() {
    checksums(Source::Stable);
}

/// Size of the heap in bytes.
#[unsafe(export_name = "canister_query heap_size")]
pub extern "C" fn heap_size() {
    size(Source::Heap);
}

/// Bytes of the heap.
#[unsafe(export_name = "canister_query heap_read")]
pub extern "C" fn heap_read() {
    read(Source::Heap);
}

/// Digests of consecutive chunks of the heap.
#[unsafe(export_name = "canister_query heap_sha256")]
pub extern "C" fn heap_sha256() {
    checksums(Source::Heap);
}

/// Begins a read: checks the caller and returns the size of the memory in bytes.
#[inline(always)]
fn enter_memory(source: Source) -> u64 {
    let heap_len_bytes = enter();
    match source {
        Source::Stable => stable_len_bytes(),
        Source::Heap => heap_len_bytes,
    }
}

/// Replies the size of a memory.
#[inline(never)]
fn size(source: Source) {
    let memory_len_bytes = enter_memory(source);
    take_unit();
    reply_nat64(memory_len_bytes);
}

/// Replies a range of a memory.
#[inline(never)]
fn read(source: Source) {
    let memory_len_bytes = enter_memory(source);
    let (mut offset, length) = take_pair();
    if end_within(offset, length, memory_len_bytes).is_none() {
        refuse::out_of_range();
    }
    if length > QUERY_REPLY_MAX_BYTES {
        refuse::too_long();
    }
    begin_blob(length as u32);
    match source {
        Source::Heap => msg_reply_data_append(offset as usize, length as usize),
        Source::Stable => {
            let mut left = length;
            while left > 0 {
                let part = if left < PAGE_LEN_BYTES {
                    left
                } else {
                    PAGE_LEN_BYTES
                };
                stable64_read(0, offset, part);
                msg_reply_data_append(0, part as usize);
                offset += part;
                left -= part;
            }
        }
    }
    msg_reply();
}

/// Replies the digests of the chunks that a caller asks for.
#[inline(never)]
fn checksums(source: Source) {
    let memory_len_bytes = enter_memory(source);
    let (offset, chunk_len_bytes, count) = take_triple();
    if chunk_len_bytes == 0 {
        refuse::zero_chunk_length();
    }
    if count > QUERY_REPLY_MAX_BYTES / DIGEST_LEN_BYTES {
        refuse::too_long();
    }
    // The last chunk may be cut short, but it has to begin within the memory.
    if offset > memory_len_bytes || count > (memory_len_bytes - offset).div_ceil(chunk_len_bytes) {
        refuse::out_of_range();
    }
    begin_blob((count * DIGEST_LEN_BYTES) as u32);
    append_digests(source, memory_len_bytes, offset, chunk_len_bytes, count);
    msg_reply();
}
