//! Update calls: submitted, and from v3 on awaited and answered with a certificate.

use super::envelope::{Parsed, check_effective_canister};
use super::{Reply, Target, Version, delegation_form, not_routed, read_state};
use crate::core::api::{CallError, Ingress};
use crate::faults::Endpoint;
use crate::http::reject::to_transport_reject;
use crate::server::Hosted;
use ic_transport_types::{EnvelopeContent, TransportCallResponse};
use std::time::Duration;

/// How long a call of v3 or later waits for its answer before it sends the client polling.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest message a subnet takes, in bytes, its id included.
pub const MAX_INGRESS_BYTES: usize = 2_097_152;

/// Bytes of the message id, which count as part of the message.
pub const MESSAGE_ID_BYTES: usize = 32;

/// Answers an update call.
pub fn answer(hosted: &Hosted, target: &Target, parsed: &Parsed) -> Reply {
    match execute(hosted, target, parsed) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn execute(hosted: &Hosted, target: &Target, parsed: &Parsed) -> Result<Reply, Reply> {
    let EnvelopeContent::Call {
        ingress_expiry,
        canister_id,
        method_name,
        arg,
        ..
    } = parsed.content()
    else {
        return Err(Reply::text(
            400,
            "Failed to deserialize cbor request: not a call",
        ));
    };
    check_effective_canister(*canister_id, target)?;
    let id = parsed.request_id();
    let len_bytes = parsed.body_len_bytes + MESSAGE_ID_BYTES;
    if len_bytes > MAX_INGRESS_BYTES {
        return Err(Reply::text(413, too_large_text(&*id, len_bytes)));
    }
    let sender = parsed.authenticate(hosted)?;
    let ingress = Ingress {
        sender: sender.principal,
        receiver: *canister_id,
        method: method_name.clone(),
        arg: arg.clone(),
        effective: target.effective,
        message_id: *id,
        signed_len_bytes: len_bytes as u64,
        expiry_ns: *ingress_expiry,
    };
    let subnet = match hosted.submit(ingress) {
        Ok(subnet) => subnet,
        Err(CallError::BadRequest(_)) => return Err(not_routed(target)),
        Err(CallError::Rejected(reject)) => {
            let reject = to_transport_reject(&reject).map_err(|text| Reply::text(500, text))?;
            return Ok(Reply::cbor(&TransportCallResponse::NonReplicatedRejection(
                reject,
            )));
        }
    };
    if target.version == Version::V2 {
        return Ok(Reply::empty(202));
    }
    if hosted.await_ingress(&id, CALL_TIMEOUT).is_none() {
        return Ok(Reply::text(
            202,
            "Message did not complete execution and certification within the replica defined timeout.",
        ));
    }
    let form = delegation_form(target, Endpoint::Call);
    let certificate = read_state::certify_request_status(hosted, &subnet, &id, form)?;
    Ok(Reply::cbor(&TransportCallResponse::Replied { certificate }))
}

/// The text by which a message above [`MAX_INGRESS_BYTES`] is refused.
pub fn too_large_text(id: &[u8], len_bytes: usize) -> String {
    format!(
        "Request 0x{} is too large. Message byte size {len_bytes} is larger than the max allowed {MAX_INGRESS_BYTES}.",
        hex::encode(id)
    )
}
