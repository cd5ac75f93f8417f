//! The seam between the network and its cryptography.
//!
//! The core knows only that every subnet has a seed, that a public key follows from the seed, and
//! that somebody can certify a canister's data. Keys and signatures live outside (`crate::cert`).

use candid::Principal;

/// Turns seeds into keys and signs. The HTTP side implements it with BLS keys.
pub trait SubnetAuthority: Send + Sync {
    /// The DER form of the public key of the subnet with this seed. The subnet's id is the
    /// self-authenticating principal of it.
    fn public_key_der(&self, subnet_seed: &[u8; 32]) -> Vec<u8>;

    /// The certificate that `ic0.data_certificate_copy` hands out in a query: the canister's
    /// certified data and the time, signed by its subnet. CBOR.
    fn data_certificate(&self, request: &DataCertificateRequest<'_>) -> Vec<u8>;
}

/// What a data certificate has to say.
#[derive(Clone, Copy, Debug)]
pub struct DataCertificateRequest<'a> {
    /// The subnet that signs.
    pub subnet: Principal,
    /// Its seed.
    pub subnet_seed: &'a [u8; 32],
    /// Its canister ranges, first and last id of each: the root subnet's delegation states them.
    pub subnet_ranges: &'a [(Principal, Principal)],
    /// The canister.
    pub canister: Principal,
    /// Its certified data (at most 32 bytes).
    pub certified_data: &'a [u8],
    /// The time of the state, nanoseconds since the epoch.
    pub time_ns: u64,
}

/// An authority without any cryptography: keys are tagged hashes of the seeds, certificates are
/// empty. For tests of the core alone; no client accepts what it makes.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnsignedAuthority;

impl SubnetAuthority for UnsignedAuthority {
    fn public_key_der(&self, subnet_seed: &[u8; 32]) -> Vec<u8> {
        [b"unsigned subnet ".as_slice(), subnet_seed].concat()
    }

    fn data_certificate(&self, _request: &DataCertificateRequest<'_>) -> Vec<u8> {
        Vec::new()
    }
}
