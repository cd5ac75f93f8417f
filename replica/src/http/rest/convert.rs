//! From the client's types to the network's and back.

use super::Reply;
use crate::core::api::{CallError, EffectivePrincipal, IngressState, MessageId};
use crate::core::topology::{IdRange, Topology as CoreTopology};
use candid::Principal;
use pocket_ic::RejectResponse;
use pocket_ic::common::rest::{
    CanisterIdRange, RawCanisterResult, RawEffectivePrincipal, SubnetConfig, Topology,
};

/// A principal out of raw bytes.
pub fn principal(bytes: &[u8], what: &str) -> Result<Principal, Reply> {
    Principal::try_from_slice(bytes).map_err(|_| {
        Reply::error(
            400,
            format!("ConversionError {{ message: \"Bad {what}\" }}"),
        )
    })
}

/// Where a call is routed.
pub fn effective_principal(raw: &RawEffectivePrincipal) -> Result<EffectivePrincipal, Reply> {
    Ok(match raw {
        RawEffectivePrincipal::None => EffectivePrincipal::None,
        RawEffectivePrincipal::SubnetId(id) => {
            EffectivePrincipal::Subnet(principal(id, "subnet id")?)
        }
        RawEffectivePrincipal::CanisterId(id) => {
            EffectivePrincipal::Canister(principal(id, "effective canister id")?)
        }
    })
}

/// The id of a message.
pub fn message_id(bytes: &[u8]) -> Result<MessageId, Reply> {
    MessageId::try_from(bytes)
        .map_err(|_| Reply::error(400, "ConversionError { message: \"Bad message id\" }"))
}

/// What the real server says about a request that no subnet gets to see.
pub fn bad_ingress(text: &str) -> Reply {
    Reply::error(400, format!("BadIngressMessage({text:?})"))
}

/// The result of a call or query.
pub fn canister_result(result: Result<Vec<u8>, CallError>) -> Result<RawCanisterResult, Reply> {
    match result {
        Ok(bytes) => Ok(RawCanisterResult::Ok(bytes)),
        Err(CallError::Rejected(reject)) => Ok(RawCanisterResult::Err(reject)),
        Err(CallError::BadRequest(text)) => Err(bad_ingress(&text)),
    }
}

/// The answer to a message; `None` while there is none.
pub fn final_result(state: IngressState) -> Option<RawCanisterResult> {
    match state {
        IngressState::Replied(bytes) => Some(RawCanisterResult::Ok(bytes)),
        IngressState::Rejected(reject) => Some(RawCanisterResult::Err(RejectResponse {
            certified: true,
            ..reject
        })),
        IngressState::Received | IngressState::Processing => None,
    }
}

/// The topology as clients read it.
pub fn topology(topology: &CoreTopology) -> Topology {
    Topology {
        subnet_configs: topology
            .subnets()
            .iter()
            .map(|subnet| {
                let config = SubnetConfig {
                    subnet_kind: subnet.kind,
                    subnet_admins: subnet
                        .admins
                        .as_ref()
                        .map(|admins| admins.iter().map(|admin| (*admin).into()).collect()),
                    cost_schedule: subnet.cost_schedule,
                    subnet_seed: subnet.seed,
                    instruction_config: subnet.instruction_config.clone(),
                    canister_ranges: subnet.ranges.iter().map(canister_range).collect(),
                };
                (subnet.id, config)
            })
            .collect(),
        default_effective_canister_id: topology.default_effective_canister().into(),
    }
}

fn canister_range(range: &IdRange) -> CanisterIdRange {
    let (start, end) = range.principals();
    CanisterIdRange {
        start: start.into(),
        end: end.into(),
    }
}
