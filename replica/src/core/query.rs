//! Queries on one node: plain ones, and composite ones with the calls they make.
//!
//! A composite query runs depth first on the state of one moment. Every callee starts from that
//! state; what it changes is seen by its own callbacks and then forgotten.

use std::collections::VecDeque;

use candid::Principal;
use engine::{
    CallKind, Effects, Entry, Env, ExecutionError, ExecutionState, Limits, Method, OutgoingCall,
    Response as Reply,
};

use super::api::{ErrorCode, RejectCode};
use super::canister::Canister;
use super::environment::{env_for, query_limits};
use super::errors::UserError;
use super::execute::method_not_found;
use super::keys::{DataCertificateRequest, SubnetAuthority};
use super::limits::{QUERY_CALL_OVERHEAD_INSTRUCTIONS, QUERY_DEPTH_MAX, QUERY_GRAPH_INSTRUCTIONS};
use super::management;
use super::message::Payload;
use super::network::SubnetContext;
use super::subnet::SubnetState;

/// One query and everything it calls.
pub struct QueryGraph<'a> {
    state: &'a SubnetState,
    subnet: &'a SubnetContext,
    authority: &'a dyn SubnetAuthority,
    root: Principal,
    budget: i64,
}

/// One canister's part in a query that waits for its calls.
struct Frame {
    canister: Principal,
    caller: Principal,
    code: ExecutionState,
    calls: VecDeque<OutgoingCall>,
    instructions: u64,
}

/// What a canister's message came to.
enum Step {
    Answer(Result<Reply, UserError>),
    Calls(Box<Frame>),
}

impl<'a> QueryGraph<'a> {
    /// Prepares a query to `root` on the state of a subnet.
    pub fn new(
        state: &'a SubnetState,
        subnet: &'a SubnetContext,
        authority: &'a dyn SubnetAuthority,
        root: Principal,
    ) -> Self {
        QueryGraph {
            state,
            subnet,
            authority,
            root,
            budget: i64::try_from(QUERY_GRAPH_INSTRUCTIONS).unwrap_or(i64::MAX),
        }
    }

    /// Answers the query.
    ///
    /// # Errors
    /// See [`UserError`]: no such canister or method, not running, failures of its code.
    pub fn run(
        mut self,
        sender: Principal,
        method: &str,
        arg: &[u8],
    ) -> Result<Vec<u8>, UserError> {
        let step = self.start(self.root, sender, method, arg)?;
        let answer = match step {
            Step::Answer(answer) => answer,
            Step::Calls(frame) => self.drive(*frame, 0)?,
        };
        match answer? {
            Reply::Reply(bytes) => Ok(bytes),
            Reply::Reject(text) => Err(UserError::rejected(text)),
        }
    }

    /// Runs a query method of a canister.
    fn start(
        &mut self,
        callee: Principal,
        caller: Principal,
        method: &str,
        arg: &[u8],
    ) -> Result<Step, UserError> {
        let state = self.state;
        let canister = state
            .canisters
            .get(&callee)
            .ok_or_else(|| UserError::canister_not_found(callee))?;
        if canister.is_stopped() {
            return Err(UserError::stopped_at_query(callee));
        }
        let code = canister
            .code
            .as_ref()
            .ok_or_else(|| UserError::no_module(callee))?;
        let composite = Method::composite_query(method);
        let (name, argument) = (method.to_owned(), arg.to_vec());
        let entry = if code.module.exports(&composite) {
            Entry::CompositeQuery {
                method: name,
                arg: argument,
            }
        } else if code.module.exports(&Method::query(method)) {
            Entry::Query {
                method: name,
                arg: argument,
            }
        } else {
            let failure = method_not_found(&Method::query(method));
            return Err(UserError::execution(callee, &failure));
        };
        if canister.balance < canister.freezing_threshold(&self.subnet.prices) {
            return Err(UserError {
                code: ErrorCode::CanisterOutOfCycles,
                description: format!(
                    "Canister {callee} is unable to process query calls because it's frozen. Please top up the canister with cycles and try again."
                ),
            });
        }
        if canister.is_stopping() {
            return Err(UserError::not_running(callee, true));
        }
        let env = self.env(canister, caller);
        let outcome = self.execute(code, &entry, &env, self.limits());
        let instructions = outcome.instructions_used;
        match outcome.result {
            Err(failure) => Err(UserError::execution(callee, &failure)),
            Ok(Effects {
                response: Some(answer),
                ..
            }) => Ok(Step::Answer(Ok(answer))),
            Ok(effects) => Ok(Step::Calls(Box::new(Frame {
                canister: callee,
                caller,
                code: outcome.state,
                calls: effects.calls.into(),
                instructions,
            }))),
        }
    }

    /// Makes the calls of a frame, one after the other, until it has an answer.
    fn drive(
        &mut self,
        mut frame: Frame,
        depth: usize,
    ) -> Result<Result<Reply, UserError>, UserError> {
        loop {
            self.check(depth)?;
            let Some(call) = frame.calls.pop_front() else {
                return Ok(Err(no_answer(frame.canister)));
            };
            let payload = self.call(&frame, &call, depth)?;
            self.check(depth)?;
            if let Some(answer) = self.callback(&mut frame, &call, payload) {
                return Ok(answer);
            }
        }
    }

