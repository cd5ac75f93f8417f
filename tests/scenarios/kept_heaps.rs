//! The pair over kept heaps: whatever it is asked for, the heap underneath stays what it was.

use candid::Principal;
use pocket_ic::RejectResponse;
use sha2::{Digest, Sha256};
use tests::{World, wasms};
use wire::limits::{CHUNK_LEN_BYTES, PAGE_LEN_BYTES, READ_LEN_MAX_BYTES, WRITE_LEN_MAX_BYTES};

use ic_management_canister_types::WasmMemoryPersistence::Keep;

/// A patient of so many pages whose `fill` writes every one of them and whose hook traps.
fn patient(pages: u64) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (memory {pages})
            (global $stack (mut i32) (i32.const 1048576))
            (func (export "canister_pre_upgrade") unreachable)
            (func (export "canister_update fill") (local $at i64)
                (block $done (loop $next
                    (br_if $done (i64.ge_u (local.get $at) (i64.const {len_bytes})))
                    (i64.store (i32.wrap_i64 (local.get $at))
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

fn swap(world: &World, canister: Principal, module: &str) -> Result<(), RejectResponse> {
    world.upgrade_with(canister, wasms::load(module), true, Keep)
}

/// The whole heap by plain queries.
fn read_heap(world: &World, canister: Principal) -> Vec<u8> {
    let operator = world.operator.principal;
    let size: u64 = world.query(canister, operator, "heap_size", ()).unwrap();
    let mut heap = Vec::new();
    while (heap.len() as u64) < size {
        let offset = heap.len() as u64;
        let length = (size - offset).min(READ_LEN_MAX_BYTES);
        let part: serde_bytes::ByteBuf = world
            .query(canister, operator, "heap_read", (offset, length))
            .unwrap();
        heap.extend_from_slice(&part);
    }
    heap
}

/// The heap's checksums by replicated calls.
fn hash_heap(world: &World, canister: Principal, chunk_count: u64) -> Vec<u8> {
    let ask = (0u64, CHUNK_LEN_BYTES, chunk_count);
    let digests: serde_bytes::ByteBuf = world
        .update(canister, world.operator.principal, "heap_sha256", ask)
        .unwrap();
    digests.into_vec()
}

fn expected_digests(heap: &[u8]) -> Vec<u8> {
    heap.chunks(CHUNK_LEN_BYTES as usize)
        .flat_map(|chunk| Sha256::digest(chunk).to_vec())
        .collect()
}

fn write(world: &World, canister: Principal, method: &str, offset: u64, data: &[u8]) {
    let data = serde_bytes::Bytes::new(data);
    let () = pocket_ic::update_candid_as(
        &world.pic,
        canister,
        world.operator.principal,
        method,
        (offset, data),
    )
    .unwrap();
}

#[test]
fn kept_heaps_are_identical_after_download_hash_and_stable_upload() {
    let world = World::new();
    for pages in [0, 1, 17, 1_000] {
        let canister = world.install(patient(pages), vec![]);
        world
            .pic
            .update_call(canister, world.operator.principal, "fill", vec![])
            .unwrap();
        assert!(world.upgrade(canister, patient(pages)).is_err());

        let heap = filled(pages);
        let digests = expected_digests(&heap);
        let count = digests.len() as u64 / 32;
        swap(&world, canister, "downloader").unwrap();
        assert!(read_heap(&world, canister) == heap);
        assert!(hash_heap(&world, canister, count) == digests);

        swap(&world, canister, "uploader").unwrap();
        write(
            &world,
            canister,
            "stable_write",
            100,
            &heap[..heap.len().min(70_000)],
        );
        let block =
            lz4_flex::block::compress_prepend_size(&[vec![7; 50_000], b"end".to_vec()].concat());
        write(&world, canister, "stable_write_compressed", 200_000, &block);
        assert!(hash_heap(&world, canister, count) == digests);

        swap(&world, canister, "downloader").unwrap();
        let mut after = read_heap(&world, canister);
        if pages == 0 {
            // An update cannot do without memory: it leaves a page of zeros.
            assert!(after.iter().all(|&byte| byte == 0));
            after.clear();
        }
        assert!(after == heap);
        let stable = world.stable_memory(canister);
        assert!(stable[100..].starts_with(&heap[..heap.len().min(70_000)]));
        assert!(stable[250_000..].starts_with(b"end"));
    }
}

#[test]
fn a_heap_uploaded_to_a_fresh_canister_equals_the_original() {
    let world = World::new();
    let heap = filled(100);
    for name in ["uploader", "uploader64"] {
        let canister = world.install(wasms::load(name), vec![]);
        for (index, part) in heap.chunks(WRITE_LEN_MAX_BYTES as usize).enumerate() {
            let offset = index as u64 * WRITE_LEN_MAX_BYTES;
            write(&world, canister, "heap_write", offset, part);
        }
        let digests = expected_digests(&heap);
        assert!(hash_heap(&world, canister, digests.len() as u64 / 32) == digests);
        assert!(read_heap(&world, canister) == heap);
    }
}

#[test]
fn a_64_bit_reader_reads_a_32_bit_heap() {
    let world = World::new();
    let canister = world.install(patient(17), vec![]);
    world
        .pic
        .update_call(canister, world.operator.principal, "fill", vec![])
        .unwrap();
    swap(&world, canister, "downloader64").unwrap();
    assert!(read_heap(&world, canister) == filled(17));
    assert!(hash_heap(&world, canister, 2) == expected_digests(&filled(17)));
    swap(&world, canister, "downloader").unwrap();
    assert!(read_heap(&world, canister) == filled(17));
}
