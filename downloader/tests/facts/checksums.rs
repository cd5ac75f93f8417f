//! The pair's SHA-256 against the sha2 crate, on every way to cut a memory into chunks.

use crate::harness::{Canister, READERS, blob, chunks, noise};
use engine::{Heap, StableMemory};
use sha2::{Digest, Sha256};
use wire::limits::{HEAP32_MAX_BYTES, PAGE_LEN_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// What the methods have to answer, computed the slow and obvious way.
fn expected(memory: &[u8], offset: usize, chunk_len_bytes: usize, count: usize) -> Vec<u8> {
    memory[offset..]
        .chunks(chunk_len_bytes)
        .take(count)
        .flat_map(|chunk| Sha256::digest(chunk).to_vec())
        .collect()
}

fn check(canister: &Canister, method: &str, memory: &[u8], ask: (usize, usize, usize)) {
    let (offset, chunk_len_bytes, count) = ask;
    let arg = chunks(offset as u64, chunk_len_bytes as u64, count as u64);
    let digests = blob(&canister.query(method, &arg).reply());
    let expected = expected(memory, offset, chunk_len_bytes, count);
    assert!(
        digests == expected,
        "{method} of {count} chunks of {chunk_len_bytes} from {offset}"
    );
}

/// Lengths around the block of 64 bytes and the place of the padding, counts around the group of 4.
#[test]
fn every_length_of_a_tail_and_every_size_of_a_group_is_right() {
    let memory = noise(PAGE, 11);
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for chunk_len_bytes in 1..=130 {
            for count in [1, 2, 3, 4, 5, 8, 9] {
                // From the first byte: under the scratch that the digests pass through.
                check(
                    &canister,
                    "heap_sha256",
                    &memory,
                    (0, chunk_len_bytes, count),
                );
                check(
                    &canister,
                    "stable_sha256",
                    &memory,
                    (count, chunk_len_bytes, count),
                );
            }
        }
    }
}

#[test]
fn a_last_chunk_is_cut_at_the_end_of_memory() {
    let memory = noise(2 * PAGE, 12);
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for chunk_len_bytes in [
            1_000,
            4_096,
            8_191,
            8_192,
            8_193,
            16_384,
            30_000,
            PAGE,
            PAGE + 1,
        ] {
            let count = memory.len().div_ceil(chunk_len_bytes);
            for method in ["heap_sha256", "stable_sha256"] {
                check(&canister, method, &memory, (0, chunk_len_bytes, count));
                check(
                    &canister,
                    method,
                    &memory,
                    (memory.len() - 999, chunk_len_bytes, 1),
                );
            }
        }
        // A chunk as long as the memory, and one far longer.
        for chunk_len_bytes in [memory.len(), memory.len() + 1, usize::MAX / 2, usize::MAX] {
            for method in ["heap_sha256", "stable_sha256"] {
                check(&canister, method, &memory, (0, chunk_len_bytes, 1));
                check(&canister, method, &memory, (63, chunk_len_bytes, 1));
            }
        }
    }
}

#[test]
fn chunks_of_all_kinds_of_lengths_are_right() {
    let memory = noise(9 * PAGE, 13);
    for name in READERS {
        let canister = Canister::holding(name, &memory, &memory);
        for seed in 14..54 {
            let numbers = noise(12, seed);
            let number = |at: usize| u32::from_le_bytes(numbers[at..at + 4].try_into().unwrap());
            let offset = number(0) as usize % memory.len();
            let chunk_len_bytes = 1 + number(4) as usize % 70_000;
            let available = (memory.len() - offset).div_ceil(chunk_len_bytes);
            let count = 1 + number(8) as usize % available.min(12);
            for method in ["heap_sha256", "stable_sha256"] {
                check(&canister, method, &memory, (offset, chunk_len_bytes, count));
            }
        }
    }
}

/// Groups of zeros take a shortcut; one byte anywhere has to end it.
#[test]
fn zeros_are_hashed_like_anything_else() {
    let mut sparse = vec![0; 24 * PAGE];
    let places = [
        7,
        8 * PAGE - 1,
        8 * PAGE,
        13 * PAGE + 64,
        20 * PAGE - 64,
        24 * PAGE - 1,
    ];
    for name in READERS {
        for last in 0..=places.len() {
            sparse.fill(0);
            for place in &places[..last] {
                sparse[*place] = 1;
            }
            let canister = Canister::holding(name, &sparse, &sparse);
            for chunk_len_bytes in [64, 100, 4_096, 16_448, PAGE, PAGE + 64, 3 * PAGE] {
                let count = (24 * PAGE / chunk_len_bytes).min(30);
                for method in ["heap_sha256", "stable_sha256"] {
                    check(&canister, method, &sparse, (0, chunk_len_bytes, count));
                    check(
                        &canister,
                        method,
                        &sparse,
                        (11 * PAGE + 5, chunk_len_bytes, 4),
                    );
                }
            }
        }
    }
}

#[test]
fn the_last_chunk_of_a_full_heap_is_right() {
    let mut heap = Heap::zeroed(HEAP32_MAX_BYTES / PAGE_LEN_BYTES).unwrap();
    let last = noise(PAGE, 15);
    let from = HEAP32_MAX_BYTES - PAGE_LEN_BYTES;
    heap.write(from, &last).unwrap();
    for name in READERS {
        let canister = Canister::keeping(name, heap.clone(), StableMemory::new());
        for chunk_len_bytes in [PAGE, PAGE / 4, 10_000, 3 * PAGE] {
            let count = PAGE.div_ceil(chunk_len_bytes);
            let arg = chunks(from, chunk_len_bytes as u64, count as u64);
            let digests = blob(&canister.query("heap_sha256", &arg).reply());
            assert!(digests == expected(&last, 0, chunk_len_bytes, count));
        }
    }
}

#[test]
fn no_chunks_have_no_digests() {
    for name in READERS {
        let canister = Canister::holding(name, &[], &noise(PAGE, 16));
        assert!(blob(&canister.query("heap_sha256", &chunks(0, 1, 0)).reply()).is_empty());
        let at_the_end = chunks(PAGE_LEN_BYTES, 1, 0);
        assert!(blob(&canister.query("stable_sha256", &at_the_end).reply()).is_empty());
    }
}

#[test]
fn a_chunk_that_begins_behind_the_end_is_refused() {
    for name in READERS {
        let canister = Canister::holding(name, &noise(PAGE, 17), &noise(2 * PAGE, 18));
        for (method, pages) in [("heap_sha256", 1), ("stable_sha256", 2)] {
            let end = pages * PAGE_LEN_BYTES;
            let text = "range lies outside the memory";
            canister.query(method, &chunks(end, 1, 1)).refused(text);
            canister.query(method, &chunks(end + 1, 1, 0)).refused(text);
            canister
                .query(method, &chunks(u64::MAX, u64::MAX, 1))
                .refused(text);
            canister
                .query(method, &chunks(0, PAGE_LEN_BYTES, pages + 1))
                .refused(text);
            canister
                .query(method, &chunks(1, u64::MAX, 2))
                .refused(text);
            canister
                .query(method, &chunks(0, 0, 1))
                .refused("chunk length must not be 0");
            canister
                .query(method, &chunks(0, 1, 98_305))
                .refused("more than a reply can hold");
        }
    }
}
