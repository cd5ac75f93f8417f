//! Which management calls of users get past the ingress filter.

use candid::Principal;
use ic_management_canister_types as types;

use super::decode::{check_settings, decode};
use super::method::MethodName;
use crate::core::errors::UserError;
use crate::core::subnet::SubnetState;

/// The canister a user's management call is about: its argument has to decode.
///
/// # Errors
/// Unknown methods, methods for canisters only, arguments that do not decode.
pub fn effective_canister(method: &str, arg: &[u8]) -> Result<Option<Principal>, UserError> {
    let Some(parsed) = MethodName::parse(method) else {
        return Err(UserError::unknown_method_at_submission(method));
    };
    if parsed.is_for_canisters_only() {
        return Err(UserError::not_callable_by_ingress(method));
    }
    canister_of(parsed, arg).map_err(|error| UserError::undecodable_at_submission(method, &error))
}

fn canister_of(method: MethodName, arg: &[u8]) -> Result<Option<Principal>, UserError> {
    let canister = match method {
        MethodName::ProvisionalCreateCanisterWithCycles | MethodName::ProvisionalTopUpCanister => {
            return Ok(None);
        }
        MethodName::InstallCode => decode::<types::InstallCodeArgs>(arg)?.canister_id,
        MethodName::InstallChunkedCode => {
            decode::<types::InstallChunkedCodeArgs>(arg)?.target_canister
        }
        MethodName::UpdateSettings => {
            let args = decode::<types::UpdateSettingsArgs>(arg)?;
            check_settings(Some(&args.settings))?;
            args.canister_id
        }
        MethodName::UploadChunk => decode::<types::UploadChunkArgs>(arg)?.canister_id,
        MethodName::CanisterInfo => decode::<types::CanisterInfoArgs>(arg)?.canister_id,
        MethodName::CanisterMetadata => decode::<types::CanisterMetadataArgs>(arg)?.canister_id,
        MethodName::TakeCanisterSnapshot => {
            decode::<types::TakeCanisterSnapshotArgs>(arg)?.canister_id
        }
        MethodName::LoadCanisterSnapshot => {
            decode::<types::LoadCanisterSnapshotArgs>(arg)?.canister_id
        }
        MethodName::DeleteCanisterSnapshot => {
            decode::<types::DeleteCanisterSnapshotArgs>(arg)?.canister_id
        }
        MethodName::ReadCanisterSnapshotMetadata => {
            decode::<types::ReadCanisterSnapshotMetadataArgs>(arg)?.canister_id
        }
        MethodName::ReadCanisterSnapshotData => {
            decode::<types::ReadCanisterSnapshotDataArgs>(arg)?.canister_id
        }
        MethodName::UploadCanisterSnapshotMetadata => {
            decode::<types::UploadCanisterSnapshotMetadataArgs>(arg)?.canister_id
        }
        MethodName::UploadCanisterSnapshotData => {
            decode::<types::UploadCanisterSnapshotDataArgs>(arg)?.canister_id
        }
        _ => decode::<types::CanisterIdRecord>(arg)?.canister_id,
    };
    Ok(Some(canister))
}

/// Whether the management canister takes the call.
///
/// # Errors
/// Methods for canisters only, canisters that are not there, callers that do not control them.
pub fn accept(
    state: &SubnetState,
    sender: Principal,
    method: &str,
    effective: Option<Principal>,
) -> Result<(), UserError> {
    let Some(parsed) = MethodName::parse(method) else {
        return Err(UserError::only_canisters_can_call(method));
    };
    match parsed {
        MethodName::CanisterInfo | MethodName::CanisterMetadata => {
            Err(UserError::only_canisters_can_call(method))
        }
        MethodName::ProvisionalCreateCanisterWithCycles | MethodName::ProvisionalTopUpCanister => {
            Ok(())
        }
        _ => {
            let Some(id) = effective else {
                return Err(UserError::invalid_payload(format!(
                    "Failed to decode payload for ic00 method: {method}"
                )));
            };
            let canister = state
                .canisters
                .get(&id)
                .ok_or_else(|| UserError::canister_not_found(id))?;
            let may =
                canister.settings.is_controller(&sender) || is_let(state, parsed, &id, &sender);
            if may {
                Ok(())
            } else {
                Err(UserError::not_controller_at_submission(id, method))
            }
        }
    }
}

/// Reading methods that the settings may open to others.
fn is_let(state: &SubnetState, method: MethodName, id: &Principal, sender: &Principal) -> bool {
    match method {
        MethodName::CanisterStatus | MethodName::CanisterMetrics => state
            .canisters
            .get(id)
            .is_some_and(|canister| super::status::check_visible(canister, sender).is_ok()),
        MethodName::ListCanisterSnapshots
        | MethodName::ReadCanisterSnapshotMetadata
        | MethodName::ReadCanisterSnapshotData => {
            super::snapshots::check_readable(state, id, sender).is_ok()
        }
        _ => false,
    }
}
