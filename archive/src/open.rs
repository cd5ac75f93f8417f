//! Opening a finished backup for reading: one of ours, or a snapshot directory made by dfx or icp.

use crate::digests::{CHUNK_LEN_BYTES, ChunkDigests, DIGEST_LEN_BYTES, sha256};
use crate::error::ArchiveError;
use crate::files::read_small;
use crate::layout::Layout;
use crate::lock::{Guard, Shared};
use crate::manifest::Manifest;
use crate::memory::Memory;
use crate::metadata::Metadata;
use crate::scan::scan;
use crate::write::{Examined, read_at};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A finished backup.
#[derive(Debug)]
pub struct Backup {
    layout: Layout,
    manifest: Option<Manifest>,
    metadata: Metadata,
}

/// A memory image that is read chunk by chunk; may be shared between threads.
#[derive(Debug)]
pub struct ImageReader {
    path: PathBuf,
    file: File,
    digests: ChunkDigests,
}

impl Backup {
    pub(crate) fn sealed(layout: Layout, manifest: Manifest, metadata: Metadata) -> Self {
        Self {
            layout,
            manifest: Some(manifest),
            metadata,
        }
    }

    /// Opens the directory that `lock` protects. A directory without our sidecar is read as a snapshot
    /// that another tool downloaded.
    ///
    /// # Errors
    /// [`ArchiveError::NotSealed`] when a backup was begun there and not finished.
    pub fn open(lock: &Shared) -> Result<Self, ArchiveError> {
        let layout = lock.layout().clone();
        let manifest = if layout.sidecar().exists() {
            Some(read_manifest(&layout)?)
        } else {
            None
        };
        let path = layout.metadata();
        let metadata =
            Metadata::parse(&read_small(&path)?).map_err(|error| ArchiveError::Parse {
                path,
                reason: error.to_string(),
            })?;
        Ok(Self {
            layout,
            manifest,
            metadata,
        })
    }

    /// The manifest; none for a snapshot that another tool downloaded.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The snapshot metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The paths of the directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The canister's module, checked against the manifest; none if it is not part of the backup.
    ///
    /// # Errors
    /// [`ArchiveError::ModuleMismatch`] when it is not the module that the canister ran.
    pub fn module(&self) -> Result<Option<Vec<u8>>, ArchiveError> {
        if self.metadata.wasm_module_size == 0 {
            return Ok(None);
        }
        let module = read_small(&self.layout.wasm_module())?;
        let found = hex::encode(sha256(&module));
        let expected = self
            .manifest
            .as_ref()
            .and_then(|m| m.subject.module_hash.as_ref());
        match expected {
            Some(expected) if *expected != found => Err(ArchiveError::ModuleMismatch {
                expected: expected.clone(),
                found,
            }),
            _ => Ok(Some(module)),
        }
    }

    /// A chunk of the canister's chunk store, checked against its hash.
    ///
    /// # Errors
    /// [`ArchiveError::Read`], or [`ArchiveError::StoredChunkMismatch`] when it is damaged.
    pub fn stored_chunk(&self, hash: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let path = self.layout.stored_chunk(hash);
        let chunk = read_small(&path)?;
        if sha256(&chunk)[..] != *hash {
            return Err(ArchiveError::StoredChunkMismatch { path });
        }
        Ok(chunk)
    }

