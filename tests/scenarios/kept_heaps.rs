//! The pair over kept heaps: whatever it is asked for, the heap underneath stays what it was.

use tests::World;
use tests::pair::{Slot, digests};
use tests::wasms;
use wire::limits::{CHUNK_LEN_BYTES, PAGE_LEN_BYTES, WRITE_LEN_MAX_BYTES};
use wire::methods::{HEAP_WRITE, STABLE_WRITE, STABLE_WRITE_COMPRESSED};

/// A patient of so many pages whose `fill` writes every one of them and whose hook traps; with 64-bit
/// addresses if asked.
fn patient(pages: u64, is_64: bool) -> Vec<u8> {
    let (width, address) = if is_64 {
        ("i64", "local.get $at")
    } else {
        ("", "i32.wrap_i64 (local.get $at)")
    };
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (memory {width} {pages})
            (global $stack (mut i32) (i32.const 1048576))
            (func (export "canister_pre_upgrade") unreachable)
            (func (export "canister_update fill") (local $at i64)
                (block $done (loop $next
                    (br_if $done (i64.ge_u (local.get $at) (i64.const {len_bytes})))
                    (i64.store ({address})
                        (i64.mul (i64.add (local.get $at) (i64.const 1)) (i64.const {FACTOR})))
                    (local.set $at (i64.add (local.get $at) (i64.const 8)))
                    (br $next)))
                (call $reply)))"#,
        len_bytes = pages * PAGE_LEN_BYTES,
        FACTOR = FACTOR as i64,
    ))
    .unwrap()
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// What `fill` leaves behind.
fn filled(pages: u64) -> Vec<u8> {
    (0..pages * PAGE_LEN_BYTES)
        .step_by(8)
        .flat_map(|at| (at + 1).wrapping_mul(FACTOR).to_le_bytes())
        .collect()
}

/// A patient with a filled heap, broken.
fn bricked(world: &World, pages: u64, is_64: bool) -> Slot<'_> {
    let slot = Slot::install(world, patient(pages, is_64));
    slot.update("fill", vec![]).unwrap();
    assert!(world.upgrade(slot.canister, patient(pages, is_64)).is_err());
    slot
}

/// Downloads, hashes, uploads stable memory, and finds the heap to be what `fill` left.
fn leaves_the_heap_alone(world: &World, slot: Slot<'_>, pages: u64, suffix: &str) {
    let heap = filled(pages);
    let digests = digests(&heap, CHUNK_LEN_BYTES);
    let count = digests.len() as u64 / 32;
    slot.swap_in(&format!("downloader{suffix}")).unwrap();
    assert!(slot.heap() == heap);
    assert!(slot.heap_digests(count) == digests);

    slot.swap_in(&format!("uploader{suffix}")).unwrap();
    slot.write(STABLE_WRITE, 100, &heap[..heap.len().min(70_000)]);
    let data = [vec![7; 50_000], b"end".to_vec()].concat();
    let block = lz4_flex::block::compress_prepend_size(&data);
    slot.write(STABLE_WRITE_COMPRESSED, 200_000, &block);
    assert!(slot.heap_digests(count) == digests);

    slot.swap_in(&format!("downloader{suffix}")).unwrap();
    let mut after = slot.heap();
    if pages == 0 {
        // An update cannot do without memory: it leaves a page of zeros.
        assert!(after.iter().all(|&byte| byte == 0));
        after.clear();
    }
    assert!(after == heap);
    let stable = world.stable_memory(slot.canister);
    assert!(stable[100..].starts_with(&heap[..heap.len().min(70_000)]));
    assert!(stable[250_000..].starts_with(b"end"));
}

#[test]
fn kept_heaps_are_identical_after_download_hash_and_stable_upload() {
    let world = World::new();
    for pages in [0, 1, 17, 1_000] {
        let slot = bricked(&world, pages, false);
        leaves_the_heap_alone(&world, slot, pages, "");
    }
}

#[test]
fn kept_64_bit_heaps_are_identical_after_download_hash_and_stable_upload() {
    let world = World::new();
    for pages in [0, 1, 17, 200] {
        // Sizes are what counts: the 32-bit pair serves a small heap of a 64-bit canister too.
        for suffix in ["64", ""] {
            let slot = bricked(&world, pages, true);
            leaves_the_heap_alone(&world, slot, pages, suffix);
        }
    }
}

#[test]
fn a_heap_uploaded_to_a_fresh_canister_equals_the_original() {
    let world = World::new();
    let heap = filled(100);
    for name in ["uploader", "uploader64"] {
        let slot = Slot::install(&world, wasms::load(name));
        for (index, part) in heap.chunks(WRITE_LEN_MAX_BYTES as usize).enumerate() {
            slot.write(HEAP_WRITE, index as u64 * WRITE_LEN_MAX_BYTES, part);
        }
        let digests = digests(&heap, CHUNK_LEN_BYTES);
        assert!(slot.heap_digests(digests.len() as u64 / 32) == digests);
        assert!(slot.heap() == heap);
    }
}

#[test]
fn a_64_bit_reader_reads_a_32_bit_heap() {
    let world = World::new();
    let slot = bricked(&world, 17, false);
    slot.swap_in("downloader64").unwrap();
    assert!(slot.heap() == filled(17));
    assert!(slot.heap_digests(2) == digests(&filled(17), CHUNK_LEN_BYTES));
    slot.swap_in("downloader").unwrap();
    assert!(slot.heap() == filled(17));
}
