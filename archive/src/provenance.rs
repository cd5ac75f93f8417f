//! `provenance` in the manifest: what made a backup that was not read from a canister.
//!
//! A backup whose memories were computed from another backup, by running the canister's code off
//! chain, says so here: from which bytes, with which module, and which rules of the Internet
//! Computer did not hold. `docs/OFFLINE.md` draws the record.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the memories of a backup came to be, if not by reading a canister.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// What was run: an export of the module, for example `canister_pre_upgrade`.
    pub entry: String,
    /// SHA-256 of its argument, hex; none for entries without one.
    pub argument_sha256: Option<String>,
    /// The backup it was run over.
    pub source: Source,
    /// The module that was run.
    pub module: ModuleUsed,
    /// Where the values of the module's globals came from.
    pub globals: GlobalsFrom,
    /// Rules that were relaxed, in the words of the command line.
    pub rules: Vec<String>,
    /// What of that made a difference: words as in `rules`, and how often.
    pub rules_used: BTreeMap<String, u64>,
    /// Instructions that were used, as the Internet Computer counts them.
    pub instructions: u64,
    /// The system-call trace, if one was asked for. It is not part of the backup.
    pub trace: Option<TraceRecord>,
}

/// The backup that code was run over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Root of its stable memory, hex.
    pub stable_root: Option<String>,
    /// Root of its heap, hex.
    pub heap_root: Option<String>,
    /// When it was finished, nanoseconds since 1970; none for a snapshot of another tool.
    pub sealed_at_ns: Option<u64>,
}

/// The module that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleUsed {
    /// SHA-256 of the file as given, hex.
    pub sha256: String,
    /// How it was known to be the canister's module.
    pub check: ModuleCheck,
}

/// How a module was known to be the one that the canister ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleCheck {
    /// Its SHA-256 is the canister's module hash.
    Hash,
    /// Decompressed, one of the two is the other.
    Decompressed,
    /// The backup holds no module hash to compare with.
    Unknown,
    /// It is another module, and was used for this reason.
    Forced(String),
}

/// Where the values of globals came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalsFrom {
    /// From the snapshot's metadata.
    Metadata,
    /// They are the module's initial ones: proven from its code.
    InitialProven,
}

/// A system-call trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRecord {
    /// Calls in it.
    pub calls: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}
