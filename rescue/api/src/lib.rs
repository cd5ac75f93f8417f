//! Candid types of the rescue canister: what it is asked and what it answers.
//!
//! One crate for both ends, so that the canister, the command line and the tests cannot disagree. The
//! contract itself is `rescue/rescue.did`; a unit test of the canister holds it equal to these types.
//! These types travel and are never stored: what the canister keeps has types of its own.
//!
//! Every update answers `Result<_, Refusal>`; see [`Refusal`] for what a caller can do about each.
//! Names of methods are in [`methods`].

mod arguments;
mod case;
mod evidence;
mod http;
pub mod methods;
mod refusal;

pub use arguments::{
    AcceptArgs, AttestArgs, ChecksumArgs, CloseArgs, DeclareArgs, FinalModule, HeapChoice,
    InitArgs, InstallArgs, ModuleChunkArgs, OpenCaseArgs, Plan, RollbackArgs, SnapshotPolicy,
    SwapArgs, SwapMemories,
};
pub use case::{
    Advance, Busy, CaseSummary, CaseView, Change, Held, JournalEntry, Operation, Pair,
    PatientState, Phase, Run, SnapshotView, StagedModule,
};
pub use evidence::{
    AttestProgress, CertifiedRoots, ChecksumProgress, Memory, MemoryView, ModuleInfo, Modules,
    RootStatement,
};
pub use http::{HeaderField, HttpRequest, HttpResponse};
pub use refusal::Refusal;

/// Number of a case, counted from 1 and never reused.
pub type CaseId = u64;

/// What every update of the canister answers.
pub type Answer<T> = Result<T, Refusal>;
