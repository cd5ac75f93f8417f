//! Questions to a module of the pair in the patient: replicated calls of its query methods.
//!
//! They wait at most 100 seconds for an answer, so that a patient that someone else has changed
//! meanwhile cannot hold the rescue canister up.

use candid::Principal;
use ic_cdk::call::Call;
use rescue_api::Refusal;
use wire::geometry::Geometry;
use wire::{candid as encoding, methods};

use super::management::rejection;
use super::outstanding;
use crate::case::model::Memory;
use crate::limits;
use crate::store::counters;
use crate::store::digests::DIGEST_LEN_BYTES;

/// Size of a memory, bytes.
pub async fn size(patient: Principal, memory: Memory) -> Result<u64, Refusal> {
    let method = match memory {
        Memory::Stable => methods::STABLE_SIZE,
        Memory::Heap => methods::HEAP_SIZE,
    };
    let answer = ask(patient, method, encoding::UNIT.to_vec()).await?;
    encoding::decode_nat64(&answer).map_err(|_| nonsense(method, "not one nat64"))
}

/// Digests of `count` chunks from chunk `first` on, concatenated.
pub async fn sha256(
    patient: Principal,
    memory: Memory,
    first: u64,
    count: u64,
) -> Result<Vec<u8>, Refusal> {
    let method = match memory {
        Memory::Stable => methods::STABLE_SHA256,
        Memory::Heap => methods::HEAP_SHA256,
    };
    let chunk_len_bytes = Geometry::of_memory(0).chunk_len_bytes();
    let args = encoding::encode_nat64_triple(first * chunk_len_bytes, chunk_len_bytes, count);
    let answer = ask(patient, method, args.to_vec()).await?;
    let digests = encoding::decode_blob(&answer).map_err(|_| nonsense(method, "not one blob"))?;
    if digests.len() as u64 != count * DIGEST_LEN_BYTES as u64 {
        let what = format!("{} bytes for {count} digests", digests.len());
        return Err(nonsense(method, &what));
    }
    Ok(digests.to_vec())
}

async fn ask(patient: Principal, method: &str, args: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let call = Call::bounded_wait(patient, method)
        .change_timeout(limits::HASH_TIMEOUT_SECONDS)
        .take_raw_args(args);
    outstanding::count(call.into_future())
        .await
        .map(|response| response.into_bytes())
        .map_err(|failed| {
            counters::count(|counters| counters.call_errors += 1);
            let (code, message) = rejection(&failed);
            Refusal::CallRejected {
                method: method.to_string(),
                code,
                message,
            }
        })
}

fn nonsense(method: &str, what: &str) -> Refusal {
    Refusal::BadReply {
        method: method.to_string(),
        what: what.to_string(),
    }
}
