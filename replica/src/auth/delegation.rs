//! Chains of delegations: each key signs that the next one may speak for it.

use super::public_key;
use super::{AuthError, SignatureError, Targets, expiry};
use ic_transport_types::{DelegationPermissions, SignedDelegation};
use std::collections::HashSet;

/// Most links of a chain (interface specification, authentication).
const MAX_DELEGATIONS: usize = 20;

/// Most canisters one delegation may name (interface specification, authentication).
const MAX_TARGETS: usize = 1_000;

/// The delegations of one request and what they are checked against.
pub struct Chain<'a> {
    /// The links, the first signed by the sender's key.
    pub signed: &'a [SignedDelegation],
    /// The time of the check, nanoseconds since the epoch.
    pub now_ns: u64,
    /// The key canister signatures are checked against, DER.
    pub root_key_der: &'a [u8],
    /// Whether the request changes state.
    pub for_update: bool,
}

impl Chain<'_> {
    /// Checks every link, starting from `sender_key`. Returns the key that must have signed the request, and the
    /// canisters it may talk about.
    pub fn follow(&self, sender_key: &[u8]) -> Result<(Vec<u8>, Targets), AuthError> {
        self.check_shape(sender_key)?;
        let mut key = sender_key.to_vec();
        let mut targets = Targets::All;
        for link in self.signed {
            let message = link.delegation.signable();
            public_key::verify(&key, &message, &link.signature, self.root_key_der)
                .map_err(AuthError::InvalidDelegation)?;
            if let Some(canisters) = &link.delegation.targets {
                targets = targets.intersect(Targets::Only(canisters.iter().copied().collect()));
            }
            key = link.delegation.pubkey.clone();
        }
        Ok((key, targets))
    }

    /// Everything that can be said without verifying a signature.
    fn check_shape(&self, sender_key: &[u8]) -> Result<(), AuthError> {
        if self.signed.len() > MAX_DELEGATIONS {
            return Err(AuthError::InvalidDelegation(SignatureError::ChainTooLong {
                count: self.signed.len(),
                max: MAX_DELEGATIONS,
            }));
        }
        let mut seen = HashSet::from([sender_key]);
        for link in self.signed {
            let delegation = &link.delegation;
            expiry::check_delegation_expiry(delegation.expiration, self.now_ns)?;
            if !seen.insert(&delegation.pubkey) {
                return Err(AuthError::InvalidDelegation(SignatureError::ChainHasCycle(
                    delegation.pubkey.clone(),
                )));
            }
            let count = delegation.targets.as_ref().map_or(0, Vec::len);
            if count > MAX_TARGETS {
                return Err(AuthError::InvalidDelegation(
                    SignatureError::TooManyTargets {
                        count,
                        max: MAX_TARGETS,
                    },
                ));
            }
            if self.for_update && delegation.permissions == Some(DelegationPermissions::Queries) {
                return Err(AuthError::UpdateNotPermitted);
            }
        }
        Ok(())
    }
}
