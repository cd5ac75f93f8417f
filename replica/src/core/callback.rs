//! Runs the callback that an answer is for, and its cleanup when it fails.

use engine::{CallKind, Effects, Entry, ExecutionError, Limits, Outcome};

use super::answer::answer_call;
use super::canister::Canister;
use super::contexts::Callback;
use super::effects::apply_effects;
use super::environment::{allowed, callback_limits, env_for, update_limits};
use super::execute::{Done, Paused, commit, refund, slices};
use super::limits::SLICE_INSTRUCTIONS;
use super::message::{CallbackId, Payload, Response};
use super::network::SubnetContext;

/// A callback whose code has run.
#[derive(Debug)]
pub struct PausedCallback {
    callback_id: CallbackId,
    callback: Callback,
    outcome: Outcome,
    cleanup: Option<Outcome>,
    used: u64,
}

/// Length of a payload as fees count it, in bytes.
pub fn payload_len_bytes(payload: &Payload) -> u64 {
    const REJECT_CODE_BYTES: u64 = 8;
    match payload {
        Payload::Reply(bytes) => bytes.len() as u64,
        Payload::Reject { message, .. } => REJECT_CODE_BYTES + message.len() as u64,
    }
}

/// Runs the callback an answer is for, or puts it on hold.
pub fn execute_response(
    canister: &mut Canister,
    subnet: &SubnetContext,
    response: Response,
) -> Done {
    let Some(callback) = canister.contexts.callback(response.callback).cloned() else {
        // The callback expired with its deadline: a late answer is dropped.
        return Done::default();
    };
    let Some(context) = canister.contexts.context(callback.context).cloned() else {
        return Done::default();
    };
    let refunded = response.refund.min(callback.cycles_sent);
    let transmission = subnet
        .prices
        .transmission(payload_len_bytes(&response.payload))
        .min(callback.transmission_prepayment);
    canister.balance += refunded + callback.transmission_prepayment - transmission;
    canister.consumed.transmission += transmission;

    let full = update_limits(subnet);
    if context.deleted || canister.code.is_none() {
        let result = if context.deleted {
            Ok(None)
        } else {
            Err(ExecutionError::WasmModuleNotFound)
        };
        let action = canister
            .contexts
            .finish(callback.context, Some(response.callback), result, 0);
        refund(canister, subnet, &full, callback.execution_prepayment, 0);
        return Done {
            instructions: 0,
            answers: answer_call(canister, &context.origin, action),
        };
    }

    let mut env = env_for(canister, subnet, context.origin.caller());
    env.cycles_available = context.cycles_available;
    env.cycles_refunded = refunded;
    env.deadline_ns = context.origin.deadline_ns();
    env.already_responded = context.responded;
    env.call_context_instructions = context.instructions;
    let kind = CallKind::Update;
    let (entry, code, message) = response
        .payload
        .into_entry(callback.reply, callback.reject, kind);
    let state = canister
        .code
        .as_ref()
        .expect("BUG: the code was looked for above");
    let outcome = subnet
        .engine
        .execute(state, &entry, &env, &callback_limits(subnet));
    let mut used = outcome.instructions_used;
    let mut cleanup = None;
    if outcome.result.is_err()
        && let Some(closure) = callback.cleanup
    {
        let entry = Entry::Cleanup {
            closure,
            kind,
            code,
            message,
        };
        let left = allowed(&full).saturating_sub(used);
        let limits = Limits {
            instructions: Some(left),
            reported_instructions: left,
            ..full
        };
        let cleaned = subnet.engine.execute(state, &entry, &env, &limits);
        used += cleaned.instructions_used;
        cleanup = Some(cleaned);
    }
    let count = slices(used);
    let run = PausedCallback {
        callback_id: response.callback,
        callback,
        outcome,
        cleanup,
        used,
    };
    if count == 1 {
        return run.finish(canister, subnet);
    }
    canister.paused = Some(Box::new(Paused::Callback(Box::new(run), count - 1)));
    Done {
        instructions: SLICE_INSTRUCTIONS,
        answers: Vec::new(),
    }
}

impl PausedCallback {
    /// Books the end of the callback.
    pub fn finish(self, canister: &mut Canister, subnet: &SubnetContext) -> Done {
        let PausedCallback {
            callback_id,
            callback,
            outcome,
            cleanup,
            used,
        } = self;
        let context = callback.context;
        canister.log.append(outcome.logs, subnet.now_ns);
        let result = match (outcome.result, cleanup) {
            (Ok(effects), _) => {
                put(canister, subnet, context, outcome.state, &effects);
                Ok(effects.response)
            }
            (Err(failure), None) => Err(failure),
            (Err(failure), Some(cleaned)) => {
                canister.log.append(cleaned.logs, subnet.now_ns);
                match cleaned.result {
                    Ok(effects) => {
                        put(canister, subnet, context, cleaned.state, &effects);
                        Err(failure)
                    }
                    Err(cleanup) => Err(ExecutionError::Cleanup {
                        callback: Box::new(failure),
                        cleanup: Box::new(cleanup),
                    }),
                }
            }
        };
        let origin = canister
            .contexts
            .context(context)
            .map(|context| context.origin.clone())
            .expect("BUG: a callback keeps its context open");
        let action = canister
            .contexts
            .finish(context, Some(callback_id), result, used);
        refund(
            canister,
            subnet,
            &update_limits(subnet),
            callback.execution_prepayment,
            used,
        );
        Done {
            instructions: used.min(SLICE_INSTRUCTIONS),
            answers: answer_call(canister, &origin, action),
        }
    }
}

fn put(
    canister: &mut Canister,
    subnet: &SubnetContext,
    context: u64,
    state: engine::ExecutionState,
    effects: &Effects,
) {
    commit(canister, state, effects);
    apply_effects(canister, subnet, Some(context), effects);
    canister.version += 1;
}
