//! Without a swap: the canister has `stable_size` and `stable_read` endpoints of its own.
//!
//! Such canisters rarely hash themselves. Where there is no `stable_sha256`, every chunk is read once by a
//! replicated call and hashed here: the reply is certified, so its digest is as good as one taken on chain.
//! The canister's version must stand still meanwhile but for those calls, or the digests would not be of one
//! instant.

use super::direct::evidence;
use super::{Fence, Prepared};
use crate::calls::Calls;
use crate::commands::backup::BackupArgs;
use crate::commands::{Context, now_ns};
use crate::error::{CliError, EXIT_REJECTED};
use crate::management::Management;
use crate::output::Output;
use crate::patient::{Asked, Patient};
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{ChunkDigests, Draft, Exclusive, Memory, Subject};
use candid::Principal;
use std::sync::Arc;
use wire::limits::{CHUNK_LEN_BYTES, HASH_CHUNKS_PER_CALL_MAX};

/// Hashes stable memory through the canister's own endpoints.
///
/// # Errors
/// When a call fails, the canister changed meanwhile, or the directory belongs to another canister.
pub async fn prepare(
    lock: Exclusive,
    context: &Context,
    canister: Principal,
    _args: &BackupArgs,
    output: &Output,
) -> Result<Prepared, CliError> {
    let management = Management::new(&context.connection, canister, &context.retry);
    let before = management.status().await?;
    let subject = Subject {
        canister: canister.to_text(),
        module_hash: before.module_hash.as_ref().map(hex::encode),
        canister_version: Some(before.version),
        network: context.connection.network().name(),
        route: Route::Endpoints,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: now_ns(),
        snapshot: None,
    };
    let draft = Draft::begin(lock, subject)?;
    let calls = Arc::new(Calls::default());
    let patient = Patient::new(context.connection.clone(), canister).keeping(calls.clone());
    let repeated_before = context.retry.repeated();
    let (digests, made) = hash(&patient, context, output).await?;
    let after = management.status().await?.version;
    let repeated = context.retry.repeated() - repeated_before;
    // A repeated call may have been executed twice.
    let expected = before.version + made..=before.version + made + repeated;
    if !expected.contains(&after) {
        return Err(CliError::CanisterChanged {
            canister: canister.to_text(),
            what: format!(
                "its version went from {} to {after} in {made} calls: it is being used, or has timers; \
                 use a route that stops it",
                before.version
            ),
        });
    }
    output.warn("only stable memory is part of the backup: the heap has no endpoints");
    Ok(Prepared {
        draft,
        digests: vec![digests],
        fence: Fence::Version {
            canister,
            version: after,
        },
        certified: evidence(&calls, context),
        snapshot: None,
        metadata: Metadata {
            taken_at_timestamp: now_ns(),
            canister_version: before.version,
            ..Metadata::empty()
        },
    })
}

/// Digests of stable memory, and how many replicated calls they took.
async fn hash(
    patient: &Patient,
    context: &Context,
    output: &Output,
) -> Result<(ChunkDigests, u64), CliError> {
    let memory = Memory::Stable;
    output.step(format!("have the {memory} hashed by replicated calls"));
    let hashed = patient
        .digests(
            memory,
            Asked::Subnet,
            context.workers,
            &context.retry,
            |_| {},
        )
        .await;
    match hashed {
        Ok(digests) => {
            let calls = 1 + digests.count().div_ceil(HASH_CHUNKS_PER_CALL_MAX);
            Ok((digests, calls))
        }
        Err(error) if error.exit_code() == EXIT_REJECTED => {
            output.step(
                "the canister has no stable_sha256: every chunk is read by a replicated call",
            );
            let digests = patient
                .digests_by_reading(context.workers, &context.retry)
                .await?;
            // The call that was refused did not count; the two that asked for the size did.
            let calls = 2 + digests.size_bytes().div_ceil(CHUNK_LEN_BYTES);
            Ok((digests, calls))
        }
        Err(error) => Err(error),
    }
}
