//! Snapshots out and in: metadata and data.

use std::sync::Arc;

use candid::{Nat, Principal};
use engine::{GlobalValue, Heap, StableMemory, WASM_PAGE_BYTES};
use ic_management_canister_types::{
    CanisterTimer, ChunkHash, OnLowWasmMemoryHookStatus, ReadCanisterSnapshotDataArgs,
    ReadCanisterSnapshotDataResult, ReadCanisterSnapshotMetadataArgs,
    ReadCanisterSnapshotMetadataResult, SnapshotDataKind, SnapshotDataOffset,
    SnapshotMetadataGlobal, UploadCanisterSnapshotDataArgs, UploadCanisterSnapshotMetadataArgs,
    UploadCanisterSnapshotMetadataResult,
};

use super::decode::{empty, encode};
use super::snapshot_load::source_result;
use super::snapshots::{
    check_cycles, check_heap_delta, check_memory, check_place, check_readable, insert,
};
use crate::core::canister::{Canister, HookStatus};
use crate::core::errors::UserError;
use crate::core::execute::is_wasm64;
use crate::core::limits::{
    CERTIFIED_DATA_MAX_BYTES, CHUNK_BYTES, HEAP_DELTA_RATE_BYTES, MAX_STABLE_BYTES,
    MAX_WASM32_HEAP_BYTES, MAX_WASM64_HEAP_BYTES, SNAPSHOT_BASELINE_INSTRUCTIONS,
    SNAPSHOT_DATA_BASELINE_INSTRUCTIONS, SNAPSHOT_SLICE_MAX_BYTES, UPLOAD_CHUNK_INSTRUCTIONS,
    WASM_MAX_BYTES,
};
use crate::core::network::SubnetContext;
use crate::core::snapshot::{GLOBAL_BYTES, Snapshot, SnapshotId, SnapshotSource};
use crate::core::subnet::SubnetState;

/// Globals a module may have, hence metadata too.
const MAX_GLOBALS: usize = 1000;

/// `read_canister_snapshot_metadata`
///
/// # Errors
/// No such canister or snapshot, or a caller who may not.
pub fn read_metadata(
    state: &SubnetState,
    sender: Principal,
    args: &ReadCanisterSnapshotMetadataArgs,
) -> Result<Vec<u8>, UserError> {
    check_readable(state, &args.canister_id, &sender)?;
    let id = SnapshotId::from_bytes(&args.snapshot_id)?;
    let snapshot = state.snapshot(&args.canister_id, &id)?;
    Ok(encode(&ReadCanisterSnapshotMetadataResult {
        source: Some(source_result(snapshot.source)),
        taken_at_timestamp: snapshot.taken_at_ns,
        wasm_module_size: snapshot.module.len() as u64,
        globals: snapshot
            .globals
            .iter()
            .map(global_result)
            .map(Some)
            .collect(),
        wasm_memory_size: snapshot.heap.size_bytes(),
        stable_memory_size: snapshot.stable.size_bytes(),
        wasm_chunk_store: snapshot
            .chunk_store
            .hashes()
            .map(|hash| ChunkHash {
                hash: hash.to_vec(),
            })
            .collect(),
        canister_version: snapshot.canister_version,
        certified_data: snapshot.certified_data.clone(),
        global_timer: snapshot.global_timer.map(|timer| match timer {
            None => CanisterTimer::Inactive,
            Some(timer_ns) => CanisterTimer::Active(timer_ns),
        }),
        on_low_wasm_memory_hook_status: snapshot.hook.map(|hook| match hook {
            HookStatus::ConditionNotSatisfied => OnLowWasmMemoryHookStatus::ConditionNotSatisfied,
            HookStatus::Ready => OnLowWasmMemoryHookStatus::Ready,
            HookStatus::Executed => OnLowWasmMemoryHookStatus::Executed,
        }),
    }))
}

fn global_result(value: &GlobalValue) -> SnapshotMetadataGlobal {
    match value {
        GlobalValue::I32(value) => SnapshotMetadataGlobal::I32(*value),
        GlobalValue::I64(value) => SnapshotMetadataGlobal::I64(*value),
        GlobalValue::F32(bits) => SnapshotMetadataGlobal::F32(f32::from_bits(*bits)),
        GlobalValue::F64(bits) => SnapshotMetadataGlobal::F64(f64::from_bits(*bits)),
        GlobalValue::V128(bits) => SnapshotMetadataGlobal::V128(Nat::from(*bits)),
    }
}

