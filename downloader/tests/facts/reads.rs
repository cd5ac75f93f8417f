//! Sizes and ranges, on heaps from none to full.

use crate::harness::{Canister, READERS, blob, nat64, noise, range, unit};
use engine::{Heap, StableMemory};
use wire::limits::{HEAP32_MAX_BYTES, HEAP64_MAX_BYTES, PAGE_LEN_BYTES, QUERY_REPLY_MAX_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

#[test]
fn sizes_are_those_of_the_kept_memories() {
    for name in READERS {
        for (heap_pages, stable_pages) in [(0, 0), (1, 0), (0, 1), (17, 3), (1_000, 40)] {
            let heap = Heap::zeroed(heap_pages).unwrap();
            let stable = StableMemory::zeroed(stable_pages).unwrap();
            let canister = Canister::keeping(name, heap, stable);
            let heap_size = nat64(&canister.query("heap_size", &unit()).reply());
            let stable_size = nat64(&canister.query("stable_size", &unit()).reply());
            assert_eq!(heap_size, heap_pages * PAGE_LEN_BYTES);
            assert_eq!(stable_size, stable_pages * PAGE_LEN_BYTES);
        }
    }
}

#[test]
fn stable_reads_are_byte_exact_at_every_boundary() {
    let stable = noise(5 * PAGE, 1);
    for name in READERS {
        for heap_pages in [0, 1, 3] {
            let canister = Canister::holding(name, &noise(heap_pages * PAGE, 2), &stable);
            for (offset, length) in boundaries(stable.len()) {
                let answer = canister.query("stable_read", &range(offset as u64, length as u64));
                assert!(blob(&answer.reply()) == stable[offset..offset + length]);
            }
        }
    }
}

/// The bytes that a method's own scratch occupies meanwhile are among those read.
#[test]
fn heap_reads_are_byte_exact_at_every_boundary() {
    for name in READERS {
        for heap_pages in [1, 3, 17] {
            let heap = noise(heap_pages * PAGE, 3);
            let canister = Canister::holding(name, &heap, &[]);
            for (offset, length) in boundaries(heap.len()) {
                let answer = canister.query("heap_read", &range(offset as u64, length as u64));
                assert!(blob(&answer.reply()) == heap[offset..offset + length]);
            }
        }
    }
}

#[test]
fn nothing_is_read_of_an_empty_memory() {
    for name in READERS {
        let canister = Canister::fresh(name);
        for method in ["heap_read", "stable_read"] {
            assert!(blob(&canister.query(method, &range(0, 0)).reply()).is_empty());
            canister
                .query(method, &range(0, 1))
                .refused("range lies outside the memory");
        }
    }
}

#[test]
fn a_heap_with_nothing_left_to_grow_is_read_to_its_last_byte() {
    for name in READERS {
        let full_bytes = if name.ends_with("64") {
            HEAP64_MAX_BYTES
        } else {
            HEAP32_MAX_BYTES
        };
        let mut heap = Heap::zeroed(full_bytes / PAGE_LEN_BYTES).unwrap();
        let (first, last) = (noise(PAGE, 4), noise(PAGE, 5));
        heap.write(0, &first).unwrap();
        heap.write(full_bytes - PAGE_LEN_BYTES, &last).unwrap();
        let stable = noise(PAGE, 6);
        let mut stable_value = StableMemory::zeroed(1).unwrap();
        stable_value.write(0, &stable).unwrap();
        let canister = Canister::keeping(name, heap, stable_value);
        let read = |offset| {
            let answer = canister.query("heap_read", &range(offset, PAGE_LEN_BYTES));
            blob(&answer.reply())
        };
        assert_eq!(
            nat64(&canister.query("heap_size", &unit()).reply()),
            full_bytes
        );
        assert!(read(0) == first);
        assert!(read(full_bytes - PAGE_LEN_BYTES) == last);
        let beyond = range(full_bytes - PAGE_LEN_BYTES + 1, PAGE_LEN_BYTES);
        canister
            .query("heap_read", &beyond)
            .refused("range lies outside the memory");
        let answer = canister.query("stable_read", &range(0, PAGE_LEN_BYTES));
        assert!(blob(&answer.reply()) == stable);
    }
}

#[test]
fn a_replicated_query_reads_the_same() {
    let (heap, stable) = (noise(2 * PAGE, 7), noise(3 * PAGE, 8));
    for name in READERS {
        let canister = Canister::holding(name, &heap, &stable);
        for method in ["heap_read", "stable_read"] {
            let arg = range(5, 100_000);
            let plain = canister.query(method, &arg);
            assert_eq!(canister.replicated_query(method, &arg), plain);
        }
    }
}

#[test]
fn more_than_a_reply_can_hold_is_refused() {
    for name in READERS {
        let heap = Heap::zeroed(64).unwrap();
        let canister = Canister::keeping(name, heap, StableMemory::zeroed(64).unwrap());
        for method in ["heap_read", "stable_read"] {
            let arg = range(0, QUERY_REPLY_MAX_BYTES + 1);
            canister
                .query(method, &arg)
                .refused("more than a reply can hold");
            let longest = range(0, QUERY_REPLY_MAX_BYTES - 13);
            let reply = canister.query(method, &longest).reply();
            assert_eq!(reply.len() as u64, QUERY_REPLY_MAX_BYTES);
        }
    }
}

/// Ranges that begin or end on, before and behind what could be a boundary.
fn boundaries(memory_len_bytes: usize) -> Vec<(usize, usize)> {
    let mut places = vec![
        0,
        1,
        15,
        16,
        17,
        31,
        32,
        47,
        48,
        143,
        144,
        145,
        PAGE - 1,
        PAGE,
        PAGE + 1,
    ];
    places.extend([
        memory_len_bytes - 17,
        memory_len_bytes - 1,
        memory_len_bytes,
    ]);
    places.retain(|&place| place <= memory_len_bytes);
    places.sort_unstable();
    places.dedup();
    let mut ranges = Vec::new();
    for (index, &from) in places.iter().enumerate() {
        ranges.extend(places[index..].iter().map(|&to| (from, to - from)));
    }
    ranges
}
