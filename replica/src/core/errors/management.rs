//! Texts of the management canister: installation, life cycle, settings.

use candid::Principal;

use super::{
    DOCS, INTERNAL_HELP, UserError, bytes_text, error, grouped, helped, out_of_cycles_text,
};
use crate::core::api::ErrorCode;

impl UserError {
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

    /// A heap that does not fit the module it is put under.
    pub fn invalid_heap(canister: Principal, heap_bytes: u64, refusal: &str) -> Self {
        error(
            ErrorCode::CanisterInvalidWasm,
            format!(
                "Error from Canister {canister}: The Wasm memory of {heap_bytes} bytes {refusal}"
            ),
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

    /// A management method that does not exist.
    pub fn unknown_method(method: &str) -> Self {
        error(
            ErrorCode::CanisterMethodNotFound,
            format!("Management canister has no method '{method}'"),
        )
    }

    /// A canister that tells another version than its own.
    pub fn other_sender_version(told: u64, actual: u64) -> Self {
        error(
            ErrorCode::CanisterContractViolation,
            format!(
                "Management canister call payload includes sender canister version {told} that does not match the actual sender canister version {actual}."
            ),
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

    /// An argument that decodes and still makes no sense.
    pub fn invalid_payload(text: impl Into<String>) -> Self {
        error(ErrorCode::InvalidManagementPayload, text)
    }

    /// A setting outside its range.
    pub fn setting_out_of_range(text: impl Into<String>) -> Self {
        error(ErrorCode::CanisterContractViolation, text)
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
                needed_bytes
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

    /// The code of a canister was uninstalled under an open call.
    pub fn uninstalled() -> Self {
        Self::rejected("Canister has been uninstalled.")
    }
}
