//! `forget`: removes a closed case with its evidence and journal.

use rescue_api::Refusal;

use crate::case::model::{CaseId, Memory, Operation};
use crate::case::rules::{self, Consent};
use crate::store::{cases, digests, modules};

/// Forgets a closed case.
pub fn forget(id: CaseId) -> Result<(), Refusal> {
    let case = cases::get(id)?;
    rules::check(&case, Operation::Forget, Consent::default())?;
    for memory in Memory::ALL {
        digests::remove(id, memory);
    }
    modules::remove(id);
    cases::remove(&case);
    Ok(())
}
