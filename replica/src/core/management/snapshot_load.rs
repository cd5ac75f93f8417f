//! `load_canister_snapshot`

use candid::Reserved;
use engine::{ExecutionState, GlobalValue};
use ic_management_canister_types::{
    ChangeDetails, LoadCanisterSnapshotArgs, LoadSnapshotRecord, SnapshotSource as SourceResult,
};

use super::Call;
use super::decode::empty;
use super::heap_fit::check_heap;
use super::snapshots::{canister_delta, check_cycles};
use crate::core::canister::HookStatus;
use crate::core::errors::UserError;
use crate::core::limits::{COMPILE_CACHE_DIVISOR, SNAPSHOT_BASELINE_INSTRUCTIONS};
use crate::core::network::SubnetContext;
use crate::core::snapshot::{Snapshot, SnapshotId, SnapshotSource};
use crate::core::subnet::SubnetState;

/// `load_canister_snapshot`: no code of the canister runs.
///
/// # Errors
/// See [`UserError`]: no such canister or snapshot, no controller of both, a snapshot that cannot
/// be loaded here yet, an uploaded snapshot that contradicts itself, no cycles.
pub fn load(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    args: &LoadCanisterSnapshotArgs,
) -> Result<Vec<u8>, UserError> {
    let sender = call.sender();
    let id = args.canister_id;
    let canister = state.controlled(&id, &sender)?;
    let snapshot_id = SnapshotId::from_bytes(&args.snapshot_id)?;
    let Some(snapshot) = state.snapshots.get(&snapshot_id) else {
        return Err(UserError::snapshot_not_found(id, &snapshot_id));
    };
    let owner = snapshot_id.canister;
    if owner != id {
        let owner = state.canister(&owner)?;
        if !owner.settings.is_controller(&sender) {
            return Err(UserError::snapshot_not_controller(sender, id, &snapshot_id));
        }
    }
    if canister.paused.is_some() {
        return Err(UserError::long_execution(id));
    }
    check_cycles(canister, subnet, &sender, SNAPSHOT_BASELINE_INSTRUCTIONS)?;
    let module = subnet
        .engine
        .load_module(&snapshot.module)
        .map_err(|refusal| UserError::module(id, &refusal))?;
    let is_uploaded = snapshot.source == SnapshotSource::Uploaded;
    if is_uploaded && !same_types(&module.initial_globals(), &snapshot.globals) {
        return Err(UserError::invalid_payload(
            "Wasm exported globals of canister module and snapshot metadata do not match.",
        ));
    }
    if owner != id && snapshot.is_unflushed {
        return Err(UserError::snapshot_not_loadable(id, &snapshot_id));
    }
    check_heap(subnet, id, snapshot.heap.size_bytes(), &module)?;
    let compile_cost = match state.compiled.contains(&module.hash()) {
        true => module.compile_cost_instructions() / COMPILE_CACHE_DIVISOR,
        false => module.compile_cost_instructions(),
    };
    let is_wasm64 = module.is_wasm64();
    let snapshot = snapshot.clone();
    let code = ExecutionState {
        module,
        heap: snapshot.heap.clone(),
        globals: snapshot.globals.clone(),
        stable: snapshot.stable.clone(),
    };
    let instructions = compile_cost.saturating_add(snapshot.size_bytes);
    let cost = subnet
        .prices
        .execution(SNAPSHOT_BASELINE_INSTRUCTIONS, false)
        + subnet.prices.execution(instructions, is_wasm64);

    let canister = state.canister_mut(&id)?;
    let old_code = canister.code.replace(code);
    if is_uploaded && let Err(error) = check_hook(canister.is_low_on_memory(), snapshot.hook) {
        canister.code = old_code;
        return Err(error);
    }
    canister.chunk_store = snapshot.chunk_store.clone();
    canister.certified_data.clone_from(&snapshot.certified_data);
    if is_uploaded {
        if let Some(timer) = snapshot.global_timer {
            canister.global_timer = timer;
        }
        if let Some(hook) = snapshot.hook {
            canister.hook = hook;
        }
    }
    canister.charge_instructions(cost);
    canister.version += 1;
    canister.last_install_ns = Some(subnet.now_ns);
    canister.unflushed_bytes += snapshot.heap.size_bytes();
    let delta_bytes = canister_delta(canister);
    canister.heap_delta_debit_bytes += delta_bytes;
    let details = ChangeDetails::LoadSnapshot(record_for(&snapshot_id, &snapshot, id != owner));
    canister.add_change(
        subnet.now_ns,
        call.origin(args.sender_canister_version),
        details,
    );
    state.budget -= i64::try_from(instructions).unwrap_or(i64::MAX);
    Ok(empty())
}

fn record_for(id: &SnapshotId, snapshot: &Snapshot, is_foreign: bool) -> LoadSnapshotRecord {
    LoadSnapshotRecord {
        from_canister_id: is_foreign.then_some(id.canister),
        snapshot_id: id.to_bytes(),
        canister_version: snapshot.canister_version,
        taken_at_timestamp: snapshot.taken_at_ns,
        source: source_result(snapshot.source),
    }
}

/// Where a snapshot came from, as results show it.
pub fn source_result(source: SnapshotSource) -> SourceResult {
    match source {
        SnapshotSource::Taken => SourceResult::TakenFromCanister(Reserved),
        SnapshotSource::Uploaded => SourceResult::MetadataUpload(Reserved),
    }
}

fn same_types(ours: &[GlobalValue], theirs: &[GlobalValue]) -> bool {
    use std::mem::discriminant;
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| discriminant(a) == discriminant(b))
}

fn check_hook(is_low: bool, hook: Option<HookStatus>) -> Result<(), UserError> {
    let Some(hook) = hook else { return Ok(()) };
    if is_low == (hook == HookStatus::ConditionNotSatisfied) {
        return Err(UserError::invalid_payload(format!(
            "Hook status (Some({hook:?})) of uploaded snapshot is inconsistent with the canister's state (hook condition satisfied: {is_low})."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_is_ready_needs_low_memory() {
        assert!(check_hook(false, Some(HookStatus::Ready)).is_err());
        assert!(check_hook(true, Some(HookStatus::Ready)).is_ok());
        assert!(check_hook(true, Some(HookStatus::ConditionNotSatisfied)).is_err());
        assert!(check_hook(false, None).is_ok());
    }

    #[test]
    fn globals_match_by_number_and_type() {
        let [a, b] = [GlobalValue::I32(1), GlobalValue::I64(1)];
        assert!(same_types(&[a, b], &[GlobalValue::I32(7), b]));
        assert!(!same_types(&[a, b], &[b, a]));
        assert!(!same_types(&[a], &[a, a]));
    }
}
