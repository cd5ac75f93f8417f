//! The chunk store.

use candid::Principal;
use ic_management_canister_types::{CanisterIdRecord, ChunkHash, UploadChunkArgs};

use super::decode::{empty, encode};
use crate::core::canister::Canister;
use crate::core::errors::{UserError, out_of_cycles_text};
use crate::core::limits::{CHUNK_BYTES, HEAP_DELTA_RATE_BYTES, UPLOAD_CHUNK_INSTRUCTIONS};
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

/// `upload_chunk`
///
/// # Errors
/// See [`UserError`]: no such canister, a caller who may not, a chunk that does not fit.
pub fn upload_chunk(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    args: UploadChunkArgs,
) -> Result<Vec<u8>, UserError> {
    may_use(state, &args.canister_id, &sender)?;
    let canister = state.canister_mut(&args.canister_id)?;
    // Charged first, whatever comes of the chunk.
    let cost = subnet.prices.execution(UPLOAD_CHUNK_INSTRUCTIONS, false);
    let missing = canister.missing_cycles(cost, &subnet.prices);
    if missing > 0 {
        let shown = canister.settings.is_controller(&sender).then_some(missing);
        return Err(UserError::chunk_store(format!(
            "Error charging for 'upload_chunk': {}",
            out_of_cycles_text(canister.id, shown)
        )));
    }
    canister.charge_instructions(cost);
    if !canister.chunk_store.check(&args.chunk)? {
        let hash = canister.chunk_store.insert(args.chunk);
        return Ok(encode(&ChunkHash {
            hash: hash.to_vec(),
        }));
    }
    if canister.heap_delta_debit_bytes >= HEAP_DELTA_RATE_BYTES {
        return Err(UserError::chunk_store(format!(
            "Canister is heap delta rate limited. Current delta debit: {}, limit: {HEAP_DELTA_RATE_BYTES}",
            canister.heap_delta_debit_bytes
        )));
    }
    canister.add_heap_delta(CHUNK_BYTES as u64);
    let hash = canister.chunk_store.insert(args.chunk);
    state.budget -= i64::try_from(UPLOAD_CHUNK_INSTRUCTIONS).unwrap_or(i64::MAX);
    Ok(encode(&ChunkHash {
        hash: hash.to_vec(),
    }))
}

/// `stored_chunks`
///
/// # Errors
/// No such canister, or a caller who may not.
pub fn stored_chunks(
    state: &SubnetState,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    let canister = may_use(state, &args.canister_id, &sender)?;
    Ok(encode(&chunk_hashes(canister)))
}

/// The hashes of a canister's chunks as a result shows them.
fn chunk_hashes(canister: &Canister) -> Vec<ChunkHash> {
    canister
        .chunk_store
        .hashes()
        .map(|hash| ChunkHash {
            hash: hash.to_vec(),
        })
        .collect()
}

/// `clear_chunk_store`
///
/// # Errors
/// No such canister, or a caller who may not.
pub fn clear_chunk_store(
    state: &mut SubnetState,
    sender: Principal,
    args: CanisterIdRecord,
) -> Result<Vec<u8>, UserError> {
    may_use(state, &args.canister_id, &sender)?;
    state.canister_mut(&args.canister_id)?.chunk_store.clear();
    Ok(empty())
}

/// The canister itself and its controllers may use its chunk store.
pub fn may_use<'a>(
    state: &'a SubnetState,
    canister: &Principal,
    sender: &Principal,
) -> Result<&'a Canister, UserError> {
    if canister == sender {
        state.canister(canister)
    } else {
        state.controlled(canister, sender)
    }
}
