//! The table: which step is allowed where. `docs/STATES.md` shows it; a test holds the two equal.

use rescue_api::Refusal;

use super::model::{
    Case, Held, Memories, Memory, Operation, Pair, Phase, Run, SnapshotPolicy, Stage,
};
use crate::view;

/// What the operator has explicitly agreed to in this call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Swap while the patient is still stopping.
    pub while_stopping: bool,
    /// Install over memories that were wiped and not attested.
    pub although_unattested: bool,
    /// Roll back although newer state is lost.
    pub discard_newer_state: bool,
    /// Close although the patient is not whole.
    pub leave_as_is: bool,
}

impl Consent {
    /// To everything: used to list what is possible at all.
    pub const ALL: Self = Self {
        while_stopping: true,
        although_unattested: true,
        discard_newer_state: true,
        leave_as_is: true,
    };
}

/// Every step there is.
pub const OPERATIONS: [Operation; 21] = [
    Operation::Stop,
    Operation::Snapshot,
    swap(Pair::Downloader, Memories::Keep),
    swap(Pair::Downloader, Memories::ReplaceHeap),
    swap(Pair::Downloader, Memories::Wipe),
    swap(Pair::Uploader, Memories::Keep),
    swap(Pair::Uploader, Memories::ReplaceHeap),
    swap(Pair::Uploader, Memories::Wipe),
    Operation::Start,
    Operation::Checksum(Memory::Stable),
    Operation::Checksum(Memory::Heap),
    Operation::Attest(Memory::Stable),
    Operation::Attest(Memory::Heap),
    Operation::Declare,
    Operation::PutModuleChunk,
    Operation::Install(super::model::Heap::Keep),
    Operation::Install(super::model::Heap::Replace),
    Operation::Rollback,
    Operation::Settle,
    Operation::Accept,
    Operation::Close,
];

const fn swap(module: Pair, memories: Memories) -> Operation {
    Operation::SwapIn { module, memories }
}

/// Steps that are possible now, with every consent given.
#[must_use]
pub fn possible(case: &Case) -> Vec<Operation> {
    if case.phase == Phase::Closed {
        return vec![Operation::Forget];
    }
    OPERATIONS
        .into_iter()
        .filter(|operation| allowed(case, *operation, Consent::ALL).is_ok())
        .collect()
}

/// Whether a step is allowed where the case stands. Says nothing about leases: see [`check_lease`].
pub fn check(case: &Case, operation: Operation, consent: Consent) -> Result<(), Refusal> {
    allowed(case, operation, consent).map_err(|no| match no {
        No::OutOfOrder => Refusal::NotNow {
            operation: view::operation(operation),
            phase: view::phase(case),
            may: possible(case).into_iter().map(view::operation).collect(),
        },
        No::Because(refusal) => *refusal,
    })
}

/// Why not. Being out of order is told apart, because its refusal lists what is in order.
enum No {
    OutOfOrder,
    Because(Box<Refusal>),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Because(Box::new(refusal))
    }
}

fn allowed(case: &Case, operation: Operation, consent: Consent) -> Result<(), No> {
    if let Some(pending) = case.in_doubt()
        && !matches!(operation, Operation::Settle | Operation::Rollback)
    {
        return Err(Refusal::OutcomeUnknown(view::busy(pending)).into());
    }
    match &case.phase {
        Phase::Closed if operation == Operation::Forget => Ok(()),
        Phase::Closed => Err(No::OutOfOrder),
        Phase::Foreign { found, .. } => Ok(check_foreign(case, operation, consent, found)?),
        Phase::Holding { module, run } => match operation {
            Operation::Settle | Operation::PutModuleChunk => Ok(()),
            Operation::Accept | Operation::Forget => Err(No::OutOfOrder),
            Operation::Stop => require(*run != Run::Stopped),
            Operation::Start => require(*run != Run::Running),
            Operation::Snapshot => require(*module == Held::Own && *run == Run::Stopped),
            Operation::SwapIn {
                module: wanted,
                memories,
            } => {
                let at_rest =
                    *run == Run::Stopped || (*run == Run::Stopping && consent.while_stopping);
                require(at_rest && swap_fits(*module, wanted, memories))?;
                Ok(check_swap(case, *module, memories)?)
            }
            Operation::Checksum(memory) => {
                require(serves(*module, *run))?;
                Ok(check_recordable(case, memory)?)
            }
            Operation::Attest(memory) => {
                require(serves(*module, *run))?;
                Ok(check_recorded(case, memory)?)
            }
            Operation::Declare => require(*module != Held::Final),
            Operation::Install(_) => {
                require(*run == Run::Stopped)?;
                Ok(check_install(case, *module, consent)?)
            }
            Operation::Rollback => Ok(check_rollback(case, consent)?),
            Operation::Close => {
                let whole = matches!(module, Held::Own | Held::Final) && *run == Run::Running;
                if whole || consent.leave_as_is {
                    Ok(())
                } else {
                    Err(Refusal::PatientNotWhole {
                        phase: view::phase(case),
                    }
                    .into())
                }
            }
        },
    }
}

fn check_foreign(
    case: &Case,
    operation: Operation,
    consent: Consent,
    found: &str,
) -> Result<(), Refusal> {
    match operation {
        Operation::Settle | Operation::Accept => Ok(()),
        Operation::Rollback => check_rollback(case, consent),
        Operation::Close if consent.leave_as_is => Ok(()),
        Operation::Close => Err(Refusal::PatientNotWhole {
            phase: view::phase(case),
        }),
        _ => Err(Refusal::ForeignChange {
            found: found.to_string(),
            total_num_changes: foreign_total(case),
            changes: Vec::new(),
        }),
    }
}

