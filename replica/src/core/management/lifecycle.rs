//! Start, stop, uninstall, delete.

use candid::Principal;
use ic_management_canister_types::{CanisterIdRecord, ChangeDetails, UninstallCodeArgs};

use super::decode::{decode, empty};
use super::{Call, Handled, answer};
use crate::core::canister::{Canister, HookStatus, Status, StopWaiter};
use crate::core::errors::UserError;
use crate::core::limits::STOP_TIMEOUT_NS;
use crate::core::message::Origin;
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

impl From<StopWaiter> for Call {
    fn from(waiter: StopWaiter) -> Self {
        match waiter {
            StopWaiter::Ingress(message) => Call::Ingress(message),
            StopWaiter::Request(request) => Call::Request(request),
        }
    }
}

/// Answers a caller of `stop_canister`, cycles included.
fn answer_waiter(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    waiter: StopWaiter,
    result: Result<Vec<u8>, UserError>,
) {
    let call = Call::from(waiter);
    let refund = call.cycles();
    answer(state, subnet, &call, result, refund);
}

/// `stop_canister`: answered when nothing is open any more.
pub fn stop(state: &mut SubnetState, subnet: &SubnetContext, call: &Call) -> Handled {
    let refused = |error| Handled::Answer(Err(error), call.cycles());
    let id = match decode::<CanisterIdRecord>(call.arg()) {
        Ok(args) => args.canister_id,
        Err(error) => return refused(error),
    };
    let canister = match state.controlled_mut(&id, &call.sender()) {
        Ok(canister) => canister,
        Err(error) => return refused(error),
    };
    canister.version += 1;
    let waiter = match call {
        Call::Ingress(message) => StopWaiter::Ingress(message.clone()),
        Call::Request(request) => StopWaiter::Request(request.clone()),
    };
    match &mut canister.status {
        Status::Stopped => Handled::Answer(Ok(empty()), call.cycles()),
        Status::Stopping { waiters } => {
            waiters.push((waiter, subnet.now_ns));
            Handled::Waiting
        }
        Status::Running => {
            canister.status = Status::Stopping {
                waiters: vec![(waiter, subnet.now_ns)],
            };
            Handled::Waiting
        }
    }
}

/// `start_canister`
///
/// # Errors
/// No such canister, or the caller is no controller.
pub fn start(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    let canister = state.controlled_mut(&args.canister_id, &sender)?;
    let id = canister.id;
    canister.version += 1;
    let before = std::mem::replace(&mut canister.status, Status::Running);
    if let Status::Stopping { waiters } = before {
        for (waiter, _) in waiters {
            answer_waiter(state, subnet, waiter, Err(UserError::stop_cancelled(id)));
        }
    }
    Ok(empty())
}

/// At the end of a round: stops the canisters that have nothing open any more, and gives up
/// waiting for those that took too long.
pub fn finish_stopping(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut answers: Vec<(StopWaiter, Result<Vec<u8>, UserError>)> = Vec::new();
    for canister in state.canisters.values_mut() {
        let is_idle = canister.contexts.is_idle() && canister.paused.is_none();
        let Status::Stopping { waiters } = &mut canister.status else {
            continue;
        };
        if is_idle {
            let waiters = std::mem::take(waiters);
            answers.extend(waiters.into_iter().map(|(waiter, _)| (waiter, Ok(empty()))));
            canister.status = Status::Stopped;
            canister.version += 1;
        } else {
            let (late, waiting) = std::mem::take(waiters)
                .into_iter()
                .partition(|(_, since)| subnet.now_ns >= since + STOP_TIMEOUT_NS);
            *waiters = waiting;
            let late: Vec<(StopWaiter, u64)> = late;
            answers.extend(
                late.into_iter()
                    .map(|(waiter, _)| (waiter, Err(UserError::stop_timeout()))),
            );
        }
    }
    for (waiter, result) in answers {
        answer_waiter(state, subnet, waiter, result);
    }
}

/// `uninstall_code`
///
/// # Errors
/// No such canister, or the caller is no controller.
pub fn uninstall(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
) -> Result<Vec<u8>, UserError> {
    let args: UninstallCodeArgs = decode(call.arg())?;
    let canister = state.controlled_mut(&args.canister_id, &call.sender())?;
    let open = remove_code(canister);
    canister.add_change(
        subnet.now_ns,
        call.origin(args.sender_canister_version),
        ChangeDetails::CodeUninstall,
    );
    state.answer_uninstalled(args.canister_id, open);
    Ok(empty())
}

/// Empties a canister and returns the open calls to answer.
pub fn remove_code(canister: &mut Canister) -> Vec<(Origin, u128)> {
    canister.code = None;
    canister.log.clear();
    canister.chunk_store.clear();
    canister.certified_data.clear();
    canister.global_timer = None;
    canister.hook = HookStatus::default();
    canister.version += 1;
    canister.contexts.delete_all()
}

/// `delete_canister`: cycles and snapshots go with it.
///
/// # Errors
/// No such canister, the caller is no controller or the canister itself, or it is not stopped.
pub fn delete(
    state: &mut SubnetState,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    let id = args.canister_id;
    if sender == id {
        return Err(UserError::delete_self(id));
    }
    let canister = state.controlled(&id, &sender)?;
    if !canister.is_stopped() {
        return Err(UserError::delete_not_stopped(id));
    }
    if !canister.inputs.is_empty() || !canister.outputs.is_empty() {
        return Err(UserError::delete_queue_not_empty(id));
    }
    let snapshots: Vec<_> = state.snapshots_of(&id).map(|(id, _)| *id).collect();
    for snapshot in snapshots {
        state.remove_snapshot(&snapshot);
    }
    state.canisters.remove(&id);
    Ok(empty())
}
