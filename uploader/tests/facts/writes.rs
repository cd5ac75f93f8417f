//! Plain writes: placed, repeated, grown for, refused.

use crate::harness::{Canister, noise};
use crate::updates::{WRITERS, write};
use candid::Principal;
use engine::{Heap, StableMemory};
use wire::limits::{HEAP32_MAX_BYTES, HEAP64_MAX_BYTES, PAGE_LEN_BYTES, WRITE_LEN_MAX_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

#[test]
fn a_write_lands_where_it_was_sent_and_nowhere_else() {
    for name in WRITERS {
        for len_bytes in [0, 1, 7, 1_023, 1_024, 1_025, 2_048, PAGE, 100_000] {
            for offset in [0, 1, 100, PAGE - 1, PAGE] {
                let data = noise(len_bytes, 3);
                let (heap, stable) = (noise(3 * PAGE, 1), noise(3 * PAGE, 2));
                let mut canister = Canister::holding(name, &heap, &stable);
                canister
                    .update("stable_write", &write(offset as u64, &data))
                    .reply();
                let mut expected = stable.clone();
                expected[offset..offset + len_bytes].copy_from_slice(&data);
                assert!(canister.stable() == expected && canister.heap() == heap);

                canister
                    .update("heap_write", &write(offset as u64, &data))
                    .reply();
                let mut heap = heap;
                heap[offset..offset + len_bytes].copy_from_slice(&data);
                assert!(canister.stable() == expected && canister.heap() == heap);
            }
        }
    }
}

#[test]
fn a_write_replies_unit() {
    for name in WRITERS {
        let mut canister = Canister::fresh(name);
        for method in ["stable_write", "heap_write"] {
            assert_eq!(
                canister.update(method, &write(0, b"x")).reply(),
                b"DIDL\0\0"
            );
        }
    }
}

#[test]
fn a_repeated_write_changes_nothing_more() {
    for name in WRITERS {
        let mut canister = Canister::fresh(name);
        for method in ["stable_write", "heap_write"] {
            let message = write(70_000, &noise(5_000, 4));
            canister.update(method, &message).reply();
            let memories = (canister.heap(), canister.stable());
            canister.update(method, &message).reply();
            assert!((canister.heap(), canister.stable()) == memories);
        }
    }
}

#[test]
fn a_memory_grows_by_as_many_pages_as_the_data_needs() {
    for name in WRITERS {
        for (end, pages) in [
            (1, 1),
            (PAGE, 1),
            (PAGE + 1, 2),
            (5 * PAGE, 5),
            (5 * PAGE + 9, 6),
        ] {
            for data in [&b""[..], b"x"] {
                let message = write((end - data.len()) as u64, data);
                let mut canister = Canister::fresh(name);
                canister.update("stable_write", &message).reply();
                assert_eq!(canister.stable().len(), pages * PAGE);
                canister.update("heap_write", &message).reply();
                assert_eq!(canister.heap().len(), pages * PAGE);
                assert!(canister.heap().ends_with(&canister.stable()));
            }
        }
    }
}

#[test]
fn a_write_that_cannot_be_placed_changes_nothing() {
    for name in WRITERS {
        let (heap, stable) = (noise(2 * PAGE, 5), noise(2 * PAGE, 6));
        let mut canister =
            Canister::holding(name, &heap, &stable).with_room_bytes(3 * PAGE_LEN_BYTES);
        for offset in [
            5 * PAGE_LEN_BYTES,
            1 << 32,
            500 << 30,
            u64::MAX - 1,
            u64::MAX,
        ] {
            let message = write(offset, b"data");
            canister
                .update("stable_write", &message)
                .refused("memory cannot grow that far");
            let refused = canister.update("heap_write", &message);
            assert!(refused.result.is_err());
            assert!(canister.heap() == heap && canister.stable() == stable);
        }
        canister
            .update("stable_write", &write(5 * PAGE_LEN_BYTES - 4, b"data"))
            .reply();
    }
}

#[test]
fn a_full_heap_is_written_to_its_last_byte_and_no_further() {
    for (name, full_bytes) in [
        ("uploader", HEAP32_MAX_BYTES),
        ("uploader64", HEAP64_MAX_BYTES),
    ] {
        let mut canister = Canister::fresh(name);
        canister
            .update("heap_write", &write(full_bytes - 4, b"last"))
            .reply();
        assert_eq!(canister.heap_pages() * PAGE_LEN_BYTES, full_bytes);
        assert_eq!(canister.heap_part(full_bytes - 4, 4), b"last");
        let beyond = canister.update("heap_write", &write(full_bytes - 3, b"last"));
        beyond.refused("memory cannot grow that far");
        canister.update("heap_write", &write(0, b"first")).reply();
        assert_eq!(canister.heap_part(0, 5), b"first");
    }
}

#[test]
fn only_controllers_write() {
    for name in WRITERS {
        let (heap, stable) = (noise(PAGE, 7), noise(PAGE, 8));
        for stranger in [Principal::anonymous(), Principal::from_slice(&[9; 29])] {
            let mut canister = Canister::holding(name, &heap, &stable).called_by(stranger);
            for method in wire::methods::WRITES {
                let message = write(0, b"data");
                canister
                    .update(method, &message)
                    .refused("only a controller may call this");
            }
            assert!(canister.heap() == heap && canister.stable() == stable);
        }
    }
}

#[test]
fn the_longest_write_passes_at_a_small_cost_a_byte() {
    for name in WRITERS {
        let data = noise(WRITE_LEN_MAX_BYTES as usize, 9);
        let heap = Heap::zeroed(40).unwrap();
        let mut canister = Canister::keeping(name, heap, StableMemory::zeroed(40).unwrap());
        let stable = canister
            .update("stable_write", &write(0, &data))
            .instructions;
        let heap = canister.update("heap_write", &write(0, &data)).instructions;
        println!("{name}: 2 MB to stable memory {stable}, to the heap {heap} instructions");
        assert!(canister.heap().starts_with(&data) && canister.stable().starts_with(&data));
        // Every dirtied page of 4 KiB costs 1,000, of a 64-bit heap 4,000; edges besides.
        let page = if name == "uploader64" { 4_000 } else { 1_000 };
        let dirtied = page * (WRITE_LEN_MAX_BYTES / 4_096 + 2);
        // Two copies of every byte, and two calls for each window of 1,024.
        assert!(stable < WRITE_LEN_MAX_BYTES * 26 / 10 + dirtied, "{stable}");
        // One copy, straight into place.
        assert!(
            heap < WRITE_LEN_MAX_BYTES * 1_001 / 1_000 + dirtied + 10_000,
            "{heap}"
        );
    }
}
