//! Patient: a canister that carries endpoints over its own stable memory, written the usual way.
//!
//! Sizes, reads and writes are those that developers add for backup and restore, with ic-cdk's
//! types; checksums and decompression use the usual crates. It is the yardstick that the pair's
//! costs are held against, and a canister that the command line can talk to without any swap.

// The macro that exports the interface writes an undocumented function.
#![allow(missing_docs)]

use ic_cdk::{query, update};
use sha2::{Digest, Sha256};

const PAGE_LEN_BYTES: u64 = 65_536;

fn is_controller() -> Result<(), String> {
    if ic_cdk::api::is_controller(&ic_cdk::api::msg_caller()) {
        Ok(())
    } else {
        Err("only a controller may call this".to_string())
    }
}

#[query(guard = "is_controller")]
fn stable_size() -> u64 {
    ic_cdk::stable::stable_size() * PAGE_LEN_BYTES
}

#[query(guard = "is_controller")]
fn stable_read(offset: u64, length: u64) -> Vec<u8> {
    let mut buffer = vec![0; length as usize];
    ic_cdk::stable::stable_read(offset, &mut buffer);
    buffer
}

#[query(guard = "is_controller")]
fn stable_sha256(offset: u64, chunk_length: u64, count: u64) -> Vec<u8> {
    let size = stable_size();
    let mut digests = Vec::new();
    for index in 0..count {
        let start = offset + index * chunk_length;
        let length = chunk_length.min(size - start);
        let mut buffer = vec![0; length as usize];
        ic_cdk::stable::stable_read(start, &mut buffer);
        digests.extend_from_slice(&Sha256::digest(&buffer));
    }
    digests
}

#[update(guard = "is_controller")]
fn stable_write(offset: u64, data: Vec<u8>) {
    write(offset, &data);
}

#[update(guard = "is_controller")]
fn stable_write_compressed(offset: u64, data: Vec<u8>) {
    match lz4_flex::block::decompress_size_prepended(&data) {
        Ok(data) => write(offset, &data),
        Err(error) => ic_cdk::trap(format!("malformed compressed data: {error}")),
    }
}

fn write(offset: u64, data: &[u8]) {
    let size = offset + data.len() as u64;
    let old_pages = ic_cdk::stable::stable_size();
    let pages = size.div_ceil(PAGE_LEN_BYTES);
    if pages > old_pages {
        ic_cdk::stable::stable_grow(pages - old_pages).expect("stable memory cannot grow that far");
    }
    ic_cdk::stable::stable_write(offset, data);
}

ic_cdk::export_candid!();
