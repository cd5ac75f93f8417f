//! What is known about a case. These types are stored (`store::versioned`); none of them travels.
//!
//! They are candid encoded, so a later version may add `Option` fields at will; any other change needs
//! a new version number in `store::versioned` and a reader for this one.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

/// SHA-256.
pub type Hash = ByteArray<32>;

/// Number of a case.
pub type CaseId = u64;

macro_rules! model {
    ($($item:item)*) => { $(
        #[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
        $item
    )* };
}

macro_rules! copied {
    ($($item:item)*) => { $(
        #[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $item
    )* };
}

copied! {
    /// The two modules embedded in the rescue canister.
    pub enum Pair {
        /// Reads memories out, changes nothing.
        Downloader,
        /// Reads, and writes memories back.
        Uploader,
    }

    /// Which module the patient holds.
    pub enum Held {
        /// The one it came with.
        Own,
        /// A module of the pair.
        Pair(Pair),
        /// The declared final module.
        Final,
    }

    /// Whether the patient runs.
    pub enum Run {
        /// Running.
        Running,
        /// Stopping.
        Stopping,
        /// Stopped.
        Stopped,
    }

    /// One of a canister's memories.
    pub enum Memory {
        /// Stable memory.
        Stable,
        /// The Wasm heap.
        Heap,
    }

    /// What becomes of the heap in an upgrade.
    pub enum Heap {
        /// It stays.
        Keep,
        /// It is the new module's.
        Replace,
    }

    /// What becomes of the memories in a swap.
    pub enum Memories {
        /// Both stay.
        Keep,
        /// The heap is replaced.
        ReplaceHeap,
        /// Both are emptied.
        Wipe,
    }

    /// A step.
    pub enum Operation {
        /// `stop_canister`.
        Stop,
        /// `take_canister_snapshot`.
        Snapshot,
        /// A module of the pair.
        SwapIn {
            /// Which.
            module: Pair,
            /// What becomes of the memories.
            memories: Memories,
        },
        /// `start_canister`.
        Start,
        /// Hash and record.
        Checksum(Memory),
        /// Hash and compare.
        Attest(Memory),
        /// Declare the final hash.
        Declare,
        /// Stage chunks of the final module.
        PutModuleChunk,
        /// The final module.
        Install(Heap),
        /// `load_canister_snapshot`.
        Rollback,
        /// Look at the patient.
        Settle,
        /// Accept a foreign change.
        Accept,
        /// Close.
        Close,
        /// Forget.
        Forget,
    }

    /// What `advance` does where there is a choice.
    pub struct Plan {
        /// The downloader's heap.
        pub heap: Heap,
        /// Whether the memories are wiped and restored.
        pub restore: bool,
    }

    /// How far a step with a call is.
    pub enum Stage {
        /// Nothing that could change the patient was called.
        Looking,
        /// A call that changes the patient was made (or is about to be).
        Calling,
    }
}

