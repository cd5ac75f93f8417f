//! `snapshot`: takes the way back, in the place of an earlier one of the same case, unless that one may
//! hold what the patient has lost since.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation};
use crate::case::rules::Consent;
use crate::ic::management;
use crate::runner::perform;

/// Takes a snapshot of the patient.
pub async fn snapshot(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    let consent = Consent::default();
    perform(
        id,
        actor,
        Operation::Snapshot,
        consent,
        async |ticket, case| {
            let earlier = case
                .replaceable_snapshot()
                .map(|snapshot| snapshot.id.clone());
            ticket.calling(None)?;
            Ok(management::take_snapshot(case.patient, earlier).await)
        },
    )
    .await
}
