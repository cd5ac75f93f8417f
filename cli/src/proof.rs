//! Proof that a canister holds what a backup holds: the memory is hashed by the whole subnet and compared.

use crate::case::{Case, recorded_root};
use crate::commands::Context;
use crate::error::CliError;
use crate::output::{Event, Output};
use crate::patient::{Asked, Patient};
use crate::transfer::plan::differing;
use archive::ChunkDigests;
use rescue_api::CaseView;

/// Has a memory hashed on chain and compares it with `wanted`.
///
/// If `case` recorded this very memory, its rescue canister compares and keeps the result; otherwise the
/// memory is hashed by replicated calls of our own.
///
/// # Errors
/// [`CliError::RestoreDiffers`] when it is another memory; otherwise when a call fails.
pub async fn prove(
    case: Option<(&Case, &CaseView)>,
    patient: &Patient,
    wanted: &ChunkDigests,
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let memory = wanted.memory();
    let root = wanted.root();
    let differs = |chunks: u64, first: u64| CliError::RestoreDiffers {
        memory,
        canister: patient.canister().to_text(),
        chunks,
        first,
    };
    output.step(format!("have the {memory} hashed on chain and compare"));
    let recorded = case.filter(|(_, view)| {
        recorded_root(view, memory).is_some_and(|(_, recorded)| recorded[..] == root[..])
    });
    let by = if let Some((case, _)) = recorded {
        let progress = case.attest(memory, output).await?;
        if !progress.attested {
            let first = progress
                .first_mismatches
                .first()
                .copied()
                .unwrap_or_default();
            return Err(differs(progress.mismatches, first));
        }
        "the rescue canister"
    } else {
        let retry = &context.retry;
        let found = patient
            .digests(memory, Asked::Subnet, context.workers, retry, |_| {})
            .await?;
        let chunks = differing(wanted, &found);
        if let Some(first) = chunks.first() {
            return Err(differs(chunks.len() as u64, *first));
        }
        if found.size_bytes() != wanted.size_bytes() {
            return Err(CliError::MemoryTooLarge {
                memory,
                canister: patient.canister().to_text(),
                found_bytes: found.size_bytes(),
                backup_bytes: wanted.size_bytes(),
            });
        }
        "replicated calls"
    };
    output.say(&Event::Attested {
        memory,
        root: hex::encode(root),
        by,
    });
    Ok(())
}
