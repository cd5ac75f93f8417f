//! Why a request is refused before anybody looks at what it asks for.

use candid::Principal;

/// A request that proves nothing, or proves the wrong thing. The client gets HTTP status 400 and this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The request is too old, or asks to be valid for too long.
    #[error("Invalid request expiry: {0}")]
    InvalidRequestExpiry(String),
    /// A delegation is past its expiration.
    #[error("Invalid delegation expiry: {0}")]
    InvalidDelegationExpiry(String),
    /// The sender is not the self-authenticating principal of the key.
    #[error("The user id '{sender}' does not match the public key '{}'", hex::encode(.key))]
    SenderDoesNotMatchKey {
        /// The sender named in the request.
        sender: Principal,
        /// The key in the envelope, DER.
        key: Vec<u8>,
    },
    /// The signature under the request is not the signer's.
    #[error("Invalid signature: {0}")]
    InvalidSignature(SignatureError),
    /// A link of the delegation chain does not hold.
    #[error("Invalid delegation: {0}")]
    InvalidDelegation(SignatureError),
    /// A sender other than the anonymous one, and no signature.
    #[error("Missing signature from user: {0}")]
    MissingSignature(Principal),
    /// Key without signature, or the other way round.
    #[error(
        "missing pubkey or signature: an envelope needs both `sender_pubkey` and `sender_sig`, or none of \
         `sender_pubkey`, `sender_sig` and `sender_delegation`"
    )]
    IncompleteAuthentication,
    /// The anonymous sender has no key that could sign.
    #[error("Signature is not allowed for the anonymous user.")]
    AnonymousSignatureNotAllowed,
    /// The delegations do not cover the canister called.
    #[error("Canister '{0}' is not one of the delegation targets.")]
    CanisterNotInDelegationTargets(Principal),
    /// A delegation allows queries only and the request is a call.
    #[error("The sender delegation permits queries only, and the request is an update call.")]
    UpdateNotPermitted,
    /// The nonce is longer than the specification allows.
    #[error(
        "Nonce in request is too big: got {len_bytes} bytes, but at most {max_bytes} are allowed."
    )]
    NonceTooBig {
        /// Length of the nonce, in bytes.
        len_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
}

/// Why one signature, or one link of a chain, does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature was not made with the key over the message.
    #[error("Invalid basic signature: {algorithm} signature could not be verified")]
    InvalidBasicSignature {
        /// Name of the signature scheme.
        algorithm: &'static str,
    },
    /// The canister signature does not hold.
    #[error("Invalid canister signature: {0}")]
    InvalidCanisterSignature(String),
    /// The key is none of the kinds that may sign.
    #[error("Invalid public key: {0}")]
    InvalidPublicKey(String),
    /// A delegation lists more canisters than the specification allows.
    #[error(
        "Delegation target error: expected at most {max} targets per delegation, but got {count}"
    )]
    TooManyTargets {
        /// Targets listed.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The chain has more links than the specification allows.
    #[error(
        "Chain of delegations is too long: got {count} delegations, but at most {max} are allowed."
    )]
    ChainTooLong {
        /// Links of the chain.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A key occurs twice in the chain.
    #[error(
        "Chain of delegations contains at least one cycle: first repeating public key encountered {}",
        hex::encode(.0)
    )]
    ChainHasCycle(Vec<u8>),
}
