//! Picks the next step of a case, for `advance`.

use super::model::{
    Case, Heap, Held, Memories, Memory, Operation, Pair, Phase, Run, SnapshotPolicy,
};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step.
    Do(Operation),
    /// Something only the operator can do.
    Operator(&'static str),
    /// Nothing.
    Finished,
}

const BACKUP: &str = "the backup: download the memories, then stop, and either wipe and restore them \
                      with the uploader or stage and install the final module";
/// What a wiped patient waits for.
pub const RESTORE: &str = "the restore: write the memories back through the uploader, then attest with \
                       restart";
const MODULE: &str = "the final module: declare its hash and stage its chunks, or install it";
const HEAP: &str = "a decision: the heap was emptied or replaced, and nothing proves what it holds now; install the \
                    final module with the heap replaced, or kept if you know it";
const CHANGED: &str = "a decision: someone else changed the patient; accept, roll back, or close";

/// The next step. Every case that is not closed has one, or says for what it waits.
#[must_use]
pub fn next(case: &Case) -> Next {
    if case.in_doubt().is_some() {
        return Next::Do(Operation::Settle);
    }
    match &case.phase {
        Phase::Closed => Next::Finished,
        Phase::Foreign { .. } => Next::Operator(CHANGED),
        Phase::Holding { module, run } => match (module, run) {
            (Held::Own, Run::Running) if case.rolled_back => Next::Do(Operation::Close),
            (Held::Own, Run::Running | Run::Stopping) => Next::Do(Operation::Stop),
            (Held::Own, Run::Stopped) => after_stop(case),
            (Held::Pair(_), Run::Stopping) => Next::Do(Operation::Stop),
            (Held::Pair(pair), Run::Running) => while_serving(case, *pair),
            (Held::Pair(pair), Run::Stopped) => while_swapped(case, *pair),
            (Held::Final, Run::Stopped | Run::Stopping) => Next::Do(Operation::Start),
            (Held::Final, Run::Running) => Next::Do(Operation::Close),
        },
    }
}

fn after_stop(case: &Case) -> Next {
    if case.rolled_back {
        return Next::Do(Operation::Start);
    }
    let has_way_back = case.usable_snapshot().is_some() && !case.lived_since_snapshot;
    if case.policy == SnapshotPolicy::Take && !has_way_back {
        return Next::Do(Operation::Snapshot);
    }
    Next::Do(Operation::SwapIn {
        module: Pair::Downloader,
        memories: match case.plan.heap {
            Heap::Keep => Memories::Keep,
            Heap::Replace => Memories::ReplaceHeap,
        },
    })
}

fn while_serving(case: &Case, pair: Pair) -> Next {
    if let Some(memory) = to_record(case) {
        return Next::Do(Operation::Checksum(memory));
    }
    if let Some(memory) = to_attest(case) {
        return if is_refuted(case, memory) {
            Next::Operator(RESTORE)
        } else {
            Next::Do(Operation::Attest(memory))
        };
    }
    let restored = pair == Pair::Uploader || case.stable.wiped;
    if case.plan.restore && !restored {
        Next::Operator(BACKUP)
    } else if is_staged(case) {
        Next::Do(Operation::Stop)
    } else {
        Next::Operator(if restored { MODULE } else { BACKUP })
    }
}

fn while_swapped(case: &Case, pair: Pair) -> Next {
    match to_attest(case) {
        // Stopped after a restore that is not right: what now is not for a plan to say.
        Some(memory) if is_refuted(case, memory) => return Next::Operator(RESTORE),
        Some(_) => return Next::Do(Operation::Start),
        None if to_record(case).is_some() => return Next::Do(Operation::Start),
        None => {}
    }
    let restored = pair == Pair::Uploader || case.stable.wiped;
    if case.plan.restore && !restored {
        Next::Operator(BACKUP)
    } else if !is_staged(case) {
        Next::Operator(MODULE)
    } else if case.plan.heap == Heap::Keep && is_lost(case, Memory::Heap) {
        Next::Operator(HEAP)
    } else {
        Next::Do(Operation::Install(case.plan.heap))
    }
}

/// A memory that was emptied or replaced and of which nothing proves that it is back.
fn is_lost(case: &Case, memory: Memory) -> bool {
    let record = case.memory(memory);
    record.wiped && !record.is_attested()
}

/// A memory that is as it was and whose checksums are not all recorded.
fn to_record(case: &Case) -> Option<Memory> {
    Memory::ALL.into_iter().find(|memory| {
        let record = case.memory(*memory);
        !record.wiped && record.root.is_none()
    })
}

/// A memory that was wiped after it was recorded, and is not attested.
fn to_attest(case: &Case) -> Option<Memory> {
    Memory::ALL.into_iter().find(|memory| {
        let record = case.memory(*memory);
        record.wiped && record.root.is_some() && !record.is_attested()
    })
}

/// An attestation has compared every chunk, and some differ.
fn is_refuted(case: &Case, memory: Memory) -> bool {
    let attestation = case.memory(memory).attestation.as_ref();
    attestation.is_some_and(|attestation| attestation.done_at.is_some())
}

const fn is_staged(case: &Case) -> bool {
    case.final_hash.is_some() && case.staged_chunks > 0
}
