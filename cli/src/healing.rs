//! Where the healing of a canister stands, found by looking at the chain and at the directory.
//!
//! ```text
//! DIR/before     the canister as it was, heap included: at first as a snapshot of it while it runs (the look), then
//!                the backup whose roots the case recorded; what did not change is not fetched again
//! DIR/forecast   what its hook leaves when it runs over the look; becomes DIR/after if nothing changed
//! DIR/after      what its hook leaves when it runs off chain: computed from the backup
//! ```
//!
//! Nothing else is kept. A step is done because what it should bring about is there: a sealed backup whose roots
//! are the ones the case recorded, a result whose provenance names that backup, a module that the canister runs.

pub mod answers;
pub mod look;
pub mod rehearsal;
pub mod steps;

use crate::case::{Case, recorded_root};
use crate::commands::Context;
use crate::error::CliError;
use crate::rescue::Rescue;
use archive::digests::sha256;
use archive::{Layout, Manifest, Memory, Route, open};
use candid::Principal;
use offline::Rules;
use rescue_api::{CaseView, Held, Phase, Run};
use std::path::{Path, PathBuf};

/// What a hook is called in a provenance record.
const HOOK: &str = "canister_pre_upgrade";

/// What is to be healed, and with what.
#[derive(Debug)]
pub struct Goal {
    /// The canister.
    pub canister: Principal,
    /// SHA-256 of the fixed module.
    pub fixed_hash: [u8; 32],
    /// The backup.
    pub before: PathBuf,
    /// The result of the run over the look.
    pub forecast: PathBuf,
    /// The result of the run.
    pub after: PathBuf,
    /// The rules of the run.
    pub rules: Rules,
    /// SHA-256 of the module to run, hex; none for the backup's own.
    pub module_sha256: Option<String>,
}

/// How far the healing is.
#[derive(Debug)]
pub struct Progress {
    /// The open case.
    pub case: Option<CaseView>,
    /// The look: the canister as it ran, if nothing on chain was changed yet.
    pub look: Option<Manifest>,
    /// What the hook leaves over the look, or over the backup if nothing changed.
    pub forecast: Option<Manifest>,
    /// The backup, if it is whole and of the open case.
    pub before: Option<Manifest>,
    /// The result of the run, if it was computed from that backup.
    pub after: Option<Manifest>,
    /// Whether the canister holds the fixed module.
    pub module_is_in: bool,
    /// Whether the canister runs the fixed module.
    pub installed: bool,
}

impl Goal {
    /// Looks at chain and directory.
    ///
    /// # Errors
    /// When they do not fit together: then nothing must be done before somebody has looked.
    pub async fn look(&self, context: &Context, rescue: Rescue) -> Result<Progress, CliError> {
        let connection = &context.connection;
        let module = context
            .retry
            .run(|| connection.module_hash(self.canister))
            .await?;
        let case = match Case::find(rescue, self.canister, false).await {
            Ok(case) => Some(case.view().await?),
            Err(CliError::NoCase { .. }) => None,
            Err(error) => return Err(error),
        };
        let is_fixed = module.as_deref() == Some(&self.fixed_hash[..]);
        let runs = Phase::Holding {
            module: Held::Final,
            run: Run::Running,
        };
        let installed = is_fixed && case.as_ref().is_none_or(|view| view.phase == runs);
        let held = sealed(&self.before)?;
        if let Some(held) = &held {
            self.check_held(held, case.as_ref(), module.as_deref(), is_fixed)?;
        }
        let before = held.clone().filter(|held| match &case {
            Some(view) => !is_look(held) && is_of(held, view),
            None => installed,
        });
        let look = held.filter(|held| case.is_none() && !installed && is_look(held));
        let after = match &before {
            Some(before) => self.result(before)?,
            None => None,
        };
        let forecast = match before.as_ref().or(look.as_ref()) {
            Some(source) => {
                sealed(&self.forecast)?.filter(|forecast| self.is_computed(forecast, source))
            }
            None => None,
        };
        Ok(Progress {
            case,
            look,
            forecast,
            before,
            after,
            module_is_in: is_fixed,
            installed,
        })
    }

