//! What is read from an instance without changing it.

use super::{Reply, convert};
use crate::core::api::{CanisterAccessError, Query};
use crate::http::reply::not_supported_text;
use crate::server::Hosted;
use candid::Principal;
use pocket_ic::common::rest::{
    RawCanisterCall, RawCanisterId, RawCycles, RawIngressStatusArgs, RawPrincipalId,
    RawStableMemory, RawSubnetId, RawTime,
};

/// The topology.
pub fn topology(hosted: &Hosted) -> Reply {
    Reply::json(&hosted.read(|network| convert::topology(network.topology())))
}

/// The time.
pub fn time(hosted: &Hosted) -> Reply {
    Reply::json(&RawTime {
        nanos_since_epoch: hosted.time_ns(),
    })
}

/// A subnet's public key.
pub fn public_key(hosted: &Hosted, subnet: &RawSubnetId) -> Result<Reply, Reply> {
    let id = convert::principal(&subnet.subnet_id, "subnet id")?;
    let key = hosted.read(|network| {
        let subnet = network.topology().subnet(&id);
        subnet.map(|subnet| subnet.public_key_der.clone())
    });
    match key {
        Some(key) => Ok(Reply::json(&key)),
        None => Err(subnet_not_found(&id)),
    }
}

/// The error about a subnet that is not there.
pub fn subnet_not_found(id: &Principal) -> Reply {
    Reply::error(400, format!("SubnetNotFound({id})"))
}

/// The subnet a canister lives on.
pub fn subnet(hosted: &Hosted, canister: &RawCanisterId) -> Result<Reply, Reply> {
    let id = canister_id(canister)?;
    let subnet: Option<RawSubnetId> = hosted.read(|network| {
        let subnet = network.topology().route(&id)?;
        network.canister_exists(&id).then(|| subnet.id.into())
    });
    Ok(Reply::json(&subnet))
}

/// The controllers of a canister.
pub fn controllers(hosted: &Hosted, canister: &RawCanisterId) -> Result<Reply, Reply> {
    let id = canister_id(canister)?;
    match hosted.canister(&id) {
        Some(view) => {
            let controllers: Vec<RawPrincipalId> =
                view.controllers.into_iter().map(Into::into).collect();
            Ok(Reply::json(&controllers))
        }
        None => Err(no_access(&CanisterAccessError::NotFound(id))),
    }
}

/// The cycles of a canister.
pub fn cycles(hosted: &Hosted, canister: &RawCanisterId) -> Result<Reply, Reply> {
    let id = canister_id(canister)?;
    let cycles = hosted
        .read(|network| network.cycles(&id))
        .map_err(|error| no_access(&error))?;
    Ok(Reply::json(&RawCycles { cycles }))
}

/// The stable memory of a canister, whole.
pub fn stable_memory(hosted: &Hosted, canister: &RawCanisterId) -> Result<Reply, Reply> {
    let id = canister_id(canister)?;
    let blob = hosted
        .read(|network| network.stable_memory(&id))
        .map_err(|error| no_access(&error))?;
    Ok(Reply::json(&RawStableMemory { blob }))
}

/// A query call.
pub fn query(hosted: &Hosted, call: RawCanisterCall) -> Result<Reply, Reply> {
    refuse_sender_info(&call)?;
    let query = Query {
        sender: convert::principal(&call.sender, "sender principal")?,
        receiver: convert::principal(&call.canister_id, "canister id")?,
        effective: convert::effective_principal(&call.effective_principal)?,
        method: call.method,
        arg: call.payload,
    };
    let (result, _) = hosted.query(&query);
    Ok(Reply::json(&convert::canister_result(result)?))
}

/// How far a message has come; nothing while it is not answered.
pub fn ingress_status(hosted: &Hosted, args: &RawIngressStatusArgs) -> Result<Reply, Reply> {
    let id = convert::message_id(&args.raw_message_id.message_id)?;
    let status = hosted.ingress_status(&id);
    if let (Some(caller), Some(status)) = (&args.raw_caller, &status)
        && status.sender != convert::principal(&caller.principal_id, "caller principal")?
    {
        return Err(Reply::error(
            403,
            "The user tries to access Request ID not signed by the caller.",
        ));
    }
    let result = status.and_then(|status| convert::final_result(status.state));
    Ok(Reply::json(&result))
}

/// Attributes vouched for by somebody else are nothing this network knows.
pub fn refuse_sender_info(call: &RawCanisterCall) -> Result<(), Reply> {
    match call.sender_info {
        Some(_) => Err(Reply::error(
            501,
            not_supported_text("`sender_info` of a call"),
        )),
        None => Ok(()),
    }
}

/// A canister id out of a request.
pub fn canister_id(raw: &RawCanisterId) -> Result<Principal, Reply> {
    convert::principal(&raw.canister_id, "canister id")
}

/// The error about a canister that cannot serve a request.
pub fn no_access(error: &CanisterAccessError) -> Reply {
    Reply::error(400, error.to_string())
}
