//! The HTTP gateway's request and response, as far as the dashboard needs them.

use candid::CandidType;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A header: name and value.
pub type HeaderField = (String, String);

/// What the gateway asks.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `HEAD`, ….
    pub method: String,
    /// Path and query.
    pub url: String,
    /// Headers.
    pub headers: Vec<HeaderField>,
    /// Body.
    pub body: ByteBuf,
    /// Version of response verification that the gateway asks for.
    pub certificate_version: Option<u16>,
}

/// What it is answered.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status_code: u16,
    /// Headers.
    pub headers: Vec<HeaderField>,
    /// Body.
    pub body: ByteBuf,
}
