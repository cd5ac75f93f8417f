//! Without a rescue canister: a controller's own identity swaps the downloader in and has the memory hashed by
//! replicated calls.
//!
//! The directory remembers the module that the canister ran before the swap, so that an interrupted command
//! can go on: it is bound to the canister before anything is changed.

use super::{Fence, Prepared};
use crate::commands::backup::{BackupArgs, HeapArg};
use crate::commands::{Context, now_ns};
use crate::error::CliError;
use crate::limits::{CASE_POLL, CASE_POLLS_MAX};
use crate::management::{Management, Status};
use crate::output::Output;
use crate::pair;
use crate::patient::{Asked, Patient};
use archive::digests::sha256;
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{Draft, Exclusive, Memory, Subject};
use candid::Principal;
use ic_management_canister_types::CanisterStatusType;

/// Swaps the downloader in, if it is not there yet, and has the memory hashed.
///
/// # Errors
/// When a call fails, or the directory belongs to another canister.
pub async fn prepare(
    lock: Exclusive,
    context: &Context,
    canister: Principal,
    args: &BackupArgs,
    output: &Output,
) -> Result<Prepared, CliError> {
    let downloader = pair::downloader(args.downloader.as_deref())?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let before = management.status().await?;
    let swapped = before
        .module_hash
        .as_ref()
        .is_some_and(|hash| hash[..] == sha256(&downloader));
    let earlier = Draft::peek(&lock)?.filter(|_| swapped);
    let subject = Subject {
        canister: canister.to_text(),
        module_hash: match &earlier {
            Some(earlier) => earlier.module_hash.clone(),
            None if swapped => None,
            None => before.module_hash.as_ref().map(hex::encode),
        },
        canister_version: match &earlier {
            Some(earlier) => earlier.canister_version,
            None => Some(before.version),
        },
        network: context.connection.network().name(),
        route: Route::Direct,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: now_ns(),
    };
    let metadata = Metadata {
        taken_at_timestamp: subject.taken_at_ns,
        canister_version: subject.canister_version.unwrap_or(0),
        ..Metadata::empty()
    };
    let draft = Draft::begin(lock, subject)?;
    swap_in(&management, downloader, args, output).await?;

    let snapshot = management
        .snapshots()
        .await?
        .pop()
        .map(|snapshot| snapshot.id);
    let patient = Patient::new(context.connection.clone(), canister);
    let mut digests = Vec::new();
    for memory in Memory::ALL {
        if memory == Memory::Heap && args.heap == HeapArg::Replace {
            continue;
        }
        output.step(format!("have the {memory} hashed by replicated calls"));
        let found = patient
            .digests(
                memory,
                Asked::Subnet,
                context.workers,
                &context.retry,
                |_| {},
            )
            .await?;
        digests.push(found);
    }
    let version = management.status().await?.version;
    Ok(Prepared {
        draft,
        digests,
        fence: Fence::Version { canister, version },
        certified: Vec::new(),
        snapshot: snapshot.filter(|_| args.no_snapshot.is_none()),
        metadata,
    })
}

/// Stops the canister, takes a snapshot, swaps, starts; each only if it is not done yet.
async fn swap_in(
    management: &Management<'_>,
    downloader: Vec<u8>,
    args: &BackupArgs,
    output: &Output,
) -> Result<(), CliError> {
    for _ in 0..CASE_POLLS_MAX {
        let Status {
            status,
            module_hash,
            ..
        } = management.status().await?;
        let swapped = module_hash.is_some_and(|hash| hash[..] == sha256(&downloader));
        match (swapped, status) {
            (true, CanisterStatusType::Running) => return Ok(()),
            (true, _) => {
                output.step("start the canister");
                management.start().await?;
            }
            (false, CanisterStatusType::Running) => {
                output.step("stop the canister");
                management.stop().await?;
            }
            (false, CanisterStatusType::Stopping) => tokio::time::sleep(CASE_POLL).await,
            (false, CanisterStatusType::Stopped) => {
                if args.no_snapshot.is_none() {
                    let id = management.take_snapshot().await?;
                    output.step(format!("took snapshot {} to go back to", hex::encode(id)));
                }
                output.step("swap the downloader in");
                management
                    .swap(downloader.clone(), args.heap == HeapArg::Keep)
                    .await?;
            }
        }
    }
    Err(CliError::Unsupported {
        what: "the canister does not stop: it waits for answers to its own calls; try again later"
            .into(),
    })
}
