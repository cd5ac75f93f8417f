//! One round of one subnet: messages in, execution, messages out.

use candid::Principal;

use super::answer::failed;
use super::api::{IngressState, RejectCode};
use super::canister::{Canister, HookStatus, NextKind, Task};
use super::errors::UserError;
use super::execute::{Call, Done, Paused, execute_call, execute_input};
use super::ingress_filter::induction_fee;
use super::limits::{
    BLOCK_MAX_INGRESS_BYTES, BLOCK_MAX_INGRESS_MESSAGES, CHECKPOINT_ROUNDS, HEAP_DELTA_RATE_BYTES,
    OVERHEAD_PER_CANISTER, OVERHEAD_PER_EXECUTION, ROUND_INSTRUCTIONS, SCHEDULER_CORES,
    SLICE_INSTRUCTIONS, SUBNET_ROUND_INSTRUCTIONS,
};
use super::management::{self, install, lifecycle};
use super::message::{IngressMessage, Input, Output, Payload, Request, Response};
use super::network::SubnetContext;
use super::queues::Source;
use super::storage::charge_storage;
use super::subnet::SubnetState;

/// Bytes a request or response to another subnet may carry.
const REMOTE_PAYLOAD_MAX_BYTES: usize = 2 << 20;
/// How often the instruction budget of a round is checked, at most: a guard, not a rule.
const MAX_ITERATIONS: usize = 100_000;

/// Runs one round. `arrived` are the messages of other subnets.
pub fn run(state: &mut SubnetState, subnet: &SubnetContext, arrived: Vec<Output>) {
    state.round += 1;
    state.time_ns = subnet.now_ns;
    state.budget = SUBNET_ROUND_INSTRUCTIONS;
    expire_callbacks(state, subnet);
    let own = state.streams.remove(&subnet.id).unwrap_or_default();
    for (source, message) in own
        .into_iter()
        .map(|message| (Source::Local, message))
        .chain(arrived.into_iter().map(|message| (Source::Remote, message)))
    {
        induct(state, subnet, source, message);
    }
    induct_ingress(state, subnet);
    drop_expired(state, subnet);
    advance_installs(state, subnet);
    execute_all(state, subnet);
    finish(state, subnet);
    send(state, subnet);
}

/// Takes a message from a stream into the queue it is for, or answers why it cannot be taken.
fn induct(state: &mut SubnetState, subnet: &SubnetContext, source: Source, message: Output) {
    let destination = message.destination();
    let sender = message.source();
    if destination == subnet.id {
        state.inputs.push(source, sender, message.into());
        return;
    }
    if let Err(refused) = push_input(state, subnet, source, message) {
        // An answer whose receiver is gone goes nowhere.
        if let Output::Request(request) = refused.message {
            let refund = request.cycles;
            let response = Response::to(&request, refused.payload, refund);
            state.outputs.push_back(Output::Response(response));
        }
    }
}

/// A message that a canister's queue does not take, and the answer to it.
struct Refused {
    message: Output,
    payload: Payload,
}

impl Refused {
    fn new(message: Output, payload: Payload) -> Box<Self> {
        Box::new(Refused { message, payload })
    }
}

/// Puts a message into a canister's queue.
fn push_input(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    source: Source,
    message: Output,
) -> Result<(), Box<Refused>> {
    let destination = message.destination();
    let Some(canister) = state.canisters.get_mut(&destination) else {
        let text = format!("Canister {destination} not found");
        return Err(Refused::new(
            message,
            Payload::reject(RejectCode::DestinationInvalid, text),
        ));
    };
    if let Output::Request(request) = &message {
        let refused = if canister.is_stopped() {
            Some(format!("Canister {destination} is stopped"))
        } else if canister.is_stopping() {
            Some(format!("Canister {destination} is stopping"))
        } else {
            None
        };
        if let Some(text) = refused {
            let payload = Payload::reject(RejectCode::CanisterError, text);
            return Err(Refused::new(message, payload));
        }
        let minimum = canister.settings.minimum_incoming_canister_call_cycles;
        if request.cycles < minimum && request.sender != destination {
            let error = UserError::rejected(format!(
                "Canister {destination} requires at least {minimum} cycles with every call, but {} were attached",
                request.cycles
            ));
            return Err(Refused::new(message, Payload::from(&error)));
        }
        debug_assert_eq!(subnet.route(&destination), Some(subnet.id));
    }
    let sender = message.source();
    canister.inputs.push(source, sender, message.into());
    Ok(())
}

