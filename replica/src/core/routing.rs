//! Which subnet a call of a user goes to.

use candid::Principal;
use ic_management_canister_types::{CanisterIdRecord, ProvisionalCreateCanisterWithCyclesArgs};

use super::api::EffectivePrincipal;
use super::errors::UserError;
use super::management::decode::decode;
use super::management::method::MethodName;
use super::topology::Topology;

/// A destination, found or to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// This subnet.
    Subnet(Principal),
    /// The subnet, yet to be created, that has this mainnet id.
    MainnetSubnetOf(Principal),
}

/// Finds the subnet of a call.
///
/// # Errors
/// Why there is none, in words.
pub fn route(
    topology: &Topology,
    effective: EffectivePrincipal,
    receiver: &Principal,
    method: &str,
    arg: &[u8],
) -> Result<Destination, String> {
    let is_management = *receiver == Principal::management_canister();
    let is_creation = is_management
        && MethodName::parse(method) == Some(MethodName::ProvisionalCreateCanisterWithCycles);
    let effective = match effective {
        EffectivePrincipal::None if !is_management => EffectivePrincipal::Canister(*receiver),
        EffectivePrincipal::None => derive(is_creation, arg)?,
        given => given,
    };
    match effective {
        EffectivePrincipal::Subnet(id) => topology
            .subnet(&id)
            .map(|subnet| Destination::Subnet(subnet.id))
            .ok_or_else(|| format!("Subnet with ID {id} not found")),
        EffectivePrincipal::None => default_subnet(topology),
        EffectivePrincipal::Canister(id) => match topology.route(&id) {
            Some(subnet) => Ok(Destination::Subnet(subnet.id)),
            None if is_creation && id == Principal::management_canister() => {
                default_subnet(topology)
            }
            None if is_creation => Ok(Destination::MainnetSubnetOf(id)),
            None => Err(format!("Canister {id} does not belong to any subnet.")),
        },
    }
}

fn default_subnet(topology: &Topology) -> Result<Destination, String> {
    topology
        .route(&topology.default_effective_canister())
        .map(|subnet| Destination::Subnet(subnet.id))
        .ok_or_else(|| "The default subnet was deleted.".into())
}

/// The effective principal of a management call that came without one.
fn derive(is_creation: bool, arg: &[u8]) -> Result<EffectivePrincipal, String> {
    let undecodable = |error: UserError| error.description;
    if is_creation {
        let args: ProvisionalCreateCanisterWithCyclesArgs = decode(arg).map_err(undecodable)?;
        return Ok(match args.specified_id {
            Some(id) => EffectivePrincipal::Canister(id),
            None => EffectivePrincipal::None,
        });
    }
    let args: CanisterIdRecord = decode(arg).map_err(undecodable)?;
    Ok(EffectivePrincipal::Canister(args.canister_id))
}
