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
    let sender = parsed.authenticate(hosted)?;
    let ingress = Ingress {
        sender: sender.principal,
        receiver: *canister_id,
        method: method_name.clone(),
        arg: arg.clone(),
        effective: target.effective,
        message_id: *id,
        signed_len_bytes: parsed.message_len_bytes() as u64,
        expiry_ns: *ingress_expiry,
    };
    let subnet = match hosted.submit(ingress) {
        Ok(subnet) => subnet,
        // The URL leads to a subnet, which takes no message of that length.
        Err(CallError::BadRequest(text)) if hosted.route(&target.effective).is_some() => {
            return Err(Reply::text(413, text));
        }
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
