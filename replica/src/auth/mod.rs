//! Who signed a request, and what the signature allows.
//!
//! Every request to the HTTP interface is an envelope: content, and for all but the anonymous sender a public key, a
//! signature and perhaps a chain of delegations. [`authenticate`] checks all of it for real; nothing is taken on
//! trust because the network is a local one. It never looks at canisters: whether the sender may do what the request
//! asks is decided later.

mod canister_signature;
mod delegation;
mod error;
mod expiry;
mod public_key;
mod targets;

pub use canister_signature::verify_canister_signature;
pub use error::{AuthError, SignatureError};
pub use targets::Targets;

use candid::Principal;
use ic_transport_types::{Envelope, EnvelopeContent};

/// Longest nonce, in bytes (interface specification, authentication).
const MAX_NONCE_BYTES: usize = 32;

/// A request whose sender is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The sender named in the request.
    pub principal: Principal,
    /// The canisters its delegations allow it to talk about.
    pub targets: Targets,
}

/// Checks expiry, sender, signature and delegations of `envelope` at the time `now_ns`.
///
/// `root_key_der` is the key canister signatures are checked against.
///
/// # Errors
/// [`AuthError`]; its text is what the client gets to read.
pub fn authenticate(
    envelope: &Envelope<'_>,
    now_ns: u64,
    root_key_der: &[u8],
) -> Result<Sender, AuthError> {
    let content = envelope.content.as_ref();
    let principal = *content.sender();
    let is_call = matches!(content, EnvelopeContent::Call { .. });
    // Anonymous reads may be replayed for ever: there is nothing to protect.
    if is_call || principal != Principal::anonymous() {
        expiry::check_ingress_expiry(content.ingress_expiry(), now_ns)?;
    }
    check_nonce(content)?;
    let targets = check_signature(envelope, principal, now_ns, root_key_der)?;
    match content {
        EnvelopeContent::Call { canister_id, .. } | EnvelopeContent::Query { canister_id, .. }
            if !targets.contains(canister_id) =>
        {
            return Err(AuthError::CanisterNotInDelegationTargets(*canister_id));
        }
        _ => {}
    }
    Ok(Sender { principal, targets })
}

fn check_nonce(content: &EnvelopeContent) -> Result<(), AuthError> {
    let nonce = match content {
        EnvelopeContent::Call { nonce, .. } | EnvelopeContent::Query { nonce, .. } => {
            nonce.as_ref()
        }
        EnvelopeContent::ReadState { .. } => None,
    };
    match nonce {
        Some(nonce) if nonce.len() > MAX_NONCE_BYTES => Err(AuthError::NonceTooBig {
            len_bytes: nonce.len(),
            max_bytes: MAX_NONCE_BYTES,
        }),
        _ => Ok(()),
    }
}

fn check_signature(
    envelope: &Envelope<'_>,
    principal: Principal,
    now_ns: u64,
    root_key_der: &[u8],
) -> Result<Targets, AuthError> {
    let delegations = envelope.sender_delegation.as_deref();
    match (&envelope.sender_pubkey, &envelope.sender_sig, delegations) {
        (None, None, None) if principal == Principal::anonymous() => Ok(Targets::All),
        (None, None, None) => Err(AuthError::MissingSignature(principal)),
        (Some(_), Some(_), _) if principal == Principal::anonymous() => {
            Err(AuthError::AnonymousSignatureNotAllowed)
        }
        (Some(key), Some(signature), delegations) => {
            if Principal::self_authenticating(key) != principal {
                return Err(AuthError::SenderDoesNotMatchKey {
                    sender: principal,
                    key: key.clone(),
                });
            }
            let is_call = matches!(envelope.content.as_ref(), EnvelopeContent::Call { .. });
            let chain = delegation::Chain {
                signed: delegations.unwrap_or_default(),
                now_ns,
                root_key_der,
                for_update: is_call,
            };
            let (signer, targets) = chain.follow(key)?;
            let message = envelope.content.to_request_id().signable();
            public_key::verify(&signer, &message, signature, root_key_der)
                .map_err(AuthError::InvalidSignature)?;
            Ok(targets)
        }
        _ => Err(AuthError::IncompleteAuthentication),
    }
}

#[cfg(test)]
mod tests;
