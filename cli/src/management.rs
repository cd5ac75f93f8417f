//! Calls to the management canister: status, stopping and starting, swaps, snapshots.
//!
//! The caller must be a controller of the canister.

pub mod changes;

use crate::agent::Connection;
use crate::case::{RATE_LIMITED, is_rate_limited, tell_wait};
use crate::error::{CallError, CallErrorKind, CliError};
use crate::limits::{CASE_POLL, CASE_POLLS_MAX, MODULE_MAX_BYTES};
use crate::output::Output;
use crate::rescue::encode;
use crate::transfer::retry::Retry;
use archive::metadata::{Global, GlobalTimer, HookStatus, Metadata, Source, StoredChunk};
use candid::{CandidType, Nat, Principal};
use ic_management_canister_types as ic;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use wire::limits::SNAPSHOT_SLICE_MAX_BYTES;

/// The management canister, about one canister.
#[derive(Clone, Copy, Debug)]
pub struct Management<'a> {
    connection: &'a Connection,
    canister: Principal,
    retry: &'a Retry,
    output: Option<&'a Output>,
}

/// What canister_status says, as far as it matters here: replicas of all ages have these fields.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct Status {
    /// Whether it runs.
    pub status: ic::CanisterStatusType,
    /// Hash of its module.
    pub module_hash: Option<ByteBuf>,
    /// Its version.
    pub version: u64,
    /// Its cycles.
    pub cycles: Nat,
    /// Bytes of everything.
    pub memory_size: Nat,
    /// Cycles it burns per day by its size.
    pub idle_cycles_burned_per_day: Nat,
    /// What it consists of.
    pub memory_metrics: MemoryMetrics,
    /// Its settings.
    pub settings: Settings,
}

/// What a canister consists of, in bytes.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct MemoryMetrics {
    /// Heap.
    pub wasm_memory_size: Nat,
    /// Stable memory.
    pub stable_memory_size: Nat,
    /// Module.
    pub wasm_binary_size: Nat,
    /// Snapshots.
    pub snapshots_size: Nat,
}

/// Settings of a canister.
#[derive(Clone, Debug, CandidType, Deserialize)]
pub struct Settings {
    /// Who may do all this.
    pub controllers: Vec<Principal>,
    /// Seconds that its cycles must last before it freezes.
    pub freezing_threshold: Nat,
    /// Largest heap, in bytes; 0 is none.
    pub wasm_memory_limit: Nat,
}

impl<'a> Management<'a> {
    /// About `canister`.
    pub fn new(connection: &'a Connection, canister: Principal, retry: &'a Retry) -> Self {
        Self {
            connection,
            canister,
            retry,
            output: None,
        }
    }

    /// Has it tell why it waits.
    pub fn telling(self, output: &'a Output) -> Self {
        Self {
            output: Some(output),
            ..self
        }
    }

    /// The canister it is about.
    pub fn canister(&self) -> Principal {
        self.canister
    }

