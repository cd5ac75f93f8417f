//! From what is stored to what travels.

use rescue_api as api;
use serde_bytes::ByteBuf;

use crate::case::model::{
    Attestation, Case, Hash, Heap, Held, Memories, Memory, MemoryRecord, Operation, Pair, Pending,
    Phase, Plan, Run, Seen, SnapshotPolicy,
};
use crate::case::plan::{self, Next};
use crate::case::rules;

/// A case, whole.
#[must_use]
pub fn case(case: &Case) -> api::CaseView {
    api::CaseView {
        case: case.id,
        patient: case.patient,
        opened_by: case.opened_by,
        opened_at_nanos: case.opened_at,
        changed_at_nanos: case.changed_at,
        phase: phase(case),
        busy: case.pending.as_ref().map(busy),
        baseline: seen(&case.baseline),
        last_seen: seen(&case.last_seen),
        final_module_hash: case.final_hash.map(hash),
        staged: api::StagedModule {
            chunks: case.staged_chunks,
            bytes: case.staged_bytes,
        },
        snapshot_policy: match &case.policy {
            SnapshotPolicy::Take => api::SnapshotPolicy::Take,
            SnapshotPolicy::Waive(risk) => api::SnapshotPolicy::Waive { risk: risk.clone() },
        },
        snapshot: case.snapshot.as_ref().map(|snapshot| api::SnapshotView {
            id: snapshot.id.clone(),
            taken_at_nanos: snapshot.taken_at,
            total_size_bytes: snapshot.total_bytes,
            deleted: snapshot.deleted,
        }),
        plan: api::Plan {
            heap: heap(case.plan.heap),
            restore: case.plan.restore,
        },
        memories: Memory::ALL
            .into_iter()
            .map(|which| memory_view(which, case.memory(which)))
            .collect(),
        next: match plan::next(case) {
            Next::Do(next) => Some(operation(next)),
            Next::Operator(_) | Next::Finished => None,
        },
        may: rules::possible(case).into_iter().map(operation).collect(),
        journal_length: case.journal_length,
    }
}

/// A case, one line.
#[must_use]
pub fn summary(case: &Case) -> api::CaseSummary {
    api::CaseSummary {
        case: case.id,
        patient: case.patient,
        opened_at_nanos: case.opened_at,
        phase: phase(case),
    }
}

/// Where a case stands.
#[must_use]
pub fn phase(case: &Case) -> api::Phase {
    if let Some(pending) = case.in_doubt() {
        return api::Phase::Unknown {
            operation: operation(pending.operation),
        };
    }
    settled_phase(&case.phase)
}

/// A phase without doubt.
#[must_use]
pub fn settled_phase(phase: &Phase) -> api::Phase {
    match phase {
        Phase::Holding { module, run } => api::Phase::Holding {
            module: held(*module),
            run: self::run(*run),
        },
        Phase::Foreign { found, .. } => api::Phase::Foreign {
            found: found.clone(),
        },
        Phase::Closed => api::Phase::Closed,
    }
}

/// A step under way.
#[must_use]
pub fn busy(pending: &Pending) -> api::Busy {
    api::Busy {
        operation: operation(pending.operation),
        since_nanos: pending.since,
        until_nanos: pending.lease_until,
    }
}

/// A hash.
#[must_use]
pub fn hash(hash: Hash) -> ByteBuf {
    ByteBuf::from(hash.to_vec())
}

/// The patient as seen.
#[must_use]
pub fn seen(seen: &Seen) -> api::PatientState {
    api::PatientState {
        seen_at_nanos: seen.at,
        run: run(seen.run),
        module_hash: seen.module_hash.map(hash),
        canister_version: seen.version,
        total_num_changes: seen.total_changes,
        controllers: seen.controllers.clone(),
        stable_size_bytes: seen.stable_bytes,
        heap_size_bytes: seen.heap_bytes,
        memory_size_bytes: seen.memory_bytes,
        cycles: seen.cycles.into(),
        frozen_cycles: seen.frozen_cycles.into(),
        compute_allocation: seen.compute_allocation.into(),
        memory_allocation: seen.memory_allocation.into(),
        freezing_threshold: seen.freezing_threshold.into(),
        wasm_memory_limit: seen.wasm_memory_limit.into(),
    }
}

fn memory_view(which: Memory, record: &MemoryRecord) -> api::MemoryView {
    api::MemoryView {
        memory: memory(which),
        wiped: record.wiped,
        checksums: checksum_progress(which, record),
        recorded_at_nanos: record.recorded_at,
        attestation: record
            .attestation
            .as_ref()
            .map(|attestation| attest_progress(which, record, attestation)),
        attested_at_nanos: record.attestation.as_ref().and_then(|done| done.done_at),
    }
}

