//! Runs one message or system task of a canister, in two steps: run the code, then book the end.
//!
//! Between the steps a long execution may wait for some rounds ([`Paused`]): the code has run
//! already, but the canister gets nothing else to do until as many rounds have passed as the
//! execution has slices.

use engine::{Effects, Entry, ExecutionError, Limits, Method, Outcome};

use super::answer::{answer_call, answer_error, answer_query};
use super::api::{IngressState, MessageId};
use super::callback::{PausedCallback, execute_response};
use super::canister::{Canister, HookStatus, Task};
use super::effects::{apply_cycles, apply_effects};
use super::environment::{allowed, env_for, replicated_query_limits, update_limits};
use super::errors::UserError;
use super::limits::SLICE_INSTRUCTIONS;
use super::management::install::PausedInstall;
use super::message::{IngressMessage, Input, Origin, Request};
use super::network::SubnetContext;

/// Bytes of a page the heap delta is counted in.
const DELTA_PAGE_BYTES: u64 = 4096;

/// What a round books for one execution.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Instructions that count against the round.
    pub instructions: u64,
    /// Answers for users.
    pub answers: Vec<(MessageId, IngressState)>,
}

/// A call or a system task.
#[derive(Clone, Debug)]
pub enum Call {
    /// From a user.
    Ingress(IngressMessage),
    /// From a canister.
    Request(Request),
    /// From the system.
    Task(Task),
}

impl Call {
    /// Who waits for the answer.
    pub fn origin(&self) -> Origin {
        match self {
            Call::Ingress(message) => Origin::Ingress {
                sender: message.sender,
                id: message.id,
            },
            Call::Request(request) => Origin::Canister {
                sender: request.sender,
                callback: request.callback,
                deadline_ns: request.deadline_ns,
            },
            Call::Task(_) => Origin::System,
        }
    }

    /// Cycles attached.
    pub fn cycles(&self) -> u128 {
        match self {
            Call::Request(request) => request.cycles,
            _ => 0,
        }
    }

    fn method(&self) -> &str {
        match self {
            Call::Ingress(message) => &message.method,
            Call::Request(request) => &request.method,
            Call::Task(_) => "",
        }
    }

    fn arg(&self) -> Vec<u8> {
        match self {
            Call::Ingress(message) => message.arg.clone(),
            Call::Request(request) => request.arg.clone(),
            Call::Task(_) => Vec::new(),
        }
    }

    fn is_hook(&self) -> bool {
        matches!(self, Call::Task(Task::LowMemoryHook))
    }
}

/// How a call is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Update,
    Query,
    CompositeQuery,
    Task(Task),
}

impl Mode {
    fn of(canister: &Canister, call: &Call) -> Self {
        if let Call::Task(task) = call {
            return Mode::Task(*task);
        }
        let exports = |method: &Method| {
            canister
                .code
                .as_ref()
                .is_some_and(|code| code.module.exports(method))
        };
        if exports(&Method::query(call.method())) {
            Mode::Query
        } else if exports(&Method::composite_query(call.method())) {
            Mode::CompositeQuery
        } else {
            Mode::Update
        }
    }

    fn limits(self, subnet: &SubnetContext) -> Limits {
        match self {
            Mode::Query | Mode::CompositeQuery => replicated_query_limits(subnet),
            Mode::Update | Mode::Task(_) => update_limits(subnet),
        }
    }

    fn entry(self, call: &Call) -> Entry {
        let method = call.method().to_owned();
        let arg = call.arg();
        match self {
            Mode::Update => Entry::Update { method, arg },
            Mode::Query => Entry::Query { method, arg },
            Mode::CompositeQuery => Entry::CompositeQuery { method, arg },
            Mode::Task(Task::Heartbeat) => Entry::Heartbeat,
            Mode::Task(Task::GlobalTimer) => Entry::GlobalTimer,
            Mode::Task(Task::LowMemoryHook) => Entry::OnLowWasmMemory,
        }
    }
}

/// A long execution that waits for its last slice; the number counts the slices to come.
#[derive(Debug)]
pub enum Paused {
    /// A call or task.
    Call(Box<RunCall>, u64),
    /// A callback.
    Callback(Box<PausedCallback>, u64),
    /// An installation.
    Install(Box<PausedInstall>, u64),
}

/// A call whose code has run.
#[derive(Debug)]
pub struct RunCall {
    call: Call,
    mode: Mode,
    limits: Limits,
    prepaid: u128,
    opened_at_ns: u64,
    outcome: Outcome,
}

/// Slices of an execution.
pub fn slices(instructions: u64) -> u64 {
    instructions.div_ceil(SLICE_INSTRUCTIONS).max(1)
}

/// Whether the canister's code is 64-bit: then an instruction costs double.
pub fn is_wasm64(canister: &Canister) -> bool {
    canister
        .code
        .as_ref()
        .is_some_and(|code| code.module.is_wasm64())
}

/// Runs a message of a canister, or puts it on hold as a long execution.
pub fn execute_input(canister: &mut Canister, subnet: &SubnetContext, input: Input) -> Done {
    match input {
        Input::Ingress(message) => execute_call(canister, subnet, Call::Ingress(message)),
        Input::Request(request) => execute_call(canister, subnet, Call::Request(request)),
        Input::Response(response) => execute_response(canister, subnet, response),
    }
}

