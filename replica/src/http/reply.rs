//! Replies, as the three kinds of clients expect them.

use crate::cert::encode_self_described;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use std::borrow::Cow;

/// Status, headers and body of an HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body, unless it is among the headers.
    pub content_type: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            headers: Vec::new(),
            body,
        }
    }

    /// A status and nothing more.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "text/plain; charset=utf-8", Vec::new())
    }

    /// A status and a text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(
            status,
            "text/plain; charset=utf-8",
            text.into().into_bytes(),
        )
    }

    /// Bytes as they are.
    pub fn bytes(body: Vec<u8>) -> Self {
        Self::new(200, "application/octet-stream", body)
    }

    /// A CBOR value with the self-describing tag.
    pub fn cbor<T: Serialize>(value: &T) -> Self {
        Self::new(200, "application/cbor", encode_self_described(value))
    }

    /// A JSON value with status 200.
    pub fn json<T: Serialize>(value: &T) -> Self {
        Self::json_with_status(200, value)
    }

    /// A JSON value.
    pub fn json_with_status<T: Serialize>(status: u16, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(status, "application/json", body),
            Err(error) => Self::text(500, format!("the answer is no JSON: {error}")),
        }
    }

    /// A REST error: the client prints status and message.
    pub fn error(status: u16, message: impl Into<String>) -> Self {
        #[derive(Serialize)]
        struct ApiError {
            message: String,
        }
        Self::json_with_status(
            status,
            &ApiError {
                message: message.into(),
            },
        )
    }

    /// An answer that a canister has composed.
    ///
    /// # Errors
    /// A text when status or headers are none that HTTP can carry.
    pub fn foreign(
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        StatusCode::from_u16(status).map_err(|error| format!("status {status}: {error}"))?;
        for (name, value) in &headers {
            HeaderName::try_from(name).map_err(|error| format!("header `{name}`: {error}"))?;
            HeaderValue::try_from(value)
                .map_err(|error| format!("value of the header `{name}`: {error}"))?;
        }
        Ok(Self {
            status,
            content_type: None,
            headers: headers
                .into_iter()
                .map(|(name, value)| (Cow::Owned(name), value))
                .collect(),
            body,
        })
    }

    /// Something the real server does and this one does not.
    pub fn not_supported(what: impl std::fmt::Display) -> Self {
        Self::error(501, not_supported_text(what))
    }
}

/// The sentence by which the stand-in declines.
pub fn not_supported_text(what: impl std::fmt::Display) -> String {
    format!(
        "{what} is not supported by the stand-in for the PocketIC server; run this against the real server \
         (set POCKET_IC_BIN to its path)"
    )
}
