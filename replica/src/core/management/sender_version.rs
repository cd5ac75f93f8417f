//! A canister that calls the management canister may say which version it has. If it says so it has to be right, and
//! its argument has to decode for that to be looked at: the call is refused before it leaves the canister.

use ic_management_canister_types as types;

use super::create;
use super::decode::{check_settings, decode};
use super::method::MethodName;
use crate::core::errors::UserError;

/// Checks a call of a canister that has this version while the call is made.
///
/// # Errors
/// No such method, an argument that does not decode (for the methods that have the field), or another version.
pub fn check(canister_version: u64, method: &str, arg: &[u8]) -> Result<(), UserError> {
    let Some(method) = MethodName::parse(method) else {
        return Err(UserError::unknown_method(method));
    };
    match told(method, arg)? {
        Some(told) if told != canister_version => {
            Err(UserError::other_sender_version(told, canister_version))
        }
        Some(_) | None => Ok(()),
    }
}

/// The version in an argument. `take_canister_snapshot` has the field too, and it is not looked at.
fn told(method: MethodName, arg: &[u8]) -> Result<Option<u64>, UserError> {
    Ok(match method {
        MethodName::InstallCode => decode::<types::InstallCodeArgs>(arg)?.sender_canister_version,
        MethodName::InstallChunkedCode => {
            decode::<types::InstallChunkedCodeArgs>(arg)?.sender_canister_version
        }
        MethodName::CreateCanister => {
            let args = create::decode_args(arg)?;
            check_settings(args.settings.as_ref())?;
            args.sender_canister_version
        }
        MethodName::UpdateSettings => {
            let args = decode::<types::UpdateSettingsArgs>(arg)?;
            check_settings(Some(&args.settings))?;
            args.sender_canister_version
        }
        MethodName::UninstallCode => {
            decode::<types::UninstallCodeArgs>(arg)?.sender_canister_version
        }
        MethodName::ProvisionalCreateCanisterWithCycles => {
            let args = decode::<types::ProvisionalCreateCanisterWithCyclesArgs>(arg)?;
            check_settings(args.settings.as_ref())?;
            args.sender_canister_version
        }
        MethodName::LoadCanisterSnapshot => {
            decode::<types::LoadCanisterSnapshotArgs>(arg)?.sender_canister_version
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::{Encode, Principal};

    fn uninstall(version: Option<u64>) -> Vec<u8> {
        Encode!(&types::UninstallCodeArgs {
            canister_id: Principal::anonymous(),
            sender_canister_version: version,
        })
        .unwrap()
    }

    #[test]
    fn a_version_that_is_told_has_to_be_right() {
        for version in [None, Some(7)] {
            assert_eq!(check(7, "uninstall_code", &uninstall(version)), Ok(()));
        }
        for version in [6, 8] {
            let refused = check(7, "uninstall_code", &uninstall(Some(version))).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "IC0504: Management canister call payload includes sender canister version {version} that does \
                     not match the actual sender canister version 7."
                )
            );
        }
    }

    #[test]
    fn an_argument_is_looked_into_only_where_it_has_a_version() {
        assert!(check(7, "uninstall_code", b"no candid").is_err());
        assert!(check(7, "start_canister", b"no candid").is_ok());
        assert!(check(7, "create_canister", &Encode!().unwrap()).is_ok());
        assert!(check(7, "no_such_method", b"").is_err());
    }
}
