//! What reading and hashing cost in instructions, held against the system calls' own cost.

use crate::harness::{Canister, READERS, blob, chunks, noise, range};
use engine::{Heap, StableMemory};
use wire::limits::{
    CHUNK_LEN_BYTES, HASH_INSTRUCTIONS_PER_BYTE_MAX, HASH_LANES, READ_LEN_MAX_BYTES,
};

/// Instructions that the system charges for a byte of a reply.
const REPLY_BYTE: u64 = 50;
/// Instructions that the system charges for a byte read from stable memory.
const STABLE_BYTE: u64 = 1;

#[test]
fn reads_cost_at_most_a_thousandth_more_than_the_system_calls() {
    let memory = noise(32 * 65_536, 1);
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for (method, byte) in [
            ("heap_read", REPLY_BYTE),
            ("stable_read", REPLY_BYTE + STABLE_BYTE),
        ] {
            let answer = canister.query(method, &range(0, READ_LEN_MAX_BYTES));
            let floor = READ_LEN_MAX_BYTES * byte;
            println!(
                "{name} {method}: {} instructions, floor {floor}",
                answer.instructions
            );
            assert!(answer.instructions >= floor);
            assert!(
                answer.instructions * 1_000 <= floor * 1_001,
                "{}",
                answer.instructions
            );
            assert_eq!(blob(&answer.reply()).len() as u64, READ_LEN_MAX_BYTES);
        }
    }
}

#[test]
fn checksums_cost_no_more_than_promised() {
    let memory = noise(4 * CHUNK_LEN_BYTES as usize, 2);
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for method in ["heap_sha256", "stable_sha256"] {
            let four = canister
                .query(method, &chunks(0, CHUNK_LEN_BYTES, 4))
                .instructions;
            let one = canister
                .query(method, &chunks(0, CHUNK_LEN_BYTES, 1))
                .instructions;
            let per_byte = four as f64 / (4 * CHUNK_LEN_BYTES) as f64;
            println!("{name} {method}: {per_byte:.2} instructions a byte; one chunk: {one}");
            assert!(four <= HASH_INSTRUCTIONS_PER_BYTE_MAX * 4 * CHUNK_LEN_BYTES);
            assert!(one <= four);
        }
    }
}

/// Zeros up to the last byte of a group, where the shortcut turns out to be none.
#[test]
fn checksums_of_the_worst_memory_cost_no_more_than_promised() {
    let mut memory = vec![0; 4 * CHUNK_LEN_BYTES as usize];
    *memory.last_mut().unwrap() = 1;
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for method in ["heap_sha256", "stable_sha256"] {
            let four = canister
                .query(method, &chunks(0, CHUNK_LEN_BYTES, 4))
                .instructions;
            let per_byte = four as f64 / (4 * CHUNK_LEN_BYTES) as f64;
            println!("{name} {method}, zeros but for the last byte: {per_byte:.2} a byte");
            assert!(four <= HASH_INSTRUCTIONS_PER_BYTE_MAX * 4 * CHUNK_LEN_BYTES);
        }
    }
}

#[test]
fn checksums_of_zeros_cost_a_twentieth() {
    for name in READERS {
        let stable = StableMemory::zeroed(64 * 16).unwrap();
        let canister = Canister::keeping(name, Heap::zeroed(64 * 16).unwrap(), stable);
        for method in ["heap_sha256", "stable_sha256"] {
            let few = canister
                .query(method, &chunks(0, CHUNK_LEN_BYTES, 4))
                .instructions;
            let all = canister
                .query(method, &chunks(0, CHUNK_LEN_BYTES, 64))
                .instructions;
            println!(
                "{name} {method}: 60 MiB more of zeros, {} instructions",
                all - few
            );
            assert!(20 * (all - few) < 15 * few);
        }
    }
}

/// One to three chunks and one cut short: what the last call for a memory may have to serve.
#[test]
fn the_last_chunks_of_a_memory_cost_at_most_two_groups() {
    let chunk = CHUNK_LEN_BYTES as usize;
    let group = HASH_LANES * CHUNK_LEN_BYTES * HASH_INSTRUCTIONS_PER_BYTE_MAX;
    for name in READERS {
        for (full, cut_pages) in [(0, 1), (0, 15), (1, 0), (1, 15), (2, 0), (3, 15)] {
            let memory = noise(full * chunk + cut_pages * 65_536, 3);
            let canister = Canister::holding(name, &memory, &memory);
            let groups = u64::from(full > 0) + u64::from(cut_pages > 0);
            for method in ["heap_sha256", "stable_sha256"] {
                let count = memory.len().div_ceil(chunk) as u64;
                let answer = canister.query(method, &chunks(0, CHUNK_LEN_BYTES, count));
                assert!(
                    answer.instructions <= groups * group,
                    "{name} {method} of {} bytes: {}",
                    memory.len(),
                    answer.instructions
                );
                answer.reply();
            }
        }
    }
}