fn global_value(given: &SnapshotMetadataGlobal) -> Result<GlobalValue, UserError> {
    Ok(match given {
        SnapshotMetadataGlobal::I32(value) => GlobalValue::I32(*value),
        SnapshotMetadataGlobal::I64(value) => GlobalValue::I64(*value),
        SnapshotMetadataGlobal::F32(value) => GlobalValue::F32(value.to_bits()),
        SnapshotMetadataGlobal::F64(value) => GlobalValue::F64(value.to_bits()),
        SnapshotMetadataGlobal::V128(value) => GlobalValue::V128(
            u128::try_from(&value.0)
                .map_err(|_| UserError::undecodable(format_args!("{value} is no v128")))?,
        ),
    })
}

/// `read_canister_snapshot_data`
///
/// # Errors
/// See [`UserError`]: no such canister, snapshot, range or chunk, a caller who may not, a slice
/// that is too long, no cycles.
pub fn read_data(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: ReadCanisterSnapshotDataArgs,
) -> Result<Vec<u8>, UserError> {
    let canister = check_readable(state, &args.canister_id, &sender)?;
    let id = SnapshotId::from_bytes(&args.snapshot_id)?;
    let snapshot = state.snapshot(&args.canister_id, &id)?;
    let size = match &args.kind {
        SnapshotDataKind::WasmModule { size, .. }
        | SnapshotDataKind::WasmMemory { size, .. }
        | SnapshotDataKind::StableMemory { size, .. } => *size,
        SnapshotDataKind::WasmChunk { .. } => CHUNK_BYTES as u64,
    };
    if size > SNAPSHOT_SLICE_MAX_BYTES {
        return Err(UserError::invalid_payload(format!(
            "Requested slice too large: {size} > {SNAPSHOT_SLICE_MAX_BYTES}"
        )));
    }
    let instructions = SNAPSHOT_DATA_BASELINE_INSTRUCTIONS + size;
    check_cycles(canister, subnet, &sender, instructions)?;
    let chunk = slice_of(snapshot, &args.kind);
    // Paid for even when there is no such range.
    state
        .canister_mut(&args.canister_id)?
        .charge_instructions(subnet.prices.execution(instructions, false));
    Ok(encode(&ReadCanisterSnapshotDataResult { chunk: chunk? }))
}

fn slice_of(snapshot: &Snapshot, kind: &SnapshotDataKind) -> Result<Vec<u8>, UserError> {
    let invalid = |offset, size| UserError::invalid_slice(offset, size);
    match kind {
        SnapshotDataKind::WasmModule { offset, size } => {
            let end = offset.saturating_add(*size);
            let range = usize::try_from(*offset).unwrap_or(usize::MAX)
                ..usize::try_from(end).unwrap_or(usize::MAX);
            snapshot
                .module
                .get(range)
                .map(<[u8]>::to_vec)
                .ok_or_else(|| invalid(*offset, *size))
        }
        SnapshotDataKind::WasmMemory { offset, size } => {
            let mut chunk = bounded(snapshot.heap.size_bytes(), *offset, *size)?;
            snapshot
                .heap
                .read(*offset, &mut chunk)
                .map_err(|_| invalid(*offset, *size))?;
            Ok(chunk)
        }
        SnapshotDataKind::StableMemory { offset, size } => {
            let mut chunk = bounded(snapshot.stable.size_bytes(), *offset, *size)?;
            snapshot
                .stable
                .read(*offset, &mut chunk)
                .map_err(|_| invalid(*offset, *size))?;
            Ok(chunk)
        }
        SnapshotDataKind::WasmChunk { hash } => {
            if hash.len() != 32 {
                return Err(UserError::chunk_store(format!(
                    "Bytes {hash:02x?} are not a valid WasmChunkHash."
                )));
            }
            let chunk = snapshot.chunk_store.get(hash).ok_or_else(|| {
                UserError::chunk_store(format!("WasmChunkHash {hash:02x?} not found."))
            })?;
            Ok(chunk.to_vec())
        }
    }
}

