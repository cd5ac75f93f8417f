//! `ic-rescue/manifest.json`: what was backed up, how, and the roots that prove it.
//!
//! JSON, two-space indent, line end. Fields are never renamed or given another meaning within a
//! format version; readers ignore fields they do not know and refuse versions they do not know.

use crate::digests::ChunkDigests;
use crate::error::ArchiveError;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::metadata::Metadata;
use crate::provenance::Provenance;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// First field of every manifest.
pub const MANIFEST_FORMAT: &str = "ic-rescue backup";
/// The format version that is written, and the newest that is read.
pub const FORMAT_VERSION: u64 = 1;

/// The manifest of a finished backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MANIFEST_FORMAT`].
    pub format: String,
    /// Version of the directory's format.
    pub format_version: u64,
    /// Version of the program that wrote the backup.
    pub tool_version: String,
    /// What was backed up, and how.
    #[serde(flatten)]
    pub subject: Subject,
    /// When the backup was finished, in nanoseconds since 1970.
    pub sealed_at_ns: u64,
    /// Chunk length of all digests, in bytes.
    pub chunk_len_bytes: u64,
    /// The memories in the backup.
    pub memories: Vec<MemoryEntry>,
    /// All other files but the manifest, its copy and `SHA256SUMS`.
    pub files: Vec<FileEntry>,
    /// Whether module and globals are in the backup too, so that it can be uploaded and loaded as a
    /// canister snapshot.
    pub loadable_as_snapshot: bool,
    /// What `metadata.json` says, so that it can be rebuilt.
    pub metadata: Metadata,
    /// How the memories came to be, if they were not read from the canister.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What is backed up, and how. Fixed before the first chunk is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The canister's principal, as text.
    pub canister: String,
    /// SHA-256 of the module that the canister ran before any swap, hex.
    pub module_hash: Option<String>,
    /// The canister's version when its memory was hashed.
    pub canister_version: Option<u64>,
    /// Where the canister lives: `ic` or the URL that was used.
    pub network: String,
    /// The way the data came.
    pub route: Route,
    /// Who hashed the memory.
    pub attestation: Attestation,
    /// When the checksums were taken, in nanoseconds since 1970.
    pub taken_at_ns: u64,
    /// Id of the canister snapshot that was downloaded, hex; only where the route is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// The way the data came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A rescue canister swapped the downloader in.
    Rescue,
    /// A controller's own identity swapped the downloader in.
    Direct,
    /// The canister's own `stable_*` endpoints.
    Endpoints,
    /// A canister snapshot, read from the management canister.
    Snapshot,
}

/// Who computed the chunk digests that the data was checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Attestation {
    /// The rescue canister had them computed by replicated execution and recorded them in a case.
    Rescue {
        /// The rescue canister's principal, as text.
        rescue_canister: String,
        /// The case.
        case: u64,
    },
    /// Replicated calls of the program's own.
    ReplicatedCalls,
    /// Nobody on chain: the digests are of what was received. The replies were certified, but the
    /// certificates are not kept.
    Received,
}

/// One memory of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEntry {
    /// Which memory.
    pub memory: Memory,
    /// Its image, relative to the directory.
    pub file: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its chunk digests, relative to the directory.
    pub digests: String,
    /// Its root, hex.
    pub root: String,
}

/// One small file of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path relative to the directory.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

impl Manifest {
    /// The entry of `memory`, if the backup holds it.
    pub fn memory(&self, memory: Memory) -> Option<&MemoryEntry> {
        self.memories.iter().find(|entry| entry.memory == memory)
    }

    /// Reads a manifest of any known version.
    ///
    /// # Errors
    /// [`ArchiveError::Parse`] or [`ArchiveError::NewerFormat`], naming `path`.
    pub fn parse(path: &Path, json: &[u8]) -> Result<Self, ArchiveError> {
        parse_versioned(path, json, MANIFEST_FORMAT)
    }

    /// The bytes of the manifest file.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

impl MemoryEntry {
    /// The entry that describes `digests`.
    pub fn of(layout: &Layout, digests: &ChunkDigests) -> Self {
        let memory = digests.memory();
        Self {
            memory,
            file: layout.relative(&layout.image(memory)),
            size_bytes: digests.size_bytes(),
            digests: layout.relative(&layout.digests(memory)),
            root: hex::encode(digests.root()),
        }
    }
}

/// Reads JSON that begins with a format name and a version.
pub(crate) fn parse_versioned<T: DeserializeOwned>(
    path: &Path,
    json: &[u8],
    format: &str,
) -> Result<T, ArchiveError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        format_version: u64,
    }
    let parse_error = |reason: String| ArchiveError::Parse {
        path: path.to_path_buf(),
        reason,
    };
    let head: Head = serde_json::from_slice(json).map_err(|e| parse_error(e.to_string()))?;
    if head.format != format {
        return Err(parse_error(format!(
            "format is `{}`, expected `{format}`",
            head.format
        )));
    }
    if head.format_version > FORMAT_VERSION {
        return Err(ArchiveError::NewerFormat {
            path: path.to_path_buf(),
            found: head.format_version,
            supported: FORMAT_VERSION,
        });
    }
    serde_json::from_slice(json).map_err(|e| parse_error(e.to_string()))
}

/// Pretty JSON with a line end.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("BUG: manifest is plain data");
    text.push(b'\n');
    text
}