    /// Refuses a directory that belongs to another story.
    fn check_held(
        &self,
        held: &Manifest,
        case: Option<&CaseView>,
        module: Option<&[u8]>,
        installed: bool,
    ) -> Result<(), CliError> {
        let refuse = |what: String| Err(CliError::Unsupported { what });
        let (path, canister) = (self.before.display(), self.canister);
        if held.subject.canister != canister.to_text() {
            let other = &held.subject.canister;
            return refuse(format!(
                "{path} is a backup of {other}, not of {canister}: choose another directory"
            ));
        }
        match case {
            Some(view) if has_roots(view) && !is_of(held, view) && !is_look(held) => {
                refuse(format!(
                    "{path} is not what case {} recorded: choose another directory with -o",
                    view.case
                ))
            }
            Some(_) => Ok(()),
            // Without a case the canister must still be the one that was backed up.
            None if installed || held.subject.module_hash == module.map(hex::encode) => Ok(()),
            None if is_look(held) => refuse(format!(
                "{canister} runs another module now than when it was looked at: remove {path}, then run the same \
                 command again"
            )),
            None => refuse(format!(
                "{canister} runs neither the module that {path} was made with nor the fixed one, and has no open \
                 case: find out who changed it"
            )),
        }
    }

    /// The result of the run, if it is there. One of another backup or with other rules is refused: it is not
    /// overwritten.
    fn result(&self, before: &Manifest) -> Result<Option<Manifest>, CliError> {
        let Some(after) = sealed(&self.after)? else {
            return Ok(None);
        };
        if self.is_computed(&after, before) {
            return Ok(Some(after));
        }
        Err(CliError::Unsupported {
            what: format!(
                "{} was computed from another backup, with another module or other rules: remove it, then run the \
                 same command again",
                self.after.display()
            ),
        })
    }

    /// Whether `result` is what the hook leaves over `source`, under the rules that were asked for.
    fn is_computed(&self, result: &Manifest, source: &Manifest) -> bool {
        let root = |memory| source.memory(memory).map(|entry| entry.root.clone());
        result.provenance.as_ref().is_some_and(|provenance| {
            provenance.entry == HOOK
                && provenance.rules == self.rules.words()
                && provenance.source.heap_root == root(Memory::Heap)
                && provenance.source.stable_root == root(Memory::Stable)
                && self
                    .module_sha256
                    .as_ref()
                    .is_none_or(|given| *given == provenance.module.sha256)
        })
    }
}

/// Whether a backup is a snapshot that was downloaded, as a look is.
fn is_look(held: &Manifest) -> bool {
    held.subject.route == Route::Snapshot
}

/// The manifest of a finished backup; none where there is none yet.
fn sealed(directory: &Path) -> Result<Option<Manifest>, CliError> {
    let layout = Layout::new(directory);
    if !open::is_sealed(&layout) {
        return Ok(None);
    }
    Ok(Some(open::read_manifest(&layout)?))
}

fn has_roots(view: &CaseView) -> bool {
    Memory::ALL
        .into_iter()
        .all(|memory| recorded_root(view, memory).is_some())
}

/// Whether both memories of a backup are the recorded ones.
fn is_of(held: &Manifest, view: &CaseView) -> bool {
    Memory::ALL.into_iter().all(|memory| {
        let recorded = recorded_root(view, memory).map(|(_, root)| hex::encode(root));
        let entry = held.memory(memory).map(|entry| entry.root.clone());
        recorded.is_some() && recorded == entry
    })
}

/// Whether the result's stable memory is smaller than the canister's, which then has to be emptied first.
pub fn shrinks(before: &Manifest, after: &Manifest) -> bool {
    let size = |manifest: &Manifest| {
        manifest
            .memory(Memory::Stable)
            .map_or(0, |entry| entry.size_bytes)
    };
    size(after) < size(before)
}

/// SHA-256 of a module, as module hashes are made.
pub fn module_hash(module: &[u8]) -> [u8; 32] {
    sha256(module)
}
