//! What a change of module has to remember on disk, and its record afterwards.
//!
//! One JSON object. It is written anew, beside the old one and then in its place, before each step that it
//! must outlive:
//!
//! | field | what |
//! |---|---|
//! | `format` | 1 |
//! | `what` | `hotfix` or `grow-stable` |
//! | `canister`, `network` | whom it is about |
//! | `deployed_hash` | SHA-256 of the module it ran at first |
//! | `new_hash` | SHA-256 of the module that is put over the heap, once it is known |
//! | `although_different` | the reason given for a module with another hash, if there is one |
//! | `layout_differences` | number of layout differences of that module, if it was compared |
//! | `was_running` | whether it ran at first, and so has to run at the end |
//! | `snapshots_before` | ids of the snapshots that were there before ours was taken |
//! | `snapshot` | id of the snapshot to go back to |
//! | `uploaded` | id of the snapshot that carries the patched module, if that way was chosen |
//! | `answers` | the checks' answers from before |
//! | `outcome` | `under_way`, `rolling_back`, `rolled_back`, `done` |

use super::refusal::Refusal;
use crate::checks::Answer;
use crate::error::CliError;
use crate::modules;
use candid::Principal;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;

/// How a change ended, if it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not yet.
    #[default]
    UnderWay,
    /// The way back has begun.
    RollingBack,
    /// The canister is what it was.
    RolledBack,
    /// The canister is what it should be.
    Done,
}

/// What has to be remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logbook {
    format: u32,
    /// The verb.
    pub what: String,
    /// The canister.
    pub canister: String,
    /// Its network.
    pub network: String,
    /// Hash of the module it ran at first, hexadecimal.
    pub deployed_hash: String,
    /// Hash of the module that is put over the heap, hexadecimal.
    pub new_hash: Option<String>,
    /// Why a module with another hash was put in.
    pub although_different: Option<String>,
    /// Layout differences of that module.
    pub layout_differences: Option<usize>,
    /// Whether it ran at first.
    pub was_running: bool,
    /// Snapshots that were there before ours.
    pub snapshots_before: Option<Vec<String>>,
    /// The snapshot to go back to.
    pub snapshot: Option<String>,
    /// The snapshot that was uploaded.
    pub uploaded: Option<String>,
    /// Answers from before.
    pub answers: Vec<Answer>,
    /// How it ended.
    pub outcome: Outcome,
    #[serde(skip)]
    path: PathBuf,
}

impl Logbook {
    /// Where the logbook of a canister lies unless another file is named.
    pub fn default_path(canister: Principal, what: &str) -> PathBuf {
        PathBuf::from(format!("{canister}.{what}.json"))
    }

    /// The one at `path`, if it is about the same canister and not finished; finished ones make way.
    ///
    /// # Errors
    /// When it cannot be read, or is about something else.
    pub fn open(
        path: &Path,
        what: &str,
        canister: Principal,
        network: &str,
    ) -> Result<Option<Logbook>, CliError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CliError::ReadFile {
                    path: path.to_path_buf(),
                    source,
                });
            }
        };
        let other = |what: String| CliError::ChangeRefused {
            canister: canister.to_text(),
            refusal: Box::new(Refusal::OtherLogbook {
                path: path.display().to_string(),
                what,
            }),
        };
        let mut found: Logbook = serde_json::from_slice(&bytes)
            .map_err(|error| other(format!("something else ({error})")))?;
        found.path = path.to_path_buf();
        if found.format != FORMAT {
            return Err(other(format!("format {}", found.format)));
        }
        if found.what != what || found.canister != canister.to_text() || found.network != network {
            return Err(other(format!(
                "{} of {} on {}",
                found.what, found.canister, found.network
            )));
        }
        let finished = matches!(found.outcome, Outcome::Done | Outcome::RolledBack);
        Ok((!finished).then_some(found))
    }

    /// A new one, not on disk yet.
    pub fn begin(
        path: &Path,
        what: &str,
        canister: Principal,
        network: &str,
        deployed_hash: &str,
    ) -> Logbook {
        Logbook {
            format: FORMAT,
            what: what.to_string(),
            canister: canister.to_text(),
            network: network.to_string(),
            deployed_hash: deployed_hash.to_string(),
            new_hash: None,
            although_different: None,
            layout_differences: None,
            was_running: false,
            snapshots_before: None,
            snapshot: None,
            uploaded: None,
            answers: Vec::new(),
            outcome: Outcome::UnderWay,
            path: path.to_path_buf(),
        }
    }

    /// Writes it to disk.
    ///
    /// # Errors
    /// [`CliError::WriteFile`].
    pub fn save(&self) -> Result<(), CliError> {
        let mut text = serde_json::to_vec_pretty(self).expect("BUG: a logbook is plain data");
        text.push(b'\n');
        modules::replace(&self.path, &text)
    }

    /// Removes it from disk: nothing was changed, so nothing has to be remembered.
    ///
    /// # Errors
    /// [`CliError::WriteFile`].
    pub fn discard(&self) -> Result<(), CliError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::WriteFile {
                    path: self.path.clone(),
                    source: error,
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canister() -> Principal {
        Principal::from_text("lxzze-o7777-77777-aaaaa-cai").unwrap()
    }

    #[test]
    fn a_logbook_under_way_is_found_again_and_a_finished_one_makes_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.json");
        let open = |what: &str, network: &str| Logbook::open(&path, what, canister(), network);
        assert!(open("hotfix", "ic").unwrap().is_none());
        let mut book = Logbook::begin(&path, "hotfix", canister(), "ic", "aa");
        book.snapshot = Some("00".into());
        book.save().unwrap();
        let found = open("hotfix", "ic").unwrap().unwrap();
        assert_eq!(found.snapshot, book.snapshot);
        assert!(open("grow-stable", "ic").is_err());
        assert!(open("hotfix", "local").is_err());
        book.outcome = Outcome::Done;
        book.save().unwrap();
        assert!(open("hotfix", "ic").unwrap().is_none());
        book.discard().unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "[]").unwrap();
        assert!(open("hotfix", "ic").is_err());
    }
}
