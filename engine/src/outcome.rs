//! What one message did.

use crate::entry::Closure;
use crate::env::Env;
use crate::error::ExecutionError;
use candid::Principal;

/// The answer a message gave to its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `msg_reply` with the appended bytes.
    Reply(Vec<u8>),
    /// `msg_reject` with its text (reject code 4, `CanisterReject`).
    Reject(String),
}

/// Cycles set aside when a call is made, beside those attached to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallPrepayment {
    /// For sending the request: base fee and bytes.
    pub request_cycles: u128,
    /// For a response of the greatest length; the unused part is refunded.
    pub response_transmission_cycles: u128,
    /// For executing the callback; the unused part is refunded.
    pub response_execution_cycles: u128,
}

impl CallPrepayment {
    /// All parts together.
    pub fn total(&self) -> u128 {
        self.request_cycles + self.response_transmission_cycles + self.response_execution_cycles
    }
}

/// A call that `call_perform` accepted, in the order made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCall {
    /// Whom it is for.
    pub callee: Principal,
    /// Method name.
    pub method: String,
    /// Argument bytes.
    pub arg: Vec<u8>,
    /// Cycles attached; already taken from the balance as far as the message could see.
    pub cycles: u128,
    /// Fees set aside, to be taken from the balance by the caller of the engine.
    pub prepayment: CallPrepayment,
    /// Reply callback.
    pub reply: Closure,
    /// Reject callback.
    pub reject: Closure,
    /// Cleanup callback.
    pub cleanup: Option<Closure>,
    /// Timeout of a best-effort call (capped at 300); `None` = guaranteed response.
    pub timeout_seconds: Option<u32>,
}

/// What a successful message asks the system to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The answer, if this message gave one.
    pub response: Option<Response>,
    /// Calls made.
    pub calls: Vec<OutgoingCall>,
    /// New certified data, at most 32 bytes.
    pub certified_data: Option<Vec<u8>>,
    /// New global timer in nanoseconds since 1970; `Some(0)` deactivates it.
    pub global_timer: Option<u64>,
    /// Cycles accepted from the call: move them from the call context to the balance.
    pub cycles_accepted: u128,
    /// Cycles burned: take them from the balance.
    pub cycles_burned: u128,
    /// Whether `accept_message` was called (inspect_message only).
    pub message_accepted: bool,
    /// Pages (4 KiB) of heap and stable memory that were written: for heap delta accounting.
    pub dirty_pages: u64,
    /// Heap size in bytes after the message, also when its state is dropped.
    pub heap_bytes: u64,
}

/// The end of one message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it did, or why it failed. A failed message has no effects.
    pub result: Result<Effects, ExecutionError>,
    /// Instructions used, also by a failed message; at most the limit.
    pub instructions_used: u64,
    /// Log lines (`debug_print`, then the trap text of a failed message), also of failed messages.
    pub logs: Vec<Vec<u8>>,
    /// State afterwards; the state passed in when the message failed or its changes are dropped.
    pub state: crate::ExecutionState,
}

impl Outcome {
    /// The outcome as the caller may see it.
    pub(crate) fn for_caller(mut self, env: &Env) -> Self {
        if !env.caller_reads_logs {
            self.result = self.result.map_err(ExecutionError::without_backtrace);
        }
        self
    }
}
