//! Replies of megabytes, received once and copied once: the library copies a reply four times on its way.
//!
//! What comes back is not authenticated in any way; see [`super::Connection::fetch`].

use super::buffers::Buffers;
use crate::error::CallErrorKind;
use crate::limits::RESPONSE_MAX_BYTES;
use bytes::Bytes;
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;

/// The reject code of what passes, as the interface specification numbers it.
const SYS_TRANSIENT: u64 = 2;

/// What went wrong: whether it may pass, and in words.
type Failure = (CallErrorKind, String);

/// The answer to a query, as the interface specification has it.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    reply: Option<Reply<'a>>,
    reject_code: Option<u64>,
    reject_message: Option<String>,
    error_code: Option<String>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    arg: &'a serde_bytes::Bytes,
}

/// Sends a signed query and returns the canister's reply.
///
/// # Errors
/// What went wrong on the way, or what the replica rejected.
pub async fn fetch(
    client: &reqwest::Client,
    buffers: &Arc<Buffers>,
    url: String,
    signed: Vec<u8>,
) -> Result<Bytes, Failure> {
    let passing = |error: reqwest::Error| (CallErrorKind::Temporary, error.to_string());
    let request = client.post(url).body(signed);
    let request = request.header("content-type", "application/cbor");
    let mut response = request.send().await.map_err(passing)?;
    let status = response.status();
    let announced_bytes = response.content_length().unwrap_or(0) as usize;
    let mut body = buffers.take();
    body.reserve(announced_bytes.min(RESPONSE_MAX_BYTES));
    while let Some(part) = response.chunk().await.map_err(passing)? {
        if body.len() + part.len() > RESPONSE_MAX_BYTES {
            let message = format!("a reply of more than {RESPONSE_MAX_BYTES} bytes");
            return Err((CallErrorKind::Temporary, message));
        }
        body.extend_from_slice(&part);
    }
    if !status.is_success() {
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let kind = if passes {
            CallErrorKind::Temporary
        } else {
            CallErrorKind::Rejected
        };
        let text = String::from_utf8_lossy(&body);
        return Err((kind, format!("HTTP status {status}: {}", text.trim_end())));
    }
    let reply = find_reply(&body)?;
    Ok(buffers.lend(body).slice(reply))
}

/// Where in an answer the canister's reply is.
fn find_reply(body: &[u8]) -> Result<Range<usize>, Failure> {
    let answer: Answer<'_> = serde_cbor::from_slice(body).map_err(|error| {
        let message = format!("the answer is not understood: {error}");
        (CallErrorKind::Temporary, message)
    })?;
    let Some(reply) = answer.reply else {
        let kind = match answer.reject_code {
            // An answer that is neither is a node that talks nonsense: another may not.
            Some(SYS_TRANSIENT) | None => CallErrorKind::Temporary,
            Some(_) => CallErrorKind::Rejected,
        };
        let message = answer.reject_message.unwrap_or_default();
        let code = answer.error_code.unwrap_or("no error code".into());
        return Err((kind, format!("{} ({code})", message.trim_end())));
    };
    let start = reply.arg.as_ptr().addr() - body.as_ptr().addr();
    Ok(start..start + reply.arg.len())
}

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
