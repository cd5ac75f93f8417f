//! Prepare, await, commit: how a step that calls out is run.
//!
//! ```text
//! take the lease ─▶ look ─▶ (refuse, give back) ─▶ note the call ─▶ call ─▶ look ─▶ commit
//! ```
//!
//! Nothing is held across an await but a [`Ticket`], which names the case and the attempt. Each time
//! the step comes back it reads the case anew; if its lease has passed to someone else, it ends. The
//! outcome is what the second look shows, whatever the call answered; if that look fails, the case
//! stays in doubt until `settle`.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::cycles;
use crate::case::judge::{Entry, Look, Verdict, describe_what, judge};
use crate::case::model::{Case, CaseId, Hash, Operation, Phase};
use crate::case::rules::{self, Consent};
use crate::case::step::Event;
use crate::ic::look::look;
use crate::ic::management::CallEnd;
use crate::pair;
use crate::store::{cases, counters};
use crate::view;

/// One attempt at one step of one case.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// The case.
    pub case: CaseId,
    token: u64,
    /// Who asked.
    pub actor: Principal,
    operation: Operation,
    consent: Consent,
}

/// Runs a step whose call changes the patient. `act` makes the call, after [`Ticket::calling`].
pub async fn perform(
    case: CaseId,
    actor: Principal,
    operation: Operation,
    consent: Consent,
    act: impl AsyncFnOnce(Ticket, Case) -> Result<CallEnd, Refusal>,
) -> Result<Case, Refusal> {
    let ticket = Ticket::take(case, actor, operation, consent)?;
    let case = ticket.look().await?;
    let width = pair::width(&case, operation);
    if let Err(refusal) = cycles::check(operation, width, &case.last_seen) {
        ticket.release();
        return Err(refusal);
    }
    let end = act(ticket, case).await?;
    ticket.conclude(end).await
}

/// Establishes the outcome of a call, if one is in doubt.
pub async fn settle_doubt(id: CaseId, actor: Principal) -> Result<Case, Refusal> {
    let case = cases::get(id)?;
    let Some(pending) = case.in_doubt().cloned() else {
        return Ok(case);
    };
    let found = look(case.patient, pending.operation.asks_for_snapshots()).await?;
    let recent = found.recent.clone();
    let before = cases::get(id)?;
    let event = Event::LookedAfter {
        token: pending.token,
        look: found,
        call_is_over: false,
    };
    // If the call itself has come back meanwhile, it has settled the matter.
    let case = match cases::apply(id, event, actor, ic_cdk::api::time()) {
        Err(Refusal::LeaseLost) => cases::get(id)?,
        other => other?,
    };
    let Some(pending) = case.in_doubt() else {
        return Ok(case);
    };
    // News of someone else come first; that the call may still come is told when it is asked for again.
    let news = (case.phase != before.phase)
        .then(|| foreign_refusal(&before, &case, &recent))
        .flatten();
    Err(news.unwrap_or_else(|| Refusal::OutcomeUnknown(view::busy(pending))))
}

impl Ticket {
    /// Takes the lease, if the step is allowed.
    pub fn take(
        case: CaseId,
        actor: Principal,
        operation: Operation,
        consent: Consent,
    ) -> Result<Self, Refusal> {
        let event = Event::Begin {
            operation,
            actor,
            consent,
        };
        let begun = cases::apply(case, event, actor, ic_cdk::api::time())?;
        let token = begun
            .pending
            .expect("BUG: a step that has begun is pending")
            .token;
        Ok(Self {
            case,
            token,
            actor,
            operation,
            consent,
        })
    }

    /// Looks at the patient and checks the step again under what is seen.
    pub async fn look(self) -> Result<Case, Refusal> {
        let case = cases::get(self.case)?;
        let found = match look(case.patient, case.asks_for_snapshots(self.operation)).await {
            Ok(found) => found,
            Err(refusal) => {
                self.release();
                return Err(refusal);
            }
        };
        let recent = found.recent.clone();
        let before = cases::get(self.case)?;
        let event = Event::LookedFirst {
            token: self.token,
            consent: self.consent,
            look: found,
        };
        let case = self.apply(event)?;
        if case.pending.is_some() {
            return Ok(case);
        }
        // The step ended here: someone else was there, or it is not allowed any more.
        if let Some(refusal) = foreign_refusal(&before, &case, &recent) {
            return Err(refusal);
        }
        Err(rules::check(&case, self.operation, self.consent)
            .err()
            .unwrap_or(Refusal::LeaseLost))
    }

    /// Notes that a call which changes the patient goes out in this very message.
    pub fn calling(self, target: Option<Hash>) -> Result<(), Refusal> {
        let event = Event::Calling {
            token: self.token,
            sender_version: ic_cdk::api::canister_version(),
            target,
        };
        self.apply(event).map(|_| ())
    }

    /// Establishes what the call has done.
    pub async fn conclude(self, end: CallEnd) -> Result<Case, Refusal> {
        let before = cases::get(self.case)?;
        let Ok(found) = look(before.patient, self.operation.asks_for_snapshots()).await else {
            if end.was_never_sent() {
                // No look is needed to know that it has done nothing.
                self.release();
                return Err(end.into_refusal(self.operation));
            }
            // The doubt stays, on record, until someone settles it.
            return Err(match cases::get(self.case)?.in_doubt() {
                Some(pending) => Refusal::OutcomeUnknown(view::busy(pending)),
                None => Refusal::LeaseLost,
            });
        };
        let before = cases::get(self.case)?;
        let verdict = judge(&before, &found);
        let recent = found.recent.clone();
        let case = self.apply(Event::LookedAfter {
            token: self.token,
            look: found,
            call_is_over: end.is_over(),
        })?;
        if let Some(refusal) = foreign_refusal(&before, &case, &recent) {
            return Err(refusal);
        }
        if let Some(pending) = case.in_doubt() {
            return Err(Refusal::OutcomeUnknown(view::busy(pending)));
        }
        match verdict {
            Verdict::Effect { .. } => Ok(case),
            Verdict::Quiet | Verdict::Foreign { .. } => Err(end.into_refusal(self.operation)),
        }
    }

    /// Gives the lease back. Nothing that changes the patient was called.
    pub fn release(self) {
        // If the lease has passed on, there is nothing to give back.
        let _ = self.apply(Event::Release { token: self.token });
    }

    /// Applies an event of this attempt.
    pub fn apply(self, event: Event) -> Result<Case, Refusal> {
        cases::apply(self.case, event, self.actor, ic_cdk::api::time())
    }

    /// Names this attempt.
    #[must_use]
    pub const fn token(self) -> u64 {
        self.token
    }
}

/// The refusal that reports a foreign change, if the case has come to that.
fn foreign_refusal(before: &Case, case: &Case, recent: &[Entry]) -> Option<Refusal> {
    let Phase::Foreign {
        found,
        total_changes,
    } = &case.phase
    else {
        return None;
    };
    counters::count(|counters| counters.foreign_changes += 1);
    let new_count = total_changes.saturating_sub(before.last_seen.total_changes) as usize;
    let first = recent.len().saturating_sub(new_count);
    Some(Refusal::ForeignChange {
        found: found.clone(),
        total_num_changes: *total_changes,
        changes: recent[first..]
            .iter()
            .map(|entry| rescue_api::Change {
                at_nanos: entry.at,
                by: entry.by,
                canister_version: entry.version,
                what: describe_what(&entry.what),
            })
            .collect(),
    })
}

/// A look that belongs to no step: for opening a case and accepting a change.
pub async fn plain_look(patient: Principal) -> Result<Look, Refusal> {
    look(patient, false).await
}