model! {
    /// Whether a snapshot is asked for.
    pub enum SnapshotPolicy {
        /// Yes.
        Take,
        /// No, and why.
        Waive(String),
    }

    /// Where a case stands.
    pub enum Phase {
        /// The patient was last seen like this.
        Holding {
            /// The module.
            module: Held,
            /// The status.
            run: Run,
        },
        /// Someone else changed the patient.
        Foreign {
            /// What was noticed.
            found: String,
            /// Entries its history had when that was noticed.
            total_changes: u64,
        },
        /// Closed.
        Closed,
    }

    /// The patient as seen at one time.
    pub struct Seen {
        /// When, nanoseconds.
        pub at: u64,
        /// Status.
        pub run: Run,
        /// Module hash.
        pub module_hash: Option<Hash>,
        /// `canister_version`.
        pub version: u64,
        /// Entries its history has ever had.
        pub total_changes: u64,
        /// Controllers, sorted.
        pub controllers: Vec<Principal>,
        /// Stable memory, bytes.
        pub stable_bytes: u64,
        /// Heap, bytes.
        pub heap_bytes: u64,
        /// All memory, bytes.
        pub memory_bytes: u64,
        /// Chunk store, bytes.
        pub chunk_store_bytes: u64,
        /// Cycles.
        pub cycles: u128,
        /// Cycles it may not spend.
        pub frozen_cycles: u128,
        /// Cycles it burns a day for being there; 0 on a subnet that charges nothing.
        pub idle_cycles_per_day: u128,
        /// Percent.
        pub compute_allocation: u128,
        /// Bytes.
        pub memory_allocation: u128,
        /// Seconds.
        pub freezing_threshold: u128,
        /// Bytes; 0 is none.
        pub wasm_memory_limit: u128,
    }

    /// A step under way.
    pub struct Pending {
        /// Which.
        pub operation: Operation,
        /// Names this attempt: whoever comes back from an await with another token has lost the lease.
        pub token: u64,
        /// Who asked.
        pub actor: Principal,
        /// How far it is.
        pub stage: Stage,
        /// Since when, nanoseconds.
        pub since: u64,
        /// Until when others keep off, nanoseconds.
        pub lease_until: u64,
        /// Our own `canister_version` when the call went out: the patient's history repeats it.
        pub sender_version: u64,
        /// Hash the patient must have afterwards, for steps that change its module.
        pub target: Option<Hash>,
        /// Snapshots the patient had before.
        pub snapshots_before: Vec<ByteBuf>,
    }

    /// The way back.
    pub struct Snapshot {
        /// Its id.
        pub id: ByteBuf,
        /// When it was taken, nanoseconds.
        pub taken_at: u64,
        /// Its size, bytes.
        pub total_bytes: u64,
        /// The patient's module then.
        pub module_hash: Option<Hash>,
        /// Its stable memory then, bytes.
        pub stable_bytes: u64,
        /// Its heap then, bytes.
        pub heap_bytes: u64,
        /// The patient's version right after: a later one means that it has lived since.
        pub version: u64,
        /// Deleted since.
        pub deleted: bool,
    }

    /// Checksums of one memory.
    #[derive(Default)]
    pub struct MemoryRecord {
        /// Emptied or replaced since the case was opened.
        pub wiped: bool,
        /// Its size, bytes, once the first call has asked.
        pub size_bytes: Option<u64>,
        /// Digests recorded.
        pub recorded: u64,
        /// The root, once all are.
        pub root: Option<Hash>,
        /// Module that hashed.
        pub hashed_by: Option<Hash>,
        /// When the root was recorded, nanoseconds.
        pub recorded_at: Option<u64>,
        /// The last attestation.
        pub attestation: Option<Attestation>,
    }

    /// Checksums compared again.
    #[derive(Default)]
    pub struct Attestation {
        /// Chunks compared.
        pub checked: u64,
        /// How many differ.
        pub mismatches: u64,
        /// The first that do.
        pub named: Vec<u64>,
        /// When the last chunk was compared, nanoseconds.
        pub done_at: Option<u64>,
    }

    /// A case.
    pub struct Case {
        /// Its number.
        pub id: CaseId,
        /// The canister it is about.
        pub patient: Principal,
        /// The rescue canister itself: whose changes are not foreign.
        pub rescue: Principal,
        /// Who opened it.
        pub opened_by: Principal,
        /// When, nanoseconds.
        pub opened_at: u64,
        /// When it last changed, nanoseconds.
        pub changed_at: u64,
        /// Where it stands.
        pub phase: Phase,
        /// A step under way.
        pub pending: Option<Pending>,
        /// Token for the next step.
        pub next_token: u64,
        /// The patient when the case was opened.
        pub baseline: Seen,
        /// The patient as last seen; its history up to here is accounted for.
        pub last_seen: Seen,
        /// The patient's own module.
        pub own_hash: Option<Hash>,
        /// The module of the pair that was swapped in last.
        pub pair_hash: Option<Hash>,
        /// Declared hash of the final module.
        pub final_hash: Option<Hash>,
        /// Whether a snapshot is asked for.
        pub policy: SnapshotPolicy,
        /// The snapshot.
        pub snapshot: Option<Snapshot>,
        /// The patient has run its own or the final module since the snapshot was taken.
        pub lived_since_snapshot: bool,
        /// The snapshot was loaded, and no step has been taken since that leads away again.
        pub rolled_back: bool,
        /// The module held before a foreign change was noticed.
        pub held_before_foreign: Held,
        /// What `advance` does.
        pub plan: Plan,
        /// Checksums of stable memory.
        pub stable: MemoryRecord,
        /// Checksums of the heap.
        pub heap: MemoryRecord,
        /// Entries in the journal.
        pub journal_length: u64,
        /// Chunks of the final module that are staged.
        pub staged_chunks: u32,
        /// Their bytes.
        pub staged_bytes: u64,
    }
}

