//! `canister_status` and `canister_metrics`.
//!
//! The answers carry every field of the newest interface, and besides them the fields that older
//! servers gave (`controller`, `balance`, `freezing_threshold`): a client takes what it knows.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterMetricsResult, CanisterStatusType, CyclesConsumed,
    EnvironmentVariable, LogVisibility, MemoryMetrics, QueryStats, SnapshotVisibility,
    StatusVisibility,
};

use super::decode::encode;
use crate::core::api::ErrorCode;
use crate::core::canister::{Canister, Status};
use crate::core::errors::UserError;
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

#[derive(CandidType)]
struct StatusResult {
    status: CanisterStatusType,
    ready_for_migration: bool,
    version: u64,
    settings: SettingsResult,
    module_hash: Option<Vec<u8>>,
    controller: Principal,
    memory_size: Nat,
    memory_metrics: MemoryMetrics,
    cycles: Nat,
    balance: Vec<(Vec<u8>, Nat)>,
    freezing_threshold: Nat,
    reserved_cycles: Nat,
    idle_cycles_burned_per_day: Nat,
    query_stats: QueryStats,
}

#[derive(CandidType)]
struct SettingsResult {
    controller: Principal,
    controllers: Vec<Principal>,
    compute_allocation: Nat,
    memory_allocation: Nat,
    freezing_threshold: Nat,
    reserved_cycles_limit: Nat,
    minimum_incoming_canister_call_cycles: Nat,
    log_visibility: LogVisibility,
    log_memory_limit: Nat,
    snapshot_visibility: SnapshotVisibility,
    status_visibility: StatusVisibility,
    wasm_memory_limit: Nat,
    wasm_memory_threshold: Nat,
    environment_variables: Vec<EnvironmentVariable>,
}

/// `canister_status`
///
/// # Errors
/// No such canister, or a caller who may not see its status.
pub fn canister_status(
    state: &SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    let canister = state.canister(&args.canister_id)?;
    check_visible(canister, &sender)?;
    Ok(encode(&result_for(canister, subnet)))
}

/// Whether the caller may see the status.
///
/// # Errors
/// Neither a controller, nor the canister, nor somebody the settings let.
pub fn check_visible(canister: &Canister, sender: &Principal) -> Result<(), UserError> {
    let settings = &canister.settings;
    let is_let = match &settings.status_visibility {
        StatusVisibility::Public => true,
        StatusVisibility::AllowedViewers(viewers) => viewers.contains(sender),
        StatusVisibility::Controllers => false,
    };
    if is_let || *sender == canister.id || settings.is_controller(sender) {
        return Ok(());
    }
    if settings.status_visibility == StatusVisibility::Controllers {
        return Err(UserError::not_controller(
            canister.id,
            &settings.controllers,
            *sender,
        ));
    }
    Err(UserError {
        code: ErrorCode::CanisterStatusAccessDenied,
        description: format!(
            "Caller {sender} is not allowed to access the status of canister {}",
            canister.id
        ),
    })
}

fn result_for(canister: &Canister, subnet: &SubnetContext) -> StatusResult {
    let definite = canister.settings.definite();
    // Old servers named one controller: the first, or the management canister for none.
    let controller = canister
        .settings
        .controllers
        .first()
        .copied()
        .unwrap_or(Principal::management_canister());
    StatusResult {
        status: match canister.status {
            Status::Running => CanisterStatusType::Running,
            Status::Stopping { .. } => CanisterStatusType::Stopping,
            Status::Stopped => CanisterStatusType::Stopped,
        },
        ready_for_migration: canister.is_stopped()
            && canister.inputs.is_empty()
            && canister.outputs.is_empty(),
        version: canister.version,
        module_hash: canister
            .code
            .as_ref()
            .map(|code| code.module.hash().to_vec()),
        controller,
        memory_size: Nat::from(canister.memory_bytes()),
        memory_metrics: MemoryMetrics {
            wasm_memory_size: Nat::from(canister.heap_bytes()),
            stable_memory_size: Nat::from(canister.stable_bytes()),
            global_memory_size: Nat::from(canister.globals_bytes()),
            wasm_binary_size: Nat::from(canister.module_bytes()),
            custom_sections_size: Nat::from(canister.custom_sections_bytes()),
            canister_history_size: Nat::from(canister.history.size_bytes()),
            wasm_chunk_store_size: Nat::from(canister.chunk_store.size_bytes()),
            snapshots_size: Nat::from(canister.snapshots_bytes),
            log_memory_store_size: Nat::from(0u8),
        },
        cycles: Nat::from(canister.balance),
        balance: vec![(vec![0], Nat::from(canister.balance))],
        freezing_threshold: definite.freezing_threshold.clone(),
        reserved_cycles: Nat::from(canister.reserved_balance),
        idle_cycles_burned_per_day: Nat::from(subnet.prices.storage_per_day(
            canister.allocated_bytes(),
            canister.settings.compute_allocation_percent,
        )),
        query_stats: QueryStats {
            num_calls_total: Nat::from(0u8),
            num_instructions_total: Nat::from(0u8),
            request_payload_bytes_total: Nat::from(0u8),
            response_payload_bytes_total: Nat::from(0u8),
        },
        settings: SettingsResult {
            controller,
            controllers: definite.controllers,
            compute_allocation: definite.compute_allocation,
            memory_allocation: definite.memory_allocation,
            freezing_threshold: definite.freezing_threshold,
            reserved_cycles_limit: definite.reserved_cycles_limit,
            minimum_incoming_canister_call_cycles: definite.minimum_incoming_canister_call_cycles,
            log_visibility: definite.log_visibility,
            log_memory_limit: definite.log_memory_limit,
            snapshot_visibility: definite.snapshot_visibility,
            status_visibility: definite.status_visibility,
            wasm_memory_limit: definite.wasm_memory_limit,
            wasm_memory_threshold: definite.wasm_memory_threshold,
            environment_variables: definite.environment_variables,
        },
    }
}

/// `canister_metrics`
///
/// # Errors
/// No such canister, or a caller who may not see its status.
pub fn canister_metrics(
    state: &SubnetState,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    let canister = state.canister(&args.canister_id)?;
    check_visible(canister, &sender)?;
    let consumed = canister.consumed;
    Ok(encode(&CanisterMetricsResult {
        cycles_consumed: CyclesConsumed {
            memory: Nat::from(consumed.memory),
            compute_allocation: Nat::from(consumed.compute),
            ingress_induction: Nat::from(consumed.ingress),
            instructions: Nat::from(consumed.instructions),
            request_and_response_transmission: Nat::from(consumed.transmission),
            uninstall: Nat::from(0u8),
            canister_creation: Nat::from(consumed.creation),
            http_outcalls: Nat::from(0u8),
            burned_cycles: Nat::from(consumed.burned),
        },
    }))
}
