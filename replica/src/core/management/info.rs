//! What canisters can learn about each other: history, hash, metadata.

use candid::Principal;
use engine::Visibility;
use ic_management_canister_types::{
    CanisterInfoArgs, CanisterInfoResult, CanisterMetadataArgs, CanisterMetadataResult,
};

use super::decode::encode;
use crate::core::errors::UserError;
use crate::core::subnet::SubnetState;

/// `canister_info`
///
/// # Errors
/// No such canister.
pub fn canister_info(state: &SubnetState, args: CanisterInfoArgs) -> Result<Vec<u8>, UserError> {
    let canister = state.canister(&args.canister_id)?;
    Ok(encode(&CanisterInfoResult {
        total_num_changes: canister.history.total(),
        recent_changes: canister
            .history
            .last(args.num_requested_changes.unwrap_or(0)),
        module_hash: canister
            .code
            .as_ref()
            .map(|code| code.module.hash().to_vec()),
        controllers: canister.settings.controllers.clone(),
    }))
}

/// `canister_metadata`
///
/// # Errors
/// No such canister, no code, no such section, or a private one and no controller.
pub fn canister_metadata(
    state: &SubnetState,
    sender: Principal,
    args: &CanisterMetadataArgs,
) -> Result<Vec<u8>, UserError> {
    let canister = state.canister(&args.canister_id)?;
    let Some(code) = &canister.code else {
        return Err(UserError::metadata_without_module(canister.id));
    };
    let may_see = |visibility| {
        visibility == Visibility::Public
            || sender == canister.id
            || canister.settings.is_controller(&sender)
    };
    let section = code
        .module
        .custom_sections()
        .get(&args.name)
        .filter(|section| may_see(section.visibility))
        .ok_or_else(|| UserError::metadata_not_found(canister.id, &args.name))?;
    Ok(encode(&CanisterMetadataResult {
        value: section.content.clone(),
    }))
}
