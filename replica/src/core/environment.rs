//! What the code of a canister gets to see: builds the engine's [`Env`] for every kind of message.

use candid::Principal;
use engine::{CanisterStatus, Env, Limits};

use super::canister::{Canister, Status};
use super::network::SubnetContext;

/// Instructions kept back for the cleanup callback, of those a callback may use: one in twenty.
const CLEANUP_SHARE: u64 = 20;
/// Instructions of a message on a benchmarking subnet.
const BENCHMARK_INSTRUCTIONS: u64 = 99_999_999_999_999;

/// The surroundings of a replicated message of `canister`, called by `caller`.
pub fn env_for(canister: &Canister, subnet: &SubnetContext, caller: Principal) -> Env {
    let mut env = Env::new(canister.id);
    env.caller = caller;
    env.caller_reads_logs = canister.settings.shows_logs_to(&caller);
    env.subnet_id = subnet.id;
    env.time_ns = subnet.now_ns;
    env.canister_version = canister.version;
    env.status = match canister.status {
        Status::Running => CanisterStatus::Running,
        Status::Stopping { .. } => CanisterStatus::Stopping,
        Status::Stopped => CanisterStatus::Stopped,
    };
    env.controllers = canister.settings.controllers.clone();
    env.cycle_balance = canister.balance;
    env.freezing_threshold_cycles = canister.freezing_threshold(&subnet.prices);
    env.environment_variables = canister.settings.environment_variables.clone();
    env.root_key = subnet.root_key.clone();
    env.wasm_memory_limit = None;
    env.subnet_size = subnet.size_nodes;
    env.subnet_available_memory_bytes = subnet.growth_max_bytes;
    env.global_timer_ns = canister.global_timer.unwrap_or(0);
    env.open_requests = canister.contexts.open_requests();
    env
}

fn lifted(mut limits: Limits, subnet: &SubnetContext) -> Limits {
    if subnet.is_benchmarking {
        limits.instructions = Some(BENCHMARK_INSTRUCTIONS);
        limits.reported_instructions = BENCHMARK_INSTRUCTIONS;
    }
    limits
}

/// Limits of updates and system tasks.
pub fn update_limits(subnet: &SubnetContext) -> Limits {
    lifted(Limits::update(), subnet)
}

/// Limits of query methods called through consensus.
pub fn replicated_query_limits(subnet: &SubnetContext) -> Limits {
    lifted(Limits::replicated_query(), subnet)
}

/// Limits of queries on one node.
pub fn query_limits(subnet: &SubnetContext) -> Limits {
    lifted(Limits::query(), subnet)
}

/// Limits of a callback: something is kept back for its cleanup.
pub fn callback_limits(subnet: &SubnetContext) -> Limits {
    let mut limits = update_limits(subnet);
    if let Some(instructions) = &mut limits.instructions {
        *instructions -= *instructions / CLEANUP_SHARE;
        limits.reported_instructions = *instructions;
    }
    limits
}

/// Instructions a limit allows.
pub fn allowed(limits: &Limits) -> u64 {
    limits.instructions.unwrap_or(u64::MAX)
}