/// Zeros for a range, if it lies within so many bytes.
fn bounded(len_bytes: u64, offset: u64, size: u64) -> Result<Vec<u8>, UserError> {
    if offset.saturating_add(size) > len_bytes {
        return Err(UserError::invalid_slice(offset, size));
    }
    let size = usize::try_from(size).map_err(|_| UserError::invalid_slice(offset, size))?;
    Ok(vec![0; size])
}

/// `upload_canister_snapshot_metadata`
///
/// # Errors
/// See [`UserError`]: no such canister or snapshot, no controller, sizes out of range, no room, no
/// cycles.
pub fn upload_metadata(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: UploadCanisterSnapshotMetadataArgs,
) -> Result<Vec<u8>, UserError> {
    let id = args.canister_id;
    let canister = state.controlled(&id, &sender)?;
    check_metadata(canister, &args).map_err(|reason| {
        UserError::invalid_payload(format!("Snapshot Metadata contains invalid data: {reason}"))
    })?;
    let globals = args
        .globals
        .iter()
        .map(global_value)
        .collect::<Result<Vec<GlobalValue>, UserError>>()?;
    let replaced = check_place(state, &id, args.replace_snapshot.as_deref())?;
    check_heap_delta(canister)?;
    let size_bytes = args.wasm_module_size
        + args.wasm_memory_size
        + args.stable_memory_size
        + args.certified_data.len() as u64
        + globals.len() as u64 * GLOBAL_BYTES;
    check_memory(state, size_bytes)?;
    let instructions = SNAPSHOT_BASELINE_INSTRUCTIONS.saturating_add(size_bytes);
    check_cycles(canister, subnet, &sender, instructions)?;
    let module_len = usize::try_from(args.wasm_module_size).unwrap_or(usize::MAX);
    let no_room = |_| UserError::subnet_memory_exhausted(size_bytes, 0);
    let snapshot = Snapshot {
        source: SnapshotSource::Uploaded,
        taken_at_ns: subnet.now_ns,
        canister_version: canister.version,
        module: Arc::new(vec![0; module_len]),
        heap: Heap::zeroed(args.wasm_memory_size / WASM_PAGE_BYTES).map_err(no_room)?,
        stable: StableMemory::zeroed(args.stable_memory_size / WASM_PAGE_BYTES).map_err(no_room)?,
        globals,
        chunk_store: Default::default(),
        certified_data: args.certified_data,
        global_timer: args.global_timer.map(|timer| match timer {
            CanisterTimer::Inactive => None,
            CanisterTimer::Active(timer_ns) => Some(timer_ns),
        }),
        hook: args.on_low_wasm_memory_hook_status.map(|hook| match hook {
            OnLowWasmMemoryHookStatus::ConditionNotSatisfied => HookStatus::ConditionNotSatisfied,
            OnLowWasmMemoryHookStatus::Ready => HookStatus::Ready,
            OnLowWasmMemoryHookStatus::Executed => HookStatus::Executed,
        }),
        size_bytes,
        is_unflushed: false,
    };
    if let Some(replaced) = replaced {
        state.remove_snapshot(&replaced);
    }
    state
        .canister_mut(&id)?
        .charge_instructions(subnet.prices.execution(instructions, false));
    let snapshot_id = insert(state, &id, snapshot)?;
    state.budget -= i64::try_from(instructions).unwrap_or(i64::MAX);
    Ok(encode(&UploadCanisterSnapshotMetadataResult {
        snapshot_id: snapshot_id.to_bytes(),
    }))
}

