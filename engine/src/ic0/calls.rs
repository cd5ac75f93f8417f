//! Functions that build and make calls.

use super::context::{CALLS, CALLS_WITH_CYCLES};
use super::host::{Host, call, call_with_heap, slice, toolchain};
use super::{FUNCTION_COST, Pointer, with_bytes, with_transmission};
use crate::entry::Closure;
use crate::error::ExecutionError;
use crate::fees;
use crate::outcome::OutgoingCall;
use crate::validate::METHOD_NAMES_MAX_BYTES;
use candid::Principal;
use wasmtime::{Caller, Linker};

const CALL_NEW_COST: u64 = 1_500;
const CALL_PERFORM_COST: u64 = 5_000;

/// Longest method name and argument of a call together: five times what may leave the subnet.
const CALL_MAX_BYTES: usize = 5 * (2 << 20);
/// Requests one canister may have queued to another.
const QUEUE_MAX_REQUESTS: usize = 500;
/// Longest timeout of a best-effort call.
const TIMEOUT_MAX_SECONDS: u32 = 300;
/// What `call_perform` answers when the call cannot be made: the reject code `SysTransient`.
const SYS_TRANSIENT: u32 = 2;

fn no_call(function: &str) -> ExecutionError {
    toolchain(format!(
        "{function} called when no call is under construction."
    ))
}

/// Where the names of a new call lie in the heap.
struct Names {
    callee: (usize, usize),
    method: (usize, usize),
}

impl Host {
    fn call_new(
        &mut self,
        heap: &[u8],
        names: &Names,
        reply: Closure,
        reject: Closure,
    ) -> Result<(), ExecutionError> {
        self.context.require(CALLS, "ic0_call_new")?;
        if let Some(dropped) = self.call.take() {
            self.balance = self.balance.saturating_add(dropped.cycles);
        }
        let (method_src, method_size) = names.method;
        if method_size > METHOD_NAMES_MAX_BYTES {
            return Err(ExecutionError::UserContractViolation {
                error: format!(
                    "Size of method_name {method_size} exceeds the allowed limit of \
                     {METHOD_NAMES_MAX_BYTES}."
                ),
                suggestion: "Size of method_name {} exceeds the allowed limit of {}.".to_string(),
                anchor: "canister-made-a-call-with-too-large-method-name",
            });
        }
        let method = slice("ic0.call_new method_name", method_src, method_size, heap)?;
        let callee = slice(
            "ic0.call_new callee_src",
            names.callee.0,
            names.callee.1,
            heap,
        )?;
        let callee =
            Principal::try_from_slice(callee).map_err(|_| ExecutionError::InvalidPrincipalId)?;
        self.call = Some(OutgoingCall {
            callee,
            method: String::from_utf8_lossy(method).into_owned(),
            arg: Vec::new(),
            cycles: 0,
            prepayment: Default::default(),
            reply,
            reject,
            cleanup: None,
            timeout_seconds: None,
        });
        Ok(())
    }

    fn append_argument(
        &mut self,
        heap: &[u8],
        src: usize,
        size: usize,
    ) -> Result<(), ExecutionError> {
        self.context.require(CALLS, "ic0_call_data_append")?;
        let call = self
            .call
            .as_mut()
            .ok_or_else(|| no_call("ic0.call_data_append"))?;
        let present = call.method.len() + call.arg.len();
        if size > CALL_MAX_BYTES.saturating_sub(present) {
            return Err(ExecutionError::UserContractViolation {
                error: format!(
                    "Request to {}:{} has a payload size of {}, which exceeds the allowed limit \
                     of {CALL_MAX_BYTES}.",
                    call.callee,
                    call.method,
                    present.saturating_add(size)
                ),
                suggestion: "Check the canister for errors or redesign the target API to allow \
                             shorter messages"
                    .to_string(),
                anchor: "canister-made-a-call-with-too-large-payload",
            });
        }
        call.arg
            .extend_from_slice(slice("ic0.call_data_append", src, size, heap)?);
        Ok(())
    }

    fn set_cleanup(&mut self, cleanup: Closure) -> Result<(), ExecutionError> {
        self.context.require(CALLS, "ic0_call_on_cleanup")?;
        let call = self
            .call
            .as_mut()
            .ok_or_else(|| no_call("ic0.call_on_cleanup"))?;
        if call.cleanup.is_some() {
            return Err(toolchain(
                "ic0.call_on_cleanup can be called at most once between `ic0.call_new` and \
                 `ic0.call_perform`",
            ));
        }
        call.cleanup = Some(cleanup);
        Ok(())
    }

