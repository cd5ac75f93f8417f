//! Requests, out of CBOR and checked.

use super::{Reply, Target};
use crate::auth::{self, Sender};
use crate::core::api::EffectivePrincipal;
use crate::faults::Endpoint;
use crate::http::message::message_len_bytes;
use crate::http::reply::not_supported_text;
use crate::server::Hosted;
use candid::Principal;
use ic_transport_types::{Envelope, EnvelopeContent, RequestId};

/// A request whose envelope could be read; nothing about it is proved yet.
pub struct Parsed {
    envelope: Envelope<'static>,
    request_id: RequestId,
}

impl Parsed {
    /// Reads an envelope that must hold a request for `endpoint`.
    pub fn from_body(body: &[u8], endpoint: Endpoint) -> Result<Self, Reply> {
        let envelope: Envelope<'static> = serde_cbor::from_slice(body).map_err(|error| {
            Reply::text(400, format!("Failed to deserialize cbor request: {error}"))
        })?;
        let content = envelope.content.as_ref();
        let (expected, sender_info) = match content {
            EnvelopeContent::Call { sender_info, .. } => (Endpoint::Call, sender_info.is_some()),
            EnvelopeContent::Query { sender_info, .. } => (Endpoint::Query, sender_info.is_some()),
            EnvelopeContent::ReadState { .. } => (Endpoint::ReadState, false),
        };
        if expected != endpoint {
            return Err(Reply::text(
                400,
                format!(
                    "Failed to deserialize cbor request: the request_type of the envelope is {expected:?}, the URL \
                     asks for {endpoint:?}"
                ),
            ));
        }
        if sender_info {
            return Err(Reply::text(
                501,
                not_supported_text("`sender_info` in an envelope"),
            ));
        }
        Ok(Self {
            request_id: content.to_request_id(),
            envelope,
        })
    }

    /// The content of the envelope.
    pub fn content(&self) -> &EnvelopeContent {
        &self.envelope.content
    }

    /// The hash that the sender signed and by which the request is known from now on.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Length of the message the request becomes, in bytes.
    pub fn message_len_bytes(&self) -> usize {
        message_len_bytes(&self.envelope)
    }

    /// Canister and method asked for, where there is one.
    pub fn subject(&self) -> (Option<Principal>, Option<&str>) {
        match self.content() {
            EnvelopeContent::Call {
                canister_id,
                method_name,
                ..
            }
            | EnvelopeContent::Query {
                canister_id,
                method_name,
                ..
            } => (Some(*canister_id), Some(method_name)),
            EnvelopeContent::ReadState { .. } => (None, None),
        }
    }

    /// Checks who sent it.
    pub fn authenticate(&self, hosted: &Hosted) -> Result<Sender, Reply> {
        hosted
            .authenticate(&self.envelope)
            .map_err(|error: auth::AuthError| Reply::text(400, error.to_string()))
    }
}

/// A call or query may name another canister in the URL than in its content only for the management canister:
/// otherwise whoever filters by URL could be fooled.
pub fn check_effective_canister(canister: Principal, target: &Target) -> Result<(), Reply> {
    match target.effective {
        EffectivePrincipal::Canister(effective)
            if canister != Principal::management_canister() && canister != effective =>
        {
            Err(Reply::text(
                400,
                format!(
                    "Specified CanisterId {canister} does not match effective canister id in URL {effective}"
                ),
            ))
        }
        EffectivePrincipal::Subnet(subnet) if canister != Principal::management_canister() => {
            Err(Reply::text(
                400,
                format!(
                    "Specified CanisterId {canister} cannot be reached through the subnet {subnet} in the URL; only \
                     the management canister can"
                ),
            ))
        }
        _ => Ok(()),
    }
}
