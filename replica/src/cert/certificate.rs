//! State certificates and the delegations they carry.

use super::{StateTree, SubnetKeys};
use candid::Principal;
use ic_certification::certificate::{Certificate, Delegation};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Domain separator of the signature under a state root.
const STATE_ROOT_DOMAIN: &[u8] = b"\x0Dic-state-root";

/// Canister ranges in one leaf below `/canister_ranges/<subnet>` (the routing table of the IC cuts at five).
const RANGES_PER_SHARD: usize = 5;

/// Signatures kept. A query canister asks for the same data certificate many times between two rounds.
const MAX_CACHED_SIGNATURES: usize = 1_024;

/// First and last canister id of a range, both inclusive.
pub type CanisterRange = (Principal, Principal);

/// How a delegation states the canister ranges of the subnet; the API version of the request decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelegationForm {
    /// All ranges in the one leaf `/subnet/<subnet>/canister_ranges`.
    Flat,
    /// Ranges in shards below `/canister_ranges/<subnet>`.
    Tree,
    /// No ranges: the certificate speaks about the subnet, not about a canister.
    NoRanges,
}

/// Who signs for a subnet, and which canisters it may speak for.
pub struct RootOfTrust<'a> {
    /// The subnet whose state is certified.
    pub keys: &'a SubnetKeys,
    /// The subnet's canister ranges, sorted.
    pub ranges: &'a [CanisterRange],
}

/// Signs certificates for the subnets of one network.
pub struct Certifier {
    root: Arc<SubnetKeys>,
    signatures: Mutex<HashMap<SignedRoot, [u8; 48]>>,
    delegations: Mutex<HashMap<(Principal, DelegationForm), CachedDelegation>>,
}

/// What was signed, and the subnet that signed it.
type SignedRoot = ([u8; 32], Principal);

struct CachedDelegation {
    ranges: Vec<CanisterRange>,
    certificate: Vec<u8>,
}

impl Certifier {
    /// A certifier of the network whose root subnet has the keys `root`.
    pub fn new(root: Arc<SubnetKeys>) -> Self {
        Self {
            root,
            signatures: Mutex::default(),
            delegations: Mutex::default(),
        }
    }

    /// The network's root key, DER encoded (133 bytes).
    pub fn root_key_der(&self) -> &[u8] {
        self.root.public_key_der()
    }

    /// The id of the root subnet.
    pub fn root_subnet_id(&self) -> Principal {
        self.root.subnet_id()
    }

    /// The CBOR certificate of `tree`, signed by `subnet` and, unless that is the root subnet, with a delegation.
    ///
    /// `time_ns` dates the delegation when it is first made; the certificate's own time is the leaf `/time` of `tree`.
    pub fn certify(
        &self,
        subnet: &RootOfTrust<'_>,
        tree: &StateTree,
        form: DelegationForm,
        time_ns: u64,
    ) -> Vec<u8> {
        let delegation = (subnet.keys.subnet_id() != self.root.subnet_id()).then(|| Delegation {
            subnet_id: subnet.keys.subnet_id().as_slice().to_vec(),
            certificate: self.delegation_certificate(subnet, form, time_ns),
        });
        self.sign(subnet.keys, tree, delegation)
    }

    /// The certificate by which the root subnet vouches for another subnet.
    fn delegation_certificate(
        &self,
        subnet: &RootOfTrust<'_>,
        form: DelegationForm,
        time_ns: u64,
    ) -> Vec<u8> {
        let mut delegations = self
            .delegations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = subnet.keys.subnet_id();
        match delegations.get(&(id, form)) {
            Some(cached) if cached.ranges == subnet.ranges => cached.certificate.clone(),
            _ => {
                let tree = delegation_tree(subnet, form, time_ns);
                let certificate = self.sign(&self.root, &tree, None);
                let cached = CachedDelegation {
                    ranges: subnet.ranges.to_vec(),
                    certificate: certificate.clone(),
                };
                delegations.insert((id, form), cached);
                certificate
            }
        }
    }

    fn sign(
        &self,
        keys: &SubnetKeys,
        tree: &StateTree,
        delegation: Option<Delegation<Vec<u8>>>,
    ) -> Vec<u8> {
        let tree = tree.to_hash_tree();
        let certificate = Certificate {
            signature: self.signature(keys, tree.digest()).to_vec(),
            tree,
            delegation,
        };
        encode_self_described(&certificate)
    }

    fn signature(&self, keys: &SubnetKeys, root_hash: [u8; 32]) -> [u8; 48] {
        let key = (root_hash, keys.subnet_id());
        let cached = self
            .signatures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .copied();
        if let Some(signature) = cached {
            return signature;
        }
        // Signing takes milliseconds: not under the lock.
        let signature = keys.sign(&[STATE_ROOT_DOMAIN, &root_hash].concat());
        let mut signatures = self
            .signatures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if signatures.len() >= MAX_CACHED_SIGNATURES {
            signatures.clear();
        }
        signatures.insert(key, signature);
        signature
    }
}

