//! `settle`: establishes the outcome of a call, or just looks at the patient.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation};
use crate::case::rules::Consent;
use crate::runner::{Ticket, settle_doubt};
use crate::store::cases;

/// Settles.
pub async fn settle(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    if cases::get(id)?.in_doubt().is_some() {
        return settle_doubt(id, actor).await;
    }
    let ticket = Ticket::take(id, actor, Operation::Settle, Consent::default())?;
    ticket.look().await?;
    ticket.release();
    cases::get(id)
}
