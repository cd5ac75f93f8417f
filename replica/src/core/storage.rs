//! Pays for memory and compute, every ten seconds of the network's time.

use super::management::lifecycle::remove_code;
use super::message::Origin;
use super::network::SubnetContext;
use super::subnet::SubnetState;

/// Time between two payments.
const CHARGE_INTERVAL_NS: u64 = 10_000_000_000;

/// Charges all canisters; those that cannot pay lose their code, their history and their cycles.
pub fn charge_storage(state: &mut SubnetState, subnet: &SubnetContext) {
    let mut broke: Vec<(candid::Principal, Vec<(Origin, u128)>)> = Vec::new();
    for canister in state.canisters.values_mut() {
        let passed = subnet.now_ns.saturating_sub(canister.last_charge_ns);
        if passed < CHARGE_INTERVAL_NS || canister.paused.is_some() {
            continue;
        }
        canister.last_charge_ns = subnet.now_ns;
        let bytes = canister.allocated_bytes();
        let percent = canister.settings.compute_allocation_percent;
        let memory = subnet.prices.storage(bytes, 0, passed);
        let compute = subnet.prices.storage(0, percent, passed);
        let due = memory + compute;
        let from_reserve = due.min(canister.reserved_balance);
        canister.reserved_balance -= from_reserve;
        let rest = due - from_reserve;
        if rest > canister.balance {
            broke.push((canister.id, remove_code(canister)));
            canister.history.clear();
            canister.settings.compute_allocation_percent = 0;
            canister.settings.memory_allocation_bytes = 0;
            canister.balance = 0;
            canister.reserved_balance = 0;
        } else {
            canister.balance -= rest;
            canister.consumed.memory += memory;
            canister.consumed.compute += compute;
        }
    }
    for (id, open) in broke {
        let snapshots: Vec<_> = state.snapshots_of(&id).map(|(id, _)| *id).collect();
        for snapshot in snapshots {
            state.remove_snapshot(&snapshot);
        }
        state.answer_uninstalled(id, open);
    }
}
