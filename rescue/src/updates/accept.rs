//! `accept`: goes on from what someone else has made of the patient.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Operation, Phase};
use crate::case::rules::Consent;
use crate::case::step::Event;
use crate::pair;
use crate::runner::{Ticket, plain_look};
use crate::store::cases;

/// Accepts a foreign change.
pub async fn accept(actor: Principal, id: CaseId, total_changes: u64) -> Result<Case, Refusal> {
    let ticket = Ticket::take(id, actor, Operation::Accept, Consent::default())?;
    let patient = cases::get(id)?.patient;
    let look = match plain_look(patient).await {
        Ok(look) => look,
        Err(refusal) => {
            ticket.release();
            return Err(refusal);
        }
    };
    let case = ticket.apply(Event::Accepted {
        token: ticket.token(),
        total_changes,
        look,
        pair: pair::hashes(),
    })?;
    match &case.phase {
        Phase::Foreign {
            found,
            total_changes,
        } => Err(Refusal::ForeignChange {
            found: found.clone(),
            total_num_changes: *total_changes,
            changes: Vec::new(),
        }),
        Phase::Holding { .. } | Phase::Closed => Ok(case),
    }
}
