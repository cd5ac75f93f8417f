//! What a case looks like from outside.

use candid::{CandidType, Nat, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{AttestProgress, CaseId, ChecksumProgress, Memory, MemoryView, Plan, SnapshotPolicy};
use crate::{HeapChoice, SwapMemories};

/// The two modules embedded in the rescue canister.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pair {
    /// Reads memories out, changes nothing.
    Downloader,
    /// Reads, and writes memories back.
    Uploader,
}

/// Which module the patient holds.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// The one it had when the case was opened (or accepted, or rolled back).
    Own,
    /// The embedded downloader.
    Downloader,
    /// The embedded uploader.
    Uploader,
    /// The declared final module.
    Final,
}

/// Whether the patient runs.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Run {
    /// Running.
    Running,
    /// Stopping: it waits for answers to its own calls.
    Stopping,
    /// Stopped.
    Stopped,
}

/// Where a case stands. `docs/STATES.md` has the table.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The patient was last seen with this module and this status, and nothing is in doubt.
    Holding {
        /// The module.
        module: Held,
        /// The status.
        run: Run,
    },
    /// A call was made and its outcome has not been established. `settle`, `advance` and
    /// `rollback` establish it.
    Unknown {
        /// What was being done.
        operation: Operation,
    },
    /// Someone else changed the patient. `accept` or `rollback`.
    Foreign {
        /// What was noticed.
        found: String,
    },
    /// Closed. Evidence and journal stay readable.
    Closed,
}

/// A step of a case.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `stop_canister`.
    Stop,
    /// `take_canister_snapshot`.
    Snapshot,
    /// `install_code` of a module of the pair.
    SwapIn {
        /// Which.
        module: Pair,
        /// What becomes of the memories.
        memories: SwapMemories,
    },
    /// `start_canister`.
    Start,
    /// Hash a memory and record.
    Checksum {
        /// Which memory.
        memory: Memory,
    },
    /// Hash a memory and compare.
    Attest {
        /// Which memory.
        memory: Memory,
    },
    /// Declare the hash of the final module.
    Declare,
    /// Stage chunks of the final module.
    PutModuleChunk,
    /// `install_code` or `install_chunked_code` of the final module.
    Install {
        /// What becomes of the heap.
        heap: HeapChoice,
    },
    /// `load_canister_snapshot`.
    Rollback,
    /// Establish the outcome of a call.
    Settle,
    /// Accept a foreign change.
    Accept,
    /// Close.
    Close,
    /// Forget a closed case.
    Forget,
}

/// A call is out.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// What is being done.
    pub operation: Operation,
    /// Since when, nanoseconds since 1970.
    pub since_nanos: u64,
    /// Until when others keep off, nanoseconds since 1970.
    pub until_nanos: u64,
}

/// The patient as canister_status and canister_info showed it.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PatientState {
    /// When, nanoseconds since 1970.
    pub seen_at_nanos: u64,
    /// Its status.
    pub run: Run,
    /// SHA-256 of its module; absent when it has none.
    pub module_hash: Option<ByteBuf>,
    /// `canister_version`.
    pub canister_version: u64,
    /// Entries its history has ever had.
    pub total_num_changes: u64,
    /// Controllers, in order.
    pub controllers: Vec<Principal>,
    /// Stable memory, bytes.
    pub stable_size_bytes: u64,
    /// Wasm heap, bytes.
    pub heap_size_bytes: u64,
    /// All its memory, bytes.
    pub memory_size_bytes: u64,
    /// Cycles.
    pub cycles: Nat,
    /// Cycles it may not spend (freezing threshold), estimated from its status.
    pub frozen_cycles: Nat,
    /// `compute_allocation`, percent.
    pub compute_allocation: Nat,
    /// `memory_allocation`, bytes.
    pub memory_allocation: Nat,
    /// `freezing_threshold`, seconds.
    pub freezing_threshold: Nat,
    /// `wasm_memory_limit`, bytes; 0 is none.
    pub wasm_memory_limit: Nat,
}

/// The snapshot a case can be rolled back to.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SnapshotView {
    /// Its id.
    pub id: ByteBuf,
    /// When it was taken, nanoseconds since 1970.
    pub taken_at_nanos: u64,
    /// Its size, bytes.
    pub total_size_bytes: u64,
    /// Whether it has been deleted since.
    pub deleted: bool,
}

/// How much of the final module is staged.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedModule {
    /// Chunks staged.
    pub chunks: u32,
    /// Their bytes.
    pub bytes: u64,
}

/// A case, whole.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CaseView {
    /// Its number.
    pub case: CaseId,
    /// The canister it is about.
    pub patient: Principal,
    /// Who opened it.
    pub opened_by: Principal,
    /// When, nanoseconds since 1970.
    pub opened_at_nanos: u64,
    /// When it last changed, nanoseconds since 1970.
    pub changed_at_nanos: u64,
    /// Where it stands.
    pub phase: Phase,
    /// A call that is out.
    pub busy: Option<Busy>,
    /// The patient when the case was opened (or when a foreign change was accepted).
    pub baseline: PatientState,
    /// The patient as last seen.
    pub last_seen: PatientState,
    /// Declared hash of the final module.
    pub final_module_hash: Option<ByteBuf>,
    /// How much of it is staged.
    pub staged: StagedModule,
    /// Whether a snapshot is asked for.
    pub snapshot_policy: SnapshotPolicy,
    /// The snapshot.
    pub snapshot: Option<SnapshotView>,
    /// What `advance` does.
    pub plan: Plan,
    /// Evidence: stable memory first, then the heap.
    pub memories: Vec<MemoryView>,
    /// What `advance` would do now; absent when it is the operator's turn.
    pub next: Option<Operation>,
    /// What may be done now.
    pub may: Vec<Operation>,
    /// Entries in its journal.
    pub journal_length: u64,
}

/// A case, one line.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CaseSummary {
    /// Its number.
    pub case: CaseId,
    /// The canister it is about.
    pub patient: Principal,
    /// When it was opened, nanoseconds since 1970.
    pub opened_at_nanos: u64,
    /// Where it stands.
    pub phase: Phase,
}

/// One line of a case's journal.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its place, from 0.
    pub index: u64,
    /// When, nanoseconds since 1970.
    pub at_nanos: u64,
    /// Who asked.
    pub actor: Principal,
    /// The step it belongs to.
    pub operation: Option<Operation>,
    /// What happened, one word of a fixed list (`docs/STATES.md`).
    pub event: String,
    /// The rest, for people.
    pub detail: String,
    /// Where the case stands after it.
    pub phase: Phase,
}

/// A change in the patient's history, as canister_info tells it.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, nanoseconds since 1970.
    pub at_nanos: u64,
    /// Who: a user or a canister.
    pub by: Principal,
    /// The patient's version after it.
    pub canister_version: u64,
    /// What, in words.
    pub what: String,
}

/// What `advance` did.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A step is done.
    Stepped(Operation),
    /// Some batches of a checksum are done; call again.
    Checksumming(ChecksumProgress),
    /// Some batches of an attestation are done; call again.
    Attesting(AttestProgress),
    /// The next step is the operator's.
    YourTurn {
        /// What it waits for, for people.
        waits_for: String,
        /// What may be done.
        may: Vec<Operation>,
    },
    /// Nothing is left to do: the case is closed.
    Finished,
}
