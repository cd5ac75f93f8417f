//! Signatures of nodes under query responses.

use super::NodeKeys;
use ic_transport_types::{NodeSignature, QueryResponse, RequestId};

/// Signs `response` to the request `request_id` as `node`, at `time_ns`, and puts the signature into it.
///
/// The signature covers the response as given: it proves which node answered, not that the answer is true.
pub fn sign_query_response(
    response: &mut QueryResponse,
    request_id: RequestId,
    time_ns: u64,
    node: &NodeKeys,
) {
    let signature = node.sign(&response.signable(request_id, time_ns)).to_vec();
    let node_signature = NodeSignature {
        timestamp: time_ns,
        signature,
        identity: node.id(),
    };
    match response {
        QueryResponse::Replied { signatures, .. } | QueryResponse::Rejected { signatures, .. } => {
            *signatures = vec![node_signature];
        }
    }
}
