//! `certified_roots`: the recorded roots of a case, with the subnet's signature.

use rescue_api::{CertifiedRoots, Refusal};
use serde_bytes::ByteBuf;

use crate::case::model::CaseId;
use crate::certification;
use crate::store::cases;

/// Statements, certificate and witness.
pub fn certified_roots(id: CaseId) -> Result<CertifiedRoots, Refusal> {
    let case = cases::get(id)?;
    Ok(CertifiedRoots {
        rescue: ic_cdk::api::canister_self(),
        statements: certification::statements(&case),
        certificate: ic_cdk::api::data_certificate().map(ByteBuf::from),
        witness: ByteBuf::from(certification::roots_witness(id)),
    })
}