    /// Opens the image of `memory` for reading; none if it is not part of the backup. The digests of a
    /// foreign snapshot are computed, `examined` is told how far that is.
    ///
    /// # Errors
    /// [`ArchiveError::FileLength`], [`ArchiveError::DigestCount`] or [`ArchiveError::RootMismatch`] when
    /// the directory is damaged.
    pub fn image(
        &self,
        memory: Memory,
        examined: Examined<'_>,
    ) -> Result<Option<ImageReader>, ArchiveError> {
        let size_bytes = match &self.manifest {
            None => match memory {
                Memory::Stable => self.metadata.stable_memory_size,
                Memory::Heap => self.metadata.wasm_memory_size,
            },
            Some(manifest) => match manifest.memory(memory) {
                None => return Ok(None),
                Some(entry) => entry.size_bytes,
            },
        };
        let path = self.layout.image(memory);
        if size_bytes == 0 && !path.exists() {
            return Ok(None);
        }
        let error = |source| ArchiveError::Read {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(error)?;
        let found_bytes = file.metadata().map_err(error)?.len();
        if found_bytes != size_bytes {
            return Err(ArchiveError::FileLength {
                path,
                expected_bytes: size_bytes,
                found_bytes,
            });
        }
        let digests = match &self.manifest {
            Some(manifest) => read_digests(&self.layout, manifest, memory)?,
            None => hash_image(&file, &path, memory, size_bytes, CHUNK_LEN_BYTES, examined)?,
        };
        Ok(Some(ImageReader {
            path,
            file,
            digests,
        }))
    }
}

impl ImageReader {
    /// Opens the image that has `digests`.
    ///
    /// # Errors
    /// [`ArchiveError::Read`] when it is not there, [`ArchiveError::FileLength`].
    pub fn open(layout: &Layout, digests: ChunkDigests) -> Result<Self, ArchiveError> {
        let path = layout.image(digests.memory());
        let error = |source| ArchiveError::Read {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(error)?;
        let found_bytes = file.metadata().map_err(error)?.len();
        if found_bytes != digests.size_bytes() {
            return Err(ArchiveError::FileLength {
                path,
                expected_bytes: digests.size_bytes(),
                found_bytes,
            });
        }
        Ok(Self {
            path,
            file,
            digests,
        })
    }

    /// The digests of the image.
    pub fn digests(&self) -> &ChunkDigests {
        &self.digests
    }

    /// The file itself, for readers that need it at random. It holds what the digests say as long as the
    /// directory stays locked.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads chunk `chunk` and checks it.
    ///
    /// # Errors
    /// [`ArchiveError::ChunkMismatch`] when the file is damaged there.
    pub fn read(&self, chunk: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut data = Vec::new();
        let (offset, len) = (
            self.digests.offset_bytes(chunk),
            self.digests.len_bytes(chunk),
        );
        read_at(&self.file, &self.path, offset, len, &mut data)?;
        self.digests.check(chunk, &data)?;
        Ok(data)
    }
}

/// Reads a file of the folder of certified replies; none if it is not there or cannot be read.
pub fn read_certified(layout: &Layout, name: &str) -> Option<Vec<u8>> {
    read_small(&layout.certified().join(name)).ok()
}

/// Whether the directory holds a finished backup. A copy of the manifest stands for one that was lost; beside a
/// draft it is what the last step of a backup, or the first of the next, leaves when it is cut off.
pub fn is_sealed(layout: &Layout) -> bool {
    layout.manifest().exists() || layout.manifest_copy().exists() && !layout.draft().exists()
}

/// Reads the manifest, or its copy if the manifest cannot be understood.
///
/// # Errors
/// [`ArchiveError::NotSealed`] when the backup [is not finished](is_sealed); [`ArchiveError::Parse`] or
/// [`ArchiveError::NewerFormat`] when neither can be understood.
pub fn read_manifest(layout: &Layout) -> Result<Manifest, ArchiveError> {
    if !is_sealed(layout) {
        let remedy = if layout.draft().exists() {
            "a backup was begun there; run the same backup command again to finish it"
        } else {
            "run ic-rescue backup with this directory"
        };
        return Err(ArchiveError::NotSealed {
            path: layout.root().to_path_buf(),
            remedy,
        });
    }
    let (first, second) = (layout.manifest(), layout.manifest_copy());
    let read = |path: &Path| Manifest::parse(path, &read_small(path)?);
    match read(&first) {
        Err(ArchiveError::Parse { .. } | ArchiveError::Read { .. }) if second.exists() => {
            read(&second)
        }
        other => other,
    }
}

/// Reads the digests of `memory` and checks them against the root in `manifest`.
///
/// # Errors
/// [`ArchiveError::RootMismatch`], [`ArchiveError::DigestCount`] or [`ArchiveError::Read`].
pub fn read_digests(
    layout: &Layout,
    manifest: &Manifest,
    memory: Memory,
) -> Result<ChunkDigests, ArchiveError> {
    let entry = manifest
        .memory(memory)
        .expect("BUG: caller checked that the memory is there");
    let raw = read_small(&layout.digests(memory))?;
    let digests = ChunkDigests::from_raw(memory, entry.size_bytes, manifest.chunk_len_bytes, &raw)?;
    let found = hex::encode(digests.root());
    if found != entry.root {
        return Err(ArchiveError::RootMismatch {
            memory,
            expected: entry.root.clone(),
            found,
        });
    }
    Ok(digests)
}

/// Hashes an image as it lies on disk.
pub(crate) fn hash_image(
    file: &File,
    path: &Path,
    memory: Memory,
    size_bytes: u64,
    chunk_len_bytes: u64,
    examined: Examined<'_>,
) -> Result<ChunkDigests, ArchiveError> {
    let count = size_bytes.div_ceil(chunk_len_bytes);
    let blank = vec![0; (count * DIGEST_LEN_BYTES) as usize];
    let shape = ChunkDigests::from_raw(memory, size_bytes, chunk_len_bytes, &blank)?;
    let found = scan(file, path, &shape, examined)?;
    let mut raw = Vec::with_capacity(blank.len());
    for (chunk, found) in (0..).zip(found) {
        raw.extend(found.digest(shape.zero(chunk)));
    }
    ChunkDigests::from_raw(memory, size_bytes, chunk_len_bytes, &raw)
}
