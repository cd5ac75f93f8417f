//! A backup that is being made: begun, resumed, brought up to date, and sealed.
//!
//! ```text
//! empty directory ──begin──► draft.json ──writer, seal of each image──► final images ──seal──► manifest.json
//! finished backup ──begin──► draft.json, manifest removed ──► images become partial again, chunk by chunk
//! unfinished one  ──begin──► draft.json rewritten ──► goes on where the chunks on disk end
//! ```
//!
//! While `manifest.json` exists, everything it describes is in place; so it goes first and comes last.
//! A draft is bound to its canister. Its checksums may change between attempts (the canister ran on): a
//! chunk counts only if its bytes have the digest that is recorded *now*.

use crate::digests::{ChunkDigests, sha256};
use crate::error::ArchiveError;
use crate::files::{self, create_folder, read_small, remove_if_present, write_atomic};
use crate::layout::{Layout, check_canister};
use crate::lock::{Exclusive, Guard};
use crate::manifest::{self, FORMAT_VERSION, FileEntry, MANIFEST_FORMAT, Manifest, MemoryEntry};
use crate::memory::Memory;
use crate::metadata::{Metadata, MetadataError};
use crate::open::{self, Backup};
use crate::provenance::Provenance;
use crate::receive::Receiver;
use crate::stop_note::StopNote;
use crate::sums;
use crate::write::ImageWriter;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub use crate::manifest::Subject;

const DRAFT_FORMAT: &str = "ic-rescue draft";

/// A backup that is being made.
#[derive(Debug)]
pub struct Draft {
    lock: Exclusive,
    subject: Subject,
    images: Vec<ChunkDigests>,
    provenance: Option<Provenance>,
}

/// What is added to the images to finish a backup.
#[derive(Debug)]
pub struct Seal {
    /// Snapshot metadata. The sizes of module and memories are filled in.
    pub metadata: Metadata,
    /// The canister's module, if it is known.
    pub module: Option<Vec<u8>>,
    /// The chunks of the canister's chunk store.
    pub chunk_store: Vec<Vec<u8>>,
    /// Certified replies kept as evidence: file name and bytes.
    pub certified: Vec<(String, Vec<u8>)>,
    /// Whether module, globals and both memories are there.
    pub loadable_as_snapshot: bool,
    /// Now, in nanoseconds since 1970.
    pub sealed_at_ns: u64,
    /// Version of the program.
    pub tool_version: String,
}

#[derive(Serialize, Deserialize)]
struct DraftFile {
    format: String,
    format_version: u64,
    #[serde(flatten)]
    subject: Subject,
}

impl Draft {
    /// Begins a backup of `subject`, goes on with one, or brings a finished one up to date.
    ///
    /// # Errors
    /// [`ArchiveError::OtherCanister`] when the directory belongs to another canister,
    /// [`ArchiveError::ForeignContent`] when it holds something else,
    /// [`ArchiveError::NewerFormat`] when a newer program wrote it.
    pub fn begin(lock: Exclusive, subject: Subject) -> Result<Self, ArchiveError> {
        let layout = lock.layout();
        let held = held_subject(layout)?;
        if let Some(held) = &held {
            check_canister(layout.root(), &held.canister, &subject.canister)?;
        }
        create_folder(&layout.sidecar())?;
        if let Some(held) = held.filter(|_| subject.snapshot.is_some())
            && held.snapshot != subject.snapshot
        {
            // They would pass for notes on what of this snapshot has arrived. Until they are gone the draft is one
            // of no snapshot: nobody goes on with the new one over them, nor with the old one.
            let neither = Subject {
                snapshot: None,
                ..held
            };
            reduce_to_draft(layout, &neither)?;
            for memory in Memory::ALL {
                remove_if_present(&layout.digests(memory))?;
            }
        }
        reduce_to_draft(layout, &subject)?;
        if subject.snapshot.is_some() {
            StopNote::remove(&layout.stop_note())?;
        }
        Ok(Self {
            lock,
            subject,
            images: Vec::new(),
            provenance: None,
        })
    }

    /// What the directory is a backup of, finished or not; none if it is empty.
    ///
    /// # Errors
    /// As [`Draft::begin`].
    pub fn peek(lock: &Exclusive) -> Result<Option<Subject>, ArchiveError> {
        held_subject(lock.layout())
    }

