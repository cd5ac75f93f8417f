//! `start`: starts the patient.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation};
use crate::case::rules::Consent;
use crate::ic::management;
use crate::runner::perform;

/// Starts the patient.
pub async fn start(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    let consent = Consent::default();
    perform(
        id,
        actor,
        Operation::Start,
        consent,
        async |ticket, case| {
            ticket.calling(None)?;
            Ok(management::start(case.patient).await)
        },
    )
    .await
}