/// Takes ingress messages into queues, up to what a block holds.
fn induct_ingress(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut bytes = 0;
    for _ in 0..BLOCK_MAX_INGRESS_MESSAGES {
        let Some(message) = state.pool.front() else {
            break;
        };
        bytes += message.signed_len_bytes;
        if bytes > BLOCK_MAX_INGRESS_BYTES {
            break;
        }
        let Some(message) = state.pool.pop_front() else {
            break;
        };
        let id = message.id;
        match induct_one(state, subnet, message) {
            Ok(()) => state.answer_ingress(id, IngressState::Received),
            Err(error) => state.answer_ingress(id, failed(error)),
        }
    }
}

fn induct_one(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    message: IngressMessage,
) -> Result<(), UserError> {
    if let Some(fee) = induction_fee(&message, subnet) {
        let canister = state
            .canisters
            .get_mut(&fee.payer)
            .ok_or_else(|| UserError::canister_not_found(fee.payer))?;
        if canister.missing_cycles(fee.cycles, &subnet.prices) > 0 {
            return Err(UserError::out_of_cycles(fee.payer, None));
        }
        canister.balance -= fee.cycles;
        canister.consumed.ingress += fee.cycles;
    }
    if message.receiver == Principal::management_canister() {
        state.inputs.push_ingress(message);
        return Ok(());
    }
    let canister = state
        .canisters
        .get_mut(&message.receiver)
        .ok_or_else(|| UserError::canister_not_found(message.receiver))?;
    if !canister.is_running() {
        return Err(UserError::stopped_at_submission(
            canister.id,
            canister.is_stopping(),
        ));
    }
    canister.inputs.push_ingress(message);
    Ok(())
}

/// Gives up on ingress messages that have waited too long.
fn drop_expired(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut expired = state.inputs.take_expired(subnet.now_ns);
    for canister in state.canisters.values_mut() {
        expired.extend(canister.inputs.take_expired(subnet.now_ns));
    }
    for message in expired {
        let error = UserError::ingress_timeout(&message.id);
        state.answer_ingress(message.id, failed(error));
    }
}

/// Answers best-effort calls whose deadline has passed with a reject of the system.
fn expire_callbacks(state: &mut SubnetState, subnet: &SubnetContext) {
    for canister in state.canisters.values_mut() {
        let expired: Vec<_> = canister
            .contexts
            .callbacks()
            .filter(|(_, callback)| {
                callback.deadline_ns != 0 && callback.deadline_ns < subnet.now_ns
            })
            .map(|(id, callback)| (*id, callback.respondent, callback.deadline_ns))
            .collect();
        for (callback, respondent, deadline_ns) in expired {
            if !canister.contexts.mark_expired(callback) {
                continue;
            }
            let response = Response {
                originator: canister.id,
                respondent,
                callback,
                refund: 0,
                payload: Payload::reject(RejectCode::SysUnknown, "Call deadline has expired."),
                deadline_ns,
            };
            canister
                .inputs
                .push(Source::Local, respondent, Input::Response(response));
        }
    }
}

/// Gives every installation under way its next slice.
fn advance_installs(state: &mut SubnetState, subnet: &SubnetContext) {
    let waiting =
        state
            .canisters
            .values_mut()
            .find_map(|canister| match canister.paused.as_deref_mut() {
                Some(Paused::Install(_, slices)) => {
                    *slices -= 1;
                    Some((canister.id, *slices == 0))
                }
                _ => None,
            });
    let Some((id, is_done)) = waiting else { return };
    state.budget = 0;
    if is_done
        && let Some(canister) = state.canisters.get_mut(&id)
        && let Some(paused) = canister.paused.take()
        && let Paused::Install(run, _) = *paused
    {
        install::finish(state, subnet, *run);
    }
}

/// Management messages and canister messages in turns, until nothing is left or the budget is.
fn execute_all(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut budget = ROUND_INSTRUCTIONS;
    for iteration in 0..MAX_ITERATIONS {
        execute_management(state, subnet);
        if iteration == 0 {
            state
                .canisters
                .values_mut()
                .for_each(|c| schedule_tasks(c, subnet));
        }
        // Every core has the whole budget; the round ends by the one that used most.
        let mut cores = [0; SCHEDULER_CORES as usize];
        for (rank, id) in schedule(state).into_iter().enumerate() {
            let core = &mut cores[rank % SCHEDULER_CORES as usize];
            if *core < budget {
                *core += execute_canister(state, subnet, id, budget - *core, iteration == 0);
            }
        }
        let used = cores.into_iter().max().unwrap_or(0);
        budget -= used;
        if used == 0 || budget <= 0 {
            break;
        }
        induct_same_subnet(state, subnet);
    }
    for canister in state.canisters.values_mut() {
        canister.tasks.clear();
    }
}

