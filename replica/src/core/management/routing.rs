//! Which subnet a canister's call of the management canister goes to.

use candid::{CandidType, Principal};
use ic_management_canister_types::CanisterIdRecord;
use serde::Deserialize;

use super::decode::decode;
use super::method::MethodName;
use super::sender_version;
use crate::core::api::RejectCode;
use crate::core::canister::Canister;
use crate::core::message::Payload;
use crate::core::network::SubnetContext;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this canister or subnet.
    To(Principal),
    /// Nowhere: this is the answer.
    Reject(Payload),
}

#[derive(CandidType, Deserialize)]
struct TargetRecord {
    target_canister: Principal,
}

/// The canister a management call is about, if it is about one.
pub fn effective_canister(method: MethodName, arg: &[u8]) -> Option<Principal> {
    match method {
        MethodName::CreateCanister
        | MethodName::RawRand
        | MethodName::ProvisionalCreateCanisterWithCycles
        | MethodName::Unsupported(_) => None,
        MethodName::InstallChunkedCode => {
            decode::<TargetRecord>(arg).ok().map(|t| t.target_canister)
        }
        _ => decode::<CanisterIdRecord>(arg).ok().map(|r| r.canister_id),
    }
}

/// Routes a request of a canister, which has the version of before the message that makes the request.
pub fn route_request(
    canister: &Canister,
    subnet: &SubnetContext,
    callee: &Principal,
    method: &str,
    arg: &[u8],
) -> Route {
    debug_assert_eq!(subnet.route(&canister.id), Some(subnet.id));
    let is_subnet = subnet.subnets().contains(callee);
    if (is_subnet || *callee == Principal::management_canister())
        && let Err(error) = sender_version::check(canister.version, method, arg)
    {
        return Route::Reject(Payload::from(&error));
    }
    if *callee != Principal::management_canister() {
        // A subnet may be called by its id from the NNS only; everything else is a canister.
        if is_subnet && !subnet.is_nns {
            return unroutable(method, format_args!("AlreadyResolved({callee})"));
        }
        return Route::To(*callee);
    }
    let Some(method) = MethodName::parse(method) else {
        return Route::To(subnet.id);
    };
    let has_no_canister = matches!(
        method,
        MethodName::CreateCanister
            | MethodName::RawRand
            | MethodName::ProvisionalCreateCanisterWithCycles
            | MethodName::Unsupported(_)
    );
    if has_no_canister {
        return Route::To(subnet.id);
    }
    let decoded = match method {
        MethodName::InstallChunkedCode => {
            decode::<TargetRecord>(arg).map(|record| record.target_canister)
        }
        _ => decode::<CanisterIdRecord>(arg).map(|record| record.canister_id),
    };
    match decoded {
        Err(error) => unroutable(
            method.name(),
            format_args!(
                "UserError(UserError {{ code: {:?}, description: {:?} }})",
                error.code, error.description
            ),
        ),
        Ok(canister) => match subnet.route(&canister) {
            Some(destination) => Route::To(destination),
            None => unroutable(
                method.name(),
                format_args!("SubnetNotFound({canister}, {:?})", DebugName(method)),
            ),
        },
    }
}

fn unroutable(method: &str, reason: std::fmt::Arguments<'_>) -> Route {
    Route::Reject(Payload::reject(
        RejectCode::DestinationInvalid,
        format!("Unable to route management canister request {method}: {reason}"),
    ))
}

/// A method's name as the Internet Computer's debug output has it: in camel case.
struct DebugName(MethodName);

impl std::fmt::Debug for DebugName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.name().split('_').try_for_each(|word| {
            let (first, rest) = word.split_at(1);
            write!(f, "{}{rest}", first.to_uppercase())
        })
    }
}
