//! Through a rescue canister: it swaps the downloader in, has the memory hashed by replicated execution, and
//! keeps the checksums as evidence.

use super::{Fence, Prepared};
use crate::case::Case;
use crate::certificate::Claim;
use crate::commands::Context;
use crate::commands::backup::BackupArgs;
use crate::error::CliError;
use crate::evidence::certified_files;
use crate::output::Output;
use crate::rescue::Rescue;
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{Draft, Exclusive, Memory, Subject};
use candid::Principal;
use rescue_api::{CaseView, OpenCaseArgs, Plan, SnapshotPolicy};

/// Opens or goes on with the canister's case until its memory is recorded.
///
/// # Errors
/// When the rescue canister refuses, a call fails, or the directory belongs to another canister.
pub async fn prepare(
    lock: Exclusive,
    context: &Context,
    rescue: Rescue,
    canister: Principal,
    args: &BackupArgs,
    output: &Output,
) -> Result<Prepared, CliError> {
    let open = OpenCaseArgs {
        patient: canister,
        final_module_hash: None,
        snapshot: policy(args.no_snapshot.as_ref()),
        plan: Plan {
            heap: args.heap.into(),
            restore: false,
        },
    };
    let case = Case::open(rescue, open).await?.telling(output);
    output.step(format!(
        "case {} at {}",
        case.number(),
        case.rescue().canister()
    ));
    let view = case.drive_to_recorded(output).await?;

    let draft = Draft::begin(lock, subject(context, &case, &view))?;
    let mut digests = Vec::new();
    for memory in Memory::ALL {
        match case.digests(&view, memory).await? {
            Some(found) => digests.push(found),
            None => output.warn(format!(
                "the {memory} has no checksums in the case: not backed up"
            )),
        }
    }
    let claim = Claim::of_digests(canister, &digests);
    let certified = certified_files(context, case.rescue(), case.number(), &claim, output).await?;
    let snapshot = view.snapshot.as_ref().filter(|snapshot| !snapshot.deleted);
    Ok(Prepared {
        draft,
        digests,
        certified,
        snapshot: snapshot.map(|snapshot| snapshot.id.to_vec()),
        metadata: Metadata {
            taken_at_timestamp: view.baseline.seen_at_nanos,
            canister_version: view.baseline.canister_version,
            ..Metadata::empty()
        },
        fence: Fence::Case(Box::new((case, view))),
    })
}

/// Whether a snapshot is taken before the first swap.
pub fn policy(no_snapshot: Option<&String>) -> SnapshotPolicy {
    match no_snapshot {
        None => SnapshotPolicy::Take,
        Some(risk) => SnapshotPolicy::Waive { risk: risk.clone() },
    }
}

fn subject(context: &Context, case: &Case, view: &CaseView) -> Subject {
    Subject {
        canister: view.patient.to_text(),
        module_hash: view.baseline.module_hash.as_ref().map(hex::encode),
        canister_version: Some(view.baseline.canister_version),
        network: context.connection.network().name(),
        route: Route::Rescue,
        attestation: Attestation::Rescue {
            rescue_canister: case.rescue().canister().to_text(),
            case: case.number(),
        },
        taken_at_ns: view
            .memories
            .iter()
            .filter_map(|m| m.recorded_at_nanos)
            .max()
            .unwrap_or(0),
        snapshot: None,
    }
}
