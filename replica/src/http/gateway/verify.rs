//! Checks that an answer is certified, and says which headers may be passed on.

use super::GatewayError;
use super::protocol::Answer;
use crate::server::now_ns;
use candid::Principal;
use ic_http_certification::HttpRequest;
use ic_response_verification::{MIN_VERIFICATION_VERSION, verify_request_response_pair};

/// Oldest certificate that a gateway accepts, in nanoseconds: five minutes.
const MAX_CERTIFICATE_AGE_NS: u128 = 300_000_000_000;

/// First version of verification that covers status and headers.
const FIRST_VERSION_WITH_HEADERS: u16 = 2;

/// Verifies an answer; returns the headers it vouches for.
///
/// Version 1 covers the body alone: redirects are refused then, and caching is not left to the canister. Version 2
/// covers the headers it names, and only those are passed on.
///
/// # Errors
/// [`GatewayError::ResponseVerification`].
pub fn certified_headers(
    canister: &Principal,
    request: HttpRequest<'_>,
    answer: &Answer,
    root_key_der: &[u8],
) -> Result<Vec<(String, String)>, GatewayError> {
    let info = verify_request_response_pair(
        request,
        answer.to_response()?,
        canister.as_slice(),
        u128::from(now_ns()),
        MAX_CERTIFICATE_AGE_NS,
        root_key_der,
        MIN_VERIFICATION_VERSION,
    )
    .map_err(|error| GatewayError::ResponseVerification(error.to_string()))?;
    if info.verification_version < FIRST_VERSION_WITH_HEADERS {
        if (300..400).contains(&answer.status_code) {
            return Err(GatewayError::ResponseVerification(
                "version 1 does not certify redirects".to_owned(),
            ));
        }
        let is_harmless =
            |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("cache-control");
        return Ok(answer.headers.iter().filter(is_harmless).cloned().collect());
    }
    Ok(match info.response {
        Some(certified) => certified.headers,
        // The canister has certified that it does not certify this answer.
        None => answer.headers.clone(),
    })
}
