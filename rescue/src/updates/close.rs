//! `close`: ends a case. Evidence and journal stay.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation};
use crate::case::rules::{self, Consent};
use crate::case::step::Event;
use crate::ic::management::{self, CallEnd};
use crate::runner::Ticket;
use crate::store::{cases, modules};

/// Closes a case.
pub async fn close(
    actor: Principal,
    id: CaseId,
    leave_as_is: bool,
    delete_snapshot: bool,
) -> Result<Case, Refusal> {
    let consent = Consent {
        leave_as_is,
        ..Consent::default()
    };
    if !leave_as_is {
        // Whether it is whole is looked at now: what was seen last may be long ago.
        match rules::check(&cases::get(id)?, Operation::Close, consent) {
            Ok(()) | Err(Refusal::PatientNotWhole { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        let ticket = Ticket::take(id, actor, Operation::Settle, Consent::default())?;
        ticket.look().await?;
        ticket.release();
    }
    let case = cases::get(id)?;
    rules::check(&case, Operation::Close, consent)?;
    rules::check_lease(&case, ic_cdk::api::time())?;
    if let (true, Some(snapshot)) = (delete_snapshot, case.usable_snapshot()) {
        let snapshot_id = snapshot.id.clone();
        let end = management::delete_snapshot(case.patient, snapshot_id).await;
        if end != CallEnd::Answered {
            return Err(end.into_refusal(Operation::Close));
        }
        cases::apply(id, Event::SnapshotDeleted, actor, ic_cdk::api::time())?;
    }
    let event = Event::Closed { actor, consent };
    let case = cases::apply(id, event, actor, ic_cdk::api::time())?;
    modules::remove(id);
    Ok(case)
}
