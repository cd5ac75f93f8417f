//! The way back from a swap by the caller's own hand: a snapshot of exactly what the canister was before.
//!
//! A canister's version grows with whatever changes its code, its memories or whether it runs, and taking a snapshot
//! leaves it as it is. So a snapshot that bears the version of the stopped canister holds what the canister is, whoever
//! took it: an attempt that was killed, or one whose reply was lost. It is found by looking, and no other is taken.
//!
//! ```text
//! version   17 own module, runs    18 stopped ─── snapshot: 18 ─── 19 downloader in place    20 runs
//! recorded in the draft ───────────► 18: tells our snapshot from older and newer ones
//! ```

use crate::error::CliError;
use crate::management::Management;
use crate::output::Output;
use crate::pair;
use archive::digests::sha256;
use archive::metadata::{Metadata, Source};

/// Makes sure that there is a snapshot of the stopped canister as it is.
///
/// # Errors
/// When a call fails.
pub async fn keep(management: &Management<'_>, output: &Output) -> Result<(), CliError> {
    let before = management.status().await?;
    let Some(hash) = &before.module_hash else {
        output.step("the canister has no module: there is nothing to go back to");
        return Ok(());
    };
    let taken = taken(management).await?;
    if pair::is_embedded(hash) && !taken.is_empty() {
        // The snapshot from before the pair came is the way back.
        return Ok(());
    }
    let (done, id) = same_or_new(management, taken, before.version, None).await?;
    let id = hex::encode(id);
    output.step(format!(
        "{done} snapshot {id} to go back to: ic-rescue snapshot restore {} {id}",
        management.canister()
    ));
    Ok(())
}

/// The snapshot of the stopped canister as it is, and whether it was found or taken, in place of `replace`.
///
/// # Errors
/// When a call fails.
pub async fn find_or_take(
    management: &Management<'_>,
    replace: Option<&[u8]>,
) -> Result<(&'static str, Vec<u8>), CliError> {
    let version = management.status().await?.version;
    let taken = taken(management).await?;
    same_or_new(management, taken, version, replace).await
}

async fn same_or_new(
    management: &Management<'_>,
    taken: Vec<Taken>,
    version: u64,
    replace: Option<&[u8]>,
) -> Result<(&'static str, Vec<u8>), CliError> {
    let same = |held: &Taken| held.metadata.canister_version == version;
    match taken.into_iter().find(same) {
        Some(held) => Ok(("found", held.id)),
        None => Ok(("took", management.take(replace).await?)),
    }
}

/// What is known of a canister from before the pair came.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its version when it was stopped, or earlier.
    pub version: u64,
    /// Hash of its module, hexadecimal.
    pub module_hash: String,
}

/// The snapshot from before the pair came: the first one from then on that holds the module of then. Where nothing
/// is known of then, the last one that holds a module which is not of the pair.
///
/// # Errors
/// When a call fails.
pub async fn find(
    management: &Management<'_>,
    origin: Option<&Origin>,
) -> Result<Option<Vec<u8>>, CliError> {
    let mut taken = taken(management).await?;
    taken.sort_by_key(|held| held.metadata.canister_version);
    match origin {
        Some(origin) => taken.retain(|held| held.metadata.canister_version >= origin.version),
        None => taken.reverse(),
    }
    for held in taken {
        let size = held.metadata.wasm_module_size;
        let hash = sha256(&management.snapshot_module(&held.id, size).await?);
        let fits = match origin {
            Some(origin) => hex::encode(hash) == origin.module_hash,
            None => !pair::is_embedded(&hash),
        };
        if fits {
            return Ok(Some(held.id));
        }
    }
    Ok(None)
}

/// A snapshot that was taken of the canister, not uploaded.
struct Taken {
    id: Vec<u8>,
    metadata: Metadata,
}

/// The snapshots that were taken of the canister and can be read, oldest first.
async fn taken(management: &Management<'_>) -> Result<Vec<Taken>, CliError> {
    let mut found = Vec::new();
    for snapshot in management.snapshots().await? {
        match management.snapshot_metadata(&snapshot.id).await {
            Ok(metadata) if metadata.source == Source::TakenFromCanister => found.push(Taken {
                id: snapshot.id,
                metadata,
            }),
            // An upload says of itself what it likes.
            Ok(_) => {}
            // Deleted meanwhile, or not to be read by this caller: then it is no help.
            Err(CliError::Rejected(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
