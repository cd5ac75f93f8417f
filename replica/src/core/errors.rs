//! What goes wrong outside of a canister's code, with the Internet Computer's codes and texts.
//!
//! Errors of running code are the engine's; [`UserError::execution`] and [`UserError::module`] put
//! the canister's name before them. Texts of ingress filter, message routing, life cycle and the
//! management canister all live here, help suffixes included.

use candid::Principal;
use engine::{ExecutionError, ModuleError};

use super::api::{ErrorCode, RejectCode, RejectResponse};
use super::snapshot::SnapshotId;

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
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits, two decimals.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
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

    /// No such canister, as the management canister says it.
    pub fn canister_not_found_by_management(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterNotFound,
            format!("Canister {canister} not found"),
            "Check the ICP dashboard to ensure the canister exists.",
            "canister-not-found",
        )
    }

    /// No such canister, as plain look-ups of the management canister say it.
    pub fn canister_not_found_dot(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterNotFound,
            format!("Canister {canister} not found."),
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

    /// The code of a canister was uninstalled under an open call.
    pub fn uninstalled() -> Self {
        Self::rejected("Canister has been uninstalled.")
    }

    /// Too few cycles.
    pub fn out_of_cycles(canister: Principal, missing: Option<u128>) -> Self {
        error(
            ErrorCode::CanisterOutOfCycles,
            out_of_cycles_text(canister, missing),
        )
    }

    /// Too few cycles to prepay an installation.
    pub fn install_out_of_cycles(canister: Principal, missing: Option<u128>) -> Self {
        helped(
            ErrorCode::CanisterOutOfCycles,
            format!(
                "Canister installation failed with `{}`",
                out_of_cycles_text(canister, missing)
            ),
            "Top up the canister with more cycles.",
            "install-code-not-enough-cycles",
        )
    }

    /// Too few cycles for a snapshot call.
    pub fn snapshot_out_of_cycles(canister: Principal, missing: Option<u128>) -> Self {
        error(
            ErrorCode::CanisterOutOfCycles,
            format!(
                "Canister snapshotting failed with: `{}`\nTry sending more cycles with the request. See documentation: canister-snapshot-not-enough-cycles",
                out_of_cycles_text(canister, missing)
            ),
        )
    }

    /// The install debit is not worked off.
    pub fn install_rate_limited(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterInstallCodeRateLimited,
            format!(
                "Canister {canister} is rate limited because it executed too many instructions in the previous install_code messages. Please retry installation after several minutes"
            ),
            "Retry the installation at a later time.",
            "install-code-rate-limited",
        )
    }

    /// Mode `install` met code.
    pub fn not_empty(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterNonEmpty,
            format!(
                "Canister {canister} cannot be installed because the canister is not empty. Try installing with mode='reinstall' instead"
            ),
            "Check that you want to overwrite the canister and, if so, use mode='reinstall'.",
            "canister-not-empty",
        )
    }

    /// A marked module was upgraded without saying what becomes of the heap.
    pub fn missing_upgrade_option() -> Self {
        error(
            ErrorCode::CanisterContractViolation,
            "Missing upgrade option: Enhanced orthogonal persistence requires the `wasm_memory_persistence` upgrade option.",
        )
    }

    /// `keep` with a module that carries no marker.
    pub fn invalid_upgrade_option() -> Self {
        error(
            ErrorCode::CanisterContractViolation,
            "Invalid upgrade option: The `wasm_memory_persistence: opt Keep` upgrade option requires that the new canister module supports enhanced orthogonal persistence.",
        )
    }

    /// Somebody else than a controller.
    pub fn not_controller(
        canister: Principal,
        controllers: &[Principal],
        sender: Principal,
    ) -> Self {
        let controllers: Vec<String> = controllers.iter().map(Principal::to_text).collect();
        error(
            ErrorCode::CanisterInvalidController,
            format!(
                "Only the controllers of the canister {canister} can control it.\nCanister's controllers: {}\nSender's ID: {sender}\nExecute this call from a controller of the target canister or add the current caller as a controller. See documentation: {DOCS}invalid-controller",
                controllers.join(" ")
            ),
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

    /// A management method that does not exist.
    pub fn unknown_method(method: &str) -> Self {
        error(
            ErrorCode::CanisterMethodNotFound,
            format!("Management canister has no method '{method}'"),
        )
    }

    /// A management method that exists, but not in this stand-in.
    pub fn unsupported(method: &str) -> Self {
        error(
            ErrorCode::UnknownManagementMessage,
            format!(
                "This stand-in for PocketIC does not support the management method '{method}'; run against a real PocketIC server for it."
            ),
        )
    }

    /// An argument that is not what the method takes.
    pub fn undecodable(reason: impl std::fmt::Display) -> Self {
        error(
            ErrorCode::InvalidManagementPayload,
            format!("Error decoding candid: {reason}"),
        )
    }

    /// The same at the ingress filter.
    pub fn undecodable_at_submission(method: &str, inner: &UserError) -> Self {
        error(
            ErrorCode::InvalidManagementPayload,
            format!("Failed to parse payload for ic00 method {method}: {inner}"),
        )
    }

    /// An argument that decodes and still makes no sense.
    pub fn invalid_payload(text: impl Into<String>) -> Self {
        error(ErrorCode::InvalidManagementPayload, text)
    }

    /// A setting outside its range.
    pub fn setting_out_of_range(text: impl Into<String>) -> Self {
        error(ErrorCode::CanisterContractViolation, text)
    }

    /// Somebody who may not read the logs.
    pub fn logs_not_allowed(caller: Principal) -> Self {
        Self::rejected(format!(
            "Caller {caller} is not allowed to access canister logs"
        ))
    }

    /// Deleting a canister that runs.
    pub fn delete_not_stopped(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterNotStopped,
            format!("Canister {canister} must be stopped before it is deleted"),
            "Stop the canister before deleting it.",
            "delete-canister-not-stopped",
        )
    }

    /// A canister that deletes itself.
    pub fn delete_self(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterInvalidController,
            format!("Canister {canister} cannot delete itself"),
            "Delete the canister from one of its other controllers.",
            "delete-canister-self",
        )
    }

    /// Deleting a canister with messages in flight.
    pub fn delete_queue_not_empty(canister: Principal) -> Self {
        helped(
            ErrorCode::CanisterQueueNotEmpty,
            format!(
                "Canister {canister} has messages in its queues and cannot be deleted now. Please retry after some time"
            ),
            "Wait until the queues have been cleared to delete the canister and in the meantime stop the canister.",
            "delete-canister-queue-not-empty",
        )
    }

    /// `start_canister` met a waiting `stop_canister`.
    pub fn stop_cancelled(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterStoppingCancelled,
            format!("Canister {canister}'s stop request was cancelled."),
        )
    }

    /// A canister did not stop in time.
    pub fn stop_timeout() -> Self {
        error(
            ErrorCode::StopCanisterRequestTimeout,
            "Stop canister request timed out",
        )
    }

    /// Not enough cycles sent to create a canister.
    pub fn create_out_of_cycles(sent: u128, required: u128) -> Self {
        helped(
            ErrorCode::InsufficientCyclesForCreateCanister,
            format!(
                "Creating a canister requires a fee of {} that is deducted from the canister's initial balance but only {} cycles were received with the create_canister request",
                grouped(required),
                grouped(sent)
            ),
            "Try sending more cycles with the request.",
            "create-canister-not-enough-cycles",
        )
    }

    /// The allocation range is used up.
    pub fn out_of_canister_ids() -> Self {
        error(
            ErrorCode::SubnetOversubscribed,
            "Could not create canister. Subnet has surpassed its canister ID allocation.",
        )
    }

    /// A canister of the given id exists.
    pub fn canister_id_exists(canister: Principal) -> Self {
        error(
            ErrorCode::CanisterIdAlreadyExists,
            format!(
                "Unsuccessful canister creation: canister id {canister} already exists.\n{INTERNAL_HELP}"
            ),
        )
    }

    /// A given id that lies where ids are handed out.
    pub fn invalid_specified_id(canister: Principal) -> Self {
        error(
            ErrorCode::InvalidManagementPayload,
            format!(
                "The `specified_id` {canister} is invalid because it belongs to the canister allocation ranges of the test environment.\nUse a `specified_id` that matches a canister ID on the ICP mainnet and a test environment that supports canister creation with `specified_id` (e.g., PocketIC)."
            ),
        )
    }

    /// A memory allocation below what is in use.
    pub fn memory_allocation_too_small(given_bytes: u64, needed_bytes: u64) -> Self {
        helped(
            ErrorCode::InsufficientMemoryAllocation,
            format!(
                "Canister was given {} memory allocation but at least {} of memory is needed",
                bytes_text(given_bytes),
                bytes_text(needed_bytes)
            ),
            "Try increasing the canister's memory allocation.",
            "not-enough-memory-allocation-given",
        )
    }

    /// More memory than the subnet has.
    pub fn subnet_memory_exhausted(requested_bytes: u64, available_bytes: u64) -> Self {
        helped(
            ErrorCode::SubnetOversubscribed,
            format!(
                "Canister requested {} of memory but only {} are available in the subnet",
                bytes_text(requested_bytes),
                bytes_text(available_bytes)
            ),
            "Try moving to another subnet.",
            "subnet-memory-capacity-oversubscribed",
        )
    }

    /// More compute than the subnet has.
    pub fn subnet_compute_exhausted(requested_percent: u64, available_percent: u64) -> Self {
        helped(
            ErrorCode::SubnetOversubscribed,
            format!(
                "Canister requested a compute allocation of {requested_percent}% which cannot be satisfied because the Subnet's remaining compute capacity is {available_percent}%"
            ),
            "Try moving to another subnet.",
            "subnet-compute-capacity-oversubscribed",
        )
    }

    /// A compute allocation the balance cannot carry.
    pub fn compute_allocation_unaffordable(percent: u64, missing: u128) -> Self {
        helped(
            ErrorCode::InsufficientCyclesInComputeAllocation,
            format!(
                "Cannot increase compute allocation to {percent}% due to insufficient cycles. At least {} additional cycles are required",
                grouped(missing)
            ),
            "Top up the canister with more cycles.",
            "insufficient-cycles-in-compute-allocation",
        )
    }

    /// A memory allocation the balance cannot carry.
    pub fn memory_allocation_unaffordable(bytes: u64, missing: u128) -> Self {
        helped(
            ErrorCode::InsufficientCyclesInMemoryAllocation,
            format!(
                "Cannot increase memory allocation to {} due to insufficient cycles. At least {} additional cycles are required",
                bytes_text(bytes),
                grouped(missing)
            ),
            "Top up the canister with more cycles.",
            "insufficient-cycles-in-memory-allocation",
        )
    }

    /// Memory growth that the balance cannot carry.
    pub fn memory_growth_unaffordable(bytes: u64, missing: u128) -> Self {
        helped(
            ErrorCode::InsufficientCyclesInMemoryGrow,
            format!(
                "Canister cannot grow memory by {bytes} bytes due to insufficient cycles. At least {} additional cycles are required",
                grouped(missing)
            ),
            "Top up the canister with more cycles.",
            "insufficient-cycles-in-memory-grow-1",
        )
    }

    /// A refusal of the chunk store.
    pub fn chunk_store(text: impl std::fmt::Display) -> Self {
        helped(
            ErrorCode::CanisterContractViolation,
            format!("Error from Wasm chunk store: {text}"),
            "Use the `stored_chunks` API to check which hashes are present or top up the canister if it is low on cycles.",
            "wasm-chunk-store-error",
        )
    }

    /// No such snapshot.
    pub fn snapshot_not_found(canister: Principal, snapshot: &SnapshotId) -> Self {
        helped(
            ErrorCode::CanisterSnapshotNotFound,
            format!("Could not find the snapshot ID {snapshot} for canister {canister}"),
            "Use the `list_canister_snapshot` API to see which snapshots are present.",
            "canister-snapshot-not-found",
        )
    }

    /// A snapshot of another canister.
    pub fn snapshot_of_other(canister: Principal, snapshot: &SnapshotId) -> Self {
        helped(
            ErrorCode::CanisterRejectedMessage,
            format!("The snapshot {snapshot} does not belong to canister {canister}"),
            "Use the `list_canister_snapshot` API to see which snapshots are present.",
            "canister-snapshot-invalid-ownership",
        )
    }

    /// Loading a snapshot of a canister one does not control.
    pub fn snapshot_not_controller(
        sender: Principal,
        canister: Principal,
        snapshot: &SnapshotId,
    ) -> Self {
        helped_bare(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "Only a controller of the canister that snapshot {snapshot} belongs to can load it on canister {canister}. Sender: {sender}"
            ),
            "Make sure you are a controller of the canister that the snapshot belongs to.",
            "canister-snapshot-not-controller",
        )
    }

    /// A snapshot of another canister before the next checkpoint.
    pub fn snapshot_not_loadable(canister: Principal, snapshot: &SnapshotId) -> Self {
        Self::rejected(format!(
            "Snapshot {snapshot} is not currently loadable on the specified canister {canister}. Try again later. The call should succeed if you wait sufficiently long (usually ten minutes)."
        ))
    }

    /// A snapshot of nothing.
    pub fn snapshot_of_empty(canister: Principal) -> Self {
        Self::rejected(format!(
            "Failed to create snapshot for empty canister {canister}:"
        ))
    }

    /// Too many snapshots.
    pub fn too_many_snapshots(canister: Principal, limit: usize) -> Self {
        helped_bare(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "Canister {canister} has reached the maximum number of snapshots allowed: {limit}"
            ),
            "Consider deleting an unnecessary snapshot of the specified canister before creating a new one.",
            "canister-snapshot-limit-exceeded",
        )
    }

    /// A taken snapshot cannot be written.
    pub fn snapshot_immutable() -> Self {
        error(
            ErrorCode::CanisterSnapshotImmutable,
            "Only canister snapshots created by metadata upload can be mutated.",
        )
    }

    /// Too much memory written lately.
    pub fn heap_delta_rate_limited(
        canister: Principal,
        debit_bytes: u64,
        limit_bytes: u64,
    ) -> Self {
        helped(
            ErrorCode::CanisterHeapDeltaRateLimited,
            format!(
                "Canister {canister} is heap delta rate limited: current delta debit is {debit_bytes}, but limit is {limit_bytes}"
            ),
            "Try waiting a few seconds before retrying the operation.",
            "canister-heap-delta-rate-limited",
        )
    }

    /// A long execution is under way.
    pub fn long_execution(canister: Principal) -> Self {
        Self::rejected(format!(
            "The canister {canister} is currently executing a long-running message."
        ))
    }

    /// A range outside the snapshot's data.
    pub fn invalid_slice(offset: u64, size: u64) -> Self {
        Self::invalid_payload(format!(
            "Invalid subslice into wasm module / main memory / stable memory: offset: {offset}, size: {size}"
        ))
    }

    /// A canister without code has no metadata.
    pub fn metadata_without_module(canister: Principal) -> Self {
        Self::rejected(format!(
            "The canister {canister} has no Wasm module and hence no metadata is available."
        ))
    }

    /// No such metadata section.
    pub fn metadata_not_found(canister: Principal, section: &str) -> Self {
        Self::rejected(format!(
            "The canister {canister} has no metadata section with the name {section}."
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
        assert_eq!(bytes_text(3 << 40), "3.00 TiB");
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
