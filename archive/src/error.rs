//! Errors of the archive: each names the action that failed, the file, and the next move.

use crate::memory::Memory;
use std::path::PathBuf;

/// What can go wrong while a backup is written, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory could not be created.
    #[error("cannot create directory {path}: {source}", path = path.display())]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The directory does not exist or cannot be opened.
    #[error("cannot open backup directory {path}: {source}", path = path.display())]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Another process holds the directory.
    #[error(
        "{path} is in use by another ic-rescue: wait until it ends, or use another directory",
        path = path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The lock could not be taken for a reason other than another holder.
    #[error("cannot lock {path}: {source}", path = path.display())]
    TakeLock {
        /// The directory.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error(
        "cannot write {path}: {source}; what is already on disk is kept, run the same command again to go on",
        path = path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file could not be moved to its final name.
    #[error("cannot rename {from} to {to}: {source}", from = from.display(), to = to.display())]
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name.
        to: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file could not be removed.
    #[error("cannot remove {path}: {source}", path = path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A JSON file is not what it should be.
    #[error("{path} cannot be understood: {reason}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// A file was written by a newer format version.
    #[error(
        "{path} has format version {found}; this ic-rescue reads up to {supported}: use a newer ic-rescue",
        path = path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
        /// The newest version this program reads.
        supported: u64,
    },
    /// The directory holds something that no backup of ours contains.
    #[error(
        "{path} is not empty and not a backup of ic-rescue (it holds {entry}): choose an empty directory",
        path = path.display()
    )]
    ForeignContent {
        /// The directory.
        path: PathBuf,
        /// The first entry that does not belong there.
        entry: String,
    },
    /// The directory belongs to another canister.
    #[error(
        "{path} is a backup of canister {held}, not of {asked}: choose another directory",
        path = path.display()
    )]
    OtherCanister {
        /// The directory.
        path: PathBuf,
        /// The canister whose backup lies there.
        held: String,
        /// The canister that was asked for.
        asked: String,
    },
    /// There is no manifest, so there is nothing to verify against.
    #[error(
        "{path} has no finished backup: {remedy}",
        path = path.display()
    )]
    NotSealed {
        /// The directory.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Digests and recorded root disagree.
    #[error("the {memory} digests hash to root {found}, recorded is {expected}")]
    RootMismatch {
        /// Which memory.
        memory: Memory,
        /// The recorded root, hex.
        expected: String,
        /// The root of the digests at hand, hex.
        found: String,
    },
    /// The number of digests does not fit the memory size.
    #[error("{memory}: {found_bytes} bytes of digests, {expected_bytes} expected")]
    DigestCount {
        /// Which memory.
        memory: Memory,
        /// Bytes that the memory size asks for.
        expected_bytes: u64,
        /// Bytes at hand.
        found_bytes: u64,
    },
    /// Data offered for a chunk does not have the recorded digest.
    #[error("{memory} chunk {chunk}: data has digest {found}, recorded is {expected}")]
    ChunkMismatch {
        /// Which memory.
        memory: Memory,
        /// Index of the chunk.
        chunk: u64,
        /// The recorded digest, hex.
        expected: String,
        /// The digest of the data, hex.
        found: String,
    },
    /// Data offered for a chunk has the wrong length.
    #[error("{memory} chunk {chunk}: {found_bytes} bytes of data, {expected_bytes} expected")]
    ChunkLength {
        /// Which memory.
        memory: Memory,
        /// Index of the chunk.
        chunk: u64,
        /// Length of the chunk.
        expected_bytes: u64,
        /// Length of the data.
        found_bytes: u64,
    },
    /// An image is asked to be sealed while chunks are missing.
    #[error(
        "{memory}: {bad} of {total} chunks on disk do not match their digest (first: {first}); run the same command again"
    )]
    Unfinished {
        /// Which memory.
        memory: Memory,
        /// Chunks that do not match.
        bad: u64,
        /// All chunks.
        total: u64,
        /// The first that does not match.
        first: u64,
    },
    /// A stored chunk does not have the hash that is its name.
    #[error("{path} does not have the SHA-256 that is its name: put a good copy in its place", path = path.display())]
    StoredChunkMismatch {
        /// The file.
        path: PathBuf,
    },
    /// A module does not have the recorded hash.
    #[error("the wasm module has SHA-256 {found}, the canister ran {expected}")]
    ModuleMismatch {
        /// The canister's module hash, hex.
        expected: String,
        /// SHA-256 of the bytes at hand, hex.
        found: String,
    },
    /// A memory file has another length than its metadata says.
    #[error(
        "{path} has {found_bytes} bytes, {expected_bytes} expected",
        path = path.display()
    )]
    FileLength {
        /// The file.
        path: PathBuf,
        /// What the metadata says.
        expected_bytes: u64,
        /// What is on disk.
        found_bytes: u64,
    },
}
