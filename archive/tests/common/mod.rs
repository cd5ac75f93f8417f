//! A small backup to try things on.

#![allow(dead_code)] // each test binary uses a part of it

use archive::digests::{ChunkDigests, sha256};
use archive::manifest::{Attestation, Route, Subject};
use archive::metadata::{Global, GlobalTimer, HookStatus, Metadata, Source};
use archive::{ArchiveError, Backup, Draft, Exclusive, Memory, Seal};
use std::path::Path;

pub const CHUNK: u64 = 4096;
pub const CANISTER: &str = "lxzze-o7777-77777-aaaaa-cai";
pub const MODULE: &[u8] = b"\0asm\x01\0\0\0 not a real module, but what counts is its hash";

/// Stable memory with data, a zero chunk and a last chunk cut short.
pub fn stable() -> Vec<u8> {
    let mut data: Vec<u8> = (0..5 * CHUNK + 100)
        .map(|n| (n * 7 + n / 251) as u8)
        .collect();
    data[2 * CHUNK as usize..3 * CHUNK as usize].fill(0);
    data
}

pub fn heap() -> Vec<u8> {
    (0..2 * CHUNK).map(|n| (n * 31 + 5) as u8).collect()
}

pub fn digests(memory: Memory, data: &[u8]) -> ChunkDigests {
    ChunkDigests::of_bytes(memory, data, CHUNK)
}

pub fn subject() -> Subject {
    Subject {
        canister: CANISTER.into(),
        module_hash: Some(hex::encode(sha256(MODULE))),
        canister_version: Some(7),
        network: "http://127.0.0.1:8000".into(),
        route: Route::Rescue,
        attestation: Attestation::Rescue {
            rescue_canister: "rrkah-fqaaa-aaaaa-aaaaq-cai".into(),
            case: 1,
        },
        taken_at_ns: 1_757_000_000_000_000_001,
        snapshot: None,
    }
}

pub fn seal() -> Seal {
    Seal {
        metadata: Metadata {
            source: Source::TakenFromCanister,
            taken_at_timestamp: 1_757_000_000_000_000_001,
            wasm_module_size: 0,
            globals: vec![Some(Global::I32(1_048_576)), Some(Global::I64(-1))],
            wasm_memory_size: 0,
            stable_memory_size: 0,
            wasm_chunk_store: vec![],
            canister_version: 7,
            certified_data: vec![0, 255],
            global_timer: Some(GlobalTimer::Inactive),
            on_low_wasm_memory_hook_status: Some(HookStatus::ConditionNotSatisfied),
        },
        module: Some(MODULE.to_vec()),
        chunk_store: vec![b"a stored chunk".to_vec()],
        certified: vec![("roots.cbor".into(), b"not really a certificate".to_vec())],
        loadable_as_snapshot: true,
        sealed_at_ns: 1_757_000_001_000_000_000,
        tool_version: "0.1.0".into(),
    }
}

pub fn data(memory: Memory) -> Vec<u8> {
    match memory {
        Memory::Stable => stable(),
        Memory::Heap => heap(),
    }
}

pub fn chunk(digests: &ChunkDigests, data: &[u8], index: u64) -> Vec<u8> {
    let start = digests.offset_bytes(index) as usize;
    data[start..start + digests.len_bytes(index) as usize].to_vec()
}

/// Makes the whole backup, or goes on with it; returns the chunks that had to be written.
pub fn make(dir: &Path, stable: &[u8], heap: &[u8]) -> (Backup, Vec<(Memory, u64)>) {
    try_make(dir, stable, heap).unwrap()
}

/// As [`make`], as far as it gets.
pub fn try_make(
    dir: &Path,
    stable: &[u8],
    heap: &[u8],
) -> Result<(Backup, Vec<(Memory, u64)>), ArchiveError> {
    let mut draft = Draft::begin(Exclusive::create(dir)?, subject())?;
    let mut written = Vec::new();
    for (memory, data) in [(Memory::Stable, stable), (Memory::Heap, heap)] {
        let mut writer = draft.writer(digests(memory, data))?;
        for index in writer.survey(&mut |_| {})? {
            writer.write(index, &chunk(writer.digests(), data, index))?;
            written.push((memory, index));
        }
        draft.add_image(writer.seal(&mut |_| {})?);
    }
    Ok((draft.seal(seal())?, written))
}

/// Downloads a snapshot, or goes on with it, as far as it gets.
pub fn try_receive(dir: &Path, id: &str, stable: &[u8], heap: &[u8]) -> Result<(), ArchiveError> {
    let subject = Subject {
        route: Route::Snapshot,
        attestation: Attestation::Received,
        snapshot: Some(id.into()),
        ..subject()
    };
    let mut draft = Draft::begin(Exclusive::create(dir)?, subject)?;
    for (memory, data) in [(Memory::Stable, stable), (Memory::Heap, heap)] {
        let receiver = draft.receiver(memory, data.len() as u64)?;
        for index in receiver.survey(&mut |_| {})? {
            receiver.write(index, &chunk(receiver.shape(), data, index))?;
        }
        let sealed = draft.writer(receiver.finish()?)?.seal(&mut |_| {})?;
        draft.add_image(sealed);
    }
    draft.seal(seal()).map(drop)
}
