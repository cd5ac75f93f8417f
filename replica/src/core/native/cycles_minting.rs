//! The cycles minting canister, as far as it is asked where canisters may be created.

use super::Surroundings;
use crate::core::errors::UserError;
use candid::{CandidType, Principal, encode_one};

/// Subnets by type; there are no types here.
#[derive(CandidType)]
struct SubnetTypes {
    data: Vec<(String, Vec<Principal>)>,
}

/// Answers a query method; `None` when it is none that is modelled.
pub fn query(method: &str, around: &dyn Surroundings) -> Option<Result<Vec<u8>, UserError>> {
    let encoded = match method {
        "get_default_subnets" => encode_one(around.default_subnets()),
        "get_subnet_types_to_subnets" => encode_one(SubnetTypes { data: Vec::new() }),
        _ => return None,
    };
    Some(Ok(encoded.expect("BUG: the results are candid types")))
}
