//! Turns the end of a call into an answer: for a user, for a canister, or for nobody.

use engine::{ExecutionError, Response as Reply};

use super::api::{IngressState, MessageId, RejectCode};
use super::canister::Canister;
use super::contexts::Action;
use super::errors::UserError;
use super::execute::{Call, Done};
use super::message::{Origin, Output, Payload, Response};

/// Answers for users.
pub type Answers = Vec<(MessageId, IngressState)>;

/// The state of a message that failed.
pub fn failed(error: UserError) -> IngressState {
    IngressState::Rejected(error.into_reject(true))
}

/// Sends a canister its answer.
fn respond(canister: &mut Canister, origin: &Origin, payload: Payload, refund: u128) {
    if let Origin::Canister {
        sender,
        callback,
        deadline_ns,
    } = origin
    {
        canister.outputs.push_back(Output::Response(Response {
            originator: *sender,
            respondent: canister.id,
            callback: *callback,
            refund,
            payload,
            deadline_ns: *deadline_ns,
        }));
    }
}

/// The answer to a call that could not be run at all.
pub fn answer_error(canister: &mut Canister, call: &Call, error: &UserError) -> Done {
    let answers = match call.origin() {
        Origin::Ingress { id, .. } => vec![(id, failed(error.clone()))],
        origin => {
            respond(canister, &origin, Payload::from(error), call.cycles());
            Vec::new()
        }
    };
    Done {
        instructions: 0,
        answers,
    }
}

/// The answer, if any, that a message of a call's context gave.
pub fn answer_call(canister: &mut Canister, origin: &Origin, action: Action) -> Answers {
    match origin {
        Origin::System => Vec::new(),
        Origin::Ingress { id, .. } => {
            let state = match action {
                Action::Already => return Vec::new(),
                Action::NotYet => IngressState::Processing,
                Action::Reply(bytes, _) => IngressState::Replied(bytes),
                Action::Reject(text, _) => failed(UserError::rejected(text)),
                Action::NoResponse(_) => failed(UserError::did_not_reply(canister.id)),
                Action::Fail(failure, _) => failed(UserError::execution(canister.id, &failure)),
            };
            vec![(*id, state)]
        }
        Origin::Canister { .. } => {
            let (payload, refund) = match action {
                Action::Already | Action::NotYet => return Vec::new(),
                Action::Reply(bytes, refund) => (Payload::Reply(bytes), refund),
                Action::Reject(text, refund) => {
                    (Payload::reject(RejectCode::CanisterReject, text), refund)
                }
                Action::NoResponse(refund) => (no_response(), refund),
                Action::Fail(failure, refund) => {
                    let error = UserError::execution(canister.id, &failure);
                    (Payload::from(&error), refund)
                }
            };
            respond(canister, origin, payload, refund);
            Vec::new()
        }
    }
}

fn no_response() -> Payload {
    Payload::reject(RejectCode::CanisterError, "No response")
}

/// The answer of a query method that was called through consensus.
pub fn answer_query(
    canister: &mut Canister,
    call: &Call,
    result: Result<Option<Reply>, ExecutionError>,
    action: Action,
) -> Answers {
    let refund = match action {
        Action::Reply(_, refund)
        | Action::Reject(_, refund)
        | Action::NoResponse(refund)
        | Action::Fail(_, refund) => refund,
        Action::NotYet | Action::Already => call.cycles(),
    };
    let origin = call.origin();
    let action = match result {
        Ok(Some(Reply::Reply(bytes))) => Action::Reply(bytes, refund),
        Ok(Some(Reply::Reject(text))) => Action::Reject(text, refund),
        Ok(None) => Action::NoResponse(refund),
        Err(failure) => Action::Fail(failure, refund),
    };
    answer_call(canister, &origin, action)
}
