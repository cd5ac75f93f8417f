//! Keys of the network and everything signed with them: state certificates, data certificates, query responses.
//!
//! A certificate is a hash tree over part of the state, signed with the BLS key of the subnet that holds the state.
//! Unless that subnet is the root subnet, the certificate carries a delegation: a second certificate, signed by the
//! root subnet, that names the subnet's key and canister ranges. Trees are built from the requested paths alone and
//! never pruned, which makes a missing label a valid proof of absence.

mod authority;
mod certificate;
mod keys;
mod query;
mod tree;

pub use authority::{Authority, NODES_PER_SUBNET};
pub use certificate::{CanisterRange, Certifier, DelegationForm, RootOfTrust};
pub(crate) use certificate::{encode_self_described, insert_flat_ranges, insert_sharded_ranges};
pub use keys::{NodeKeys, SubnetKeys};
pub use query::sign_query_response;
pub use tree::StateTree;
