//! What goes wrong outside of a canister's code, with the Internet Computer's codes and texts.
//!
//! Errors of running code are the engine's; [`UserError::execution`] and [`UserError::module`] put
//! the canister's name before them. Texts of ingress filter, message routing, life cycle and the
//! management canister all live in this folder, help suffixes included.

mod management;
mod snapshots;

use candid::Principal;
use engine::{ExecutionError, ModuleError};

use super::api::{ErrorCode, RejectCode, RejectResponse};

const DOCS: &str = "https://internetcomputer.org/docs/current/references/execution-errors#";
const INTERNAL_HELP: &str = "This is an internal error on the IC. Please report it to IC devs on \
     the forum: https://forum.dfinity.org";

/// An error a caller gets to see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct UserError {
    /// The code; its hundreds give the reject code.
    pub code: ErrorCode,
    /// The text.
    pub description: String,
}

fn error(code: ErrorCode, description: impl Into<String>) -> UserError {
    UserError {
        code,
        description: description.into(),
    }
}

/// A text, a full stop, and help with a link to the reference of errors.
fn helped(code: ErrorCode, text: String, suggestion: &str, anchor: &str) -> UserError {
    error(
        code,
        format!("{text}.\n{suggestion} See documentation: {DOCS}{anchor}"),
    )
}

/// The same, where the Internet Computer gives the bare anchor.
fn helped_bare(code: ErrorCode, text: String, suggestion: &str, anchor: &str) -> UserError {
    error(
        code,
        format!("{text}.\n{suggestion} See documentation: {anchor}"),
    )
}

/// The error code of a name as the engine gives it.
fn code_of(name: &str) -> ErrorCode {
    match name {
        "CanisterTrapped" => ErrorCode::CanisterTrapped,
        "CanisterCalledTrap" => ErrorCode::CanisterCalledTrap,
        "CanisterContractViolation" => ErrorCode::CanisterContractViolation,
        "CanisterInvalidWasm" => ErrorCode::CanisterInvalidWasm,
        "CanisterOutOfMemory" => ErrorCode::CanisterOutOfMemory,
        "CanisterFunctionNotFound" => ErrorCode::CanisterFunctionNotFound,
        "CanisterMethodNotFound" => ErrorCode::CanisterMethodNotFound,
        "CanisterWasmModuleNotFound" => ErrorCode::CanisterWasmModuleNotFound,
        "CanisterInstructionLimitExceeded" => ErrorCode::CanisterInstructionLimitExceeded,
        "CanisterMemoryAccessLimitExceeded" => ErrorCode::CanisterMemoryAccessLimitExceeded,
        "CanisterWasmMemoryLimitExceeded" => ErrorCode::CanisterWasmMemoryLimitExceeded,
        _ => ErrorCode::CanisterWasmEngineError,
    }
}

/// The lack of cycles as it stands in texts: the amount only for controllers.
pub fn out_of_cycles_text(canister: Principal, missing: Option<u128>) -> String {
    match missing {
        Some(missing) => format!(
            "Canister {canister} is out of cycles: please top up the canister with at least {} additional cycles",
            grouped(missing)
        ),
        None => format!("Canister {canister} is out of cycles"),
    }
}

/// A number with `_` between groups of three digits.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits, two decimals.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2} {}", UNITS[unit])
}

impl UserError {
    /// The reject code: the hundreds of the error code.
    pub fn reject_code(&self) -> RejectCode {
        match self.code as u16 / 100 {
            1 => RejectCode::SysFatal,
            2 => RejectCode::SysTransient,
            3 => RejectCode::DestinationInvalid,
            4 => RejectCode::CanisterReject,
            5 => RejectCode::CanisterError,
            _ => RejectCode::SysUnknown,
        }
    }

    /// The form in which users get it.
    pub fn into_reject(self, certified: bool) -> RejectResponse {
        RejectResponse {
            reject_code: self.reject_code(),
            error_code: self.code,
            reject_message: self.description,
            certified,
        }
    }

    /// Code of a canister failed.
    pub fn execution(canister: Principal, failure: &ExecutionError) -> Self {
        if let ExecutionError::Cleanup { .. } = failure {
            return error(
                code_of(failure.code()),
                format!("Error from Canister {canister}: {}", failure.description()),
            );
        }
        error(
            code_of(failure.code()),
            format!("Error from Canister {canister}: {failure}"),
        )
    }

    /// A module was refused.
    pub fn module(canister: Principal, refusal: &ModuleError) -> Self {
        error(
            code_of(refusal.code()),
            format!("Error from Canister {canister}: {refusal}"),
        )
    }

    /// A canister without code was asked to run.
    pub fn no_module(canister: Principal) -> Self {
        Self::execution(canister, &ExecutionError::WasmModuleNotFound)
    }