/// Which swaps make sense from which module.
const fn swap_fits(held: Held, wanted: Pair, memories: Memories) -> bool {
    match (held, wanted, memories) {
        // From the patient's own module: nothing may be lost yet.
        (Held::Own, _, Memories::Keep | Memories::ReplaceHeap)
        // Downloader to uploader in every way; back only so that nothing is lost.
        | (Held::Pair(Pair::Downloader), Pair::Uploader, _)
        | (Held::Pair(Pair::Uploader), Pair::Downloader, Memories::Keep)
        // A wipe may be repeated: to begin a restore afresh.
        | (Held::Pair(Pair::Uploader), Pair::Uploader, Memories::Wipe) => true,
        // Only the uploader wipes; the final module is not swapped out again but rolled back.
        (Held::Own | Held::Pair(_) | Held::Final, _, _) => false,
    }
}

fn check_swap(case: &Case, held: Held, memories: Memories) -> Result<(), Refusal> {
    if held == Held::Own {
        check_way_back(case)?;
    }
    match memories {
        Memories::Wipe => check_recorded(case, Memory::Stable),
        Memories::ReplaceHeap => Ok(()),
        Memories::Keep => {
            let limit = case.last_seen.wasm_memory_limit;
            if limit != 0 && u128::from(case.last_seen.heap_bytes) > limit {
                return Err(Refusal::AboveWasmMemoryLimit {
                    limit: limit.into(),
                    heap_size_bytes: case.last_seen.heap_bytes,
                });
            }
            Ok(())
        }
    }
}

/// Before the patient's own module goes: a snapshot of what it is now, or the operator's word.
fn check_way_back(case: &Case) -> Result<(), Refusal> {
    let waived = matches!(case.policy, SnapshotPolicy::Waive(_));
    let fresh = case.usable_snapshot().is_some() && !case.lived_since_snapshot;
    if waived || fresh {
        Ok(())
    } else {
        Err(Refusal::SnapshotFirst)
    }
}

fn check_recordable(case: &Case, memory: Memory) -> Result<(), Refusal> {
    let record = case.memory(memory);
    if record.wiped && record.root.is_none() {
        return Err(Refusal::Wiped {
            memory: view::memory(memory),
        });
    }
    Ok(())
}

fn check_recorded(case: &Case, memory: Memory) -> Result<(), Refusal> {
    if case.memory(memory).root.is_none() {
        return Err(Refusal::NotRecorded {
            memory: view::memory(memory),
        });
    }
    Ok(())
}

fn check_install(case: &Case, held: Held, consent: Consent) -> Result<(), Refusal> {
    if case.final_hash.is_none() {
        return Err(Refusal::FinalHashNotDeclared);
    }
    if held == Held::Own {
        check_way_back(case)?;
    }
    let unattested = Memory::ALL.into_iter().find(|memory| {
        let record = case.memory(*memory);
        record.wiped && record.root.is_some() && !record.is_attested()
    });
    match unattested {
        Some(memory) if !consent.although_unattested && matches!(held, Held::Pair(_)) => {
            Err(Refusal::NotAttested {
                memory: view::memory(memory),
            })
        }
        _ => Ok(()),
    }
}

fn check_rollback(case: &Case, consent: Consent) -> Result<(), Refusal> {
    if case.usable_snapshot().is_none() {
        let why = match (&case.policy, &case.snapshot) {
            (_, Some(_)) => "it was deleted".to_string(),
            (SnapshotPolicy::Waive(risk), None) => format!("the operator did without: {risk}"),
            (SnapshotPolicy::Take, None) => "none was taken yet".to_string(),
        };
        return Err(Refusal::NoSnapshot { why });
    }
    if case.lived_since_snapshot && !consent.discard_newer_state {
        return Err(Refusal::WouldDiscardState {
            what: "what the patient has done since the snapshot was taken".to_string(),
        });
    }
    if matches!(case.phase, Phase::Foreign { .. }) && !consent.discard_newer_state {
        return Err(Refusal::WouldDiscardState {
            what: "what someone else has changed".to_string(),
        });
    }
    Ok(())
}

/// Whether the patient answers questions about its memories.
const fn serves(held: Held, run: Run) -> bool {
    matches!(held, Held::Pair(_)) && matches!(run, Run::Running)
}

const fn require(in_order: bool) -> Result<(), No> {
    if in_order {
        Ok(())
    } else {
        Err(No::OutOfOrder)
    }
}

/// Entries of the patient's history when a foreign change was noticed.
#[must_use]
pub const fn foreign_total(case: &Case) -> u64 {
    match &case.phase {
        Phase::Foreign { total_changes, .. } => *total_changes,
        Phase::Holding { .. } | Phase::Closed => case.last_seen.total_changes,
    }
}

/// Whether another step is under way and its lease still holds.
pub fn check_lease(case: &Case, now: u64) -> Result<(), Refusal> {
    match &case.pending {
        Some(pending) if now < pending.lease_until => Err(match pending.stage {
            Stage::Looking => Refusal::InProgress(view::busy(pending)),
            Stage::Calling => Refusal::OutcomeUnknown(view::busy(pending)),
        }),
        _ => Ok(()),
    }
}
