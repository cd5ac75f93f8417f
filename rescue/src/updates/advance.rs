//! `advance`: does the next planned step.

use candid::Principal;
use rescue_api::{Advance, FinalModule, Refusal};

use super::{attest, checksum, close, install, settle, snapshot, start, stop, swap_in};
use crate::case::model::{CaseId, Operation};
use crate::case::plan::{self, Next};
use crate::case::rules;
use crate::store::cases;
use crate::view;

/// Does the next step, or says for what the case waits.
pub async fn advance(actor: Principal, id: CaseId) -> Result<Advance, Refusal> {
    let planned = plan::next(&cases::get(id)?);
    let done = carry_out(actor, id, planned).await;
    if !matches!(done, Err(Refusal::NotNow { .. } | Refusal::SnapshotFirst)) {
        return done;
    }
    // The look before the step showed the patient in another state than when the step was planned.
    let planned_anew = plan::next(&cases::get(id)?);
    if planned_anew == planned {
        return done;
    }
    carry_out(actor, id, planned_anew).await
}

async fn carry_out(actor: Principal, id: CaseId, next: Next) -> Result<Advance, Refusal> {
    let operation = match next {
        Next::Finished => return Ok(Advance::Finished),
        Next::Operator(waits_for) => return your_turn(id, waits_for),
        Next::Do(operation) => operation,
    };
    match operation {
        Operation::Settle => settle::settle(actor, id).await?,
        Operation::Stop => stop::stop(actor, id).await?,
        Operation::Snapshot => snapshot::snapshot(actor, id).await?,
        Operation::SwapIn { module, memories } => {
            swap_in::swap_in(actor, id, module, memories, false).await?
        }
        Operation::Start => start::start(actor, id).await?,
        Operation::Checksum(memory) => {
            let progress = checksum::checksum(actor, id, memory, false, None).await?;
            return Ok(Advance::Checksumming(progress));
        }
        Operation::Attest(memory) => {
            return match attest::attest(actor, id, memory, false, None).await {
                Ok(progress) => Ok(Advance::Attesting(progress)),
                // Nothing is wrong: the restore has not been done (or not to its end).
                Err(Refusal::SizeDiffers { .. }) => your_turn(id, plan::RESTORE),
                Err(refusal) => Err(refusal),
            };
        }
        Operation::Install(heap) => {
            let module = FinalModule::Staged;
            install::install(actor, id, module, heap, NO_ARGUMENT.to_vec(), false).await?
        }
        Operation::Close => close::close(actor, id, false, false).await?,
        Operation::Declare
        | Operation::PutModuleChunk
        | Operation::Rollback
        | Operation::Accept
        | Operation::Forget => {
            return your_turn(id, "a decision");
        }
    };
    Ok(Advance::Stepped(view::operation(operation)))
}

/// `()` in candid.
const NO_ARGUMENT: [u8; 6] = wire::candid::UNIT;

fn your_turn(id: CaseId, waits_for: &str) -> Result<Advance, Refusal> {
    let case = cases::get(id)?;
    Ok(Advance::YourTurn {
        waits_for: waits_for.to_string(),
        may: rules::possible(&case)
            .into_iter()
            .map(view::operation)
            .collect(),
    })
}