    fn set_timeout(&mut self, seconds: u32) -> Result<(), ExecutionError> {
        self.context
            .require(CALLS, "ic0_call_with_best_effort_response")?;
        let call = self
            .call
            .as_mut()
            .ok_or_else(|| no_call("ic0.call_with_best_effort_response"))?;
        if call.timeout_seconds.is_some() {
            return Err(toolchain(
                "ic0_call_with_best_effort_response failed because a timeout is already set.",
            ));
        }
        call.timeout_seconds = Some(seconds.min(TIMEOUT_MAX_SECONDS));
        Ok(())
    }

    fn add_cycles(&mut self, amount: u128, function: &str) -> Result<(), ExecutionError> {
        self.context.require(CALLS_WITH_CYCLES, function)?;
        if self.call.is_none() {
            return Err(no_call(function));
        }
        self.withdraw(amount)
            .ok_or_else(|| ExecutionError::InsufficientCycles {
                message: format!("Canister {} is out of cycles", self.env.canister_id),
            })?;
        if let Some(call) = self.call.as_mut() {
            call.cycles = call.cycles.saturating_add(amount);
        }
        Ok(())
    }

    /// Takes cycles that lie above the freezing threshold.
    fn withdraw(&mut self, amount: u128) -> Option<()> {
        let needed = amount.checked_add(self.env.freezing_threshold_cycles)?;
        if needed > self.balance {
            return None;
        }
        self.balance -= amount;
        Some(())
    }

    fn perform(&mut self) -> Result<u32, ExecutionError> {
        self.context.require(CALLS, "ic0_call_perform")?;
        let mut call = self
            .call
            .take()
            .ok_or_else(|| no_call("ic0.call_perform"))?;
        let payload_bytes = (call.method.len() + call.arg.len()) as u64;
        call.prepayment = fees::call(payload_bytes, self.wasm64, self.env.subnet_size);
        let key = call.callee.as_slice().to_vec();
        let made = self.requests_made.get(&key).copied().unwrap_or(0);
        let open = self
            .env
            .open_requests
            .get(&call.callee)
            .copied()
            .unwrap_or(0);
        if open.saturating_add(made) >= QUEUE_MAX_REQUESTS
            || self.withdraw(call.prepayment.total()).is_none()
        {
            self.balance = self.balance.saturating_add(call.cycles);
            return Ok(SYS_TRANSIENT);
        }
        self.requests_made.insert(key, made + 1);
        self.effects.calls.push(call);
        Ok(0)
    }
}

fn closure<P: Pointer>(fun: P, env: P) -> Closure {
    Closure {
        // Function indexes are 32 bits wide; a wider one names no function.
        fun: u32::try_from(fun.to_usize()).unwrap_or(u32::MAX).into(),
        env: env.to_usize() as u64,
    }
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "call_new",
        |mut caller: Caller<'_, Host>,
         callee_src: P,
         callee_size: P,
         name_src: P,
         name_size: P,
         reply_fun: P,
         reply_env: P,
         reject_fun: P,
         reject_env: P| {
            let names = Names {
                callee: (callee_src.to_usize(), callee_size.to_usize()),
                method: (name_src.to_usize(), name_size.to_usize()),
            };
            let bytes = names.callee.1.saturating_add(names.method.1);
            call_with_heap(
                &mut caller,
                with_bytes(CALL_NEW_COST, bytes),
                |host, heap| {
                    let reply = closure(reply_fun, reply_env);
                    let reject = closure(reject_fun, reject_env);
                    host.call_new(heap, &names, reply, reject)
                },
            )
        },
    )?;
    linker.func_wrap(
        "ic0",
        "call_data_append",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = with_transmission(FUNCTION_COST, size);
            call_with_heap(&mut caller, cost, |host, heap| {
                host.append_argument(heap, src, size)
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "call_on_cleanup",
        |mut caller: Caller<'_, Host>, fun: P, env: P| {
            call(&mut caller, FUNCTION_COST, |host| {
                host.set_cleanup(closure(fun, env))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "call_with_best_effort_response",
        |mut caller: Caller<'_, Host>, seconds: u32| {
            call(&mut caller, FUNCTION_COST, |host| host.set_timeout(seconds))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "call_cycles_add128",
        |mut caller: Caller<'_, Host>, high: u64, low: u64| {
            call(&mut caller, FUNCTION_COST, |host| {
                host.add_cycles(super::host::cycles(high, low), "ic0_call_cycles_add128")
            })
        },
    )?;
    linker.func_wrap("ic0", "call_perform", |mut caller: Caller<'_, Host>| {
        call(&mut caller, CALL_PERFORM_COST, Host::perform)
    })?;
    if !P::WASM64 {
        linker.func_wrap(
            "ic0",
            "call_cycles_add",
            |mut caller: Caller<'_, Host>, amount: u64| {
                call(&mut caller, FUNCTION_COST, |host| {
                    host.add_cycles(amount.into(), "ic0_call_cycles_add")
                })
            },
        )?;
    }
    Ok(())
}
