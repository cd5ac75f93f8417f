//! Calls to the management canister: the module and metadata of a snapshot.

use crate::agent::Connection;
use crate::error::CliError;
use crate::limits::MODULE_MAX_BYTES;
use crate::rescue::encode;
use crate::transfer::retry::Retry;
use archive::metadata::{Global, GlobalTimer, HookStatus, Metadata, Source, StoredChunk};
use candid::{CandidType, Principal};
use ic_management_canister_types as ic;
use serde::de::DeserializeOwned;
use wire::limits::SNAPSHOT_SLICE_MAX_BYTES;

/// The management canister, about one canister.
#[derive(Clone, Copy, Debug)]
pub struct Management<'a> {
    connection: &'a Connection,
    canister: Principal,
    retry: &'a Retry,
}

impl<'a> Management<'a> {
    /// About `canister`.
    pub fn new(connection: &'a Connection, canister: Principal, retry: &'a Retry) -> Self {
        Self {
            connection,
            canister,
            retry,
        }
    }

    /// What a snapshot says of itself.
    ///
    /// # Errors
    /// When the call fails; the caller must be a controller.
    pub async fn snapshot_metadata(&self, snapshot: &[u8]) -> Result<Metadata, CliError> {
        let args = ic::ReadCanisterSnapshotMetadataArgs {
            canister_id: self.canister,
            snapshot_id: snapshot.to_vec(),
        };
        let found: ic::ReadCanisterSnapshotMetadataResult =
            self.call("read_canister_snapshot_metadata", args).await?;
        self.metadata(found)
    }

    /// The module in a snapshot.
    ///
    /// # Errors
    /// As [`Management::snapshot_metadata`].
    pub async fn snapshot_module(&self, snapshot: &[u8], size: u64) -> Result<Vec<u8>, CliError> {
        if size > MODULE_MAX_BYTES {
            let reason = format!("a module of {size} bytes");
            return Err(self.bad_reply("read_canister_snapshot_metadata", reason));
        }
        let mut module = Vec::new();
        while (module.len() as u64) < size {
            let offset = module.len() as u64;
            let size = SNAPSHOT_SLICE_MAX_BYTES.min(size - offset);
            let kind = ic::SnapshotDataKind::WasmModule { offset, size };
            let slice = self.snapshot_data(snapshot, kind).await?;
            if slice.len() as u64 != size {
                let reason = format!("{} bytes instead of {size}", slice.len());
                return Err(self.bad_reply("read_canister_snapshot_data", reason));
            }
            module.extend(slice);
        }
        Ok(module)
    }

    /// One chunk of a snapshot's chunk store.
    ///
    /// # Errors
    /// As [`Management::snapshot_metadata`].
    pub async fn snapshot_chunk(&self, snapshot: &[u8], hash: &[u8]) -> Result<Vec<u8>, CliError> {
        self.snapshot_data(
            snapshot,
            ic::SnapshotDataKind::WasmChunk {
                hash: hash.to_vec(),
            },
        )
        .await
    }

    async fn snapshot_data(
        &self,
        snapshot: &[u8],
        kind: ic::SnapshotDataKind,
    ) -> Result<Vec<u8>, CliError> {
        let args = ic::ReadCanisterSnapshotDataArgs {
            canister_id: self.canister,
            snapshot_id: snapshot.to_vec(),
            kind,
        };
        let found: ic::ReadCanisterSnapshotDataResult =
            self.call("read_canister_snapshot_data", args).await?;
        Ok(found.chunk)
    }

    async fn call<A, T>(&self, method: &str, args: A) -> Result<T, CliError>
    where
        A: CandidType,
        T: CandidType + DeserializeOwned,
    {
        let arg = encode((args,));
        let reply = self
            .retry
            .run(|| self.connection.manage(self.canister, method, arg.clone()))
            .await?;
        candid::decode_one(&reply).map_err(|error| self.bad_reply(method, error.to_string()))
    }

    fn metadata(
        &self,
        found: ic::ReadCanisterSnapshotMetadataResult,
    ) -> Result<Metadata, CliError> {
        let mut globals = Vec::new();
        for global in found.globals {
            globals.push(match global {
                None => None,
                Some(ic::SnapshotMetadataGlobal::I32(value)) => Some(Global::I32(value)),
                Some(ic::SnapshotMetadataGlobal::I64(value)) => Some(Global::I64(value)),
                Some(ic::SnapshotMetadataGlobal::F32(value)) => Some(Global::F32(value)),
                Some(ic::SnapshotMetadataGlobal::F64(value)) => Some(Global::F64(value)),
                Some(ic::SnapshotMetadataGlobal::V128(value)) => {
                    let value = u128::try_from(value.0).map_err(|_| {
                        let reason = "a v128 global beyond 128 bits".to_string();
                        self.bad_reply("read_canister_snapshot_metadata", reason)
                    })?;
                    Some(Global::V128(value))
                }
            });
        }
        Ok(Metadata {
            source: match found.source {
                Some(ic::SnapshotSource::MetadataUpload(_)) => Source::MetadataUpload,
                Some(ic::SnapshotSource::TakenFromCanister(_)) | None => Source::TakenFromCanister,
            },
            taken_at_timestamp: found.taken_at_timestamp,
            wasm_module_size: found.wasm_module_size,
            globals,
            wasm_memory_size: found.wasm_memory_size,
            stable_memory_size: found.stable_memory_size,
            wasm_chunk_store: found
                .wasm_chunk_store
                .into_iter()
                .map(|chunk| StoredChunk { hash: chunk.hash })
                .collect(),
            canister_version: found.canister_version,
            certified_data: found.certified_data,
            global_timer: found.global_timer.map(|timer| match timer {
                ic::CanisterTimer::Inactive => GlobalTimer::Inactive,
                ic::CanisterTimer::Active(at) => GlobalTimer::Active(at),
            }),
            on_low_wasm_memory_hook_status: found.on_low_wasm_memory_hook_status.map(|s| match s {
                ic::OnLowWasmMemoryHookStatus::ConditionNotSatisfied => {
                    HookStatus::ConditionNotSatisfied
                }
                ic::OnLowWasmMemoryHookStatus::Ready => HookStatus::Ready,
                ic::OnLowWasmMemoryHookStatus::Executed => HookStatus::Executed,
            }),
        })
    }

    fn bad_reply(&self, method: &str, reason: String) -> CliError {
        CliError::BadReply {
            canister: Principal::management_canister().to_text(),
            method: method.to_string(),
            reason,
        }
    }
}
