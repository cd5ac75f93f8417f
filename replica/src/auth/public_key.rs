//! Public keys as users send them, DER encoded, and signatures made with them.
//!
//! Ed25519, ECDSA on secp256k1 and P-256 (64 bytes, r then s), and canister signatures. Keys wrapped in COSE, as
//! browsers' WebAuthn makes them, are refused with a text that says so.

use super::{SignatureError, canister_signature};
use p256::ecdsa::signature::Verifier;
use p256::pkcs8::DecodePublicKey;

/// Object identifiers inside the DER header, by which the kind of a key is told.
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const OID_SECP256K1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_COSE: &[u8] = &[
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb8, 0x43, 0x01, 0x01,
];

/// All headers end before this byte.
const MAX_HEADER_BYTES: usize = 32;

/// Whether `signature` is the one of `key_der` under `message`.
pub fn verify(
    key_der: &[u8],
    message: &[u8],
    signature: &[u8],
    root_key_der: &[u8],
) -> Result<(), SignatureError> {
    let header = &key_der[..key_der.len().min(MAX_HEADER_BYTES)];
    let has = |oid: &[u8]| header.windows(oid.len()).any(|window| window == oid);
    if has(canister_signature::OID) {
        canister_signature::verify_canister_signature(key_der, message, signature, root_key_der)
    } else if has(OID_ED25519) {
        verify_ed25519(key_der, message, signature)
    } else if has(OID_SECP256K1) {
        verify_secp256k1(key_der, message, signature)
    } else if has(OID_P256) {
        verify_p256(key_der, message, signature)
    } else if has(OID_COSE) {
        Err(SignatureError::InvalidPublicKey(
            "COSE keys (WebAuthn) are not supported by the stand-in; sign with Ed25519, secp256k1 or P-256".into(),
        ))
    } else {
        Err(SignatureError::InvalidPublicKey(format!(
            "{} is no DER encoded key of a supported kind; use Ed25519, secp256k1, P-256 or a canister signature",
            hex::encode(header)
        )))
    }
}

fn verify_ed25519(key_der: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    ic_ed25519::PublicKey::deserialize_rfc8410_der(key_der)
        .map_err(|error| SignatureError::InvalidPublicKey(format!("Ed25519: {error:?}")))?
        .verify_signature(message, signature)
        .map_err(|_| SignatureError::InvalidBasicSignature {
            algorithm: "Ed25519",
        })
}

fn verify_secp256k1(
    key_der: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let key = ic_secp256k1::PublicKey::deserialize_der(key_der)
        .map_err(|error| SignatureError::InvalidPublicKey(format!("secp256k1: {error:?}")))?;
    if key.verify_ecdsa_signature_with_malleability(message, signature) {
        Ok(())
    } else {
        Err(SignatureError::InvalidBasicSignature {
            algorithm: "ECDSA secp256k1",
        })
    }
}

fn verify_p256(key_der: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let invalid = SignatureError::InvalidBasicSignature {
        algorithm: "ECDSA P-256",
    };
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(key_der)
        .map_err(|error| SignatureError::InvalidPublicKey(format!("P-256: {error}")))?;
    let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| invalid.clone())?;
    key.verify(message, &signature).map_err(|_| invalid)
}
