//! Arguments of the canister's methods.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CaseId, Memory, Pair};

/// Argument of `init` and of `post_upgrade`. Absent fields keep what is there (or the default).
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct InitArgs {
    /// Principals that may look at every case and change nothing. At most 32.
    pub auditors: Option<Vec<Principal>>,
    /// Whether `http_request` serves `/` and `/metrics` (it is public by nature). Default: true.
    pub dashboard: Option<bool>,
}

/// Opens a case for a patient that the rescue canister controls.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct OpenCaseArgs {
    /// The canister to rescue.
    pub patient: Principal,
    /// SHA-256 of the final module, 32 bytes. May be declared later with `declare`; `install`
    /// accepts no module without it.
    pub final_module_hash: Option<ByteBuf>,
    /// Whether a snapshot is taken before the first swap.
    pub snapshot: SnapshotPolicy,
    /// What `advance` does.
    pub plan: Plan,
}

/// The way back.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPolicy {
    /// A snapshot is taken before the first swap, and the swap is refused without one.
    Take,
    /// No snapshot can be taken: there is no way back.
    Waive {
        /// Why, and which risk that is, in the operator's words (1 to 500 bytes). Journaled.
        risk: String,
    },
}

/// What `advance` does where there is a choice.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether the downloader keeps the heap. Keep, unless all state is in stable memory.
    pub heap: HeapChoice,
    /// Whether the memories are wiped and restored through the uploader before the final module is
    /// installed. False: the final module is installed over the memories as they are.
    pub restore: bool,
}

/// What becomes of the Wasm heap when a module is installed by an upgrade.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapChoice {
    /// `wasm_memory_persistence = keep`: the heap stays; the new module must carry the marker.
    Keep,
    /// `wasm_memory_persistence = replace`: the heap is the new module's.
    Replace,
}

/// Swaps the embedded downloader or uploader in.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SwapArgs {
    /// The case.
    pub case: CaseId,
    /// Which module of the pair.
    pub module: Pair,
    /// What becomes of the patient's memories.
    pub memories: SwapMemories,
    /// Swap although the patient is still stopping: answers to its outstanding calls are lost.
    pub while_stopping: bool,
}

/// What becomes of the patient's memories in a swap.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwapMemories {
    /// Upgrade that keeps the heap and stable memory.
    Keep,
    /// Upgrade that replaces the heap and keeps stable memory.
    ReplaceHeap,
    /// Reinstall: heap and stable memory are emptied. Only the uploader, only once the checksums of
    /// stable memory are recorded.
    Wipe,
}

/// Records the checksums of a memory, a bounded number of batches per call.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ChecksumArgs {
    /// The case.
    pub case: CaseId,
    /// Which memory.
    pub memory: Memory,
    /// Forget what is recorded and begin again.
    pub restart: bool,
    /// Batches of 64 chunks (64 MiB) to hash in this call, 1 to 16. Absent: 4.
    pub batches_max: Option<u32>,
}

/// Hashes a memory again and compares it with what is recorded.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct AttestArgs {
    /// The case.
    pub case: CaseId,
    /// Which memory.
    pub memory: Memory,
    /// Forget the progress of an earlier attestation and begin again.
    pub restart: bool,
    /// Batches of 64 chunks (64 MiB) to hash in this call, 1 to 16. Absent: 4.
    pub batches_max: Option<u32>,
}

/// Declares (or corrects) the hash of the final module, before it is installed.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DeclareArgs {
    /// The case.
    pub case: CaseId,
    /// SHA-256 of the final module, 32 bytes.
    pub final_module_hash: ByteBuf,
}

/// Stages one chunk of the final module in the rescue canister. Putting a chunk again replaces it.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ModuleChunkArgs {
    /// The case.
    pub case: CaseId,
    /// Index of the chunk, from 0; at most 99.
    pub index: u32,
    /// The bytes: exactly 1 MiB (1,048,576), except the last chunk, which may be shorter.
    pub data: ByteBuf,
}

/// Installs the final module.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct InstallArgs {
    /// The case.
    pub case: CaseId,
    /// Where its bytes are.
    pub module: FinalModule,
    /// What becomes of the heap. Stable memory is always kept, `pre_upgrade` is always skipped.
    pub heap: HeapChoice,
    /// Argument for `post_upgrade`, candid encoded. At most 1,000,000 bytes.
    pub arg: ByteBuf,
    /// Install although a memory was wiped and has not been attested since (because what was written
    /// back was changed on purpose).
    pub although_unattested: bool,
}

/// Where the bytes of the final module are.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum FinalModule {
    /// Here; at most 1,000,000 bytes. Stage longer ones.
    Inline(ByteBuf),
    /// Staged before with `put_module_chunk`.
    Staged,
}

/// Loads the snapshot taken before the first swap.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RollbackArgs {
    /// The case.
    pub case: CaseId,
    /// Load it although the final module has run (or someone else changed the patient) since:
    /// everything the patient has done after the snapshot is lost.
    pub discard_newer_state: bool,
}

/// Accepts a foreign change: the patient as it is now becomes what the case goes on from.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct AcceptArgs {
    /// The case.
    pub case: CaseId,
    /// `total_num_changes` of the patient's history as the operator has seen it in the report;
    /// refused if the patient has changed again since.
    pub total_num_changes: u64,
}

/// Closes a case.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CloseArgs {
    /// The case.
    pub case: CaseId,
    /// Close although the patient is left stopped, or with a module of the pair, or changed by
    /// someone else.
    pub leave_as_is: bool,
    /// Delete the snapshot that was taken for the case (it costs the patient storage).
    pub delete_snapshot: bool,
}
