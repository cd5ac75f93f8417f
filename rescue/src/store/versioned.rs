//! How one value is laid out:
//!
//! ```text
//! offset  length  what
//! 0       1       version of the value's layout
//! 1       rest    the value, candid encoded ("DIDL…")
//! ```
//!
//! Candid says of every field what it is, so that later versions read what earlier ones wrote, as long
//! as new fields are optional. A value of a version not known here traps: an upgrade to a module too
//! old for its data is reverted by the IC and changes nothing.

use std::borrow::Cow;

use candid::{CandidType, Decode, Encode};
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::de::DeserializeOwned;

/// The version written. Readers for earlier ones are kept forever.
pub const VERSION: u8 = 1;

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T>(pub T);

impl<T: CandidType + DeserializeOwned> Storable for Versioned<T> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let encoded = Encode!(&self.0).expect("BUG: a stored value always encodes");
        let mut bytes = Vec::with_capacity(1 + encoded.len());
        bytes.push(VERSION);
        bytes.extend(encoded);
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<'_, [u8]>) -> Self {
        match bytes.split_first() {
            Some((&VERSION, encoded)) => {
                Self(Decode!(encoded, T).expect("BUG: stored values decode"))
            }
            Some((version, _)) => {
                panic!("a stored value has version {version}, this module knows version {VERSION}")
            }
            None => panic!("a stored value is empty"),
        }
    }

    const BOUND: Bound = Bound::Unbounded;
}
