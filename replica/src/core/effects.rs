//! Puts into place what a successful message asked for: cycles, calls, certified data, timer.

use engine::{CallPrepayment, Effects};

use super::canister::Canister;
use super::contexts::Callback;
use super::limits::CERTIFIED_DATA_MAX_BYTES;
use super::management::routing::{Route, route_request};
use super::message::{ContextId, Output, Request, Response};
use super::network::SubnetContext;
use super::queues::Source;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Applies the effects of a message of the call context `context`, answers left aside. The canister's version is still
/// the one of before the message: so management calls are made.
pub fn apply_effects(
    canister: &mut Canister,
    subnet: &SubnetContext,
    context: Option<ContextId>,
    effects: &Effects,
) {
    apply_cycles(canister, context, effects);
    for call in &effects.calls {
        let Some(context) = context else {
            unreachable!("BUG: calls come from messages with a call context");
        };
        let deadline_ns = call.timeout_seconds.map_or(0, |timeout| {
            (subnet.now_ns / NS_PER_SECOND + u64::from(timeout)) * NS_PER_SECOND
        });
        let route = route_request(canister, subnet, &call.callee, &call.method, &call.arg);
        let receiver = match &route {
            Route::To(receiver) => *receiver,
            Route::Reject(_) => call.callee,
        };
        let prepayment = match subnet.prices.is_free() {
            true => CallPrepayment::default(),
            false => call.prepayment,
        };
        canister.balance = canister
            .balance
            .saturating_sub(call.cycles + prepayment.total());
        canister.consumed.transmission += prepayment.request_cycles;
        let callback = canister.contexts.register(Callback {
            context,
            respondent: receiver,
            cycles_sent: call.cycles,
            execution_prepayment: prepayment.response_execution_cycles,
            transmission_prepayment: prepayment.response_transmission_cycles,
            reply: call.reply,
            reject: call.reject,
            cleanup: call.cleanup,
            deadline_ns,
        });
        let request = Request {
            sender: canister.id,
            receiver,
            callback,
            method: call.method.clone(),
            arg: call.arg.clone(),
            cycles: call.cycles,
            deadline_ns,
        };
        match route {
            Route::To(_) => canister.outputs.push_back(Output::Request(request)),
            Route::Reject(payload) => {
                let response = Response::to(&request, payload, request.cycles);
                canister.inputs.push(
                    Source::Local,
                    response.respondent,
                    super::message::Input::Response(response),
                );
            }
        }
    }
    if let Some(data) = &effects.certified_data {
        debug_assert!(data.len() <= CERTIFIED_DATA_MAX_BYTES);
        canister.certified_data.clone_from(data);
    }
    if let Some(timer_ns) = effects.global_timer {
        canister.global_timer = (timer_ns != 0).then_some(timer_ns);
    }
}

/// Moves the cycles a message accepted or burned.
pub fn apply_cycles(canister: &mut Canister, context: Option<ContextId>, effects: &Effects) {
    if let Some(context) = context.and_then(|id| canister.contexts.context_mut(id)) {
        context.cycles_available = context
            .cycles_available
            .saturating_sub(effects.cycles_accepted);
    }
    canister.balance = canister
        .balance
        .saturating_add(effects.cycles_accepted)
        .saturating_sub(effects.cycles_burned);
    canister.consumed.burned += effects.cycles_burned;
}
