//! Envelopes as clients make them, and as they should not.

use super::*;
use crate::cert::{Authority, DelegationForm, RootOfTrust, StateTree};
use ic_transport_types::{Delegation, DelegationPermissions, SignedDelegation};
use p256::ecdsa::signature::Signer;
use p256::pkcs8::EncodePublicKey;
use std::borrow::Cow;

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const MINUTE_NS: u64 = 60_000_000_000;

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key pair of any kind: DER public key and a function that signs.
struct Key {
    public: Vec<u8>,
    sign: Sign,
}

fn ed25519(seed: u8) -> Key {
    let key = ic_ed25519::PrivateKey::deserialize_raw_32(&[seed; 32]);
    Key {
        public: key.public_key().serialize_rfc8410_der(),
        sign: Box::new(move |message| key.sign_message(message).to_vec()),
    }
}

fn secp256k1(seed: u8) -> Key {
    let key = ic_secp256k1::PrivateKey::deserialize_sec1(&[seed; 32]).unwrap();
    Key {
        public: key.public_key().serialize_der(),
        sign: Box::new(move |message| key.sign_message_with_ecdsa(message).to_vec()),
    }
}

fn p256(seed: u8) -> Key {
    let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
    let public = key.verifying_key().to_public_key_der().unwrap();
    Key {
        public: public.as_bytes().to_vec(),
        sign: Box::new(move |message| {
            let signature: p256::ecdsa::Signature = key.sign(message);
            signature.to_vec()
        }),
    }
}

fn canister() -> Principal {
    Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 5, 1, 1])
}

fn call(sender: Principal) -> EnvelopeContent {
    EnvelopeContent::Call {
        nonce: Some(vec![1; 16]),
        ingress_expiry: NOW_NS + 4 * MINUTE_NS,
        sender,
        canister_id: canister(),
        method_name: "write".into(),
        arg: vec![1, 2, 3],
        sender_info: None,
    }
}

fn signed(content: EnvelopeContent, sender: &Key, signer: &Key) -> Envelope<'static> {
    let signature = (signer.sign)(&content.to_request_id().signable());
    Envelope {
        content: Cow::Owned(content),
        sender_pubkey: Some(sender.public.clone()),
        sender_sig: Some(signature),
        sender_delegation: None,
    }
}

fn principal(key: &Key) -> Principal {
    Principal::self_authenticating(&key.public)
}

fn delegation(to: &Key) -> Delegation {
    Delegation {
        pubkey: to.public.clone(),
        expiration: NOW_NS + MINUTE_NS,
        targets: None,
        permissions: None,
    }
}

fn delegate(from: &Key, delegation: Delegation) -> SignedDelegation {
    SignedDelegation {
        signature: (from.sign)(&delegation.signable()),
        delegation,
    }
}

fn check(envelope: &Envelope<'_>) -> Result<Sender, AuthError> {
    authenticate(envelope, NOW_NS, &[])
}

#[test]
fn every_kind_of_key_may_sign() {
    for key in [ed25519(1), secp256k1(2), p256(3)] {
        let sender = check(&signed(call(principal(&key)), &key, &key)).unwrap();
        assert_eq!(sender.principal, principal(&key));
        assert_eq!(sender.targets, Targets::All);
    }
}

#[test]
fn a_signature_under_other_content_is_refused() {
    for key in [ed25519(1), secp256k1(2), p256(3)] {
        let mut envelope = signed(call(principal(&key)), &key, &key);
        let EnvelopeContent::Call { arg, .. } = envelope.content.to_mut() else {
            unreachable!()
        };
        arg.push(4);
        assert!(matches!(
            check(&envelope),
            Err(AuthError::InvalidSignature(_))
        ));
    }
}

#[test]
fn another_key_than_the_senders_is_refused() {
    let (own, stranger) = (ed25519(1), ed25519(2));
    let error = check(&signed(call(principal(&own)), &stranger, &stranger)).unwrap_err();
    assert!(matches!(error, AuthError::SenderDoesNotMatchKey { .. }));
    let error = check(&signed(call(principal(&own)), &own, &stranger)).unwrap_err();
    assert!(matches!(error, AuthError::InvalidSignature(_)));
}

#[test]
fn only_the_anonymous_sender_goes_unsigned() {
    let unsigned = |sender| Envelope {
        content: Cow::Owned(call(sender)),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    };
    assert!(check(&unsigned(Principal::anonymous())).is_ok());
    let key = ed25519(1);
    let error = check(&unsigned(principal(&key))).unwrap_err();
    assert_eq!(error, AuthError::MissingSignature(principal(&key)));
    let error = check(&signed(call(Principal::anonymous()), &key, &key)).unwrap_err();
    assert_eq!(error, AuthError::AnonymousSignatureNotAllowed);
    let mut half = signed(call(principal(&key)), &key, &key);
    half.sender_sig = None;
    assert_eq!(
        check(&half).unwrap_err(),
        AuthError::IncompleteAuthentication
    );
}

#[test]
fn expired_and_far_future_calls_are_refused() {
    let key = ed25519(1);
    for expiry in [NOW_NS - 1, NOW_NS + 6 * MINUTE_NS] {
        let mut content = call(principal(&key));
        let EnvelopeContent::Call { ingress_expiry, .. } = &mut content else {
            unreachable!()
        };
        *ingress_expiry = expiry;
        let error = check(&signed(content, &key, &key)).unwrap_err();
        assert!(matches!(error, AuthError::InvalidRequestExpiry(_)));
    }
}

