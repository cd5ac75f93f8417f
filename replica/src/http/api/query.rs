//! Query calls: answered by one node, which signs what it says.

use super::envelope::{Parsed, check_effective_canister};
use super::{Reply, Target, not_routed};
use crate::cert::sign_query_response;
use crate::core::api::{CallError, Query};
use crate::faults::{self, Draw};
use crate::http::reject::to_transport_reject;
use crate::server::Hosted;
use ic_transport_types::{EnvelopeContent, QueryResponse, ReplyResponse};

/// Answers a query call; with a `lie`, the signed answer is not the canister's.
pub fn answer(hosted: &Hosted, target: &Target, parsed: &Parsed, lie: Option<&Draw>) -> Reply {
    match execute(hosted, target, parsed, lie) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn execute(
    hosted: &Hosted,
    target: &Target,
    parsed: &Parsed,
    lie: Option<&Draw>,
) -> Result<Reply, Reply> {
    let EnvelopeContent::Query {
        canister_id,
        method_name,
        arg,
        ..
    } = parsed.content()
    else {
        return Err(Reply::text(
            400,
            "Failed to deserialize cbor request: not a query",
        ));
    };
    let subnet = hosted
        .route(&target.effective)
        .ok_or_else(|| not_routed(target))?;
    check_effective_canister(*canister_id, target)?;
    let sender = parsed.authenticate(hosted)?;
    let query = Query {
        sender: sender.principal,
        receiver: *canister_id,
        method: method_name.clone(),
        arg: arg.clone(),
        effective: target.effective,
    };
    let (result, time_ns) = hosted.query(&query);
    let mut response = match result {
        Ok(mut arg) => {
            if let Some(draw) = lie {
                faults::lie(draw, &mut arg);
            }
            QueryResponse::Replied {
                reply: ReplyResponse { arg },
                signatures: Vec::new(),
            }
        }
        Err(CallError::Rejected(reject)) => QueryResponse::Rejected {
            reject: to_transport_reject(&reject).map_err(|text| Reply::text(500, text))?,
            signatures: Vec::new(),
        },
        Err(CallError::BadRequest(text)) => return Err(Reply::text(400, text)),
    };
    let node = subnet.answering_node(&parsed.request_id());
    sign_query_response(&mut response, parsed.request_id(), time_ns, node);
    Ok(Reply::cbor(&response))
}