    fn check(&self, depth: usize) -> Result<(), UserError> {
        if depth >= QUERY_DEPTH_MAX {
            return Err(UserError {
                code: ErrorCode::QueryCallGraphTooDeep,
                description: "Composite query calls exceeded the maximum call depth.".into(),
            });
        }
        if self.budget <= 0 {
            return Err(UserError {
                code: ErrorCode::QueryCallGraphTotalInstructionLimitExceeded,
                description: "Composite query calls exceeded the instruction limit.".into(),
            });
        }
        Ok(())
    }

    /// Makes one call; whatever goes wrong in it is a reject for the caller.
    fn call(
        &mut self,
        frame: &Frame,
        call: &OutgoingCall,
        depth: usize,
    ) -> Result<Payload, UserError> {
        let step = if call.callee == Principal::management_canister()
            && management::queries::is_query(&call.method)
        {
            management::queries::execute(
                self.state,
                self.subnet,
                frame.canister,
                &call.method,
                &call.arg,
            )
            .map(|bytes| Step::Answer(Ok(Reply::Reply(bytes))))
        } else if call.callee == Principal::management_canister() {
            // Other management methods are no queries: there is no canister to answer them.
            Err(UserError::canister_not_found(self.subnet.id))
        } else {
            self.start(call.callee, frame.canister, &call.method, &call.arg)
        };
        self.budget -= i64::try_from(QUERY_CALL_OVERHEAD_INSTRUCTIONS).unwrap_or(i64::MAX);
        let answer = match step {
            Err(error) => Err(error),
            Ok(Step::Answer(answer)) => answer,
            Ok(Step::Calls(callee)) => self.drive(*callee, depth + 1)?,
        };
        Ok(match answer {
            Ok(Reply::Reply(bytes)) => Payload::Reply(bytes),
            Ok(Reply::Reject(text)) => Payload::reject(RejectCode::CanisterReject, text),
            Err(error) => Payload::reject(error.reject_code(), error.description),
        })
    }

    /// Runs the callback of a call; `None` while the frame has no answer and waits for more.
    fn callback(
        &mut self,
        frame: &mut Frame,
        call: &OutgoingCall,
        payload: Payload,
    ) -> Option<Result<Reply, UserError>> {
        let state = self.state;
        let canister = state.canisters.get(&frame.canister)?;
        let kind = CallKind::CompositeQuery;
        let (entry, code, message) = payload.into_entry(call.reply, call.reject, kind);
        let mut env = self.env(canister, frame.caller);
        env.call_context_instructions = frame.instructions;
        let limits = self.limits();
        let outcome = self.execute(&frame.code, &entry, &env, limits);
        frame.instructions += outcome.instructions_used;
        let result = match outcome.result {
            Ok(effects) => {
                frame.code = outcome.state;
                frame.calls.extend(effects.calls);
                Ok(effects.response)
            }
            Err(failure) => Err(match call.cleanup {
                None => failure,
                Some(closure) => {
                    let entry = Entry::Cleanup {
                        closure,
                        kind,
                        code,
                        message,
                    };
                    self.clean_up(frame, &entry, &env, failure)
                }
            }),
        };
        match result {
            Ok(Some(answer)) => Some(Ok(answer)),
            _ if !frame.calls.is_empty() => None,
            Ok(None) => Some(Err(no_answer(frame.canister))),
            Err(failure) => Some(Err(UserError::execution(frame.canister, &failure))),
        }
    }

    fn clean_up(
        &mut self,
        frame: &mut Frame,
        entry: &Entry,
        env: &Env,
        failure: ExecutionError,
    ) -> ExecutionError {
        let limits = self.limits();
        let outcome = self.execute(&frame.code, entry, env, limits);
        frame.instructions += outcome.instructions_used;
        match outcome.result {
            Ok(_) => {
                frame.code = outcome.state;
                failure
            }
            Err(cleanup) => ExecutionError::Cleanup {
                callback: Box::new(failure),
                cleanup: Box::new(cleanup),
            },
        }
    }

    fn execute(
        &mut self,
        code: &ExecutionState,
        entry: &Entry,
        env: &Env,
        limits: Limits,
    ) -> engine::Outcome {
        let outcome = self.subnet.engine.execute(code, entry, env, &limits);
        self.budget -= i64::try_from(outcome.instructions_used).unwrap_or(i64::MAX);
        outcome
    }

    /// The limits of one message: a query's, or what is left for the whole graph.
    fn limits(&self) -> Limits {
        let mut limits = query_limits(self.subnet);
        if !self.subnet.is_benchmarking {
            let left = u64::try_from(self.budget).unwrap_or(0);
            let limit = left.min(limits.reported_instructions);
            limits.instructions = Some(limit);
            limits.reported_instructions = limit;
        }
        limits
    }

    fn env(&self, canister: &Canister, caller: Principal) -> Env {
        let mut env = env_for(canister, self.subnet, caller);
        env.time_ns = self.state.time_ns;
        env.replicated = false;
        env.data_certificate = (canister.id == self.root).then(|| {
            self.authority.data_certificate(&DataCertificateRequest {
                subnet: self.subnet.id,
                subnet_seed: &self.subnet.seed,
                subnet_ranges: &self.subnet.ranges,
                canister: canister.id,
                certified_data: &canister.certified_data,
                time_ns: self.state.time_ns,
            })
        });
        env
    }
}

fn no_answer(canister: Principal) -> UserError {
    UserError {
        code: ErrorCode::CanisterDidNotReply,
        description: format!("Canister {canister} did not produce a response"),
    }
}
