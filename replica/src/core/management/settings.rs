//! `update_settings`.

use ic_management_canister_types::{ChangeDetails, ControllersChangeRecord, UpdateSettingsArgs};

use super::Call;
use super::decode::{check_settings, decode, empty};
use crate::core::canister::Canister;
use crate::core::errors::UserError;
use crate::core::ingress_filter::is_paid_afterwards;
use crate::core::network::SubnetContext;
use crate::core::settings::SettingsChange;
use crate::core::subnet::SubnetState;

/// Compute a subnet hands out at most, percent: half of four cores, one of it kept free.
const COMPUTE_CAPACITY_PERCENT: u64 = 150;

/// `update_settings`
///
/// # Errors
/// See [`UserError`]: undecodable or invalid settings, no such canister, no controller.
pub fn update_settings(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
) -> Result<Vec<u8>, UserError> {
    let args: UpdateSettingsArgs = decode(call.arg())?;
    check_settings(Some(&args.settings))?;
    let change = SettingsChange::try_from(args.settings)?;
    let canister = state.controlled(&args.canister_id, &call.sender())?;
    validate_change(state, subnet, canister, &change)?;
    let has_controllers = change.controllers.is_some();
    let canister = state.canister_mut(&args.canister_id)?;
    canister.settings.apply(change);
    canister.version += 1;
    if has_controllers {
        let details = ChangeDetails::ControllersChange(ControllersChangeRecord {
            controllers: canister.settings.controllers.clone(),
        });
        canister.add_change(
            subnet.now_ns,
            call.origin(args.sender_canister_version),
            details,
        );
    }
    Ok(empty())
}

/// Takes the fee of a message that [`is_paid_afterwards`], for its method and argument alone. What cannot be paid is
/// not paid.
pub fn charge_afterwards(state: &mut SubnetState, subnet: &SubnetContext, call: &Call) {
    let Call::Ingress(message) = call else {
        return;
    };
    if !is_paid_afterwards(message) {
        return;
    }
    let charged_bytes = message.arg.len() + message.method.len();
    let fee = subnet.prices.ingress(charged_bytes as u64);
    let payer = message.effective;
    if let Some(canister) = payer.and_then(|payer| state.canisters.get_mut(&payer))
        && canister.missing_cycles(fee, &subnet.prices) == 0
    {
        canister.balance -= fee;
        canister.consumed.ingress += fee;
    }
}

/// Whether the canister may have the settings changed so.
///
/// # Errors
/// An allocation that is too small, that the subnet does not have or that the balance cannot pay.
pub fn validate_change(
    state: &SubnetState,
    subnet: &SubnetContext,
    canister: &Canister,
    change: &SettingsChange,
) -> Result<(), UserError> {
    change.check()?;
    let used = canister.memory_bytes();
    let old_allocated = canister.allocated_bytes();
    let new_allocation = change
        .memory_allocation_bytes
        .unwrap_or(canister.settings.memory_allocation_bytes);
    if let Some(asked) = change.memory_allocation_bytes
        && asked != 0
        && asked < used
    {
        return Err(UserError::memory_allocation_too_small(asked, used));
    }
    let new_bytes = match change.memory_allocation_bytes {
        None => used,
        Some(asked) => asked.max(used),
    };
    let available = state.available_memory_bytes().saturating_add(old_allocated);
    if new_bytes > available {
        return Err(UserError::subnet_memory_exhausted(new_bytes, available));
    }
    let old_compute = canister.settings.compute_allocation_percent;
    let new_compute = change.compute_allocation_percent.unwrap_or(old_compute);
    let taken: u64 = state
        .canisters
        .values()
        .map(|canister| canister.settings.compute_allocation_percent)
        .sum();
    let free = COMPUTE_CAPACITY_PERCENT
        .saturating_sub(taken)
        .saturating_sub(1)
        .saturating_add(old_compute);
    if change.compute_allocation_percent.is_some() && new_compute > free {
        return Err(UserError::subnet_compute_exhausted(new_compute, free));
    }
    let threshold = subnet.prices.freezing_threshold(
        change
            .freezing_threshold_seconds
            .unwrap_or(canister.settings.freezing_threshold_seconds),
        used.max(new_allocation),
        new_compute,
        canister.reserved_balance,
    );
    if canister.balance < threshold {
        let missing = threshold - canister.balance;
        if new_compute > old_compute {
            return Err(UserError::compute_allocation_unaffordable(
                new_compute,
                missing,
            ));
        }
        if new_allocation > canister.settings.memory_allocation_bytes {
            return Err(UserError::memory_allocation_unaffordable(
                new_allocation,
                missing,
            ));
        }
    }
    Ok(())
}
