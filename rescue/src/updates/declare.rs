//! `declare`: puts on record which module the patient shall have in the end.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::model::{Case, CaseId, Hash};
use crate::case::step::Event;
use crate::store::cases;

/// Declares the hash of the final module.
pub fn declare(actor: Principal, id: CaseId, hash: &[u8]) -> Result<Case, Refusal> {
    let hash = parse_hash(hash)?;
    let event = Event::Declared { hash, actor };
    cases::apply(id, event, actor, ic_cdk::api::time())
}

/// A SHA-256 from an argument.
pub fn parse_hash(hash: &[u8]) -> Result<Hash, Refusal> {
    <[u8; 32]>::try_from(hash)
        .map(Hash::new)
        .map_err(|_| Refusal::InvalidArgument {
            argument: "final_module_hash".to_string(),
            why: format!("{} bytes; a SHA-256 has 32", hash.len()),
        })
}
