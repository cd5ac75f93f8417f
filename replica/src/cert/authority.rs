//! All keys of one network, found by subnet seed.

use super::{Certifier, DelegationForm, RootOfTrust, StateTree, SubnetKeys};
use crate::core::keys::{DataCertificateRequest, SubnetAuthority};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Nodes whose keys a subnet publishes: what an application subnet has. Prices follow the size the topology states.
pub const NODES_PER_SUBNET: usize = 13;

/// Derives and keeps the keys of the subnets and signs for them.
///
/// The subnet whose key is asked for first is the root subnet: a network lays out its NNS subnet first, and one
/// without an NNS subnet has its root key at the subnet created first.
#[derive(Default)]
pub struct Authority {
    keys: Mutex<HashMap<[u8; 32], Arc<SubnetKeys>>>,
    certifier: OnceLock<Certifier>,
}

impl Authority {
    /// An authority that knows no subnet yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys that follow from `seed`.
    pub fn subnet_keys(&self, seed: &[u8; 32]) -> Arc<SubnetKeys> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys
            .entry(*seed)
            .or_insert_with(|| Arc::new(SubnetKeys::new(*seed, NODES_PER_SUBNET)))
            .clone();
        self.certifier.get_or_init(|| Certifier::new(keys.clone()));
        keys
    }

    /// Who signs certificates; `None` before the first subnet exists.
    pub fn certifier(&self) -> Option<&Certifier> {
        self.certifier.get()
    }
}

impl SubnetAuthority for Authority {
    fn public_key_der(&self, subnet_seed: &[u8; 32]) -> Vec<u8> {
        self.subnet_keys(subnet_seed).public_key_der().to_vec()
    }

    fn data_certificate(&self, request: &DataCertificateRequest<'_>) -> Vec<u8> {
        let keys = self.subnet_keys(request.subnet_seed);
        let mut tree = StateTree::at_time(request.time_ns);
        let path: [&[u8]; 3] = [b"canister", request.canister.as_slice(), b"certified_data"];
        tree.insert(&path, request.certified_data.to_vec());
        let mut ranges = request.subnet_ranges.to_vec();
        ranges.sort_unstable();
        let subnet = RootOfTrust {
            keys: &keys,
            ranges: &ranges,
        };
        self.certifier
            .get()
            .expect("BUG: subnet_keys sets the certifier")
            .certify(&subnet, &tree, DelegationForm::Flat, request.time_ns)
    }
}
