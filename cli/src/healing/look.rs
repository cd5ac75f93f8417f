//! The look beforehand: a snapshot of the running canister, downloaded and given back.
//!
//! ```text
//! take ─► note ─► download ─► delete ─► note removed
//! ```
//!
//! The canister goes on running, its module and its memory are not touched. A snapshot is deleted only if the
//! note or the download says that it is ours: one whose order was interrupted before its id came back stays, and
//! is told of.

use crate::commands::Context;
use crate::error::CliError;
use crate::management::Management;
use crate::output::Output;
use crate::routes;
use archive::{Exclusive, Layout, open};
use candid::Principal;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What has to be remembered while a look is under way.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Snapshots that were there before, hex.
    before: Vec<String>,
    /// Ours, hex, as soon as it is known.
    ours: Option<String>,
}

/// A look under way.
pub struct Look<'a> {
    /// The line.
    pub context: &'a Context,
    /// The canister.
    pub canister: Principal,
    /// Where it is downloaded to.
    pub directory: &'a Path,
    /// Where reports go.
    pub output: &'a Output,
}

impl Look<'_> {
    /// Downloads the canister as it runs, unless that was done already, and leaves no snapshot behind.
    ///
    /// # Errors
    /// When a call fails; run again, it goes on.
    pub async fn take(&self, is_here: bool) -> Result<(), CliError> {
        let mut note = self.note()?;
        if !is_here {
            self.download(&mut note).await?;
        }
        self.give_back(note).await
    }

    fn management(&self) -> Management<'_> {
        Management::new(&self.context.connection, self.canister, &self.context.retry)
            .telling(self.output)
    }

    async fn download(&self, note: &mut Option<Note>) -> Result<(), CliError> {
        let listed = self.listed().await?;
        let noted = note.get_or_insert_with(|| Note {
            before: listed.clone(),
            ours: None,
        });
        self.save(noted)?;
        let strange = |id: &&String| !noted.before.contains(id);
        let id = match (&noted.ours, listed.iter().find(strange)) {
            (Some(ours), _) if listed.contains(ours) => ours.clone(),
            (_, Some(appeared)) => {
                self.output.warn(format!(
                    "snapshot {appeared} appeared since an earlier attempt asked for one: it is read, and stays; if \
                     nobody else made it, delete it: ic-rescue snapshot delete {} {appeared}",
                    self.canister
                ));
                appeared.clone()
            }
            (_, None) => {
                self.output
                    .step("take a snapshot of the running canister, to look at");
                let taken = self.management().take(None).await;
                let taken = hex::encode(taken.map_err(|error| without_look(error, self.canister))?);
                noted.ours = Some(taken.clone());
                self.save(noted)?;
                taken
            }
        };
        let id = hex::decode(id).expect("BUG: it was encoded by us");
        let lock = Exclusive::create(self.directory)?;
        let (context, output) = (self.context, self.output);
        drop(routes::snapshot::download(lock, context, self.canister, &id, output).await?);
        Ok(())
    }

    /// Deletes our snapshot and forgets the note.
    async fn give_back(&self, note: Option<Note>) -> Result<(), CliError> {
        let Some(note) = note else {
            return Ok(());
        };
        let listed = self.listed().await?;
        if let Some(ours) = note.ours.filter(|ours| listed.contains(ours)) {
            let read = open::read_manifest(&Layout::new(self.directory))?;
            if read.subject.snapshot.as_ref() == Some(&ours) {
                let id = hex::decode(&ours).expect("BUG: it was encoded by us");
                self.management().delete_snapshot(&id).await?;
                self.output.step("deleted the snapshot that was looked at");
            }
        }
        let path = self.note_path();
        std::fs::remove_file(&path).map_err(|source| CliError::WriteFile { path, source })
    }

    async fn listed(&self) -> Result<Vec<String>, CliError> {
        let snapshots = self.management().snapshots().await?;
        Ok(snapshots
            .iter()
            .map(|snapshot| hex::encode(&snapshot.id))
            .collect())
    }

    /// Beside the directory, which belongs to the backup.
    fn note_path(&self) -> PathBuf {
        self.directory.with_extension("look.json")
    }

    fn note(&self) -> Result<Option<Note>, CliError> {
        let path = self.note_path();
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                CliError::Unsupported {
                    what: format!(
                        "{} is not understood ({error}): look whether a snapshot was left behind \
                             (`ic-rescue snapshot list {}`), then remove the file",
                        path.display(),
                        self.canister
                    ),
                }
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CliError::ReadFile { path, source }),
        }
    }

    /// Never half of it: a file beside it is renamed.
    fn save(&self, note: &Note) -> Result<(), CliError> {
        let path = self.note_path();
        let written = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let new = path.with_extension("json.new");
            std::fs::write(&new, serde_json::to_vec_pretty(note)?)?;
            std::fs::rename(&new, &path)
        };
        written().map_err(|source| CliError::WriteFile {
            path: path.clone(),
            source,
        })
    }
}

fn without_look(error: CliError, canister: Principal) -> CliError {
    match error {
        CliError::Rejected(error) => CliError::Unsupported {
            what: format!(
                "{canister} cannot be looked at beforehand, as it gives no snapshot ({error}): nothing was changed; with \
                 --without-look the hook is tried only after the canister was stopped and backed up"
            ),
        },
        error => error,
    }
}
