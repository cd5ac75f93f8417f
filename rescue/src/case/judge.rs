//! Reads a look at the patient: has the pending call taken effect, and has anyone else been there?
//!
//! The judgement rests on canister_info and canister_status alone, never on what the call answered:
//! a rejected call may have taken effect, an accepted one is believed when it is seen.

use candid::Principal;
use serde_bytes::ByteBuf;

use super::model::{Case, Hash, Held, Memories, Operation, Pair, Pending, Run, Seen};

/// One entry of the patient's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, nanoseconds.
    pub at: u64,
    /// Who.
    pub by: Principal,
    /// Version of the canister that did it, if a canister did and said so.
    pub sender_version: Option<u64>,
    /// Version of the patient after it.
    pub version: u64,
    /// What.
    pub what: What,
}

/// What an entry of the history says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Created.
    Creation,
    /// Code removed.
    Uninstall,
    /// A module installed.
    Deployment {
        /// By `reinstall` (or `install`), so memories were emptied.
        wiping: bool,
        /// Its hash.
        module_hash: Hash,
    },
    /// A snapshot loaded.
    Load {
        /// Its id.
        snapshot: ByteBuf,
    },
    /// Controllers changed.
    Controllers,
    /// Anything else.
    Other,
}

/// A snapshot the patient has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: ByteBuf,
    /// When it was taken, nanoseconds.
    pub taken_at: u64,
    /// Its size, bytes.
    pub total_bytes: u64,
}

/// A look at the patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Status and info.
    pub seen: Seen,
    /// The latest entries of its history, oldest first.
    pub recent: Vec<Entry>,
    /// Its snapshots, if they were asked for.
    pub snapshots: Option<Vec<Listed>>,
}

impl Look {
    /// Entries of the history since `fence`, oldest first; of too many only those that are still kept.
    #[must_use]
    pub fn new_entries(&self, fence: &Seen) -> &[Entry] {
        let new_count = self.seen.total_changes.saturating_sub(fence.total_changes);
        let known = self.recent.len() as u64;
        &self.recent[(known - new_count.min(known)) as usize..]
    }
}

/// What a look tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pending call took effect; the snapshot is the one it took.
    Effect {
        /// For `Snapshot`.
        snapshot: Option<Listed>,
    },
    /// Nothing is pending, or the pending call has not taken effect (yet).
    Quiet,
    /// Someone else was there.
    Foreign {
        /// What was noticed, for people.
        found: String,
    },
}

/// Judges a look.
#[must_use]
pub fn judge(case: &Case, look: &Look) -> Verdict {
    let fence = &case.last_seen;
    let seen = &look.seen;
    if seen.total_changes < fence.total_changes {
        return foreign(format!(
            "its history went back from {} to {} changes",
            fence.total_changes, seen.total_changes
        ));
    }
    let new_count = seen.total_changes - fence.total_changes;
    if new_count > look.recent.len() as u64 {
        return foreign(format!(
            "{new_count} changes since the last look, and its history keeps only {}",
            look.recent.len()
        ));
    }
    let pending = case.in_doubt();
    let mut effect_seen = false;
    for entry in look.new_entries(fence) {
        let expected = pending.is_some_and(|pending| is_effect(case, pending, entry));
        if !expected || effect_seen {
            return foreign(describe(case, entry));
        }
        effect_seen = true;
    }
    if effect_seen {
        return verify_module(case, pending, seen).unwrap_or(Verdict::Effect { snapshot: None });
    }
    if seen.module_hash != fence.module_hash {
        return foreign("its module changed without an entry in its history".to_string());
    }
    if seen.controllers != fence.controllers {
        return foreign("its controllers changed without an entry in its history".to_string());
    }
    pending.map_or(Verdict::Quiet, |pending| judge_quiet(pending, look))
}

/// Effects that leave no entry in the history.
fn judge_quiet(pending: &Pending, look: &Look) -> Verdict {
    let reached = match pending.operation {
        Operation::Stop => look.seen.run == Run::Stopped,
        Operation::Start => look.seen.run == Run::Running,
        Operation::Snapshot => {
            return new_snapshot(pending, look).map_or(Verdict::Quiet, |listed| Verdict::Effect {
                snapshot: Some(listed),
            });
        }
        _ => false,
    };
    if reached {
        Verdict::Effect { snapshot: None }
    } else {
        Verdict::Quiet
    }
}

