//! `rollback`: loads the snapshot, from wherever the case stands.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation, Run};
use crate::case::rules::Consent;
use crate::ic::management;
use crate::runner::{perform, settle_doubt};

/// Rolls the patient back. Leaves it stopped.
pub async fn rollback(
    actor: Principal,
    id: CaseId,
    discard_newer_state: bool,
) -> Result<Case, Refusal> {
    settle_doubt(id, actor).await?;
    let consent = Consent {
        discard_newer_state,
        ..Consent::default()
    };
    perform(
        id,
        actor,
        Operation::Rollback,
        consent,
        async |ticket, case| {
            let snapshot = case.usable_snapshot().ok_or_else(|| Refusal::NoSnapshot {
                why: "it was deleted meanwhile".to_string(),
            })?;
            let target = snapshot.module_hash;
            ticket.calling(target)?;
            if case.last_seen.run != Run::Stopped {
                // A patient that cannot stop (it waits for an answer for ever) is rolled back as it is.
                let end = management::stop(case.patient).await;
                if end.was_never_sent() {
                    return Ok(end);
                }
            }
            ticket.calling(target)?;
            Ok(management::load_snapshot(case.patient, snapshot.id.clone()).await)
        },
    )
    .await
}
