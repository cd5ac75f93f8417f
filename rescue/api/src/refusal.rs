//! Why the rescue canister refused, and what may be done instead.

use std::fmt;

use candid::{CandidType, Nat, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{Busy, CaseId, Change, Memory, Operation, Phase};

/// Why a call was refused. Nothing was changed, unless the variant says so.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only controllers of the rescue canister may change anything.
    NotController {
        /// Who asked.
        caller: Principal,
    },
    /// Only controllers and auditors may look.
    NotAuditor {
        /// Who asked.
        caller: Principal,
    },
    /// There is no case of that number.
    NoSuchCase {
        /// The number asked for.
        case: CaseId,
    },
    /// The patient already has an open case: go on with that one, or close it.
    AlreadyOpen {
        /// The open case.
        case: CaseId,
    },
    /// The step is out of order.
    NotNow {
        /// The step asked for.
        operation: Operation,
        /// Where the case stands.
        phase: Phase,
        /// What may be done instead.
        may: Vec<Operation>,
    },
    /// Another step of the case is under way. Try again later; it cannot last beyond its lease.
    InProgress(Busy),
    /// The step took longer than its lease, and another one has come in between: look at the case.
    LeaseLost,
    /// A call's outcome is not known yet. The call may have taken effect. Call `settle` (or
    /// `advance`, or `rollback`) again, at the latest after the lease.
    OutcomeUnknown(Busy),
    /// Someone else changed the patient. The case stands still until `accept`, `rollback` or
    /// `close`.
    ForeignChange {
        /// What was noticed.
        found: String,
        /// Entries the patient's history has ever had: what `accept` asks for.
        total_num_changes: u64,
        /// The entries that are not ours, newest last, at most 20.
        changes: Vec<Change>,
    },
    /// The rescue canister is not (any longer) a controller of the patient: add it.
    NotPatientController {
        /// The patient's controllers.
        controllers: Vec<Principal>,
    },
    /// Take the snapshot first (`snapshot`), or open the case with it waived.
    SnapshotFirst,
    /// There is no snapshot to go back to.
    NoSnapshot {
        /// Why, in words.
        why: String,
    },
    /// The patient has too few cycles to prepay the step: top it up.
    NotEnoughCycles {
        /// The step.
        operation: Operation,
        /// Cycles it must have, with what it may not spend (lower bound, 13 nodes).
        needed: Nat,
        /// Cycles it has.
        found: Nat,
    },
    /// The heap is larger than the patient's `wasm_memory_limit`, so keeping it would fail: set the
    /// limit to 0.
    AboveWasmMemoryLimit {
        /// The limit, bytes.
        limit: Nat,
        /// The heap, bytes.
        heap_size_bytes: u64,
    },
    /// A call failed without effect. `code` is the IC's reject code, 0 if the call was never sent.
    CallRejected {
        /// The method called.
        method: String,
        /// Reject code.
        code: u32,
        /// Reject message.
        message: String,
    },
    /// A call was answered with something else than expected.
    BadReply {
        /// The method called.
        method: String,
        /// What is wrong, in words.
        what: String,
    },
    /// The patient does not hold the module it should.
    WrongModule {
        /// The hash it should have.
        expected: ByteBuf,
        /// The hash it has.
        found: Option<ByteBuf>,
    },
    /// Declare the hash of the final module first (`declare`).
    FinalHashNotDeclared,
    /// The bytes given are not the final module that was declared.
    FinalHashMismatch {
        /// The declared hash.
        declared: ByteBuf,
        /// The hash of the bytes.
        computed: ByteBuf,
    },
    /// Staged chunks of the final module are missing or short.
    ModuleIncomplete {
        /// Which chunk, and what is wrong with it.
        what: String,
    },
    /// The memory was emptied or replaced since the case was opened: it cannot be recorded any more,
    /// only attested.
    Wiped {
        /// Which memory.
        memory: Memory,
    },
    /// The memory's checksums are not (all) recorded: run `checksum` to its end first.
    NotRecorded {
        /// Which memory.
        memory: Memory,
    },
    /// The memory has another size than when it was recorded: a restore is incomplete, or for
    /// `checksum`, start again with `restart`.
    SizeDiffers {
        /// Which memory.
        memory: Memory,
        /// Size on record, bytes.
        recorded_bytes: u64,
        /// Size found, bytes.
        found_bytes: u64,
    },
    /// The memories have not been attested since the wipe: run `attest`, or say otherwise.
    NotAttested {
        /// Which memory.
        memory: Memory,
    },
    /// State newer than the snapshot would be lost: say so with `discard_newer_state`.
    WouldDiscardState {
        /// What would be lost, in words.
        what: String,
    },
    /// The patient would be left stopped or without its module: say so with `leave_as_is`.
    PatientNotWhole {
        /// Where the case stands.
        phase: Phase,
    },
    /// Something exceeds a limit.
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit: u64,
        /// What was found.
        found: u64,
    },
    /// An argument is malformed.
    InvalidArgument {
        /// Which argument.
        argument: String,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotController { caller } => {
                write!(f, "{caller} is not a controller of the rescue canister")
            }
            Self::NotAuditor { caller } => {
                write!(
                    f,
                    "{caller} is neither a controller nor an auditor of the rescue canister"
                )
            }
            Self::NoSuchCase { case } => write!(f, "there is no case {case}"),
            Self::AlreadyOpen { case } => {
                write!(
                    f,
                    "the patient already has an open case, {case}: go on with it or close it"
                )
            }
            Self::NotNow {
                operation,
                phase,
                may,
            } => write!(
                f,
                "{operation:?} is out of order while the case is {phase:?}; possible now: {may:?}"
            ),
            Self::InProgress(busy) => write!(
                f,
                "{:?} is under way and holds the patient until {} ns; try again later",
                busy.operation, busy.until_nanos
            ),
            Self::LeaseLost => write!(
                f,
                "the step took longer than its lease and another one came in between: look at the case"
            ),
            Self::OutcomeUnknown(busy) => write!(
                f,
                "the outcome of {:?} is not known: call settle again, at the latest after {} ns",
                busy.operation, busy.until_nanos
            ),
            Self::ForeignChange {
                found,
                total_num_changes,
                ..
            } => write!(
                f,
                "someone else changed the patient: {found}; accept history {total_num_changes}, roll \
                 back, or close"
            ),
            Self::NotPatientController { controllers } => {
                let list: Vec<String> = controllers.iter().map(Principal::to_text).collect();
                write!(
                    f,
                    "the rescue canister is not a controller of the patient (controllers: {}): add it",
                    list.join(", ")
                )
            }
            Self::SnapshotFirst => write!(f, "take the snapshot first: it is the way back"),
            Self::NoSnapshot { why } => write!(f, "there is no snapshot to go back to: {why}"),
            Self::NotEnoughCycles {
                operation,
                needed,
                found,
            } => write!(
                f,
                "{operation:?} needs {needed} cycles in the patient, it has {found}: top it up"
            ),
            Self::AboveWasmMemoryLimit {
                limit,
                heap_size_bytes,
            } => write!(
                f,
                "the heap ({heap_size_bytes} bytes) exceeds the patient's wasm_memory_limit ({limit} \
                 bytes): set the limit to 0"
            ),
            Self::CallRejected {
                method,
                code,
                message,
            } => {
                write!(f, "{method} was rejected (code {code}): {message}")
            }
            Self::BadReply { method, what } => write!(f, "{method} answered nonsense: {what}"),
            Self::WrongModule { .. } => {
                write!(f, "the patient does not hold the module it should")
            }
            Self::FinalHashNotDeclared => {
                write!(f, "declare the hash of the final module first (declare)")
            }
            Self::FinalHashMismatch { .. } => {
                write!(
                    f,
                    "the bytes given are not the final module that was declared"
                )
            }
            Self::ModuleIncomplete { what } => {
                write!(f, "the staged final module is incomplete: {what}")
            }
            Self::Wiped { memory } => write!(
                f,
                "the {} memory was emptied or replaced: it can only be attested now",
                memory.name()
            ),
            Self::NotRecorded { memory } => write!(
                f,
                "the checksums of the {} memory are not all recorded: run checksum to its end",
                memory.name()
            ),
            Self::SizeDiffers {
                memory,
                recorded_bytes,
                found_bytes,
            } => write!(
                f,
                "the {} memory has {found_bytes} bytes, {recorded_bytes} are on record",
                memory.name()
            ),
            Self::NotAttested { memory } => write!(
                f,
                "the {} memory has not been attested since it was wiped: run attest",
                memory.name()
            ),
            Self::WouldDiscardState { what } => {
                write!(f, "{what} would be lost: say so with discard_newer_state")
            }
            Self::PatientNotWhole { phase } => {
                write!(
                    f,
                    "the patient would be left {phase:?}: say so with leave_as_is"
                )
            }
            Self::TooLarge { what, limit, found } => {
                write!(f, "{what} is {found}, the limit is {limit}")
            }
            Self::InvalidArgument { argument, why } => write!(f, "{argument}: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}
