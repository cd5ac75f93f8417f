//! Canister signatures: a canister signs by putting a hash into its certified data.
//!
//! Key: a DER header, then length and bytes of the canister id, then a seed of the canister's choice. Signature: a
//! certificate of the canister's certified data, and a hash tree with that root in which
//! `/sig/<SHA-256 of seed>/<SHA-256 of message>` is an empty leaf.

use super::SignatureError;
use candid::Principal;
use ic_certification::{Certificate, HashTree, LookupResult};
use ic_verify_bls_signature::verify_bls_signature;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Object identifier 1.3.6.1.4.1.56387.1.2 inside the DER header.
pub(super) const OID: &[u8] = &[
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb8, 0x43, 0x01, 0x02,
];

const STATE_ROOT_DOMAIN: &[u8] = b"\x0Dic-state-root";

/// Bytes of the DER header in front of a BLS public key.
const BLS_DER_HEADER_BYTES: usize = 37;

#[derive(Deserialize)]
struct CanisterSignature {
    #[serde(with = "serde_bytes")]
    certificate: Vec<u8>,
    tree: HashTree,
}

/// Whether `signature` is the canister signature of `key_der` under `message`, in the network of `root_key_der`.
///
/// # Errors
/// [`SignatureError`] that names the step which failed.
pub fn verify_canister_signature(
    key_der: &[u8],
    message: &[u8],
    signature: &[u8],
    root_key_der: &[u8],
) -> Result<(), SignatureError> {
    let (canister, seed) = parse_key(key_der)?;
    let signature: CanisterSignature = serde_cbor::from_slice(signature)
        .map_err(|error| invalid(format!("the signature is no CBOR map: {error}")))?;
    let certificate: Certificate = serde_cbor::from_slice(&signature.certificate)
        .map_err(|error| invalid(format!("the certificate is no CBOR: {error}")))?;
    verify_certificate(&certificate, canister, root_key_der)?;

    let path: [&[u8]; 3] = [b"canister", canister.as_slice(), b"certified_data"];
    match certificate.tree.lookup_path(path) {
        LookupResult::Found(data) if data == signature.tree.digest() => {}
        _ => {
            return Err(invalid(
                "the certified data is not the root of the signature tree".into(),
            ));
        }
    }
    let (seed_hash, message_hash) = (Sha256::digest(seed), Sha256::digest(message));
    let path: [&[u8]; 3] = [b"sig", &seed_hash, &message_hash];
    match signature.tree.lookup_path(path) {
        LookupResult::Found([]) => Ok(()),
        _ => Err(invalid(
            "the signature tree does not hold the message".into(),
        )),
    }
}

fn invalid(reason: String) -> SignatureError {
    SignatureError::InvalidCanisterSignature(reason)
}

/// Canister id and seed inside the key.
fn parse_key(key_der: &[u8]) -> Result<(Principal, &[u8]), SignatureError> {
    let bad = || SignatureError::InvalidPublicKey("canister signature key is malformed".into());
    let at = key_der
        .windows(OID.len())
        .position(|window| window == OID)
        .ok_or_else(bad)?;
    // After the algorithm: BIT STRING tag, its length (short or one long byte), no unused bits.
    let rest = match &key_der[at + OID.len()..] {
        [0x03, 0x81, _, 0x00, rest @ ..] | [0x03, _, 0x00, rest @ ..] => rest,
        _ => return Err(bad()),
    };
    let (len, rest) = rest.split_first().ok_or_else(bad)?;
    let (id, seed) = rest.split_at_checked(usize::from(*len)).ok_or_else(bad)?;
    let canister = Principal::try_from_slice(id).map_err(|_| bad())?;
    Ok((canister, seed))
}

/// Whether the network of `root_key_der` certified this, and for a subnet that holds `canister`.
fn verify_certificate(
    certificate: &Certificate,
    canister: Principal,
    root_key_der: &[u8],
) -> Result<(), SignatureError> {
    let Some(delegation) = &certificate.delegation else {
        return verify_root_hash(certificate, root_key_der);
    };
    let vouched: Certificate = serde_cbor::from_slice(&delegation.certificate)
        .map_err(|error| invalid(format!("the delegation is no CBOR: {error}")))?;
    if vouched.delegation.is_some() {
        return Err(invalid("the delegation carries a delegation".into()));
    }
    verify_root_hash(&vouched, root_key_der)?;
    let subnet: &[u8] = &delegation.subnet_id;
    let path: [&[u8]; 3] = [b"subnet", subnet, b"canister_ranges"];
    let LookupResult::Found(ranges) = vouched.tree.lookup_path(path) else {
        return Err(invalid("the delegation states no canister ranges".into()));
    };
    let ranges: Vec<(Principal, Principal)> = serde_cbor::from_slice(ranges)
        .map_err(|error| invalid(format!("the canister ranges are no CBOR: {error}")))?;
    if !ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&canister))
    {
        return Err(invalid(format!(
            "the subnet does not hold canister {canister}"
        )));
    }
    let path: [&[u8]; 3] = [b"subnet", subnet, b"public_key"];
    match vouched.tree.lookup_path(path) {
        LookupResult::Found(key) => verify_root_hash(certificate, key),
        _ => Err(invalid("the delegation states no public key".into())),
    }
}

fn verify_root_hash(certificate: &Certificate, key_der: &[u8]) -> Result<(), SignatureError> {
    let message = [STATE_ROOT_DOMAIN, &certificate.tree.digest()].concat();
    let key = key_der.get(BLS_DER_HEADER_BYTES..).unwrap_or_default();
    verify_bls_signature(&certificate.signature, &message, key)
        .map_err(|()| invalid("the certificate is not signed by the network".into()))
}
