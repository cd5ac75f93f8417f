//! Takes a snapshot of a canister as it stands: stopped first, and started again if it ran.
//!
//! A note on disk outlives the command ([`StopNote`]): one that was killed on the way is gone on with, the canister it
//! stopped is started, and the snapshot it took is found. A canister that was stopped before stays so and needs none.

use super::way_back;
use crate::error::CliError;
use crate::management::Management;
use crate::output::Output;
use archive::layout::check_canister;
use archive::stop_note::StopNote;
use ic_management_canister_types as ic;
use std::path::Path;

/// Takes a snapshot, in place of `replace` if there is one, and returns its id. The note at `note_path` stays until
/// the caller has kept the id and removes it.
///
/// # Errors
/// When a call fails or it does not stop; it is started again even then, if that is possible. When the note is about
/// another canister.
pub async fn take(
    management: &Management<'_>,
    note_path: &Path,
    replace: Option<&[u8]>,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let canister = management.canister().to_text();
    let earlier = StopNote::read(note_path)?;
    if let Some(note) = &earlier {
        check_canister(note_path, &note.canister, &canister)?;
    }
    let runs = management.status().await?.status == ic::CanisterStatusType::Running;
    if !runs && earlier.is_none() {
        return take_stopped(management, replace, output).await;
    }
    let mut note = earlier.unwrap_or(StopNote {
        canister,
        snapshot: None,
    });
    if !runs {
        output.step("an interrupted command stopped the canister: go on from there");
    }
    let (id, runs) = match held_of(management, &note).await? {
        Some(id) => {
            output.step(format!(
                "an interrupted command took snapshot {}",
                hex::encode(&id)
            ));
            (id, runs)
        }
        None => {
            note.snapshot = None;
            note.write(note_path)?;
            management.stop_and_wait(output).await?;
            match way_back::find_or_take(management, replace).await {
                Ok((done, id)) => {
                    note.snapshot = Some(hex::encode(&id));
                    output.step(format!("{done} snapshot {}", hex::encode(&id)));
                    note.write(note_path)?;
                    (id, false)
                }
                Err(error) => {
                    management.start().await?;
                    StopNote::remove(note_path)?;
                    return Err(error);
                }
            }
        }
    };
    if !runs {
        output.step("start the canister");
        management.start().await?;
    }
    Ok(id)
}

/// Takes a snapshot of the canister, which is then stopped, or was and stays so.
///
/// # Errors
/// When a call fails or it does not stop.
pub async fn take_stopped(
    management: &Management<'_>,
    replace: Option<&[u8]>,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    if !management.stop_and_wait(output).await? {
        output.step("the canister was stopped before, and stays so");
    }
    let id = management.take(replace).await?;
    output.step(format!("took snapshot {}", hex::encode(&id)));
    Ok(id)
}

/// The snapshot that is noted, if the canister still has it.
async fn held_of(
    management: &Management<'_>,
    note: &StopNote,
) -> Result<Option<Vec<u8>>, CliError> {
    let Some(noted) = &note.snapshot else {
        return Ok(None);
    };
    let held = management.snapshots().await?.into_iter();
    Ok(held
        .map(|snapshot| snapshot.id)
        .find(|id| hex::encode(id) == *noted))
}