    /// Opens the image of one memory for writing against `digests`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn writer(&self, digests: ChunkDigests) -> Result<ImageWriter, ArchiveError> {
        let layout = self.lock.layout();
        write_atomic(&layout.digests(digests.memory()), &digests.to_raw())?;
        ImageWriter::open(layout, digests)
    }

    /// Opens the image of one memory for what arrives of a canister snapshot.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn receiver(&self, memory: Memory, size_bytes: u64) -> Result<Receiver, ArchiveError> {
        assert!(
            self.subject.snapshot.is_some(),
            "BUG: only a snapshot is the same whenever it is read"
        );
        Receiver::open(self.lock.layout(), memory, size_bytes)
    }

    /// What is being backed up in the directory, if a backup was begun there and not finished.
    ///
    /// # Errors
    /// As [`Draft::begin`].
    pub fn unfinished(lock: &Exclusive) -> Result<Option<Subject>, ArchiveError> {
        if lock.layout().draft().exists() {
            held_subject(lock.layout())
        } else {
            Ok(None)
        }
    }

    /// Takes note of an image that [`ImageWriter::seal`] finished.
    pub fn add_image(&mut self, digests: ChunkDigests) {
        self.images.push(digests);
    }

    /// Records that the memories were not read from the canister.
    pub fn set_provenance(&mut self, provenance: Provenance) {
        self.provenance = Some(provenance);
    }

    /// The paths of the directory.
    pub fn layout(&self) -> &Layout {
        self.lock.layout()
    }

    /// Writes everything that is missing, the manifest last, and opens the finished backup.
    ///
    /// # Errors
    /// [`ArchiveError::ModuleMismatch`] when the module is not the one that the canister ran; otherwise
    /// when a file cannot be written.
    pub fn seal(self, seal: Seal) -> Result<Backup, ArchiveError> {
        let layout = self.lock.layout().clone();
        let module_len_bytes = self.write_module(&layout, seal.module.as_deref())?;
        let mut paths = vec![layout.metadata(), layout.wasm_module()];

        create_folder(&layout.chunk_store())?;
        for chunk in &seal.chunk_store {
            let path = layout.stored_chunk(&sha256(chunk));
            write_atomic(&path, chunk)?;
            paths.push(path);
        }
        if !seal.certified.is_empty() {
            create_folder(&layout.certified())?;
        }
        for (name, bytes) in &seal.certified {
            let path = layout.certified().join(name);
            write_atomic(&path, bytes)?;
            paths.push(path);
        }
        for memory in Memory::ALL {
            if self.images.iter().any(|digests| digests.memory() == memory) {
                paths.push(layout.digests(memory));
            } else {
                // Readers of snapshots expect the file.
                write_atomic(&layout.image(memory), &[])?;
                remove_if_present(&layout.partial_image(memory))?;
                remove_if_present(&layout.digests(memory))?;
                paths.push(layout.image(memory));
            }
        }
        let size_of = |memory| {
            let image = self
                .images
                .iter()
                .find(|digests| digests.memory() == memory);
            image.map_or(0, ChunkDigests::size_bytes)
        };
        let metadata = Metadata {
            wasm_module_size: module_len_bytes,
            wasm_memory_size: size_of(Memory::Heap),
            stable_memory_size: size_of(Memory::Stable),
            ..seal.metadata
        };
        write_atomic(
            &layout.metadata(),
            &metadata_json(&layout.metadata(), &metadata)?,
        )?;

        let manifest = Manifest {
            format: MANIFEST_FORMAT.into(),
            format_version: FORMAT_VERSION,
            tool_version: seal.tool_version,
            subject: self.subject,
            sealed_at_ns: seal.sealed_at_ns,
            chunk_len_bytes: self.images.first().map_or(
                crate::digests::CHUNK_LEN_BYTES,
                ChunkDigests::chunk_len_bytes,
            ),
            memories: self
                .images
                .iter()
                .map(|image| MemoryEntry::of(&layout, image))
                .collect(),
            files: list_files(&layout, paths)?,
            loadable_as_snapshot: seal.loadable_as_snapshot && module_len_bytes > 0,
            metadata: metadata.clone(),
            provenance: self.provenance,
        };
        let json = manifest.to_json();
        write_atomic(
            &layout.sums(),
            sums::render(&layout, &manifest, &json).as_bytes(),
        )?;
        write_atomic(&layout.manifest_copy(), &json)?;
        write_atomic(&layout.manifest(), &json)?;
        remove_if_present(&layout.draft())?;
        Ok(Backup::sealed(layout, manifest, metadata))
    }

    /// Puts the module in place and returns its length; keeps one that is already there and right.
    fn write_module(&self, layout: &Layout, module: Option<&[u8]>) -> Result<u64, ArchiveError> {
        let expected = self.subject.module_hash.as_deref();
        let path = layout.wasm_module();
        if let Some(module) = module {
            check_module(expected, module)?;
            write_atomic(&path, module)?;
            return Ok(module.len() as u64);
        }
        if expected.is_some() && path.exists() {
            let held = read_small(&path)?;
            if check_module(expected, &held).is_ok() {
                return Ok(held.len() as u64);
            }
        }
        write_atomic(&path, &[])?;
        Ok(0)
    }
}

