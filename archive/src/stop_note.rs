//! A note that a canister was stopped to take a snapshot for a backup, and which one was taken.
//!
//! ```text
//! runs ── note ─► stopped ─► snapshot ── noted, too ─► started ─► draft of that snapshot, the note is removed
//! ```
//!
//! A command that is killed on that way is gone on with: whether a stopped canister ran before cannot be seen on
//! chain, and which of its snapshots was taken for this directory cannot, either. `docs/FORMAT.md` draws the file.

use crate::error::ArchiveError;
use crate::files::{create_folder, read_small, remove_if_present, write_atomic};
use crate::layout::Layout;
use crate::lock::{Exclusive, Guard};
use crate::manifest::{FORMAT_VERSION, parse_versioned, to_json};
use serde::{Deserialize, Serialize};

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
    /// Puts it into the directory.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, lock: &Exclusive) -> Result<(), ArchiveError> {
        let file = StopNoteFile {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            note: self.clone(),
        };
        create_folder(&lock.layout().sidecar())?;
        write_atomic(&lock.layout().stop_note(), &to_json(&file))
    }

    /// The one in the directory, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(lock: &Exclusive) -> Result<Option<Self>, ArchiveError> {
        let path = lock.layout().stop_note();
        if !path.exists() {
            return Ok(None);
        }
        let file: StopNoteFile = parse_versioned(&path, &read_small(&path)?, FORMAT)?;
        Ok(Some(file.note))
    }
}

/// Removes it: the draft says what it said.
pub(crate) fn remove(layout: &Layout) -> Result<(), ArchiveError> {
    remove_if_present(&layout.stop_note())
}