/// The canisters with something to do: long executions first, then the others, beginning with
/// another one in every round.
fn schedule(state: &SubnetState) -> Vec<Principal> {
    let has_work = |canister: &&Canister| canister.has_work() || canister.paused.is_some();
    let (mut order, mut others): (Vec<&Canister>, Vec<&Canister>) = state
        .canisters
        .values()
        .filter(has_work)
        .partition(|canister| canister.paused.is_some());
    if !others.is_empty() {
        let first = usize::try_from(state.round).unwrap_or(0) % others.len();
        others.rotate_left(first);
    }
    order.append(&mut others);
    order.iter().map(|canister| canister.id).collect()
}

/// Executes what waits for the management canister, as far as it can be executed now.
fn execute_management(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut held = Vec::new();
    while let Some(input) = state.inputs.pop() {
        if management::can_execute(state, &input) {
            management::execute(state, subnet, input);
        } else {
            held.push(input);
        }
    }
    for input in held {
        match input {
            Input::Ingress(message) => state.inputs.push_ingress(message),
            Input::Request(request) => {
                let source = if subnet.route(&request.sender) == Some(subnet.id) {
                    Source::Local
                } else {
                    Source::Remote
                };
                state
                    .inputs
                    .push(source, request.sender, Input::Request(request));
            }
            Input::Response(_) => {}
        }
    }
}

/// Decides what a canister gets to do first: its timer, its heartbeat, or its messages.
fn schedule_tasks(canister: &mut Canister, subnet: &SubnetContext) {
    if !canister.is_running() || canister.paused.is_some() {
        return;
    }
    let Some(code) = &canister.code else { return };
    let heartbeat = code.module.exports(&engine::Method::Heartbeat);
    let timer = code.module.exports(&engine::Method::GlobalTimer)
        && canister
            .global_timer
            .is_some_and(|timer_ns| timer_ns <= subnet.now_ns);
    if !heartbeat && !timer {
        return;
    }
    for _ in 0..3 {
        let chosen = canister.hook == HookStatus::Ready
            || match canister.next_kind {
                NextKind::Message => !canister.inputs.is_empty(),
                NextKind::Heartbeat => heartbeat,
                NextKind::GlobalTimer => timer,
            };
        if chosen && canister.hook != HookStatus::Ready {
            match canister.next_kind {
                NextKind::Message => {}
                NextKind::Heartbeat => {
                    canister.tasks.push_back(Task::Heartbeat);
                    if timer {
                        canister.tasks.push_back(Task::GlobalTimer);
                    }
                }
                NextKind::GlobalTimer => {
                    canister.tasks.push_back(Task::GlobalTimer);
                    if heartbeat {
                        canister.tasks.push_back(Task::Heartbeat);
                    }
                }
            }
        }
        canister.next_kind = canister.next_kind.next();
        if chosen {
            return;
        }
    }
}

/// Lets one canister work until it has nothing left to do or the budget is used up. Returns the
/// instructions that count against the round.
fn execute_canister(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    id: Principal,
    budget: i64,
    is_first: bool,
) -> i64 {
    let Some(mut canister) = state.canisters.remove(&id) else {
        return 0;
    };
    let mut used = 0;
    let mut ran = 0;
    while used < budget {
        let was_paused = canister.paused.is_some();
        let Some(done) = step(&mut canister, subnet, is_first) else {
            break;
        };
        ran += done.instructions;
        used += i64::try_from(done.instructions).unwrap_or(i64::MAX) + OVERHEAD_PER_EXECUTION;
        state.answers.extend(done.answers);
        // A long execution takes its slice and, when done, leaves the rest of the round to others.
        if was_paused || canister.paused.is_some() {
            break;
        }
    }
    if ran > 0 {
        used += OVERHEAD_PER_CANISTER;
    }
    state.canisters.insert(id, canister);
    used
}

