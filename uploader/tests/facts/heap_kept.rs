//! A kept heap is the same before and after everything but `heap_write`.

use crate::compressed::compress;
use crate::harness::{Canister, READERS, blob, chunks, noise, range, unit};
use crate::updates::{WRITERS, write};
use engine::{Heap, StableMemory};
use wire::limits::{CHUNK_LEN_BYTES, HEAP32_MAX_BYTES, PAGE_LEN_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// Every method that must leave the heap alone.
fn use_everything(canister: &mut Canister, writes: bool) {
    for method in ["stable_size", "heap_size"] {
        canister.query(method, &unit()).reply();
    }
    for method in ["stable_read", "heap_read"] {
        canister
            .query(
                method,
                &range(0, canister.heap_pages().min(1) * PAGE_LEN_BYTES),
            )
            .reply();
        canister.replicated_query(method, &range(0, 0)).reply();
    }
    let count = (canister.heap_pages() * PAGE_LEN_BYTES)
        .div_ceil(CHUNK_LEN_BYTES)
        .min(8);
    canister
        .query("heap_sha256", &chunks(0, CHUNK_LEN_BYTES, count))
        .reply();
    canister
        .replicated_query("stable_sha256", &chunks(0, 1_000, 9))
        .reply();
    if writes {
        canister
            .update("stable_write", &write(10, &noise(100_000, 1)))
            .reply();
        let block = compress(&[noise(5_000, 2), vec![7; 90_000]].concat());
        canister
            .update("stable_write_compressed", &write(200_000, &block))
            .reply();
        canister
            .update("stable_write", b"nonsense")
            .refused("malformed candid argument");
    }
}

#[test]
fn a_kept_heap_is_the_same_after_download_hash_and_stable_upload() {
    for name in READERS {
        let writes = WRITERS.contains(&name);
        for heap_pages in [1, 17, 1_000] {
            let heap = noise(heap_pages * PAGE, 3);
            let mut canister = Canister::holding(name, &heap, &noise(2 * PAGE, 4));
            use_everything(&mut canister, writes);
            assert!(
                canister.heap() == heap,
                "{name} changed a heap of {heap_pages} pages"
            );
        }
    }
}

#[test]
fn a_full_heap_is_the_same_after_download_hash_and_stable_upload() {
    let full_pages = HEAP32_MAX_BYTES / PAGE_LEN_BYTES;
    let part = noise(64 * PAGE, 5);
    let last_at = HEAP32_MAX_BYTES - part.len() as u64;
    let zeros = vec![0; part.len()];
    for name in READERS {
        let mut heap = Heap::zeroed(full_pages).unwrap();
        heap.write(0, &part).unwrap();
        heap.write(last_at, &part).unwrap();
        let mut canister = Canister::keeping(name, heap, StableMemory::zeroed(2).unwrap());
        use_everything(&mut canister, WRITERS.contains(&name));
        assert_eq!(canister.heap_pages(), full_pages);
        // Every byte of the 4 GiB.
        let mut found = vec![0; part.len()];
        for at in (0..HEAP32_MAX_BYTES).step_by(part.len()) {
            canister.state.heap.read(at, &mut found).unwrap();
            let written = at == 0 || at == last_at;
            assert!(
                found == *if written { &part } else { &zeros },
                "{name} at {at}"
            );
        }
    }
}

/// An update cannot do without memory, so a heap of no pages becomes one page of zeros. Queries
/// leave even that alone.
#[test]
fn a_heap_of_no_pages_holds_at_most_a_page_of_zeros_afterwards() {
    for name in READERS {
        let writes = WRITERS.contains(&name);
        let mut canister = Canister::holding(name, &[], &noise(2 * PAGE, 6));
        use_everything(&mut canister, writes);
        assert_eq!(canister.heap(), vec![0; if writes { PAGE } else { 0 }]);
    }
}

#[test]
fn a_heap_uploaded_to_a_fresh_canister_equals_the_original() {
    for name in WRITERS {
        let heap = noise(17 * PAGE, 7);
        let mut canister = Canister::fresh(name);
        // Out of order and partly twice, as a restore that was interrupted sends it.
        let mut parts: Vec<_> = heap.chunks(300_000).enumerate().collect();
        parts.reverse();
        parts.push(parts[0]);
        for (index, part) in parts {
            canister
                .update("heap_write", &write(300_000 * index as u64, part))
                .reply();
        }
        assert!(canister.heap() == heap);
        let original = Canister::holding("downloader", &heap, &[]);
        let arg = chunks(0, CHUNK_LEN_BYTES, 2);
        let digests = blob(&canister.query("heap_sha256", &arg).reply());
        assert_eq!(digests, blob(&original.query("heap_sha256", &arg).reply()));
    }
}
