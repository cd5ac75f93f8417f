//! Canister snapshots at the management canister: taken, listed, read, uploaded, loaded, deleted.
//!
//! All calls are replicated and certified, reads too; there is no query for them. A snapshot that was taken never
//! changes. A call that makes a new one is never repeated blindly: after a lost reply the list tells whether it was
//! made.

use crate::agent::Connection;
use crate::error::{CallError, CallErrorKind, CliError};
use crate::management::Management;
use crate::rescue::encode;
use crate::transfer::Source as Readable;
use archive::Memory;
use archive::metadata::{Global, GlobalTimer, HookStatus, Metadata};
use bytes::Bytes;
use candid::{Nat, Principal};
use futures::future::try_join_all;
use ic_management_canister_types as ic;
use std::sync::atomic::{AtomicBool, Ordering};
use wire::limits::SNAPSHOT_SLICE_MAX_BYTES;

impl Management<'_> {
    /// Takes a snapshot; `replace` is deleted once it is taken.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn take(&self, replace: Option<&[u8]>) -> Result<Vec<u8>, CliError> {
        let args = ic::TakeCanisterSnapshotArgs {
            canister_id: self.canister(),
            replace_snapshot: replace.map(<[u8]>::to_vec),
            uninstall_code: None,
            sender_canister_version: None,
        };
        let id = |reply: &[u8]| Ok(candid::decode_one::<ic::Snapshot>(reply)?.id);
        self.create("take_canister_snapshot", encode((args,)), id)
            .await
    }

    /// Begins a snapshot that is uploaded, as `metadata` describes it; `replace` is deleted at once.
    ///
    /// # Errors
    /// When the call fails, or a global has no value.
    pub async fn begin_upload(
        &self,
        metadata: &Metadata,
        replace: Option<&[u8]>,
    ) -> Result<Vec<u8>, CliError> {
        let args = ic::UploadCanisterSnapshotMetadataArgs {
            canister_id: self.canister(),
            replace_snapshot: replace.map(<[u8]>::to_vec),
            wasm_module_size: metadata.wasm_module_size,
            globals: globals(metadata)?,
            wasm_memory_size: metadata.wasm_memory_size,
            stable_memory_size: metadata.stable_memory_size,
            certified_data: metadata.certified_data.clone(),
            global_timer: metadata.global_timer.map(|timer| match timer {
                GlobalTimer::Inactive => ic::CanisterTimer::Inactive,
                GlobalTimer::Active(at) => ic::CanisterTimer::Active(at),
            }),
            on_low_wasm_memory_hook_status: metadata.on_low_wasm_memory_hook_status.map(|status| {
                match status {
                    HookStatus::ConditionNotSatisfied => {
                        ic::OnLowWasmMemoryHookStatus::ConditionNotSatisfied
                    }
                    HookStatus::Ready => ic::OnLowWasmMemoryHookStatus::Ready,
                    HookStatus::Executed => ic::OnLowWasmMemoryHookStatus::Executed,
                }
            }),
        };
        let id = |reply: &[u8]| {
            let made: ic::UploadCanisterSnapshotMetadataResult = candid::decode_one(reply)?;
            Ok(made.snapshot_id)
        };
        self.create("upload_canister_snapshot_metadata", encode((args,)), id)
            .await
    }

    /// Loads a snapshot: module, memories, globals, certified data and chunk store become what it holds.
    ///
    /// # Errors
    /// When the call fails. Loading again is harmless while the canister is stopped.
    pub async fn load(&self, snapshot: &[u8]) -> Result<(), CliError> {
        let args = ic::LoadCanisterSnapshotArgs {
            canister_id: self.canister(),
            snapshot_id: snapshot.to_vec(),
            sender_canister_version: None,
        };
        self.order("load_canister_snapshot", args).await
    }

    /// Deletes a snapshot. That it is gone already is no error.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_snapshot(&self, snapshot: &[u8]) -> Result<(), CliError> {
        let args = ic::DeleteCanisterSnapshotArgs {
            canister_id: self.canister(),
            snapshot_id: snapshot.to_vec(),
        };
        match self.order("delete_canister_snapshot", args).await {
            Err(CliError::Rejected(error)) => {
                let left = self.snapshots().await?;
                match left.iter().any(|held| held.id == snapshot) {
                    true => Err(CliError::Rejected(error)),
                    false => Ok(()),
                }
            }
            other => other,
        }
    }

    /// The data of a snapshot.
    pub fn snapshot_reader(&self, snapshot: &[u8]) -> SnapshotData {
        SnapshotData {
            connection: self.connection().clone(),
            canister: self.canister(),
            id: snapshot.to_vec(),
        }
    }

    /// Makes a new snapshot by `method`. A second attempt looks first whether the first one made it.
    async fn create(
        &self,
        method: &str,
        arg: Vec<u8>,
        id: impl Fn(&[u8]) -> Result<Vec<u8>, candid::Error>,
    ) -> Result<Vec<u8>, CliError> {
        let before: Vec<Vec<u8>> = self.snapshots().await?.into_iter().map(|s| s.id).collect();
        let tried = AtomicBool::new(false);
        let attempt = || async {
            if tried.swap(true, Ordering::Relaxed) {
                let now = self.list_once().await?;
                if let Some(made) = now.into_iter().find(|held| !before.contains(&held.id)) {
                    return Ok(made.id);
                }
            }
            let connection = self.connection();
            let reply = connection
                .manage(self.canister(), method, arg.clone())
                .await?;
            id(&reply).map_err(|error| garbled(self.canister(), method, error.to_string()))
        };
        self.retry().run(attempt).await
    }

    async fn list_once(&self) -> Result<Vec<ic::Snapshot>, CallError> {
        let method = "list_canister_snapshots";
        let arg = encode((ic::CanisterIdRecord {
            canister_id: self.canister(),
        },));
        let reply = self
            .connection()
            .manage(self.canister(), method, arg)
            .await?;
        candid::decode_one(&reply)
            .map_err(|error| garbled(self.canister(), method, error.to_string()))
    }
}