/// Whether the pending call has taken effect, whatever others did before or after it.
#[must_use]
pub fn has_come(case: &Case, pending: &Pending, look: &Look) -> bool {
    let mut entries = look.new_entries(&case.last_seen).iter();
    entries.any(|entry| is_effect(case, pending, entry))
        || matches!(judge_quiet(pending, look), Verdict::Effect { .. })
}

/// The snapshot that was not there before the pending call; of several the latest.
#[must_use]
pub fn new_snapshot(pending: &Pending, look: &Look) -> Option<Listed> {
    if pending.operation != Operation::Snapshot {
        return None;
    }
    look.snapshots
        .iter()
        .flatten()
        .filter(|listed| !pending.snapshots_before.contains(&listed.id))
        .max_by_key(|listed| listed.taken_at)
        .cloned()
}

/// Whether an entry of the history is what the pending call does.
fn is_effect(case: &Case, pending: &Pending, entry: &Entry) -> bool {
    let ours = entry.by == case.rescue
        && entry
            .sender_version
            .is_none_or(|version| version >= pending.sender_version);
    let fits = match (&pending.operation, &entry.what) {
        (
            Operation::SwapIn { memories, .. },
            What::Deployment {
                wiping,
                module_hash,
            },
        ) => *wiping == matches!(memories, Memories::Wipe) && Some(*module_hash) == pending.target,
        (
            Operation::Install(_),
            What::Deployment {
                wiping,
                module_hash,
            },
        ) => !wiping && Some(*module_hash) == pending.target,
        (Operation::Rollback, What::Load { snapshot }) => case
            .usable_snapshot()
            .is_some_and(|expected| expected.id == *snapshot),
        _ => false,
    };
    ours && fits
}

/// The entry is there; now the module must be too, and after a rollback the memories' sizes.
fn verify_module(case: &Case, pending: Option<&Pending>, seen: &Seen) -> Option<Verdict> {
    let pending = pending?;
    if pending.target.is_some() && seen.module_hash != pending.target {
        return Some(foreign(
            "its module is not the one that was installed".to_string(),
        ));
    }
    if pending.operation == Operation::Rollback {
        let snapshot = case.usable_snapshot()?;
        if seen.module_hash != snapshot.module_hash
            || seen.stable_bytes != snapshot.stable_bytes
            || seen.heap_bytes != snapshot.heap_bytes
        {
            return Some(foreign(
                "after loading the snapshot, module or memory sizes are not the snapshot's"
                    .to_string(),
            ));
        }
    }
    None
}

fn foreign(found: String) -> Verdict {
    Verdict::Foreign { found }
}

fn describe(case: &Case, entry: &Entry) -> String {
    let who = if entry.by == case.rescue {
        "an earlier call of the rescue canister".to_string()
    } else {
        entry.by.to_text()
    };
    format!("{} by {who}", describe_what(&entry.what))
}

/// An entry of the history in words.
#[must_use]
pub fn describe_what(what: &What) -> String {
    match what {
        What::Creation => "creation".to_string(),
        What::Uninstall => "code uninstalled".to_string(),
        What::Deployment {
            wiping,
            module_hash,
        } => format!(
            "module {} {}",
            hex(module_hash.as_slice()),
            if *wiping {
                "installed anew"
            } else {
                "installed by upgrade"
            }
        ),
        What::Load { snapshot } => format!("snapshot {} loaded", hex(snapshot)),
        What::Controllers => "controllers changed".to_string(),
        What::Other => "a change of a kind unknown to this version".to_string(),
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which of the modules known to a case a hash is.
#[must_use]
pub fn known_module(case: &Case, hash: Option<Hash>, pair: &[(Pair, Hash)]) -> Option<Held> {
    let hash = hash?;
    if Some(hash) == case.own_hash {
        Some(Held::Own)
    } else if Some(hash) == case.final_hash {
        Some(Held::Final)
    } else {
        pair.iter()
            .find(|(_, known)| hash == *known)
            .map(|(module, _)| Held::Pair(*module))
    }
}