/// How far the checksums of a memory are, once they are begun.
#[must_use]
pub fn checksum_progress(which: Memory, record: &MemoryRecord) -> Option<api::ChecksumProgress> {
    Some(api::ChecksumProgress {
        memory: memory(which),
        size_bytes: record.size_bytes?,
        chunks_total: record.chunks_total(),
        chunks_recorded: record.recorded,
        root: record.root.map(hash),
    })
}

/// How far an attestation is.
#[must_use]
pub fn attest_progress(
    which: Memory,
    record: &MemoryRecord,
    attestation: &Attestation,
) -> api::AttestProgress {
    api::AttestProgress {
        memory: memory(which),
        chunks_total: record.chunks_total(),
        chunks_checked: attestation.checked,
        mismatches: attestation.mismatches,
        first_mismatches: attestation.named.clone(),
        attested: record.is_attested(),
    }
}

/// A step.
#[must_use]
pub fn operation(operation: Operation) -> api::Operation {
    match operation {
        Operation::Stop => api::Operation::Stop,
        Operation::Snapshot => api::Operation::Snapshot,
        Operation::SwapIn { module, memories } => api::Operation::SwapIn {
            module: pair(module),
            memories: match memories {
                Memories::Keep => api::SwapMemories::Keep,
                Memories::ReplaceHeap => api::SwapMemories::ReplaceHeap,
                Memories::Wipe => api::SwapMemories::Wipe,
            },
        },
        Operation::Start => api::Operation::Start,
        Operation::Checksum(which) => api::Operation::Checksum {
            memory: memory(which),
        },
        Operation::Attest(which) => api::Operation::Attest {
            memory: memory(which),
        },
        Operation::Declare => api::Operation::Declare,
        Operation::PutModuleChunk => api::Operation::PutModuleChunk,
        Operation::Install(choice) => api::Operation::Install { heap: heap(choice) },
        Operation::Rollback => api::Operation::Rollback,
        Operation::Settle => api::Operation::Settle,
        Operation::Accept => api::Operation::Accept,
        Operation::Close => api::Operation::Close,
        Operation::Forget => api::Operation::Forget,
    }
}

/// A module of the pair.
#[must_use]
pub const fn pair(pair: Pair) -> api::Pair {
    match pair {
        Pair::Downloader => api::Pair::Downloader,
        Pair::Uploader => api::Pair::Uploader,
    }
}

/// A memory.
#[must_use]
pub const fn memory(memory: Memory) -> api::Memory {
    match memory {
        Memory::Stable => api::Memory::Stable,
        Memory::Heap => api::Memory::Heap,
    }
}

const fn held(held: Held) -> api::Held {
    match held {
        Held::Own => api::Held::Own,
        Held::Pair(Pair::Downloader) => api::Held::Downloader,
        Held::Pair(Pair::Uploader) => api::Held::Uploader,
        Held::Final => api::Held::Final,
    }
}

const fn run(run: Run) -> api::Run {
    match run {
        Run::Running => api::Run::Running,
        Run::Stopping => api::Run::Stopping,
        Run::Stopped => api::Run::Stopped,
    }
}

const fn heap(heap: Heap) -> api::HeapChoice {
    match heap {
        Heap::Keep => api::HeapChoice::Keep,
        Heap::Replace => api::HeapChoice::Replace,
    }
}

/// And back: from what travels to what is stored.
pub mod parse {
    use super::{Heap, Memories, Memory, Pair, Plan, api};

    /// A memory.
    #[must_use]
    pub const fn memory(memory: api::Memory) -> Memory {
        match memory {
            api::Memory::Stable => Memory::Stable,
            api::Memory::Heap => Memory::Heap,
        }
    }

    /// A module of the pair.
    #[must_use]
    pub const fn pair(pair: api::Pair) -> Pair {
        match pair {
            api::Pair::Downloader => Pair::Downloader,
            api::Pair::Uploader => Pair::Uploader,
        }
    }

    /// What becomes of the memories.
    #[must_use]
    pub const fn memories(memories: api::SwapMemories) -> Memories {
        match memories {
            api::SwapMemories::Keep => Memories::Keep,
            api::SwapMemories::ReplaceHeap => Memories::ReplaceHeap,
            api::SwapMemories::Wipe => Memories::Wipe,
        }
    }

    /// What becomes of the heap.
    #[must_use]
    pub const fn heap(heap: api::HeapChoice) -> Heap {
        match heap {
            api::HeapChoice::Keep => Heap::Keep,
            api::HeapChoice::Replace => Heap::Replace,
        }
    }

    /// A plan.
    #[must_use]
    pub const fn plan(plan: api::Plan) -> Plan {
        Plan {
            heap: heap(plan.heap),
            restore: plan.restore,
        }
    }
}
