//! A note that a canister was stopped to take a snapshot, and which one was taken.
//!
//! ```text
//! runs ── note ─► stopped ─► snapshot ── noted, too ─► started ─► the id of the snapshot is kept, the note removed
//! ```
//!
//! A command that is killed on that way is gone on with: whether a stopped canister ran before cannot be seen on
//! chain, and which of its snapshots was taken for this command cannot, either. A backup keeps the id in its draft;
//! `docs/FORMAT.md` draws the file.

use crate::error::ArchiveError;
use crate::files::{create_folder, read_small, remove_if_present, write_atomic};
use crate::manifest::{FORMAT_VERSION, parse_versioned, to_json};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FORMAT: &str = "ic-rescue stop note";

/// What was begun at a canister that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopNote {
    /// The canister.
    pub canister: String,
    /// Id of the snapshot, hex, once it is taken.
    pub snapshot: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StopNoteFile {
    format: String,
    format_version: u64,
    #[serde(flatten)]
    note: StopNote,
}

impl StopNote {
    /// Writes it to `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ArchiveError> {
        let file = StopNoteFile {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            note: self.clone(),
        };
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        write_atomic(path, &to_json(&file))
    }

    /// The one at `path`, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, ArchiveError> {
        if !path.exists() {
            return Ok(None);
        }
        let file: StopNoteFile = parse_versioned(path, &read_small(path)?, FORMAT)?;
        Ok(Some(file.note))
    }

    /// Removes the one at `path`: what it said is kept elsewhere, or is no more.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(path: &Path) -> Result<(), ArchiveError> {
        remove_if_present(path)
    }
}
