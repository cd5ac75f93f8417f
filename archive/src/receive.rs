//! Writing one memory image whose checksums nobody took on chain: they are made from what arrives.
//!
//! The image is a partial one as everywhere. Beside it the digests file grows: 32 bytes a chunk, zeros where
//! nothing arrived yet. A chunk counts as received because the bytes on disk have the digest that was noted when
//! they arrived; so neither a torn write nor a damaged note can make a chunk count that is not right. The notes
//! are worth something only for one source that never changes, a canister snapshot: a draft of another one begins
//! with none ([`crate::Draft::begin`]).

use crate::digests::{CHUNK_LEN_BYTES, ChunkDigests, DIGEST_LEN_BYTES, sha256};
use crate::error::ArchiveError;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::sparse;
use crate::write::{Examined, open_partial, read_at};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Marks a chunk that has not arrived. No SHA-256 that anybody has seen is all zeros.
const NOT_RECEIVED: [u8; DIGEST_LEN_BYTES as usize] = [0; DIGEST_LEN_BYTES as usize];

/// An image that is being received. Chunks may be written from several threads.
#[derive(Debug)]
pub struct Receiver {
    path: PathBuf,
    file: File,
    notes_path: PathBuf,
    notes: File,
    /// Sizes and offsets of the chunks; its digests mean nothing.
    shape: ChunkDigests,
    received: Mutex<Vec<u8>>,
}

impl Receiver {
    /// Opens the partial image of `memory`, and the notes on what of it has arrived.
    pub(crate) fn open(
        layout: &Layout,
        memory: Memory,
        size_bytes: u64,
    ) -> Result<Self, ArchiveError> {
        let (path, file) = open_partial(layout, memory, size_bytes)?;
        let count = size_bytes.div_ceil(CHUNK_LEN_BYTES);
        let mut received = vec![0; (count * DIGEST_LEN_BYTES) as usize];
        let shape = ChunkDigests::from_raw(memory, size_bytes, CHUNK_LEN_BYTES, &received)?;
        let notes_path = layout.digests(memory);
        let error = |source| ArchiveError::Write {
            path: notes_path.clone(),
            source,
        };
        let notes = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&notes_path)
            .map_err(error)?;
        notes.set_len(received.len() as u64).map_err(error)?;
        notes.read_exact_at(&mut received, 0).map_err(error)?;
        Ok(Self {
            path,
            file,
            notes_path,
            notes,
            shape,
            received: Mutex::new(received),
        })
    }

    /// Sizes and offsets of the chunks.
    pub fn shape(&self) -> &ChunkDigests {
        &self.shape
    }

    /// Reads what is on disk and returns the chunks that have not arrived, in order. What does not have the
    /// digest that was noted has not.
    ///
    /// # Errors
    /// [`ArchiveError::Read`].
    pub fn survey(&self, examined: Examined<'_>) -> Result<Vec<u64>, ArchiveError> {
        let mut missing = Vec::new();
        let mut buffer = Vec::new();
        for chunk in 0..self.shape.count() {
            let (offset, len) = (self.shape.offset_bytes(chunk), self.shape.len_bytes(chunk));
            let noted = self.noted(chunk);
            let arrived = noted != NOT_RECEIVED && {
                read_at(&self.file, &self.path, offset, len, &mut buffer)?;
                sha256(&buffer) == noted
            };
            if !arrived {
                self.note(chunk, &NOT_RECEIVED)?;
                missing.push(chunk);
            }
            examined(len);
        }
        Ok(missing)
    }

    /// Writes chunk `chunk`, and notes its digest.
    ///
    /// # Errors
    /// [`ArchiveError::ChunkLength`] when it is too short or too long, [`ArchiveError::Write`].
    pub fn write(&self, chunk: u64, data: &[u8]) -> Result<(), ArchiveError> {
        let expected_bytes = self.shape.len_bytes(chunk);
        if data.len() as u64 != expected_bytes {
            return Err(ArchiveError::ChunkLength {
                memory: self.shape.memory(),
                chunk,
                expected_bytes,
                found_bytes: data.len() as u64,
            });
        }
        let offset = self.shape.offset_bytes(chunk);
        sparse::write_sparse(&self.file, offset, data, true).map_err(|source| {
            ArchiveError::Write {
                path: self.path.clone(),
                source,
            }
        })?;
        self.note(chunk, &sha256(data))
    }

    /// The digests of what arrived. The image is read back against them when it is sealed.
    ///
    /// # Errors
    /// [`ArchiveError::Unfinished`] when a chunk is missing.
    pub fn finish(self) -> Result<ChunkDigests, ArchiveError> {
        let missing = |chunk: &u64| self.noted(*chunk) == NOT_RECEIVED;
        let total = self.shape.count();
        let bad = (0..total).filter(missing).count() as u64;
        if let Some(first) = (0..total).find(missing) {
            return Err(ArchiveError::Unfinished {
                memory: self.shape.memory(),
                bad,
                total,
                first,
            });
        }
        let raw = self
            .received
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        ChunkDigests::from_raw(
            self.shape.memory(),
            self.shape.size_bytes(),
            CHUNK_LEN_BYTES,
            &raw,
        )
    }

    fn noted(&self, chunk: u64) -> [u8; DIGEST_LEN_BYTES as usize] {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (chunk * DIGEST_LEN_BYTES) as usize;
        let mut digest = NOT_RECEIVED;
        digest.copy_from_slice(&received[start..start + DIGEST_LEN_BYTES as usize]);
        digest
    }

    fn note(
        &self,
        chunk: u64,
        digest: &[u8; DIGEST_LEN_BYTES as usize],
    ) -> Result<(), ArchiveError> {
        let start = chunk * DIGEST_LEN_BYTES;
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received[start as usize..start as usize + digest.len()].copy_from_slice(digest);
        self.notes
            .write_all_at(digest, start)
            .map_err(|source| ArchiveError::Write {
                path: self.notes_path.clone(),
                source,
            })
    }
}
