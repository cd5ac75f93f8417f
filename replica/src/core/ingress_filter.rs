//! What stops an update call before it gets into the network at all.

use candid::Principal;
use engine::{Entry, Limits, Method};

use super::environment::env_for;
use super::errors::UserError;
use super::management;
use super::message::IngressMessage;
use super::network::SubnetContext;
use super::subnet::SubnetState;

/// Bytes of a message's id: they count against the size limit and are not paid for.
const MESSAGE_ID_BYTES: u64 = 32;

/// Longest argument of `update_settings` that is paid for afterwards, in bytes (spec of August 2026; 324 before).
const SMALL_SETTINGS_BYTES: usize = 338;

/// Who pays for taking in a message, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InductionFee {
    /// The canister.
    pub payer: Principal,
    /// Cycles.
    pub cycles: u128,
}

/// The fee of a message: the receiver pays, for management calls the canister they are about.
pub fn induction_fee(message: &IngressMessage, subnet: &SubnetContext) -> Option<InductionFee> {
    if is_paid_afterwards(message) {
        return None;
    }
    let payer = if message.receiver == Principal::management_canister() {
        message.effective?
    } else {
        message.receiver
    };
    Some(InductionFee {
        payer,
        cycles: subnet
            .prices
            .ingress(message.signed_len_bytes.saturating_sub(MESSAGE_ID_BYTES)),
    })
}

/// Whether a message is paid for when it is done: small changes of settings are, so that a freezing threshold which was
/// set too high can be set back.
pub fn is_paid_afterwards(message: &IngressMessage) -> bool {
    message.receiver == Principal::management_canister()
        && message.method == "update_settings"
        && message.arg.len() <= SMALL_SETTINGS_BYTES
}

/// Lets a message pass or not; nothing is changed by asking.
///
/// # Errors
/// See [`UserError`]: no such canister, no cycles, not running, not accepted by the canister.
pub fn check(
    state: &SubnetState,
    subnet: &SubnetContext,
    message: &IngressMessage,
) -> Result<(), UserError> {
    if let Some(fee) = induction_fee(message, subnet) {
        let canister = state
            .canisters
            .get(&fee.payer)
            .ok_or_else(|| UserError::canister_not_found(fee.payer))?;
        let missing = canister.missing_cycles(fee.cycles, &subnet.prices);
        if missing > 0 {
            let is_controller = canister.settings.is_controller(&message.sender);
            return Err(UserError::out_of_cycles(
                fee.payer,
                is_controller.then_some(missing),
            ));
        }
    }
    if message.receiver == Principal::management_canister() {
        return management::ingress::accept(
            state,
            message.sender,
            &message.method,
            message.effective,
        );
    }
    let canister = state
        .canisters
        .get(&message.receiver)
        .ok_or_else(|| UserError::canister_not_found(message.receiver))?;
    if !canister.is_running() {
        return Err(UserError::stopped_at_submission(
            canister.id,
            canister.is_stopping(),
        ));
    }
    let Some(code) = &canister.code else {
        return Err(UserError::no_module_at_submission());
    };
    if code
        .module
        .exports(&Method::composite_query(&message.method))
    {
        return Err(UserError::composite_query_replicated());
    }
    if !code.module.exports(&Method::InspectMessage) {
        return Ok(());
    }
    let entry = Entry::InspectMessage {
        method: message.method.clone(),
        arg: message.arg.clone(),
    };
    let mut env = env_for(canister, subnet, message.sender);
    env.time_ns = state.time_ns;
    env.replicated = false;
    let outcome = subnet
        .engine
        .execute(code, &entry, &env, &Limits::inspect());
    match outcome.result {
        Ok(effects) if effects.message_accepted => Ok(()),
        Ok(_) => Err(UserError::message_rejected(canister.id)),
        Err(failure) => Err(UserError::execution(canister.id, &failure)),
    }
}
