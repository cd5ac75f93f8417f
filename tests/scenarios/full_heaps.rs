//! The pair over heaps with nothing left to grow: 4 GiB, and beyond that with 64-bit addresses.
//!
//! Such a heap is nearly all zeros here, or nobody could afford to fill it: a word is written every
//! 64 MiB, and the last one of all. Compared by the network are the size, the first and the last page byte
//! by byte, and the digests of the first 4 MiB, of every page that holds a written word, and of pages in
//! between picked at random. That all 4 GiB are the same is compared below the network: `a_full_heap_is_the_same_after_download_hash_and_stable_upload`.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use tests::pair::{Slot, digests};
use tests::{World, wasms};
use wire::limits::{CHUNK_LEN_BYTES, HASH_LANES, HEAP32_MAX_BYTES, PAGE_LEN_BYTES};
use wire::methods::{HEAP_WRITE, STABLE_WRITE, STABLE_WRITE_COMPRESSED};

/// From one written word to the next: 64 MiB and a little, so that none lies at the start of its page.
const STRIDE_BYTES: u64 = (64 << 20) + 8_184;
const WORD_LEN_BYTES: u64 = 8;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Places picked at random to be compared too.
const SAMPLES: usize = 40;
/// Pages compared at each place: as many as cost no more than one.
const PLACE_PAGES: u64 = HASH_LANES;

/// A heap as a patient leaves it.
struct Heap {
    pages: u64,
    is_64: bool,
}

impl Heap {
    fn len_bytes(&self) -> u64 {
        self.pages * PAGE_LEN_BYTES
    }

    /// Where words are written.
    fn places(&self) -> Vec<u64> {
        let last = self.len_bytes() - WORD_LEN_BYTES;
        let strides = (0..).map(|index| index * STRIDE_BYTES);
        strides.take_while(|&at| at < last).chain([last]).collect()
    }

    /// A patient that grows its heap to this size and writes the words; its hook traps.
    fn patient(&self) -> Vec<u8> {
        let (width, grown, address) = if self.is_64 {
            ("i64", "i64.const", "local.get $at")
        } else {
            ("", "i32.const", "i32.wrap_i64 (local.get $at)")
        };
        let last = self.len_bytes() - WORD_LEN_BYTES;
        wat::parse_str(format!(
            r#"(module
                (import "ic0" "msg_reply" (func $reply))
                (memory {width} 1)
                (func (export "canister_pre_upgrade") unreachable)
                (func $write (param $at i64)
                    (i64.store ({address})
                        (i64.mul (i64.add (local.get $at) (i64.const 1)) (i64.const {factor}))))
                (func (export "canister_update fill") (local $at i64)
                    (drop (memory.grow ({grown} {more})))
                    (loop $next
                        (call $write (local.get $at))
                        (local.set $at (i64.add (local.get $at) (i64.const {STRIDE_BYTES})))
                        (br_if $next (i64.lt_u (local.get $at) (i64.const {last}))))
                    (call $write (i64.const {last}))
                    (call $reply)))"#,
            factor = FACTOR as i64,
            more = self.pages - 1,
        ))
        .unwrap()
    }

    /// A range of it, as it has to be.
    fn range(&self, offset: u64, len_bytes: u64) -> Vec<u8> {
        let mut bytes = vec![0; len_bytes as usize];
        for at in self.places() {
            if at >= offset && at + WORD_LEN_BYTES <= offset + len_bytes {
                let word = (at + 1).wrapping_mul(FACTOR).to_le_bytes();
                let from = (at - offset) as usize;
                bytes[from..from + word.len()].copy_from_slice(&word);
            }
        }
        bytes
    }

    /// Compares what a canister holds with what it has to hold.
    fn is_held_by(&self, slot: Slot<'_>) {
        assert_eq!(slot.heap_size(), self.len_bytes());
        for offset in [0, self.len_bytes() - PAGE_LEN_BYTES] {
            let page = slot.heap_read(offset, PAGE_LEN_BYTES);
            assert!(
                page == self.range(offset, PAGE_LEN_BYTES),
                "page at {offset}"
            );
        }
        for page in self.pages_to_compare() {
            let count = PLACE_PAGES.min(self.pages - page);
            let range = self.range(page * PAGE_LEN_BYTES, count * PAGE_LEN_BYTES);
            let expected = digests(&range, PAGE_LEN_BYTES);
            assert!(
                slot.heap_page_digests(page, count) == expected,
                "page {page}"
            );
        }
        let start = self.range(0, 4 * CHUNK_LEN_BYTES);
        assert!(slot.heap_digests(4) == digests(&start, CHUNK_LEN_BYTES));
    }

    /// Pages from which on to compare: those with a word in them, and some others.
    fn pages_to_compare(&self) -> BTreeSet<u64> {
        let written = self.places().into_iter().map(|at| at / PAGE_LEN_BYTES);
        let seed = rand::random::<u64>();
        println!("pages sampled with seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let sampled = (0..SAMPLES).map(|_| random.random_range(0..self.pages));
        written.chain(sampled).collect()
    }

    /// Downloads, hashes, uploads stable memory over the kept heap, then uploads the heap to a fresh slot.
    fn survives(&self, suffix: &str) {
        let world = World::new();
        let slot = Slot::install(&world, self.patient());
        slot.update("fill", vec![]).unwrap();
        assert!(world.upgrade(slot.canister, self.patient()).is_err());
        slot.swap_in(&format!("downloader{suffix}")).unwrap();
        self.is_held_by(slot);

        slot.swap_in(&format!("uploader{suffix}")).unwrap();
        slot.write(STABLE_WRITE, 100, &[7; 70_000]);
        let block = lz4_flex::block::compress_prepend_size(&[8; 90_000]);
        slot.write(STABLE_WRITE_COMPRESSED, 200_000, &block);
        self.is_held_by(slot);
        let stable = world.stable_memory(slot.canister);
        assert!(
            stable[100..].starts_with(&[7; 70_000]) && stable[200_000..].starts_with(&[8; 90_000])
        );

        let fresh = Slot::install(&world, wasms::load(&format!("uploader{suffix}")));
        for at in self.places() {
            let from = at / PAGE_LEN_BYTES * PAGE_LEN_BYTES;
            fresh.write(HEAP_WRITE, from, &self.range(from, PAGE_LEN_BYTES));
        }
        self.is_held_by(fresh);
    }
}

#[test]
fn a_heap_grown_to_its_limit_is_kept_and_restored() {
    let heap = Heap {
        pages: HEAP32_MAX_BYTES / PAGE_LEN_BYTES,
        is_64: false,
    };
    heap.survives("");
}

#[test]
fn a_heap_beyond_4_gib_is_kept_and_restored_by_the_64_bit_pair() {
    let heap = Heap {
        pages: HEAP32_MAX_BYTES / PAGE_LEN_BYTES + 1_000,
        is_64: true,
    };
    heap.survives("64");
}
