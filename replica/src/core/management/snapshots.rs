//! Take, list and delete snapshots.

use candid::Principal;
use ic_management_canister_types::{
    CanisterIdRecord, ChangeDetails, DeleteCanisterSnapshotArgs, Snapshot as SnapshotResult,
    SnapshotVisibility, TakeCanisterSnapshotArgs,
};

use super::Call;
use super::decode::{empty, encode};
use super::lifecycle::remove_code;
use crate::core::canister::Canister;
use crate::core::errors::UserError;
use crate::core::limits::{HEAP_DELTA_RATE_BYTES, SNAPSHOT_BASELINE_INSTRUCTIONS};
use crate::core::network::SubnetContext;
use crate::core::snapshot::{Snapshot, SnapshotId};
use crate::core::subnet::SubnetState;

/// `take_canister_snapshot`
///
/// # Errors
/// See [`UserError`]: no such canister or snapshot, no controller, no code, no room, no cycles.
pub fn take(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    args: &TakeCanisterSnapshotArgs,
) -> Result<Vec<u8>, UserError> {
    let sender = call.sender();
    let id = args.canister_id;
    let canister = state.controlled(&id, &sender)?;
    let replaced = check_place(state, &id, args.replace_snapshot.as_deref())?;
    check_heap_delta(canister)?;
    let size_bytes = canister.snapshot_size_bytes();
    check_memory(state, size_bytes)?;
    let instructions = SNAPSHOT_BASELINE_INSTRUCTIONS.saturating_add(size_bytes);
    check_cycles(canister, subnet, &sender, instructions)?;
    let snapshot = Snapshot::take(canister, subnet.now_ns)?;
    if let Some(replaced) = replaced {
        state.remove_snapshot(&replaced);
    }
    let delta_bytes = canister_delta(state.canister(&id)?);
    let canister = state.canister_mut(&id)?;
    canister.charge_instructions(subnet.prices.execution(instructions, false));
    canister.heap_delta_debit_bytes += delta_bytes;
    let snapshot_id = insert(state, &id, snapshot)?;
    if args.uninstall_code == Some(true) {
        let canister = state.canister_mut(&id)?;
        let open = remove_code(canister);
        canister.add_change(
            subnet.now_ns,
            call.origin(args.sender_canister_version),
            ChangeDetails::CodeUninstall,
        );
        state.answer_uninstalled(id, open);
    }
    state.budget -= i64::try_from(instructions).unwrap_or(i64::MAX);
    let snapshot = state.snapshot(&id, &snapshot_id)?;
    Ok(encode(&result_for(&snapshot_id, snapshot)))
}

/// What taking or loading a snapshot counts for as written memory.
pub fn canister_delta(canister: &Canister) -> u64 {
    canister
        .unflushed_bytes
        .min(canister.heap_bytes() + canister.stable_bytes())
}

/// Whether there is a place for one snapshot more, given the one to replace.
///
/// # Errors
/// No such snapshot to replace, or no place.
pub fn check_place(
    state: &SubnetState,
    canister: &Principal,
    replace: Option<&[u8]>,
) -> Result<Option<SnapshotId>, UserError> {
    let Some(bytes) = replace else {
        state.check_snapshot_count(canister)?;
        return Ok(None);
    };
    let id = SnapshotId::from_bytes(bytes)?;
    state.snapshot(canister, &id)?;
    Ok(Some(id))
}

/// Whether the canister has written little enough lately.
///
/// # Errors
/// It has not.
pub fn check_heap_delta(canister: &Canister) -> Result<(), UserError> {
    if canister.heap_delta_debit_bytes >= HEAP_DELTA_RATE_BYTES {
        return Err(UserError::heap_delta_rate_limited(
            canister.id,
            canister.heap_delta_debit_bytes,
            HEAP_DELTA_RATE_BYTES,
        ));
    }
    Ok(())
}

/// Whether the subnet has memory for so many bytes more.
///
/// # Errors
/// It has not.
pub fn check_memory(state: &SubnetState, bytes: u64) -> Result<(), UserError> {
    let available = state.available_memory_bytes();
    if bytes > available {
        return Err(UserError::subnet_memory_exhausted(bytes, available));
    }
    Ok(())
}

/// Whether the canister can pay for so many instructions.
///
/// # Errors
/// It cannot; controllers are told how much is missing.
pub fn check_cycles(
    canister: &Canister,
    subnet: &SubnetContext,
    sender: &Principal,
    instructions: u64,
) -> Result<(), UserError> {
    let cost = subnet.prices.execution(instructions, false);
    let missing = canister.missing_cycles(cost, &subnet.prices);
    if missing > 0 {
        let shown = canister.settings.is_controller(sender).then_some(missing);
        return Err(UserError::snapshot_out_of_cycles(canister.id, shown));
    }
    Ok(())
}

/// Keeps a snapshot under the next id of its canister.
///
/// # Errors
/// No such canister.
pub fn insert(
    state: &mut SubnetState,
    canister: &Principal,
    snapshot: Snapshot,
) -> Result<SnapshotId, UserError> {
    let canister = state.canister_mut(canister)?;
    let id = SnapshotId {
        canister: canister.id,
        number: canister.next_snapshot,
    };
    canister.next_snapshot += 1;
    canister.snapshots_bytes += snapshot.size_bytes;
    state.snapshots.insert(id, snapshot);
    Ok(id)
}

fn result_for(id: &SnapshotId, snapshot: &Snapshot) -> SnapshotResult {
    SnapshotResult {
        id: id.to_bytes(),
        taken_at_timestamp: snapshot.taken_at_ns,
        total_size: snapshot.size_bytes,
    }
}

/// Whether the caller may read the canister's snapshots.
///
/// # Errors
/// Neither a controller nor somebody the settings let.
pub fn check_readable<'a>(
    state: &'a SubnetState,
    canister: &Principal,
    sender: &Principal,
) -> Result<&'a Canister, UserError> {
    let found = state.canister(canister)?;
    let is_let = match &found.settings.snapshot_visibility {
        SnapshotVisibility::Public => true,
        SnapshotVisibility::AllowedViewers(viewers) => viewers.contains(sender),
        SnapshotVisibility::Controllers => false,
    };
    if is_let {
        return Ok(found);
    }
    state.controlled(canister, sender)
}

/// `list_canister_snapshots`
///
/// # Errors
/// No such canister, or a caller who may not.
pub fn list(
    state: &SubnetState,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    check_readable(state, &args.canister_id, &sender)?;
    let list: Vec<SnapshotResult> = state
        .snapshots_of(&args.canister_id)
        .map(|(id, snapshot)| result_for(id, snapshot))
        .collect();
    Ok(encode(&list))
}

/// `delete_canister_snapshot`
///
/// # Errors
/// No such canister or snapshot, or no controller.
pub fn delete(
    state: &mut SubnetState,
    sender: Principal,
    args: &DeleteCanisterSnapshotArgs,
) -> Result<Vec<u8>, UserError> {
    state.controlled(&args.canister_id, &sender)?;
    let id = SnapshotId::from_bytes(&args.snapshot_id)?;
    state.snapshot(&args.canister_id, &id)?;
    state.remove_snapshot(&id);
    Ok(empty())
}
