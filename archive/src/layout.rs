//! Every path of a backup directory, named once.
//!
//! ```text
//! DIR/metadata.json                       snapshot metadata, as dfx and icp read it
//! DIR/wasm_module.bin                     module of the canister, as it was installed
//! DIR/stable_memory.bin                   raw image; sparse
//! DIR/wasm_memory.bin                     raw image; sparse
//! DIR/wasm_chunk_store/<sha256>.bin       chunk store of the canister
//! DIR/ic-rescue/manifest.json             what was backed up, and the roots: written last
//! DIR/ic-rescue/manifest.copy.json        the same bytes again
//! DIR/ic-rescue/stable_memory.sha256      raw chunk digests
//! DIR/ic-rescue/wasm_memory.sha256        raw chunk digests
//! DIR/ic-rescue/SHA256SUMS                for `sha256sum -c`, all files but the images
//! DIR/ic-rescue/certified/                certified replies kept as evidence
//!
//! while a backup is being made:
//! DIR/ic-rescue/draft.json                what is being backed up
//! DIR/ic-rescue/stopped.json              a canister that was stopped for a snapshot
//! DIR/*.bin.partial                       images whose chunks are not all proven yet
//! DIR/**/*.tmp                            files on their way to an atomic rename
//! ```

use crate::error::ArchiveError;
use crate::memory::Memory;
use std::path::{Path, PathBuf};

/// Paths of one backup directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// Name of the sidecar folder.
pub const SIDECAR: &str = "ic-rescue";
/// Suffix of an image whose chunks are not all proven.
pub const PARTIAL_SUFFIX: &str = ".partial";
/// Suffix of a file that is being written.
pub const TMP_SUFFIX: &str = ".tmp";

impl Layout {
    /// The layout of `root`. Touches no file.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Snapshot metadata.
    pub fn metadata(&self) -> PathBuf {
        self.root.join("metadata.json")
    }

    /// The canister's module.
    pub fn wasm_module(&self) -> PathBuf {
        self.root.join("wasm_module.bin")
    }

    /// Final name of a memory image.
    pub fn image(&self, memory: Memory) -> PathBuf {
        self.root.join(image_name(memory))
    }

    /// Name of a memory image while chunks of it are unproven.
    pub fn partial_image(&self, memory: Memory) -> PathBuf {
        self.root
            .join(format!("{}{PARTIAL_SUFFIX}", image_name(memory)))
    }

    /// Folder of the chunk store.
    pub fn chunk_store(&self) -> PathBuf {
        self.root.join("wasm_chunk_store")
    }

    /// One chunk of the chunk store.
    pub fn stored_chunk(&self, sha256: &[u8]) -> PathBuf {
        self.chunk_store()
            .join(format!("{}.bin", hex::encode(sha256)))
    }

    /// The sidecar folder.
    pub fn sidecar(&self) -> PathBuf {
        self.root.join(SIDECAR)
    }

    /// The manifest of a finished backup.
    pub fn manifest(&self) -> PathBuf {
        self.sidecar().join("manifest.json")
    }

    /// A second copy of the manifest, so that one damaged byte can be repaired.
    pub fn manifest_copy(&self) -> PathBuf {
        self.sidecar().join("manifest.copy.json")
    }

    /// What is being backed up, while it is.
    pub fn draft(&self) -> PathBuf {
        self.sidecar().join("draft.json")
    }

    /// Which canister was stopped, until it is started again.
    pub fn stop_note(&self) -> PathBuf {
        self.sidecar().join("stopped.json")
    }

    /// Chunk digests of a memory.
    pub fn digests(&self, memory: Memory) -> PathBuf {
        self.sidecar().join(match memory {
            Memory::Stable => "stable_memory.sha256",
            Memory::Heap => "wasm_memory.sha256",
        })
    }

    /// Checksums of all small files, in the format of `sha256sum`.
    pub fn sums(&self) -> PathBuf {
        self.sidecar().join("SHA256SUMS")
    }

    /// Folder of certified replies.
    pub fn certified(&self) -> PathBuf {
        self.sidecar().join("certified")
    }

    /// `path` relative to the directory, with `/` between the parts: the form used in manifest and
    /// findings.
    pub fn relative(&self, path: &Path) -> String {
        let inner = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

/// Refuses what lies at `path` and is of the canister `held` to one who asks for `asked`.
///
/// # Errors
/// [`ArchiveError::OtherCanister`].
pub fn check_canister(path: &Path, held: &str, asked: &str) -> Result<(), ArchiveError> {
    if held == asked {
        return Ok(());
    }
    Err(ArchiveError::OtherCanister {
        path: path.to_path_buf(),
        held: held.into(),
        asked: asked.into(),
    })
}

/// File name of a memory image.
pub fn image_name(memory: Memory) -> &'static str {
    match memory {
        Memory::Stable => "stable_memory.bin",
        Memory::Heap => "wasm_memory.bin",
    }
}