fn delegation_tree(subnet: &RootOfTrust<'_>, form: DelegationForm, time_ns: u64) -> StateTree {
    let id = subnet.keys.subnet_id();
    let mut tree = StateTree::at_time(time_ns);
    let public_key = subnet.keys.public_key_der().to_vec();
    tree.insert(&[b"subnet", id.as_slice(), b"public_key"], public_key);
    match form {
        DelegationForm::Flat => insert_flat_ranges(&mut tree, id, subnet.ranges),
        DelegationForm::Tree => insert_sharded_ranges(&mut tree, id, subnet.ranges),
        DelegationForm::NoRanges => {}
    }
    tree
}

/// Puts all `ranges` of `subnet` into the leaf `/subnet/<subnet>/canister_ranges`.
pub(crate) fn insert_flat_ranges(
    tree: &mut StateTree,
    subnet: Principal,
    ranges: &[CanisterRange],
) {
    let path: [&[u8]; 3] = [b"subnet", subnet.as_slice(), b"canister_ranges"];
    tree.insert(&path, encode_self_described(&ranges));
}

/// Puts `ranges` of `subnet` into leaves below `/canister_ranges/<subnet>`, each named by its first canister id.
pub(crate) fn insert_sharded_ranges(
    tree: &mut StateTree,
    subnet: Principal,
    ranges: &[CanisterRange],
) {
    for shard in ranges.chunks(RANGES_PER_SHARD) {
        let path: [&[u8]; 3] = [b"canister_ranges", subnet.as_slice(), shard[0].0.as_slice()];
        tree.insert(&path, encode_self_described(&shard));
    }
}

/// CBOR with the self-describing tag, as the IC sends it.
pub(crate) fn encode_self_described<T: Serialize>(value: &T) -> Vec<u8> {
    let mut serializer = serde_cbor::Serializer::new(Vec::new());
    serializer
        .self_describe()
        .and_then(|()| value.serialize(&mut serializer))
        .expect("BUG: writing CBOR to memory cannot fail");
    serializer.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_certification::LookupResult;
    use ic_verify_bls_signature::verify_bls_signature;

    fn decode(bytes: &[u8]) -> Certificate<Vec<u8>> {
        serde_cbor::from_slice(bytes).unwrap()
    }

    fn verifies(certificate: &Certificate<Vec<u8>>, key_der: &[u8]) -> bool {
        let message = [STATE_ROOT_DOMAIN, &certificate.tree.digest()].concat();
        verify_bls_signature(&certificate.signature, &message, &key_der[37..]).is_ok()
    }

    fn range() -> CanisterRange {
        (
            Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]),
            Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]),
        )
    }

    #[test]
    fn the_root_subnet_signs_without_a_delegation() {
        let root = Arc::new(SubnetKeys::new([1; 32], 1));
        let certifier = Certifier::new(root.clone());
        let subnet = RootOfTrust {
            keys: &root,
            ranges: &[range()],
        };
        let tree = StateTree::at_time(7);
        let bytes = certifier.certify(&subnet, &tree, DelegationForm::Flat, 7);
        let certificate = decode(&bytes);
        assert!(certificate.delegation.is_none());
        assert!(verifies(&certificate, certifier.root_key_der()));
        assert_eq!(
            certificate.tree.lookup_path([b"time"]),
            LookupResult::Found(&[7])
        );
    }

    #[test]
    fn another_subnet_is_vouched_for_by_the_root() {
        let root = Arc::new(SubnetKeys::new([1; 32], 1));
        let keys = SubnetKeys::new([2; 32], 1);
        let certifier = Certifier::new(root);
        let ranges = [range()];
        let subnet = RootOfTrust {
            keys: &keys,
            ranges: &ranges,
        };
        let tree = StateTree::at_time(7);
        for (form, path) in [
            (
                DelegationForm::Flat,
                vec![
                    b"subnet".to_vec(),
                    keys.subnet_id().as_slice().to_vec(),
                    b"canister_ranges".to_vec(),
                ],
            ),
            (
                DelegationForm::Tree,
                vec![
                    b"canister_ranges".to_vec(),
                    keys.subnet_id().as_slice().to_vec(),
                    ranges[0].0.as_slice().to_vec(),
                ],
            ),
        ] {
            let certificate = decode(&certifier.certify(&subnet, &tree, form, 7));
            assert!(verifies(&certificate, keys.public_key_der()));
            assert!(!verifies(&certificate, certifier.root_key_der()));
            let delegation = decode(&certificate.delegation.unwrap().certificate);
            assert!(verifies(&delegation, certifier.root_key_der()));
            let LookupResult::Found(leaf) = delegation.tree.lookup_path(&path) else {
                panic!("{form:?}: no ranges at {path:?}");
            };
            let decoded: Vec<CanisterRange> = serde_cbor::from_slice(leaf).unwrap();
            assert_eq!(decoded, ranges);
        }
    }

    #[test]
    fn new_ranges_make_a_new_delegation() {
        let certifier = Certifier::new(Arc::new(SubnetKeys::new([1; 32], 1)));
        let keys = SubnetKeys::new([2; 32], 1);
        let delegation = |ranges: &[CanisterRange]| {
            let subnet = RootOfTrust {
                keys: &keys,
                ranges,
            };
            certifier.delegation_certificate(&subnet, DelegationForm::Flat, 7)
        };
        let one = delegation(&[range()]);
        assert_eq!(one, delegation(&[range()]));
        assert_ne!(one, delegation(&[]));
    }
}