/// The next thing a canister has to do; `None` when there is nothing, or it has to wait.
fn step(canister: &mut Canister, subnet: &SubnetContext, is_first: bool) -> Option<Done> {
    if let Some(mut paused) = canister.paused.take() {
        let slices = match paused.as_mut() {
            Paused::Install(..) => {
                canister.paused = Some(paused);
                return None;
            }
            Paused::Call(_, slices) | Paused::Callback(_, slices) => slices,
        };
        // One slice a round: the rest of the round it waits.
        if !is_first {
            canister.paused = Some(paused);
            return None;
        }
        *slices -= 1;
        if *slices > 0 {
            canister.paused = Some(paused);
            return Some(Done {
                instructions: SLICE_INSTRUCTIONS,
                answers: Vec::new(),
            });
        }
        return Some(match *paused {
            Paused::Call(run, _) => run.finish(canister, subnet),
            Paused::Callback(run, _) => run.finish(canister, subnet),
            Paused::Install(..) => return None,
        });
    }
    if canister.hook == HookStatus::Ready {
        return Some(execute_call(
            canister,
            subnet,
            Call::Task(Task::LowMemoryHook),
        ));
    }
    if let Some(task) = canister.tasks.pop_front() {
        return Some(execute_call(canister, subnet, Call::Task(task)));
    }
    let input = canister.inputs.pop()?;
    Some(execute_input(canister, subnet, input))
}

/// Hands messages between canisters of the subnet over at once. What cannot be handed over stays
/// and goes the long way.
fn induct_same_subnet(state: &mut SubnetState, subnet: &SubnetContext) {
    let senders: Vec<Principal> = state
        .canisters
        .iter()
        .filter(|(_, canister)| !canister.outputs.is_empty())
        .map(|(id, _)| *id)
        .collect();
    for sender in senders {
        let Some(canister) = state.canisters.get_mut(&sender) else {
            continue;
        };
        let outputs = std::mem::take(&mut canister.outputs);
        let mut kept = Vec::new();
        for output in outputs {
            if !state.canisters.contains_key(&output.destination()) {
                kept.push(output);
            } else if let Err(refused) = push_input(state, subnet, Source::Local, output) {
                kept.push(refused.message);
            }
        }
        if let Some(canister) = state.canisters.get_mut(&sender) {
            canister.outputs.extend(kept);
        }
    }
}

/// What happens at the end of every round.
fn finish(state: &mut SubnetState, subnet: &SubnetContext) {
    for canister in state.canisters.values_mut() {
        canister.heap_delta_debit_bytes = canister
            .heap_delta_debit_bytes
            .saturating_sub(HEAP_DELTA_RATE_BYTES);
        canister.install_debit = canister.install_debit.saturating_sub(SLICE_INSTRUCTIONS);
    }
    lifecycle::finish_stopping(state, subnet);
    charge_storage(state, subnet);
    if state.round.is_multiple_of(CHECKPOINT_ROUNDS) {
        state.compiled.clear();
        for canister in state.canisters.values_mut() {
            canister.unflushed_bytes = 0;
        }
        for snapshot in state.snapshots.values_mut() {
            snapshot.is_unflushed = false;
        }
    }
}

/// Puts everything that was sent into the streams to the subnets it is for.
fn send(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut sent: Vec<Output> = state.outputs.drain(..).collect();
    for canister in state.canisters.values_mut() {
        sent.extend(canister.outputs.drain(..));
    }
    for output in sent {
        let destination = subnet.route(&output.destination());
        let rejected = match (&output, destination) {
            (Output::Request(request), None) => Some(Payload::reject(
                RejectCode::DestinationInvalid,
                format!("No route to canister {}", request.receiver),
            )),
            (Output::Request(request), Some(remote)) if remote != subnet.id => oversized(request),
            _ => None,
        };
        match (output, rejected, destination) {
            (Output::Request(request), Some(payload), _) => {
                let refund = request.cycles;
                let response = Response::to(&request, payload, refund);
                state
                    .streams
                    .entry(subnet.id)
                    .or_default()
                    .push(Output::Response(response));
            }
            (output, _, Some(destination)) => {
                state.streams.entry(destination).or_default().push(output);
            }
            // An answer to a canister that no subnet has.
            (_, _, None) => {}
        }
    }
}

/// The reject of a request too large for another subnet.
fn oversized(request: &Request) -> Option<Payload> {
    let size = request.method.len() + request.arg.len();
    (size > REMOTE_PAYLOAD_MAX_BYTES).then(|| {
        Payload::reject(
            RejectCode::CanisterError,
            format!(
                "Canister {} violated contract: attempted to send a message of size {size} exceeding the limit {REMOTE_PAYLOAD_MAX_BYTES}",
                request.sender
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::api::ErrorCode;

    #[test]
    fn an_error_of_the_filter_is_a_final_answer() {
        let state = failed(UserError::canister_not_found(Principal::anonymous()));
        assert!(state.is_final());
        let IngressState::Rejected(reject) = state else {
            panic!("no reject");
        };
        assert_eq!(reject.error_code, ErrorCode::CanisterNotFound);
        assert!(reject.certified);
    }
}