/// The Internet Computer's name for what is wrong with metadata, if anything is.
fn check_metadata(
    canister: &Canister,
    args: &UploadCanisterSnapshotMetadataArgs,
) -> Result<(), &'static str> {
    let heap_max = if is_wasm64(canister) {
        MAX_WASM64_HEAP_BYTES
    } else {
        MAX_WASM32_HEAP_BYTES
    };
    let rules = [
        (args.wasm_module_size == 0, "WasmModuleEmpty"),
        (args.wasm_module_size > WASM_MAX_BYTES, "WasmModuleTooLarge"),
        (
            !args.wasm_memory_size.is_multiple_of(WASM_PAGE_BYTES),
            "WasmMemoryNotPageAligned",
        ),
        (args.wasm_memory_size > heap_max, "WasmMemoryTooLarge"),
        (
            !args.stable_memory_size.is_multiple_of(WASM_PAGE_BYTES),
            "StableMemoryNotPageAligned",
        ),
        (
            args.stable_memory_size > MAX_STABLE_BYTES,
            "StableMemoryTooLarge",
        ),
        (args.globals.len() > MAX_GLOBALS, "ExportedGlobalsTooLarge"),
        (
            args.certified_data.len() > CERTIFIED_DATA_MAX_BYTES,
            "CertifiedDataTooLarge",
        ),
    ];
    match rules.iter().find(|(is_broken, _)| *is_broken) {
        Some((_, name)) => Err(name),
        None => Ok(()),
    }
}

/// `upload_canister_snapshot_data`
///
/// # Errors
/// See [`UserError`]: no such canister, snapshot or range, no controller, a snapshot that was
/// taken, no cycles.
pub fn upload_data(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: &UploadCanisterSnapshotDataArgs,
) -> Result<Vec<u8>, UserError> {
    let canister = state.controlled(&args.canister_id, &sender)?;
    let id = SnapshotId::from_bytes(&args.snapshot_id)?;
    if state.snapshot(&args.canister_id, &id)?.source != SnapshotSource::Uploaded {
        return Err(UserError::snapshot_immutable());
    }
    if canister.heap_delta_debit_bytes >= HEAP_DELTA_RATE_BYTES {
        return Err(UserError::chunk_store(format!(
            "Canister is heap delta rate limited. Current delta debit: {}, limit: {HEAP_DELTA_RATE_BYTES}",
            canister.heap_delta_debit_bytes
        )));
    }
    let (bytes, instructions) = match args.kind {
        SnapshotDataOffset::WasmChunk => (CHUNK_BYTES as u64, UPLOAD_CHUNK_INSTRUCTIONS),
        _ => (args.chunk.len() as u64, args.chunk.len() as u64),
    };
    check_cycles(canister, subnet, &sender, bytes)?;
    let canister = state.canister_mut(&args.canister_id)?;
    canister.charge_instructions(subnet.prices.execution(bytes, false));
    let snapshot = state
        .snapshots
        .get_mut(&id)
        .ok_or_else(|| UserError::snapshot_not_found(args.canister_id, &id))?;
    let grown_bytes = write(snapshot, args)?;
    let canister = state.canister_mut(&args.canister_id)?;
    canister.snapshots_bytes += grown_bytes;
    canister.heap_delta_debit_bytes += bytes;
    state.budget -= i64::try_from(instructions).unwrap_or(i64::MAX);
    Ok(empty())
}

/// Writes uploaded data; gives the bytes by which the snapshot counts for more.
fn write(snapshot: &mut Snapshot, args: &UploadCanisterSnapshotDataArgs) -> Result<u64, UserError> {
    let len = args.chunk.len() as u64;
    match &args.kind {
        SnapshotDataOffset::WasmModule { offset } => {
            let module = Arc::make_mut(&mut snapshot.module);
            let start = usize::try_from(*offset).unwrap_or(usize::MAX);
            module
                .get_mut(start..start.saturating_add(args.chunk.len()))
                .ok_or_else(|| UserError::invalid_slice(*offset, len))?
                .copy_from_slice(&args.chunk);
        }
        SnapshotDataOffset::WasmMemory { offset } => {
            snapshot
                .heap
                .write(*offset, &args.chunk)
                .map_err(|_| UserError::invalid_slice(*offset, len))?;
            snapshot.is_unflushed = true;
        }
        SnapshotDataOffset::StableMemory { offset } => {
            snapshot
                .stable
                .write(*offset, &args.chunk)
                .map_err(|_| UserError::invalid_slice(*offset, len))?;
            snapshot.is_unflushed = true;
        }
        SnapshotDataOffset::WasmChunk => {
            if snapshot.chunk_store.check(&args.chunk)? {
                snapshot.chunk_store.insert(args.chunk.clone());
                snapshot.size_bytes += CHUNK_BYTES as u64;
                return Ok(CHUNK_BYTES as u64);
            }
        }
    }
    Ok(0)
}
