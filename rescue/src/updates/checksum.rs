//! `checksum`: has the patient hash its memory and records the digests, some batches per call.

use candid::Principal;
use rescue_api::{ChecksumProgress, Refusal};

use super::hashing::{Walk, check_batches};
use crate::case::model::{CaseId, Memory, Operation};
use crate::case::step::Event;
use crate::store::{cases, counters, digests};
use crate::view;

/// Records some of the checksums of a memory.
pub async fn checksum(
    actor: Principal,
    id: CaseId,
    memory: Memory,
    restart: bool,
    batches_max: Option<u32>,
) -> Result<ChecksumProgress, Refusal> {
    let batches = check_batches(batches_max)?;
    let record = cases::get(id)?.memory(memory).clone();
    if let (Some(_), Some(done), false) = (
        record.root,
        view::checksum_progress(memory, &record),
        restart,
    ) {
        return Ok(done);
    }
    let operation = Operation::Checksum(memory);
    let mut walk = Walk::begin(actor, id, operation, memory, restart).await?;
    let first = walk.case.memory(memory).recorded;
    let hashed = walk
        .hash(first, batches, |batch| {
            digests::put_block(id, memory, batch.first, batch.digests);
        })
        .await?;
    let ticket = walk.ticket;
    let token = ticket.token();
    let recorded = first + hashed;
    let mut case = ticket.apply(Event::Recorded {
        token,
        memory,
        recorded,
    })?;
    let record = case.memory(memory);
    let chunk_len_bytes = wire::limits::CHUNK_LEN_BYTES;
    counters::count(|counters| counters.checksummed_bytes += hashed * chunk_len_bytes);
    if let (true, Some(size_bytes)) = (recorded == record.chunks_total(), record.size_bytes) {
        let root = digests::root(id, memory, size_bytes);
        case = ticket.apply(Event::Sealed {
            token,
            memory,
            root,
        })?;
    }
    ticket.release();
    Ok(view::checksum_progress(memory, case.memory(memory))
        .expect("BUG: a memory that was hashed has a size"))
}