    /// The ingress filter's words for the same.
    pub fn no_module_at_submission() -> Self {
        error(
            ErrorCode::CanisterWasmModuleNotFound,
            "Requested canister has no wasm module",
        )
    }

    /// No such canister, as the ingress filter, queries and message routing say it.
    pub fn canister_not_found(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterNotFound,
            format!("Canister {canister} not found"),
        )
    }

    /// A stopping or stopped canister met a message.
    pub fn not_running(canister: Principal, is_stopping: bool) -> Self {
        error(
            stop_code(is_stopping),
            format!("Canister {canister} is not running"),
        )
    }

    /// The ingress filter met a stopping or stopped canister.
    pub fn stopped_at_submission(canister: Principal, is_stopping: bool) -> Self {
        let word = if is_stopping { "stopping" } else { "stopped" };
        error(
            stop_code(is_stopping),
            format!("Canister {canister} is {word}"),
        )
    }

    /// A query met a stopped canister.
    pub fn stopped_at_query(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterStopped,
            format!(
                "Canister {canister} is stopped and therefore does not have a CallContextManager"
            ),
        )
    }

    /// A composite query was called through consensus.
    pub fn composite_query_replicated() -> Self {
        error(
            ErrorCode::CompositeQueryCalledInReplicatedMode,
            "Composite query cannot be called in replicated mode",
        )
    }

    /// `inspect_message` did not accept.
    pub fn message_rejected(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterRejectedMessage,
            format!("Error from Canister {canister}: Canister rejected the message"),
        )
    }

    /// A call ended without an answer.
    pub fn did_not_reply(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterDidNotReply,
            format!("Canister {canister} did not reply to the call"),
        )
    }

    /// The canister's own reject.
    pub fn rejected(text: impl Into<String>) -> Self {
        error(ErrorCode::CanisterRejectedMessage, text)
    }

    /// An ingress message waited too long.
    pub fn ingress_timeout(id: &[u8; 32]) -> Self {
        error(
            ErrorCode::IngressMessageTimeout,
            format!(
                "Ingress message 0x{} timed out waiting to start executing.",
                hex::encode(id)
            ),
        )
    }

    /// Too few cycles.
    pub fn out_of_cycles(canister: Principal, missing: Option<u128>) -> Self {
        error(
            ErrorCode::CanisterOutOfCycles,
            out_of_cycles_text(canister, missing),
        )
    }

    /// The same at the ingress filter.
    pub fn not_controller_at_submission(canister: Principal, method: &str) -> Self {
        error(
            ErrorCode::CanisterInvalidController,
            format!("Only controllers of canister {canister} can call ic00 method {method}"),
        )
    }

    /// A management method that users may not call.
    pub fn only_canisters_can_call(method: &str) -> Self {
        Self::rejected(format!("Only canisters can call ic00 method {method}"))
    }

    /// A management method whose effective canister cannot be told for a user's call.
    pub fn not_callable_by_ingress(method: &str) -> Self {
        Self::rejected(format!(
            "ic00 method {method} can not be called via ingress messages"
        ))
    }

    /// A management method that does not exist, at the ingress filter.
    pub fn unknown_method_at_submission(method: &str) -> Self {
        error(
            ErrorCode::CanisterMethodNotFound,
            format!("ic00 interface does not expose method {method}"),
        )
    }

    /// The same at the ingress filter.
    pub fn undecodable_at_submission(method: &str, inner: &UserError) -> Self {
        error(
            ErrorCode::InvalidManagementPayload,
            format!("Failed to parse payload for ic00 method {method}: {inner}"),
        )
    }

    /// Somebody who may not read the logs.
    pub fn logs_not_allowed(caller: Principal) -> Self {
        Self::rejected(format!(
            "Caller {caller} is not allowed to access canister logs"
        ))
    }
}

fn stop_code(is_stopping: bool) -> ErrorCode {
    if is_stopping {
        ErrorCode::CanisterStopping
    } else {
        ErrorCode::CanisterStopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_by_three_digits() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(8_438_230), "8_438_230");
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_suits() {
        assert_eq!(bytes_text(1000), "1000 B");
        assert_eq!(bytes_text(10 << 20), "10.00 MiB");
        assert_eq!(bytes_text(3 << 50), "3072.00 TiB");
    }

    #[test]
    fn the_reject_code_is_the_hundreds_of_the_error_code() {
        let not_found = UserError::canister_not_found(Principal::anonymous());
        assert_eq!(not_found.reject_code(), RejectCode::DestinationInvalid);
        assert_eq!(
            UserError::stop_timeout().reject_code(),
            RejectCode::SysTransient
        );
    }
}