    /// The line.
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Patience.
    pub fn retry(&self) -> &'a Retry {
        self.retry
    }

    /// Its status, certified.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn status(&self) -> Result<Status, CliError> {
        self.call(
            "canister_status",
            ic::CanisterIdRecord {
                canister_id: self.canister,
            },
        )
        .await
    }

    /// Stops it, and waits until it has stopped.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn stop(&self) -> Result<(), CliError> {
        self.order(
            "stop_canister",
            ic::CanisterIdRecord {
                canister_id: self.canister,
            },
        )
        .await
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn start(&self) -> Result<(), CliError> {
        self.order(
            "start_canister",
            ic::CanisterIdRecord {
                canister_id: self.canister,
            },
        )
        .await
    }

    /// Stops it, waits until it has stopped, and returns whether it ran before.
    ///
    /// # Errors
    /// When a call fails, or it does not stop; then it is started again.
    pub async fn stop_and_wait(&self, output: &Output) -> Result<bool, CliError> {
        let mut ran = false;
        for _ in 0..CASE_POLLS_MAX {
            match self.status().await?.status {
                ic::CanisterStatusType::Stopped => return Ok(ran),
                ic::CanisterStatusType::Running => {
                    ran = true;
                    output.step("stop the canister");
                    self.stop().await?;
                }
                ic::CanisterStatusType::Stopping => tokio::time::sleep(CASE_POLL).await,
            }
        }
        self.start().await?;
        Err(CliError::Unsupported {
            what: format!(
                "{} does not stop: it waits for answers to its own calls; it was started again, try later",
                self.canister
            ),
        })
    }

    /// Reinstalls it: heap and stable memory are emptied.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn reinstall(&self, module: Vec<u8>) -> Result<(), CliError> {
        let args = ic::InstallCodeArgs {
            mode: ic::CanisterInstallMode::Reinstall,
            canister_id: self.canister,
            wasm_module: module,
            arg: Vec::new(),
            sender_canister_version: None,
        };
        self.order("install_code", args).await
    }

    /// Its snapshots: id and time, oldest first.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn snapshots(&self) -> Result<Vec<ic::Snapshot>, CliError> {
        let args = ic::CanisterIdRecord {
            canister_id: self.canister,
        };
        let mut found: Vec<ic::Snapshot> = self.call("list_canister_snapshots", args).await?;
        found.sort_by_key(|snapshot| snapshot.taken_at_timestamp);
        Ok(found)
    }

    /// Lines of its log, oldest first.
    ///
    /// # Errors
    /// When the call fails; some replicas answer this only to queries, some not at all.
    pub async fn logs(&self) -> Result<Vec<String>, CliError> {
        #[derive(CandidType, Deserialize)]
        struct Record {
            content: ByteBuf,
        }
        #[derive(CandidType, Deserialize)]
        struct Logs {
            canister_log_records: Vec<Record>,
        }
        let method = "fetch_canister_logs";
        let arg = encode((ic::CanisterIdRecord {
            canister_id: self.canister,
        },));
        let ask = || {
            self.connection
                .manage_query(self.canister, method, arg.clone())
        };
        let reply = self.retry.run(ask).await?;
        let logs: Logs = candid::decode_one(&reply)
            .map_err(|error| self.bad_reply(method, error.to_string()))?;
        let text = |record: Record| String::from_utf8_lossy(&record.content).into_owned();
        Ok(logs.canister_log_records.into_iter().map(text).collect())
    }

    /// Upgrades it without running `pre_upgrade`; the heap stays, or is dropped.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn swap(&self, module: Vec<u8>, keep_heap: bool) -> Result<(), CliError> {
        let persistence = if keep_heap {
            ic::WasmMemoryPersistence::Keep
        } else {
            ic::WasmMemoryPersistence::Replace
        };
        let args = ic::InstallCodeArgs {
            mode: ic::CanisterInstallMode::Upgrade(Some(ic::UpgradeFlags {
                skip_pre_upgrade: Some(true),
                wasm_memory_persistence: Some(persistence),
            })),
            canister_id: self.canister,
            wasm_module: module,
            arg: Vec::new(),
            sender_canister_version: None,
        };
        self.order("install_code", args).await
    }

    /// What a snapshot says of itself.
    ///
    /// # Errors
    /// When the call fails.
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

    pub(crate) async fn order<A: CandidType>(&self, method: &str, args: A) -> Result<(), CliError> {
        let arg = encode((args,));
        let call = || async {
            let answer = self.connection.manage(self.canister, method, arg.clone());
            answer
                .await
                .map_err(|error| match is_rate_limited(&error.message) {
                    // It passes, but not within the pauses between attempts: waited for, and told, below.
                    true => CallError {
                        kind: CallErrorKind::Rejected,
                        ..error
                    },
                    false => error,
                })
        };
        for poll in 0..CASE_POLLS_MAX {
            match self.retry.run(call).await {
                Ok(_) => return Ok(()),
                Err(CliError::Rejected(error)) if is_rate_limited(&error.message) => {
                    if let Some(output) = self.output {
                        tell_wait(output, poll, RATE_LIMITED);
                    }
                    tokio::time::sleep(CASE_POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(CliError::Unsupported {
            what: format!(
                "{method} of {} is still refused because of earlier installations: try again in some minutes",
                self.canister
            ),
        })
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
