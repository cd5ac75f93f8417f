//! Who may call what: controllers change, auditors look, a few things are for everybody.

use candid::Principal;
use rescue_api::{Refusal, methods};

use crate::store::{counters, settings};

/// Queries that everybody may call: none of them tells what a memory contains.
const FOR_EVERYBODY: [&str; 3] = [
    methods::CERTIFIED_ROOTS,
    methods::MODULES,
    methods::HTTP_REQUEST,
];

/// Queries for controllers and auditors.
const FOR_AUDITORS: [&str; 5] = [
    methods::GET_CASE,
    methods::LIST_CASES,
    methods::CHECKSUMS,
    methods::JOURNAL,
    methods::AUDITORS,
];

/// Lets controllers of the rescue canister pass, and nobody else.
pub fn controller() -> Result<Principal, Refusal> {
    let caller = ic_cdk::api::msg_caller();
    if ic_cdk::api::is_controller(&caller) {
        counters::count(|counters| counters.updates += 1);
        Ok(caller)
    } else {
        Err(Refusal::NotController { caller })
    }
}

/// Lets controllers and auditors pass.
pub fn auditor() -> Result<Principal, Refusal> {
    let caller = ic_cdk::api::msg_caller();
    if ic_cdk::api::is_controller(&caller) || settings::get().auditors.contains(&caller) {
        Ok(caller)
    } else {
        Err(Refusal::NotAuditor { caller })
    }
}

/// Whether an ingress message is let in at all. What is refused here costs nothing.
pub fn may_enter(method: &str) -> bool {
    let caller = ic_cdk::api::msg_caller();
    if ic_cdk::api::is_controller(&caller) {
        return true;
    }
    let looks = FOR_AUDITORS.contains(&method) || FOR_EVERYBODY.contains(&method);
    looks && settings::get().auditors.contains(&caller)
}