/// Runs a call or a task, or puts it on hold.
pub fn execute_call(canister: &mut Canister, subnet: &SubnetContext, call: Call) -> Done {
    if call.is_hook() {
        canister.hook = HookStatus::Executed;
    }
    let mode = Mode::of(canister, &call);
    let limits = mode.limits(subnet);
    let is_wasm64 = is_wasm64(canister);
    let prepaid = subnet.prices.execution(allowed(&limits), is_wasm64);
    let missing = canister.missing_cycles(prepaid, &subnet.prices);
    if missing > 0 {
        if call.is_hook() {
            canister.hook = HookStatus::Ready;
        }
        let is_controller = canister.settings.is_controller(&call.origin().caller());
        let error = UserError::out_of_cycles(canister.id, is_controller.then_some(missing));
        return answer_error(canister, &call, &error);
    }
    if let Err(error) = validate(canister, &call, mode) {
        // Only the base fee is kept: no instruction ran.
        canister.charge_instructions(subnet.prices.execution(0, is_wasm64));
        return answer_error(canister, &call, &error);
    }
    canister.balance -= prepaid;
    let mut env = env_for(canister, subnet, call.origin().caller());
    env.cycles_available = call.cycles();
    env.deadline_ns = call.origin().deadline_ns();
    if mode == Mode::Update {
        env.wasm_memory_limit = Some(canister.settings.wasm_memory_limit_bytes);
    }
    let code = canister
        .code
        .as_ref()
        .expect("BUG: validation has found the code");
    let outcome = subnet
        .engine
        .execute(code, &mode.entry(&call), &env, &limits);
    let count = slices(outcome.instructions_used);
    let run = RunCall {
        call,
        mode,
        limits,
        prepaid,
        opened_at_ns: subnet.now_ns,
        outcome,
    };
    if count == 1 {
        return run.finish(canister, subnet);
    }
    let answers = match &run.call {
        Call::Ingress(message) => vec![(message.id, IngressState::Processing)],
        _ => Vec::new(),
    };
    canister.paused = Some(Box::new(Paused::Call(Box::new(run), count - 1)));
    Done {
        instructions: SLICE_INSTRUCTIONS,
        answers,
    }
}

fn validate(canister: &Canister, call: &Call, mode: Mode) -> Result<(), UserError> {
    if !canister.is_running() {
        return Err(UserError::not_running(canister.id, canister.is_stopping()));
    }
    let Some(code) = &canister.code else {
        return Err(UserError::no_module(canister.id));
    };
    let method = mode
        .entry(call)
        .method()
        .expect("BUG: calls and tasks name an export");
    if !code.module.exports(&method) {
        return Err(UserError::execution(
            canister.id,
            &method_not_found(&method),
        ));
    }
    match mode {
        Mode::CompositeQuery => Err(UserError::composite_query_replicated()),
        Mode::Update => check_heap_limit(canister)
            .map_err(|failure| UserError::execution(canister.id, &failure)),
        Mode::Query | Mode::Task(_) => Ok(()),
    }
}

/// The failure of a call to a method that is not there.
pub fn method_not_found(method: &Method) -> ExecutionError {
    match method {
        Method::Public(kind, name) => ExecutionError::MethodNotFound {
            kind: kind.as_str(),
            name: name.clone(),
        },
        system => ExecutionError::MethodNotFound {
            kind: "system",
            name: system.to_string(),
        },
    }
}

/// Whether the heap is within the limit of the settings.
///
/// # Errors
/// The failure that updates and installations meet otherwise.
pub fn check_heap_limit(canister: &Canister) -> Result<(), ExecutionError> {
    let limit = canister.settings.wasm_memory_limit_bytes;
    let bytes = canister.heap_bytes();
    if limit != 0 && bytes > limit {
        return Err(ExecutionError::WasmMemoryLimitExceeded { bytes, limit });
    }
    Ok(())
}

impl RunCall {
    /// Books the end of the call.
    pub fn finish(self, canister: &mut Canister, subnet: &SubnetContext) -> Done {
        let RunCall {
            call,
            mode,
            limits,
            prepaid,
            opened_at_ns,
            outcome,
        } = self;
        let used = outcome.instructions_used;
        canister.log.append(outcome.logs, subnet.now_ns);
        if mode == Mode::Task(Task::GlobalTimer) {
            canister.global_timer = None;
        }
        let context = canister
            .contexts
            .open(call.origin(), call.cycles(), opened_at_ns);
        let result = match outcome.result {
            Ok(effects) => {
                if mode == Mode::Query {
                    apply_cycles(canister, Some(context), &effects);
                } else {
                    commit(canister, outcome.state, &effects);
                    apply_effects(canister, subnet, Some(context), &effects);
                }
                canister.version += 1;
                Ok(effects.response)
            }
            Err(failure) => Err(failure),
        };
        let action = canister
            .contexts
            .finish(context, None, result.clone(), used);
        refund(canister, subnet, &limits, prepaid, used);
        let answers = match mode {
            Mode::Query => answer_query(canister, &call, result, action),
            _ => answer_call(canister, &call.origin(), action),
        };
        Done {
            instructions: used.min(SLICE_INSTRUCTIONS),
            answers,
        }
    }
}

/// Puts the state after a message into place and books what it wrote.
pub fn commit(canister: &mut Canister, state: engine::ExecutionState, effects: &Effects) {
    let grew = canister.heap_bytes() != state.heap.size_bytes()
        || canister.stable_bytes() != state.stable.size_bytes();
    canister.code = Some(state);
    canister.add_heap_delta(effects.dirty_pages * DELTA_PAGE_BYTES);
    if grew {
        canister.update_hook();
    }
}

/// Gives back what was paid for instructions that did not run.
pub fn refund(
    canister: &mut Canister,
    subnet: &SubnetContext,
    limits: &Limits,
    prepaid: u128,
    used: u64,
) {
    let unused = allowed(limits).saturating_sub(used);
    let refund = subnet
        .prices
        .instructions(unused, is_wasm64(canister))
        .min(prepaid);
    canister.balance += refund;
    canister.consumed.instructions += prepaid - refund;
}
