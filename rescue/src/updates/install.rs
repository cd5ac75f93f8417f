//! `install`: the final module, if its bytes are what was declared.

use candid::Principal;
use rescue_api::{FinalModule, Refusal};
use sha2::{Digest, Sha256};

use super::module_chunks::check_complete;
use crate::case::model::{Case, CaseId, Hash, Heap, Operation};
use crate::case::rules::Consent;
use crate::ic::management::{self, CallEnd, Mode};
use crate::limits;
use crate::pair;
use crate::runner::{Ticket, perform};
use crate::store::{cases, modules};
use crate::view;

/// Bytes of a module, wherever they are.
enum Source {
    Whole(Vec<u8>),
    Chunks(u32),
}

/// Installs the final module.
pub async fn install(
    actor: Principal,
    id: CaseId,
    module: FinalModule,
    heap: Heap,
    arg: Vec<u8>,
    although_unattested: bool,
) -> Result<Case, Refusal> {
    check_length("arg", arg.len(), limits::ARG_LEN_MAX_BYTES)?;
    let case = cases::get(id)?;
    let declared = case.final_hash.ok_or(Refusal::FinalHashNotDeclared)?;
    let source = match module {
        FinalModule::Inline(bytes) => {
            let limit = limits::MODULE_INLINE_LEN_MAX_BYTES;
            check_length("inline module (stage it instead)", bytes.len(), limit)?;
            Source::Whole(bytes.into_vec())
        }
        FinalModule::Staged => staged(id)?,
    };
    let computed = hash(id, &source);
    if computed != declared {
        return Err(Refusal::FinalHashMismatch {
            declared: view::hash(declared),
            computed: view::hash(computed),
        });
    }
    let consent = Consent {
        although_unattested,
        ..Consent::default()
    };
    let mode = Mode::Upgrade(heap);
    let operation = Operation::Install(heap);
    perform(
        id,
        actor,
        operation,
        consent,
        async |ticket, case| match source {
            Source::Whole(bytes) => {
                ticket.calling(Some(computed))?;
                Ok(management::install(case.patient, mode, bytes, arg).await)
            }
            Source::Chunks(count) => {
                install_chunks(ticket, &case, count, mode, computed, arg).await
            }
        },
    )
    .await
}

/// Through the patient's chunk store: it works from any subnet. The store is cleared afterwards if it
/// was empty before.
async fn install_chunks(
    ticket: Ticket,
    case: &Case,
    count: u32,
    mode: Mode,
    module_hash: Hash,
    arg: Vec<u8>,
) -> Result<CallEnd, Refusal> {
    let patient = case.patient;
    let store_was_empty = case.last_seen.chunk_store_bytes == 0;
    let mut hashes = Vec::new();
    for index in 0..count {
        ticket.calling(Some(module_hash))?;
        let Some(chunk) = modules::get(case.id, index) else {
            return Ok(CallEnd::Rejected {
                method: "upload_chunk",
                code: 0,
                message: format!("chunk {index} was cleared meanwhile"),
            });
        };
        hashes.push(pair::sha256(&chunk).to_vec());
        let end = management::upload_chunk(patient, chunk).await;
        if end != CallEnd::Answered {
            return Ok(end);
        }
    }
    ticket.calling(Some(module_hash))?;
    let hash = module_hash.to_vec();
    let end = management::install_chunked(patient, mode, hashes, hash, arg).await;
    if store_was_empty {
        // Housekeeping: whether it works does not matter to the case.
        management::clear_chunk_store(patient).await;
    }
    Ok(end)
}

/// Staged bytes; short ones in one piece.
fn staged(id: CaseId) -> Result<Source, Refusal> {
    let count = check_complete(id)?;
    let first = modules::get(id, 0).unwrap_or_default();
    Ok(
        if count == 1 && first.len() <= limits::MODULE_INLINE_LEN_MAX_BYTES {
            Source::Whole(first)
        } else {
            Source::Chunks(count)
        },
    )
}

fn hash(id: CaseId, source: &Source) -> Hash {
    match source {
        Source::Whole(bytes) => pair::sha256(bytes),
        Source::Chunks(count) => {
            let mut hasher = Sha256::new();
            for index in 0..*count {
                hasher.update(modules::get(id, index).unwrap_or_default());
            }
            let digest: [u8; 32] = hasher.finalize().into();
            Hash::new(digest)
        }
    }
}

fn check_length(what: &str, found: usize, limit: usize) -> Result<(), Refusal> {
    if found <= limit {
        return Ok(());
    }
    Err(Refusal::TooLarge {
        what: format!("length of {what} in bytes"),
        limit: limit as u64,
        found: found as u64,
    })
}
