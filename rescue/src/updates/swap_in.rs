//! `swap_in`: installs the embedded downloader or uploader over the patient's module.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Heap, Memories, Operation, Pair};
use crate::case::rules::Consent;
use crate::ic::management::{self, Mode};
use crate::pair::{self, width};
use crate::runner::perform;

/// Swaps a module of the pair in.
pub async fn swap_in(
    actor: Principal,
    id: CaseId,
    module: Pair,
    memories: Memories,
    while_stopping: bool,
) -> Result<Case, Refusal> {
    let operation = Operation::SwapIn { module, memories };
    let consent = Consent {
        while_stopping,
        ..Consent::default()
    };
    let mode = match memories {
        Memories::Keep => Mode::Upgrade(Heap::Keep),
        Memories::ReplaceHeap => Mode::Upgrade(Heap::Replace),
        Memories::Wipe => Mode::Wipe,
    };
    perform(id, actor, operation, consent, async |ticket, case| {
        let width = width(&case, operation);
        ticket.calling(Some(pair::hash(module, width)))?;
        let bytes = pair::bytes(module, width).to_vec();
        Ok(management::install(case.patient, mode, bytes, Vec::new()).await)
    })
    .await
}