/// Writes the draft, and takes away what makes the directory a finished backup.
fn reduce_to_draft(layout: &Layout, subject: &Subject) -> Result<(), ArchiveError> {
    let draft = DraftFile {
        format: DRAFT_FORMAT.into(),
        format_version: FORMAT_VERSION,
        subject: subject.clone(),
    };
    write_atomic(&layout.draft(), &manifest::to_json(&draft))?;
    for path in [layout.manifest(), layout.manifest_copy(), layout.sums()] {
        remove_if_present(&path)?;
    }
    Ok(())
}

/// What the directory is a backup of; none if it is empty.
fn held_subject(layout: &Layout) -> Result<Option<Subject>, ArchiveError> {
    let draft = layout.draft();
    if draft.exists() {
        let file: DraftFile =
            manifest::parse_versioned(&draft, &read_small(&draft)?, DRAFT_FORMAT)?;
        return Ok(Some(file.subject));
    }
    if open::is_sealed(layout) {
        return Ok(Some(open::read_manifest(layout)?.subject));
    }
    match foreign_entry(layout)? {
        None => Ok(None),
        Some(entry) => Err(ArchiveError::ForeignContent {
            path: layout.root().to_path_buf(),
            entry,
        }),
    }
}

/// The first entry of a directory without draft or manifest, if any. An empty sidecar folder is what a
/// process leaves that was killed before it wrote the draft.
fn foreign_entry(layout: &Layout) -> Result<Option<String>, ArchiveError> {
    for folder in [layout.root().to_path_buf(), layout.sidecar()] {
        let error = |source| ArchiveError::Read {
            path: folder.clone(),
            source,
        };
        if !folder.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(error)? {
            let path = entry.map_err(error)?.path();
            let ours = path == layout.sidecar()
                || path == layout.stop_note()
                || path
                    .file_name()
                    .is_some_and(|name| name == "draft.json.tmp" || name == "stopped.json.tmp");
            if !ours {
                return Ok(Some(layout.relative(&path)));
            }
        }
    }
    Ok(None)
}

fn check_module(expected: Option<&str>, module: &[u8]) -> Result<(), ArchiveError> {
    let found = hex::encode(sha256(module));
    match expected {
        Some(expected) if expected != found => Err(ArchiveError::ModuleMismatch {
            expected: expected.into(),
            found,
        }),
        _ => Ok(()),
    }
}

pub(crate) fn metadata_json(path: &Path, metadata: &Metadata) -> Result<Vec<u8>, ArchiveError> {
    metadata
        .to_json()
        .map_err(|error: MetadataError| ArchiveError::Parse {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })
}

fn list_files(
    layout: &Layout,
    mut paths: Vec<std::path::PathBuf>,
) -> Result<Vec<FileEntry>, ArchiveError> {
    paths.sort();
    paths.dedup();
    let mut entries = Vec::new();
    for path in paths {
        let data = files::read_small(&path)?;
        entries.push(FileEntry {
            path: layout.relative(&path),
            size_bytes: data.len() as u64,
            sha256: hex::encode(sha256(&data)),
        });
    }
    Ok(entries)
}
