//! Rejects, from the network's form into the clients'.

use ic_transport_types::{RejectCode, RejectResponse};

/// The reject as CBOR clients read it.
///
/// # Errors
/// A text for a reject code that no user can get (6, an answer that was lost).
pub fn to_transport_reject(reject: &pocket_ic::RejectResponse) -> Result<RejectResponse, String> {
    let code = reject.reject_code as u64;
    Ok(RejectResponse {
        reject_code: RejectCode::try_from(code)
            .map_err(|error| format!("BUG: {error} in an answer to a user: {reject}"))?,
        reject_message: reject.reject_message.clone(),
        error_code: Some(error_code_name(&reject.error_code)),
    })
}

/// The error code as the HTTP interface prints it, `IC0503`.
pub fn error_code_name(code: &pocket_ic::ErrorCode) -> String {
    format!("IC{:04}", *code as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_ic_and_four_digits() {
        assert_eq!(
            error_code_name(&pocket_ic::ErrorCode::CanisterCalledTrap),
            "IC0503"
        );
    }
}
