//! Messages that nobody signed, and how long a message is, as replicas count.

use crate::core::api::{EffectivePrincipal, Ingress};
use crate::server::Hosted;
use candid::Principal;
use ic_transport_types::{Envelope, EnvelopeContent};
use std::borrow::Cow;

/// How long a message that the server makes itself is valid, in nanoseconds: five minutes.
const INGRESS_TTL_NS: u64 = 300_000_000_000;

/// Bytes of the message id, which count as part of the message.
const MESSAGE_ID_BYTES: usize = 32;

/// Replicas write the content of an envelope as a map of indefinite length, one byte longer than clients do.
const INDEFINITE_MAP_BYTES: usize = 1;

/// Length of the message that `envelope` becomes in a replica, in bytes: what limits and prices go by.
pub fn message_len_bytes(envelope: &Envelope<'_>) -> usize {
    envelope.encode_bytes().len() + INDEFINITE_MAP_BYTES + MESSAGE_ID_BYTES
}

/// An update call that the server makes for somebody who need not sign it.
pub fn unsigned_ingress(
    hosted: &Hosted,
    sender: Principal,
    receiver: Principal,
    method: String,
    arg: Vec<u8>,
    effective: EffectivePrincipal,
) -> Ingress {
    let expiry_ns = hosted.time_ns() + INGRESS_TTL_NS;
    let content = EnvelopeContent::Call {
        nonce: Some(hosted.next_nonce().to_be_bytes().to_vec()),
        ingress_expiry: expiry_ns,
        sender,
        canister_id: receiver,
        method_name: method.clone(),
        arg: arg.clone(),
        sender_info: None,
    };
    let message_id = *content.to_request_id();
    let signed_len_bytes = message_len_bytes(&Envelope {
        content: Cow::Owned(content),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    });
    Ingress {
        sender,
        receiver,
        method,
        arg,
        effective,
        message_id,
        signed_len_bytes: signed_len_bytes as u64,
        expiry_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::limits::INGRESS_MAX_BYTES;

    fn len_bytes(nonce: Option<Vec<u8>>, arg_len_bytes: usize) -> u64 {
        let content = EnvelopeContent::Call {
            nonce,
            ingress_expiry: 1_620_328_930_000_000_000,
            sender: Principal::anonymous(),
            canister_id: Principal::from_slice(&[1; 10]),
            method_name: "echo".into(),
            arg: vec![0; arg_len_bytes],
            sender_info: None,
        };
        message_len_bytes(&Envelope {
            content: Cow::Owned(content),
            sender_pubkey: None,
            sender_sig: None,
            sender_delegation: None,
        }) as u64
    }

    #[test]
    fn the_longest_arguments_are_those_a_real_server_took() {
        // Through REST, with a nonce of 8 bytes, and through api/v2 without one.
        assert_eq!(len_bytes(Some(vec![0; 8]), 2_096_991), INGRESS_MAX_BYTES);
        assert_eq!(len_bytes(None, 2_097_006), INGRESS_MAX_BYTES);
    }
}
