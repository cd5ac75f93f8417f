//! Which subnet a canister's call of the management canister goes to.

use candid::{CandidType, Principal};
use ic_management_canister_types::CanisterIdRecord;
use serde::Deserialize;

use super::decode::decode;
use super::method::MethodName;
use crate::core::canister::Canister;
use crate::core::network::SubnetContext;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this canister or subnet.
    To(Principal),
    /// Nowhere, for this reason.
    Reject(String),
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

/// Routes a request of a canister.
pub fn route_request(
    canister: &Canister,
    subnet: &SubnetContext,
    callee: &Principal,
    method: &str,
    arg: &[u8],
) -> Route {
    debug_assert_eq!(subnet.route(&canister.id), Some(subnet.id));
    if *callee != Principal::management_canister() {
        // A subnet may be called by its id from the NNS only; everything else is a canister.
        if subnet.subnets().contains(callee) && !subnet.is_nns {
            return Route::Reject(format!(
                "Unable to route management canister request {method}: AlreadyResolved({callee})"
            ));
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
    let reject = |reason: String| {
        Route::Reject(format!(
            "Unable to route management canister request {}: {reason}",
            method.name()
        ))
    };
    let decoded = match method {
        MethodName::InstallChunkedCode => {
            decode::<TargetRecord>(arg).map(|record| record.target_canister)
        }
        _ => decode::<CanisterIdRecord>(arg).map(|record| record.canister_id),
    };
    match decoded {
        Err(error) => reject(format!(
            "UserError(UserError {{ code: {:?}, description: {:?} }})",
            error.code, error.description
        )),
        Ok(canister) => match subnet.route(&canister) {
            Some(destination) => Route::To(destination),
            None => reject(format!(
                "SubnetNotFound({canister}, {:?})",
                DebugName(method)
            )),
        },
    }
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
