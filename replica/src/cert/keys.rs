//! The keys of a subnet: one BLS key for its state, one Ed25519 key for each node.
//!
//! Keys are derived from a seed and therefore the same in every run. They guard nothing: whoever has the seed, which
//! the topology prints, has the keys.

use candid::Principal;
use ic_verify_bls_signature::PrivateKey as BlsPrivateKey;
use sha2::{Digest, Sha256};

/// DER header of a BLS12-381 public key in G2, as the IC encodes it (37 bytes; the key's 96 bytes follow).
const BLS_PUBLIC_KEY_DER_PREFIX: [u8; 37] = [
    0x30, 0x81, 0x82, 0x30, 0x1d, 0x06, 0x0d, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05,
    0x03, 0x01, 0x02, 0x01, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05, 0x03,
    0x02, 0x01, 0x03, 0x61, 0x00,
];

/// The key pair of one node, which signs the query responses it computes.
#[derive(Clone)]
pub struct NodeKeys {
    id: Principal,
    private_key: ic_ed25519::PrivateKey,
    public_key_der: Vec<u8>,
}

impl NodeKeys {
    fn derive(seed: &[u8; 32], index: u64) -> Self {
        let secret = derive_secret(seed, "node", index);
        let private_key = ic_ed25519::PrivateKey::deserialize_raw_32(&secret);
        let public_key_der = private_key.public_key().serialize_rfc8410_der();
        let id = Principal::self_authenticating(&public_key_der);
        Self {
            id,
            private_key,
            public_key_der,
        }
    }

    /// The node's id: the self-authenticating principal of its public key.
    pub fn id(&self) -> Principal {
        self.id
    }

    /// The node's public key, DER encoded (44 bytes).
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// Signs `message` as it is; domain separation is the caller's business.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.private_key.sign_message(message)
    }
}

/// The keys of one subnet.
#[derive(Clone)]
pub struct SubnetKeys {
    subnet_id: Principal,
    private_key: BlsPrivateKey,
    public_key_der: Vec<u8>,
    nodes: Vec<NodeKeys>,
}

impl SubnetKeys {
    /// Derives the keys of a subnet with `node_count` nodes from `seed`.
    pub fn new(seed: [u8; 32], node_count: usize) -> Self {
        let private_key = derive_bls_key(&seed);
        let mut public_key_der = BLS_PUBLIC_KEY_DER_PREFIX.to_vec();
        public_key_der.extend_from_slice(&private_key.public_key().serialize());
        Self {
            subnet_id: Principal::self_authenticating(&public_key_der),
            private_key,
            public_key_der,
            nodes: (0..node_count as u64)
                .map(|index| NodeKeys::derive(&seed, index))
                .collect(),
        }
    }

    /// The subnet's id: the self-authenticating principal of its public key.
    pub fn subnet_id(&self) -> Principal {
        self.subnet_id
    }

    /// The subnet's public key, DER encoded (133 bytes).
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// The subnet's nodes, in a fixed order.
    pub fn nodes(&self) -> &[NodeKeys] {
        &self.nodes
    }

    /// Signs `message` with the subnet's key (48 bytes); domain separation is the caller's business.
    pub fn sign(&self, message: &[u8]) -> [u8; 48] {
        self.private_key.sign(message).serialize()
    }
}

/// A secret that depends on seed, purpose and index and on nothing else.
fn derive_secret(seed: &[u8; 32], purpose: &str, index: u64) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"ic-rescue replica key\n");
    hasher.update(purpose.as_bytes());
    hasher.update(index.to_be_bytes());
    hasher.update(seed);
    hasher.finalize().into()
}

/// The first derived number that is a valid scalar; about every second try is.
fn derive_bls_key(seed: &[u8; 32]) -> BlsPrivateKey {
    let mut index = 0;
    loop {
        let mut secret = derive_secret(seed, "subnet", index);
        // The group order has 255 bits.
        secret[0] &= 0x7f;
        if let Ok(key) = BlsPrivateKey::deserialize(&secret) {
            return key;
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_the_seed_alone() {
        let first = SubnetKeys::new([1; 32], 2);
        let again = SubnetKeys::new([1; 32], 2);
        let other = SubnetKeys::new([2; 32], 2);
        assert_eq!(first.subnet_id(), again.subnet_id());
        assert_eq!(first.nodes()[1].id(), again.nodes()[1].id());
        assert_ne!(first.subnet_id(), other.subnet_id());
        assert_ne!(first.nodes()[0].id(), first.nodes()[1].id());
    }

    #[test]
    fn public_keys_have_the_lengths_clients_insist_on() {
        let keys = SubnetKeys::new([3; 32], 1);
        assert_eq!(keys.public_key_der().len(), 133);
        assert_eq!(keys.nodes()[0].public_key_der().len(), 44);
    }

    #[test]
    fn signatures_verify_under_the_published_key() {
        let keys = SubnetKeys::new([4; 32], 1);
        let signature = keys.sign(b"message");
        let key = &keys.public_key_der()[37..];
        assert!(ic_verify_bls_signature::verify_bls_signature(&signature, b"message", key).is_ok());
        assert!(
            ic_verify_bls_signature::verify_bls_signature(&signature, b"massage", key).is_err()
        );
    }
}
