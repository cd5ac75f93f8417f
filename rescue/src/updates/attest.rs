//! `attest`: has the patient hash its memory again and compares with what is recorded.

use candid::Principal;
use rescue_api::{AttestProgress, Refusal};

use super::hashing::{Walk, check_batches};
use crate::case::model::{CaseId, Memory, Operation};
use crate::case::step::Event;
use crate::store::digests::DIGEST_LEN_BYTES;
use crate::store::{counters, digests};
use crate::view;

/// Attests some of the chunks of a memory.
pub async fn attest(
    actor: Principal,
    id: CaseId,
    memory: Memory,
    restart: bool,
    batches_max: Option<u32>,
) -> Result<AttestProgress, Refusal> {
    let batches = check_batches(batches_max)?;
    let operation = Operation::Attest(memory);
    let mut walk = Walk::begin(actor, id, operation, memory, restart).await?;
    let attested = walk.case.memory(memory).attestation.as_ref();
    let first = attested.map_or(0, |attestation| attestation.checked);
    let mut differing = Vec::new();
    let count = walk
        .hash(first, batches, |batch| {
            let end = batch.first + (batch.digests.len() / DIGEST_LEN_BYTES) as u64;
            let recorded = digests::range(id, memory, batch.first, end);
            let pairs = batch
                .digests
                .chunks(DIGEST_LEN_BYTES)
                .zip(recorded.chunks(DIGEST_LEN_BYTES));
            differing.extend(
                (batch.first..)
                    .zip(pairs)
                    .filter(|(_, (found, recorded))| found != recorded)
                    .map(|(chunk, _)| chunk),
            );
        })
        .await?;
    let ticket = walk.ticket;
    let case = ticket.apply(Event::Compared {
        token: ticket.token(),
        memory,
        count,
        differing,
    })?;
    ticket.release();
    counters::count(|counters| counters.attested_bytes += count * wire::limits::CHUNK_LEN_BYTES);
    let record = case.memory(memory);
    let attestation = record
        .attestation
        .as_ref()
        .expect("BUG: what was compared has an attestation");
    Ok(view::attest_progress(memory, record, attestation))
}
