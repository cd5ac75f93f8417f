//! The canisters a signature is good for.

use candid::Principal;
use std::collections::BTreeSet;

/// A set of canisters: all of them, or those that every delegation of a chain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// No delegation restricts them.
    All,
    /// These and no others.
    Only(BTreeSet<Principal>),
}

impl Targets {
    /// Whether `canister` is one of them.
    pub fn contains(&self, canister: &Principal) -> bool {
        match self {
            Targets::All => true,
            Targets::Only(canisters) => canisters.contains(canister),
        }
    }

    /// What both sets allow.
    pub fn intersect(self, other: Targets) -> Targets {
        match (self, other) {
            (Targets::All, only) | (only, Targets::All) => only,
            (Targets::Only(left), Targets::Only(right)) => {
                Targets::Only(left.intersection(&right).copied().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(ids: &[u8]) -> Targets {
        Targets::Only(ids.iter().map(|id| Principal::from_slice(&[*id])).collect())
    }

    #[test]
    fn a_chain_allows_what_all_its_links_allow() {
        assert_eq!(Targets::All.intersect(only(&[1])), only(&[1]));
        assert_eq!(only(&[1, 2]).intersect(only(&[2, 3])), only(&[2]));
        assert_eq!(only(&[1]).intersect(only(&[3])), only(&[]));
        assert!(!only(&[]).contains(&Principal::from_slice(&[1])));
    }
}
