//! Candid in and out.

use candid::{CandidType, Decode, DecoderConfig, Encode, Principal};
use ic_management_canister_types::{CanisterIdRecord, CanisterSettings};
use serde::Deserialize;

use crate::core::errors::UserError;
use crate::core::limits::MAX_CONTROLLERS;

/// Decodes the one argument of a method.
///
/// # Errors
/// Bytes that are not of this type.
pub fn decode<T>(arg: &[u8]) -> Result<T, UserError>
where
    T: CandidType + for<'de> Deserialize<'de>,
{
    Decode!([config()]; arg, T).map_err(|error| UserError::undecodable(format_args!("{error:#}")))
}

/// Replicas leave bytes and type table out of the text.
fn config() -> DecoderConfig {
    let mut config = DecoderConfig::new();
    config.set_full_error_message(false);
    config
}

/// Checks that a method got no argument.
///
/// # Errors
/// Bytes that are no candid, or an argument.
pub fn decode_nothing(arg: &[u8]) -> Result<(), UserError> {
    if arg == empty() {
        return Ok(());
    }
    Decode!([config()]; arg).map_err(|error| UserError::undecodable(format_args!("{error:#}")))
}

/// Encodes the one result of a method.
pub fn encode<T: CandidType>(result: &T) -> Vec<u8> {
    Encode!(result).expect("BUG: management results are candid types")
}

/// The result of a method that gives nothing.
pub fn empty() -> Vec<u8> {
    Encode!().expect("BUG: nothing is a candid value")
}

/// A canister id and nothing else.
pub fn canister_id(record: CanisterIdRecord) -> Principal {
    record.canister_id
}

/// Bounds that the Internet Computer checks while decoding settings.
///
/// # Errors
/// More controllers than a canister can have.
pub fn check_settings(settings: Option<&CanisterSettings>) -> Result<(), UserError> {
    let count = settings
        .and_then(|settings| settings.controllers.as_ref())
        .map_or(0, Vec::len);
    if count > MAX_CONTROLLERS {
        return Err(UserError::undecodable(format_args!(
            "Fail to decode argument 0: Deserialize error: The number of elements exceeds maximum allowed {MAX_CONTROLLERS}"
        )));
    }
    Ok(())
}
