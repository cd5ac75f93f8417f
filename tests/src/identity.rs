//! Identities as users have them: an ed25519 key in a PEM file.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use candid::Principal;
use ic_agent::Identity as _;
use ic_agent::identity::BasicIdentity;
use std::path::{Path, PathBuf};

/// PKCS#8 version 1 wrapping of an ed25519 seed (RFC 8410, section 7), up to the seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A key pair, its principal, and the PEM file that holds it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who it is on the network.
    pub principal: Principal,
    /// The file a CLI is given.
    pub pem_file: PathBuf,
    seed: [u8; 32],
}

impl Identity {
    /// An identity made from `seed`, with its PEM file in `folder`.
    pub fn create(folder: &Path, name: &str, seed: [u8; 32]) -> Identity {
        let der = [&PKCS8_PREFIX[..], &seed].concat();
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64_STANDARD.encode(&der)
        );
        let pem_file = folder.join(format!("{name}.pem"));
        std::fs::write(&pem_file, text).unwrap();
        let principal = BasicIdentity::from_raw_key(&seed).sender().unwrap();
        Identity {
            principal,
            pem_file,
            seed,
        }
    }

    /// The same identity for an agent.
    pub fn for_agent(&self) -> BasicIdentity {
        BasicIdentity::from_raw_key(&self.seed)
    }
}
