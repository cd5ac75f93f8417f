//! Calls to the management canister that change the patient. What they answer is not believed, only
//! whether they are over: see [`crate::case::judge`].

use candid::Principal;
use ic_cdk::call::{CallFailed, Error};
use ic_cdk_management_canister as ic;
use rescue_api::Refusal;
use serde_bytes::ByteBuf;
use std::future::Future;

use super::outstanding;
use crate::case::model::{Heap, Operation};
use crate::store::counters;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// Answered.
    Answered,
    /// Rejected.
    Rejected {
        /// The method.
        method: &'static str,
        /// Reject code; 0 if it was never sent.
        code: u32,
        /// Reject message.
        message: String,
    },
}

/// Reject code of a call whose outcome the system itself does not know.
const SYS_UNKNOWN: u32 = 6;

impl CallEnd {
    /// Whether the call cannot take effect any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Rejected { code, .. } if *code == SYS_UNKNOWN)
    }

    /// Whether the call was never sent, so that it cannot have had an effect.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        matches!(self, Self::Rejected { code: 0, .. })
    }

    /// The refusal that tells of a call without effect.
    #[must_use]
    pub fn into_refusal(self, operation: Operation) -> Refusal {
        match self {
            Self::Rejected {
                method,
                code,
                message,
            } => Refusal::CallRejected {
                method: method.to_string(),
                code,
                message,
            },
            Self::Answered => Refusal::BadReply {
                method: format!("{operation:?}"),
                what: "it was answered, but the patient does not show it".to_string(),
            },
        }
    }

    async fn of<T>(method: &'static str, call: impl Future<Output = Result<T, Error>>) -> Self {
        let (code, message) = match outstanding::count(call).await {
            // An answer that does not decode is an answer.
            Ok(_) | Err(Error::CandidDecodeFailed(_)) => return Self::Answered,
            Err(Error::CallRejected(rejected)) => (
                rejected.raw_reject_code(),
                rejected.reject_message().to_string(),
            ),
            Err(unsent) => (0, unsent.to_string()),
        };
        counters::count(|counters| counters.call_errors += 1);
        Self::Rejected {
            method,
            code,
            message,
        }
    }
}

/// Code and message of a failed call.
#[must_use]
pub fn rejection(failed: &CallFailed) -> (u32, String) {
    match failed {
        CallFailed::CallRejected(rejected) => (
            rejected.raw_reject_code(),
            rejected.reject_message().to_string(),
        ),
        unsent => (0, unsent.to_string()),
    }
}

/// `stop_canister`. Answers when the patient has stopped, or after 5 minutes.
pub async fn stop(patient: Principal) -> CallEnd {
    let args = ic::StopCanisterArgs {
        canister_id: patient,
    };
    CallEnd::of("stop_canister", ic::stop_canister(&args)).await
}

/// `start_canister`.
pub async fn start(patient: Principal) -> CallEnd {
    let args = ic::StartCanisterArgs {
        canister_id: patient,
    };
    CallEnd::of("start_canister", ic::start_canister(&args)).await
}

/// `take_canister_snapshot`, in the place of an earlier one.
pub async fn take_snapshot(patient: Principal, replace: Option<ByteBuf>) -> CallEnd {
    let args = ic::TakeCanisterSnapshotArgs {
        canister_id: patient,
        replace_snapshot: replace.map(ByteBuf::into_vec),
        uninstall_code: None,
        sender_canister_version: Some(ic_cdk::api::canister_version()),
    };
    CallEnd::of("take_canister_snapshot", ic::take_canister_snapshot(&args)).await
}

/// `load_canister_snapshot`.
pub async fn load_snapshot(patient: Principal, snapshot: ByteBuf) -> CallEnd {
    let args = ic::LoadCanisterSnapshotArgs {
        canister_id: patient,
        snapshot_id: snapshot.into_vec(),
    };
    CallEnd::of("load_canister_snapshot", ic::load_canister_snapshot(&args)).await
}

/// `delete_canister_snapshot`.
pub async fn delete_snapshot(patient: Principal, snapshot: ByteBuf) -> CallEnd {
    let args = ic::DeleteCanisterSnapshotArgs {
        canister_id: patient,
        snapshot_id: snapshot.into_vec(),
    };
    CallEnd::of(
        "delete_canister_snapshot",
        ic::delete_canister_snapshot(&args),
    )
    .await
}

/// `install_code` with a mode of ours.
pub async fn install(patient: Principal, mode: Mode, module: Vec<u8>, arg: Vec<u8>) -> CallEnd {
    let args = ic::InstallCodeArgs {
        mode: mode.into(),
        canister_id: patient,
        wasm_module: module,
        arg,
    };
    CallEnd::of("install_code", ic::install_code(&args)).await
}

/// `upload_chunk` into the patient's chunk store.
pub async fn upload_chunk(patient: Principal, chunk: Vec<u8>) -> CallEnd {
    let args = ic::UploadChunkArgs {
        canister_id: patient,
        chunk,
    };
    CallEnd::of("upload_chunk", ic::upload_chunk(&args)).await
}

/// `clear_chunk_store` of the patient.
pub async fn clear_chunk_store(patient: Principal) -> CallEnd {
    let args = ic::ClearChunkStoreArgs {
        canister_id: patient,
    };
    CallEnd::of("clear_chunk_store", ic::clear_chunk_store(&args)).await
}

/// `install_chunked_code` from the patient's own chunk store.
pub async fn install_chunked(
    patient: Principal,
    mode: Mode,
    chunk_hashes: Vec<Vec<u8>>,
    module_hash: Vec<u8>,
    arg: Vec<u8>,
) -> CallEnd {
    let args = ic::InstallChunkedCodeArgs {
        mode: mode.into(),
        target_canister: patient,
        store_canister: None,
        chunk_hashes_list: chunk_hashes
            .into_iter()
            .map(|hash| ic::ChunkHash { hash })
            .collect(),
        wasm_module_hash: module_hash,
        arg,
    };
    CallEnd::of("install_chunked_code", ic::install_chunked_code(&args)).await
}

/// How a module is installed. `pre_upgrade` is always skipped: it is what the patient is ill of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Upgrade.
    Upgrade(Heap),
    /// Reinstall: both memories are emptied.
    Wipe,
}

impl From<Mode> for ic::CanisterInstallMode {
    fn from(mode: Mode) -> Self {
        let persistence = match mode {
            Mode::Wipe => return Self::Reinstall,
            Mode::Upgrade(Heap::Keep) => ic::WasmMemoryPersistence::Keep,
            Mode::Upgrade(Heap::Replace) => ic::WasmMemoryPersistence::Replace,
        };
        Self::Upgrade(Some(ic::UpgradeFlags {
            skip_pre_upgrade: Some(true),
            wasm_memory_persistence: Some(persistence),
        }))
    }
}