#[test]
fn an_anonymous_query_never_expires() {
    let envelope = Envelope {
        content: Cow::Owned(EnvelopeContent::Query {
            ingress_expiry: 0,
            sender: Principal::anonymous(),
            canister_id: canister(),
            method_name: "read".into(),
            arg: Vec::new(),
            nonce: None,
            sender_info: None,
        }),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    };
    assert!(check(&envelope).is_ok());
}

#[test]
fn a_chain_of_delegations_speaks_for_its_first_key() {
    let (own, session, deeper) = (ed25519(1), secp256k1(2), p256(3));
    let mut envelope = signed(call(principal(&own)), &own, &deeper);
    envelope.sender_delegation = Some(vec![
        delegate(&own, delegation(&session)),
        delegate(&session, delegation(&deeper)),
    ]);
    assert_eq!(check(&envelope).unwrap().principal, principal(&own));
}

#[test]
fn a_strangers_delegation_is_refused() {
    let (own, session, stranger) = (ed25519(1), ed25519(2), ed25519(3));
    let mut envelope = signed(call(principal(&own)), &own, &session);
    envelope.sender_delegation = Some(vec![delegate(&stranger, delegation(&session))]);
    assert!(matches!(
        check(&envelope),
        Err(AuthError::InvalidDelegation(_))
    ));
}

#[test]
fn targets_restrict_a_delegation() {
    let (own, session) = (ed25519(1), ed25519(2));
    let with_targets = |targets: Vec<Principal>| {
        let mut envelope = signed(call(principal(&own)), &own, &session);
        let restricted = Delegation {
            targets: Some(targets),
            ..delegation(&session)
        };
        envelope.sender_delegation = Some(vec![delegate(&own, restricted)]);
        check(&envelope)
    };
    assert!(with_targets(vec![canister()]).is_ok());
    let error = with_targets(vec![Principal::management_canister()]).unwrap_err();
    assert_eq!(error, AuthError::CanisterNotInDelegationTargets(canister()));
}

#[test]
fn expired_cyclic_and_query_only_delegations_are_refused() {
    let (own, session) = (ed25519(1), ed25519(2));
    let with = |changed: Delegation, signer: &Key| {
        let mut envelope = signed(call(principal(&own)), &own, signer);
        envelope.sender_delegation = Some(vec![delegate(&own, changed)]);
        check(&envelope).unwrap_err()
    };
    let expired = Delegation {
        expiration: NOW_NS - 1,
        ..delegation(&session)
    };
    assert!(matches!(
        with(expired, &session),
        AuthError::InvalidDelegationExpiry(_)
    ));
    let cyclic = delegation(&own);
    assert!(matches!(
        with(cyclic, &own),
        AuthError::InvalidDelegation(SignatureError::ChainHasCycle(_))
    ));
    let reading = Delegation {
        permissions: Some(DelegationPermissions::Queries),
        ..delegation(&session)
    };
    assert_eq!(with(reading, &session), AuthError::UpdateNotPermitted);
}

#[test]
fn a_canister_signs_through_its_certified_data() {
    let authority = Authority::new();
    let root = authority.subnet_keys(&[1; 32]);
    let other = authority.subnet_keys(&[2; 32]);
    let certifier = authority.certifier().unwrap();
    let seed = b"seed";
    let mut key_der = vec![0x30, 0x1f, 0x30, 0x0c];
    key_der.extend_from_slice(canister_signature::OID);
    key_der.extend_from_slice(&[0x03, 0x0f, 0x00, 10]);
    key_der.extend_from_slice(canister().as_slice());
    key_der.extend_from_slice(seed);

    let content = call(Principal::self_authenticating(&key_der));
    let message = content.to_request_id().signable();
    let hash = |bytes: &[u8]| <sha2::Sha256 as sha2::Digest>::digest(bytes).to_vec();
    let mut tree = StateTree::new();
    tree.insert(&[b"sig", &hash(seed), &hash(&message)], Vec::new());
    let tree = tree.to_hash_tree();

    for (keys, in_range) in [(&root, true), (&other, true), (&other, false)] {
        let mut state = StateTree::at_time(NOW_NS);
        let id = canister();
        let path: [&[u8]; 3] = [b"canister", id.as_slice(), b"certified_data"];
        state.insert(&path, tree.digest().to_vec());
        let ranges = if in_range {
            vec![(canister(), canister())]
        } else {
            Vec::new()
        };
        let subnet = RootOfTrust {
            keys,
            ranges: &ranges,
        };
        #[derive(serde::Serialize)]
        struct Signature<'a> {
            #[serde(with = "serde_bytes")]
            certificate: Vec<u8>,
            tree: &'a ic_certification::HashTree,
        }
        let certificate = certifier.certify(&subnet, &state, DelegationForm::Flat, NOW_NS);
        let signature = Signature {
            certificate,
            tree: &tree,
        };
        // Ranges decide whether the subnet may speak for the canister; fresh ones make a fresh delegation.
        let envelope = Envelope {
            content: Cow::Owned(content.clone()),
            sender_pubkey: Some(key_der.clone()),
            sender_sig: Some(serde_cbor::to_vec(&signature).unwrap()),
            sender_delegation: None,
        };
        let result = authenticate(&envelope, NOW_NS, certifier.root_key_der());
        assert_eq!(result.is_ok(), in_range, "{result:?}");
        let elsewhere = authenticate(&envelope, NOW_NS, other.public_key_der());
        assert!(elsewhere.is_err());
    }
}