impl Operation {
    /// Whether the step calls something that changes the patient.
    #[must_use]
    pub const fn changes_patient(self) -> bool {
        matches!(
            self,
            Self::Stop
                | Self::Snapshot
                | Self::SwapIn { .. }
                | Self::Start
                | Self::Install(_)
                | Self::Rollback
        )
    }
}

impl Operation {
    /// Whether the step's outcome shows in which snapshots the patient has, or depends on it.
    #[must_use]
    pub const fn asks_for_snapshots(self) -> bool {
        matches!(self, Self::Snapshot | Self::Rollback | Self::Close)
    }
}

impl Case {
    /// Whether a step has to know which snapshots the patient has before it begins: also where it takes the patient's
    /// own module away, which is not done on the strength of a snapshot that someone has deleted.
    #[must_use]
    pub fn asks_for_snapshots(&self, operation: Operation) -> bool {
        let is_own = matches!(
            self.phase,
            Phase::Holding {
                module: Held::Own,
                ..
            }
        );
        let replaces = matches!(operation, Operation::SwapIn { .. } | Operation::Install(_));
        operation.asks_for_snapshots() || (is_own && replaces && self.usable_snapshot().is_some())
    }

    /// The record of one memory.
    #[must_use]
    pub const fn memory(&self, memory: Memory) -> &MemoryRecord {
        match memory {
            Memory::Stable => &self.stable,
            Memory::Heap => &self.heap,
        }
    }

    /// The record of one memory, to change.
    pub const fn memory_mut(&mut self, memory: Memory) -> &mut MemoryRecord {
        match memory {
            Memory::Stable => &mut self.stable,
            Memory::Heap => &mut self.heap,
        }
    }

    /// A call was made whose outcome is not established.
    #[must_use]
    pub fn in_doubt(&self) -> Option<&Pending> {
        self.pending
            .as_ref()
            .filter(|pending| pending.stage == Stage::Calling)
    }

    /// The snapshot that a new one takes the place of. One that may hold what the memories have lost
    /// since is not replaced; it stays the operator's to delete.
    #[must_use]
    pub fn replaceable_snapshot(&self) -> Option<&Snapshot> {
        self.usable_snapshot()
            .filter(|_| !self.stable.wiped && !self.heap.wiped)
    }

    /// The snapshot that can be loaded, if there is one.
    #[must_use]
    pub fn usable_snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|snapshot| !snapshot.deleted)
    }
}

impl Memory {
    /// Both, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Heap];
}

impl MemoryRecord {
    /// Chunks the memory has; 0 as long as its size is not known.
    #[must_use]
    pub fn chunks_total(&self) -> u64 {
        self.size_bytes.map_or(0, |bytes| {
            wire::geometry::Geometry::of_memory(bytes).chunk_count()
        })
    }

    /// Compared from the first to the last chunk, and equal.
    #[must_use]
    pub fn is_attested(&self) -> bool {
        self.attestation
            .as_ref()
            .is_some_and(|attestation| attestation.done_at.is_some() && attestation.mismatches == 0)
    }
}
