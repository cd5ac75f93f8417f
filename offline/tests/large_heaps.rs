//! A hook that serialises a large heap byte by byte: its result, and the memory it takes. In a process of its
//! own, as the greatest memory use is the process's.
//!
//! `IC_RESCUE_LARGE_HEAP_MIB` chooses the size: `docs/OFFLINE.md` has the figures for 2,048.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::digests::sha256;
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{Backup, ChunkDigests, Draft, Exclusive, Memory, Seal, Shared, Subject};
use common::{CANISTER, CHUNK, engine, open, pre_upgrade};
use offline::patient::Given;
use offline::run;
use offline::save::{Content, save};
use std::path::Path;
use std::time::Instant;

const HEAP_MIB_DEFAULT: u64 = 64;
const MASK: u8 = 0x5a;
/// What a run may take beside what it writes: the compiler, the program, the page cache's share.
const BASE_BYTES: u64 = 512 << 20;

/// Writes each page of the heap but the first, masked byte by byte, to stable memory at the same place.
const HOARDER: &str = r#"(module
  (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
  (memory 1)
  (func $save (local $page i32) (local $byte i32)
    (local.set $page (i32.const 1))
    (loop $pages
      (local.set $byte (i32.const 0))
      (loop $bytes
        (i32.store8 (local.get $byte)
          (i32.xor (i32.const 0x5a)
            (i32.load8_u
              (i32.add (i32.shl (local.get $page) (i32.const 16)) (local.get $byte)))))
        (local.set $byte (i32.add (local.get $byte) (i32.const 1)))
        (br_if $bytes (i32.lt_u (local.get $byte) (i32.const 65536))))
      (call $write
        (i64.shl (i64.extend_i32_u (local.get $page)) (i64.const 16))
        (i64.const 0) (i64.const 65536))
      (local.set $page (i32.add (local.get $page) (i32.const 1)))
      (br_if $pages (i32.lt_u (local.get $page) (memory.size)))))
  (export "canister_pre_upgrade" (func $save)))"#;

/// Chunk `index` of the heap: bytes that neither compress nor repeat.
fn chunk(index: u64) -> Vec<u8> {
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..CHUNK / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

/// What the hook leaves of it.
fn masked(index: u64) -> Vec<u8> {
    let mut data = chunk(index);
    for byte in &mut data {
        *byte ^= MASK;
    }
    if index == 0 {
        data[..65_536].fill(0);
    }
    data
}

fn digests(memory: Memory, chunks: u64, data: fn(u64) -> Vec<u8>) -> ChunkDigests {
    let raw: Vec<u8> = (0..chunks).flat_map(|index| sha256(&data(index))).collect();
    ChunkDigests::from_raw(memory, chunks * CHUNK, CHUNK, &raw).unwrap()
}

fn back_up(dir: &Path, module: &[u8], chunks: u64) {
    let subject = Subject {
        canister: CANISTER.into(),
        module_hash: Some(hex::encode(sha256(module))),
        canister_version: Some(3),
        network: "http://127.0.0.1:8000".into(),
        route: Route::Rescue,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: 1,
        snapshot: None,
    };
    let mut draft = Draft::begin(Exclusive::create(dir).unwrap(), subject).unwrap();
    let stable = ChunkDigests::from_raw(Memory::Stable, 0, CHUNK, &[]).unwrap();
    for (digests, count) in [(stable, 0), (digests(Memory::Heap, chunks, chunk), chunks)] {
        let writer = draft.writer(digests).unwrap();
        for index in 0..count {
            writer.write(index, &chunk(index)).unwrap();
        }
        draft.add_image(writer.seal(&mut |_| {}).unwrap());
    }
    draft
        .seal(Seal {
            metadata: Metadata::empty(),
            module: Some(module.to_vec()),
            chunk_store: Vec::new(),
            certified: Vec::new(),
            loadable_as_snapshot: true,
            sealed_at_ns: 2,
            tool_version: "0.1.0".into(),
        })
        .unwrap();
}

/// The most memory this process has used, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[test]
fn a_hook_over_a_large_heap_takes_memory_for_what_it_writes() {
    let mib = std::env::var("IC_RESCUE_LARGE_HEAP_MIB");
    let mib: u64 = mib.map_or(HEAP_MIB_DEFAULT, |text| text.parse().unwrap());
    let (chunks, heap_bytes) = (mib, mib << 20);
    assert_eq!(CHUNK, 1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    back_up(&old, &wat::parse_str(HOARDER).unwrap(), chunks);

    let begun = Instant::now();
    let patient = open(&old, Given::default()).unwrap();
    let reports = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = reports.clone();
    let progress = Box::new(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let ran = run(&engine(), &patient, pre_upgrade(&[], &[]), Some(progress)).unwrap();
    let ran_after = begun.elapsed();
    let content = Content {
        patient: &patient,
        state: &ran.state,
        stable: &ran.state.stable,
        with_heap: true,
        effects: &ran.effects,
        provenance: ran.provenance.clone(),
        now_ns: 3,
        tool_version: "0.1.0".into(),
    };
    save(&new, content, &mut |_| {}).unwrap();
    let peak = peak_bytes();
    println!(
        "{mib} MiB of heap: {} instructions, run in {} s, written after {} s, at most {} MiB of memory",
        ran.provenance.instructions,
        ran_after.as_secs(),
        begun.elapsed().as_secs(),
        peak >> 20
    );

    let lock = Shared::existing(&new).unwrap();
    let backup = Backup::open(&lock).unwrap();
    let root = backup
        .manifest()
        .unwrap()
        .memory(Memory::Stable)
        .unwrap()
        .root
        .clone();
    assert_eq!(
        root,
        hex::encode(digests(Memory::Stable, chunks, masked).root())
    );
    let billions = ran.provenance.instructions / 1_000_000_000;
    assert!(reports.load(std::sync::atomic::Ordering::Relaxed) + 1 >= billions);
    // The image's pages in use count, too: they are the system's to take back.
    assert!(
        peak <= 2 * heap_bytes + heap_bytes / 4 + BASE_BYTES,
        "{peak} bytes of memory"
    );
}
