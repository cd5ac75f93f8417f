//! What a gateway asks a canister and what it is answered, in candid.

use super::{GatewayError, Visit};
use candid::{CandidType, Deserialize, Reserved};
use hyper::{Method, StatusCode};
use ic_http_certification::{HttpRequest, HttpResponse};
use serde_bytes::ByteBuf;

/// Newest version of response verification that the gateway asks for.
const CERTIFICATE_VERSION: u16 = 2;

/// The answer of `http_request` and `http_request_update`.
#[derive(CandidType, Deserialize, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status_code: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning.
    pub body: ByteBuf,
    /// Whether the canister wants to be called instead of asked.
    pub upgrade: Option<bool>,
    /// How to get the rest of the body. Which form it has is not looked at: none is supported.
    pub streaming_strategy: Option<Reserved>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`GatewayError`] when it is none, or one whose body comes in pieces.
    pub fn decode(bytes: &[u8]) -> Result<Self, GatewayError> {
        let answer: Self = candid::decode_one(bytes)
            .map_err(|error| GatewayError::BadAnswer(error.to_string()))?;
        if answer.streaming_strategy.is_some() {
            return Err(GatewayError::NotSupported(
                "Streaming the body of a canister's answer (`streaming_strategy`)",
            ));
        }
        Ok(answer)
    }

    /// The answer as the verifier reads it.
    ///
    /// # Errors
    /// [`GatewayError`] when the status is no HTTP status.
    pub fn to_response(&self) -> Result<HttpResponse<'_>, GatewayError> {
        let status = StatusCode::from_u16(self.status_code)
            .map_err(|error| GatewayError::BadAnswer(error.to_string()))?;
        Ok(HttpResponse::builder()
            .with_status_code(status)
            .with_headers(self.headers.clone())
            .with_body(self.body.as_slice())
            .build())
    }
}

/// What the canister is asked.
pub fn request<'a>(visit: &Visit, method: &Method, body: &'a [u8]) -> HttpRequest<'a> {
    HttpRequest::builder()
        .with_method(method.clone())
        .with_url(visit.target.clone())
        .with_headers(visit.headers.iter().map(accept_identity).collect())
        .with_body(body)
        .with_certificate_version(CERTIFICATE_VERSION)
        .build()
}

/// Canisters may answer without compression whatever a browser prefers.
fn accept_identity((name, value): &(String, String)) -> (String, String) {
    let is_accepted = |value: &str| {
        value
            .split(',')
            .any(|coding| coding.trim().eq_ignore_ascii_case("identity"))
    };
    let value = match name.as_str() {
        "accept-encoding" if !is_accepted(value) => format!("{value}, identity"),
        _ => value.clone(),
    };
    (name.clone(), value)
}
