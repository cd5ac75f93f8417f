//! `stop`: stops the patient, so that answers to its calls still find its own module.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation};
use crate::case::rules::Consent;
use crate::ic::management;
use crate::runner::perform;

/// Stops the patient.
pub async fn stop(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    let consent = Consent::default();
    perform(id, actor, Operation::Stop, consent, async |ticket, case| {
        ticket.calling(None)?;
        Ok(management::stop(case.patient).await)
    })
    .await
}
