//! `put_module_chunk` and `clear_module`: stage the final module in the rescue canister, whose hash is
//! then computed here, from the bytes.

use candid::Principal;
use rescue_api::{ModuleChunkArgs, Refusal};

use crate::case::model::{Case, CaseId};
use crate::case::step::Event;
use crate::limits;
use crate::store::{cases, modules};

/// Stages a chunk. The same chunk again replaces it.
pub fn put(actor: Principal, args: ModuleChunkArgs) -> Result<Case, Refusal> {
    let data = args.data.into_vec();
    if args.index >= limits::MODULE_CHUNKS_MAX {
        return Err(Refusal::TooLarge {
            what: "index of a module chunk".to_string(),
            limit: u64::from(limits::MODULE_CHUNKS_MAX) - 1,
            found: u64::from(args.index),
        });
    }
    if data.is_empty() || data.len() > limits::MODULE_CHUNK_LEN_BYTES {
        return Err(Refusal::TooLarge {
            what: "length of a module chunk in bytes (1 at least)".to_string(),
            limit: limits::MODULE_CHUNK_LEN_BYTES as u64,
            found: data.len() as u64,
        });
    }
    let found = modules::total_count();
    if found >= limits::MODULE_CHUNKS_TOTAL_MAX && modules::get(args.case, args.index).is_none() {
        return Err(Refusal::TooLarge {
            what: "number of module chunks staged for all cases (clear_module makes room)"
                .to_string(),
            limit: limits::MODULE_CHUNKS_TOTAL_MAX,
            found,
        });
    }
    // Checks the case before anything is written.
    cases::get(args.case)?;
    record(actor, args.case)?;
    modules::put(args.case, args.index, data);
    record(actor, args.case)
}

/// Drops all chunks of a case.
pub fn clear(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    record(actor, id)?;
    modules::remove(id);
    record(actor, id)
}

fn record(actor: Principal, id: CaseId) -> Result<Case, Refusal> {
    let lengths = modules::lengths(id);
    let event = Event::Staged {
        chunks: lengths.len() as u32,
        bytes: lengths.iter().map(|(_, bytes)| bytes).sum(),
    };
    cases::apply(id, event, actor, ic_cdk::api::time())
}

/// Chunks of a module from the first to the last, checked for gaps and short ones.
pub fn check_complete(id: CaseId) -> Result<u32, Refusal> {
    let lengths = modules::lengths(id);
    let count = lengths.len() as u32;
    if count == 0 {
        return Err(incomplete("nothing is staged".to_string()));
    }
    for (place, (index, bytes)) in (0..).zip(&lengths) {
        if *index != place {
            return Err(incomplete(format!("chunk {place} is missing")));
        }
        let is_last = place + 1 == count;
        if !is_last && *bytes != limits::MODULE_CHUNK_LEN_BYTES as u64 {
            return Err(incomplete(format!("chunk {place} has only {bytes} bytes")));
        }
    }
    Ok(count)
}

fn incomplete(what: String) -> Refusal {
    Refusal::ModuleIncomplete { what }
}