/// The data of one snapshot, piece by piece.
#[derive(Clone, Debug)]
pub struct SnapshotData {
    connection: Connection,
    canister: Principal,
    id: Vec<u8>,
}

impl SnapshotData {
    /// Id of the snapshot.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// A reply of another length than was asked for: another node may answer better.
    pub fn short(&self, found_bytes: usize) -> CallError {
        let reason = format!("{found_bytes} bytes came, not what was asked for");
        garbled(self.canister, "read_canister_snapshot_data", reason)
    }

    /// Reads one slice of at most 2,000,000 bytes, or one stored chunk.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read_slice(&self, kind: ic::SnapshotDataKind) -> Result<Vec<u8>, CallError> {
        let method = "read_canister_snapshot_data";
        let args = ic::ReadCanisterSnapshotDataArgs {
            canister_id: self.canister,
            snapshot_id: self.id.clone(),
            kind,
        };
        let reply = self
            .connection
            .manage(self.canister, method, encode((args,)))
            .await?;
        let found: ic::ReadCanisterSnapshotDataResult = candid::decode_one(&reply)
            .map_err(|error| garbled(self.canister, method, error.to_string()))?;
        Ok(found.chunk)
    }

    /// Writes one piece of a snapshot that is being uploaded. Writing it twice is writing it once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write(
        &self,
        kind: ic::SnapshotDataOffset,
        chunk: Vec<u8>,
    ) -> Result<(), CallError> {
        let args = ic::UploadCanisterSnapshotDataArgs {
            canister_id: self.canister,
            snapshot_id: self.id.clone(),
            kind,
            chunk,
        };
        let method = "upload_canister_snapshot_data";
        self.connection
            .manage(self.canister, method, encode((args,)))
            .await?;
        Ok(())
    }
}

impl Readable for SnapshotData {
    async fn read(&self, memory: Memory, offset: u64, len_bytes: u64) -> Result<Bytes, CallError> {
        let slices = len_bytes.div_ceil(SNAPSHOT_SLICE_MAX_BYTES).max(1);
        let each = len_bytes.div_ceil(slices).max(1);
        let reads = (0..slices).map(|n| {
            let (start, size) = (n * each, each.min(len_bytes - n * each));
            self.read_slice(read_kind(memory, offset + start, size))
        });
        Ok(try_join_all(reads).await?.concat().into())
    }
}

fn read_kind(memory: Memory, offset: u64, size: u64) -> ic::SnapshotDataKind {
    match memory {
        Memory::Stable => ic::SnapshotDataKind::StableMemory { offset, size },
        Memory::Heap => ic::SnapshotDataKind::WasmMemory { offset, size },
    }
}

/// Where a piece of a memory goes in an upload.
pub fn write_kind(memory: Memory, offset: u64) -> ic::SnapshotDataOffset {
    match memory {
        Memory::Stable => ic::SnapshotDataOffset::StableMemory { offset },
        Memory::Heap => ic::SnapshotDataOffset::WasmMemory { offset },
    }
}

/// The globals of `metadata` as the management canister takes them.
///
/// # Errors
/// [`CliError::Unsupported`] when one has no value.
fn globals(metadata: &Metadata) -> Result<Vec<ic::SnapshotMetadataGlobal>, CliError> {
    let known = |global: &Option<Global>| {
        match global {
        None => Err(CliError::Unsupported {
            what: "a global of the snapshot has no value in metadata.json: nobody can load it; restore the \
                   memories instead (ic-rescue restore with --rescue or --direct)"
                .into(),
        }),
        Some(Global::I32(value)) => Ok(ic::SnapshotMetadataGlobal::I32(*value)),
        Some(Global::I64(value)) => Ok(ic::SnapshotMetadataGlobal::I64(*value)),
        Some(Global::F32(value)) => Ok(ic::SnapshotMetadataGlobal::F32(*value)),
        Some(Global::F64(value)) => Ok(ic::SnapshotMetadataGlobal::F64(*value)),
        Some(Global::V128(value)) => Ok(ic::SnapshotMetadataGlobal::V128(Nat::from(*value))),
    }
    };
    metadata.globals.iter().map(known).collect()
}

/// A reply that does not decode: another node may answer better.
fn garbled(canister: Principal, method: &str, reason: String) -> CallError {
    CallError {
        canister: canister.to_text(),
        method: method.to_string(),
        message: format!("the reply is not understood: {reason}"),
        kind: CallErrorKind::Temporary,
    }
}

/// Understands a snapshot id as it is shown: hexadecimal.
///
/// # Errors
/// What is wrong, for the command line.
pub fn parse_id(text: &str) -> Result<String, String> {
    let text = text.trim().trim_start_matches("0x").to_lowercase();
    match hex::decode(&text) {
        Ok(id) if !id.is_empty() => Ok(text),
        _ => Err("a snapshot id is hexadecimal, as `ic-rescue snapshot list` shows it".into()),
    }
}
