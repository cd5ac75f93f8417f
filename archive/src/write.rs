//! Writing one memory image: resumable, sparse, and never trusted before it was read back.
//!
//! While chunks are unproven the image is called `….bin.partial`. It has its full length from the
//! start, chunks are written at their offsets in any order, and there is no journal: what is done is
//! found by hashing what is on disk, which cannot be wrong and costs a second or two per GiB.

use crate::digests::ChunkDigests;
use crate::error::ArchiveError;
use crate::files;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::scan::{Found, scan};
use crate::sparse;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Told how many more bytes of an image were examined.
pub type Examined<'a> = &'a mut dyn FnMut(u64);

/// An image whose chunks are not all proven yet. Chunks may be written from several threads.
#[derive(Debug)]
pub struct ImageWriter {
    layout: Layout,
    path: PathBuf,
    file: File,
    digests: ChunkDigests,
    /// Per chunk: the file may hold old data there, so zeros must be written as zeros.
    over_data: Vec<bool>,
}

impl ImageWriter {
    /// Opens the partial image, or makes one: from the finished image of an earlier backup if there is
    /// one, otherwise all holes.
    pub(crate) fn open(layout: &Layout, digests: ChunkDigests) -> Result<Self, ArchiveError> {
        let (path, file) = open_partial(layout, digests.memory(), digests.size_bytes())?;
        // Until it is surveyed, there may be old data anywhere.
        let over_data = vec![true; digests.count() as usize];
        Ok(Self {
            layout: layout.clone(),
            path,
            file,
            digests,
            over_data,
        })
    }

    /// The digests that the image is written against.
    pub fn digests(&self) -> &ChunkDigests {
        &self.digests
    }

    /// Hashes what is on disk and returns the chunks that are still to be fetched, in order. Chunks that
    /// are recorded as zeros are made zero here and never returned.
    ///
    /// # Errors
    /// [`ArchiveError::Read`] or [`ArchiveError::Write`].
    pub fn survey(&mut self, examined: Examined<'_>) -> Result<Vec<u64>, ArchiveError> {
        let mut missing = Vec::new();
        let found = scan(&self.file, &self.path, &self.digests, examined)?;
        for (chunk, found) in (0..).zip(found) {
            self.over_data[chunk as usize] = found != Found::Hole;
            if found.digest(self.digests.zero(chunk)) == *self.digests.get(chunk) {
                continue;
            }
            if self.digests.is_zero(chunk) {
                let (offset, len) = (
                    self.digests.offset_bytes(chunk),
                    self.digests.len_bytes(chunk),
                );
                sparse::zero_range(&self.file, offset, len)
                    .map_err(|source| self.write_error(source))?;
            } else {
                missing.push(chunk);
            }
        }
        Ok(missing)
    }

    /// Writes chunk `chunk` if `data` has the recorded digest, and nothing otherwise.
    ///
    /// # Errors
    /// [`ArchiveError::ChunkLength`] or [`ArchiveError::ChunkMismatch`] when the data is wrong;
    /// [`ArchiveError::Write`] when it cannot be written.
    pub fn write(&self, chunk: u64, data: &[u8]) -> Result<(), ArchiveError> {
        self.digests.check(chunk, data)?;
        let offset = self.digests.offset_bytes(chunk);
        sparse::write_sparse(&self.file, offset, data, self.over_data[chunk as usize])
            .map_err(|source| self.write_error(source))
    }

    /// Reads the whole image back, and gives it its final name if every chunk matches.
    ///
    /// # Errors
    /// [`ArchiveError::Unfinished`] when a chunk does not match; the image keeps its partial name.
    pub fn seal(mut self, examined: Examined<'_>) -> Result<ChunkDigests, ArchiveError> {
        self.file
            .sync_all()
            .map_err(|source| self.write_error(source))?;
        let bad = self.survey(examined)?;
        if let Some(first) = bad.first() {
            return Err(ArchiveError::Unfinished {
                memory: self.digests.memory(),
                bad: bad.len() as u64,
                total: self.digests.count(),
                first: *first,
            });
        }
        files::rename_durable(&self.path, &self.layout.image(self.digests.memory()))?;
        Ok(self.digests)
    }

    fn write_error(&self, source: std::io::Error) -> ArchiveError {
        ArchiveError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

/// Opens the partial image of `memory` in its full length, or makes one: from the finished image of an earlier
/// backup if there is one, otherwise all holes.
pub(crate) fn open_partial(
    layout: &Layout,
    memory: Memory,
    size_bytes: u64,
) -> Result<(PathBuf, File), ArchiveError> {
    let path = layout.partial_image(memory);
    let finished = layout.image(memory);
    if !path.exists() && finished.exists() {
        files::rename_durable(&finished, &path)?;
    }
    let error = |source| ArchiveError::Write {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(error)?;
    file.set_len(size_bytes).map_err(error)?;
    Ok((path, file))
}

/// Reads exactly `len_bytes` at `offset` into `buffer`.
pub(crate) fn read_at(
    file: &File,
    path: &std::path::Path,
    offset: u64,
    len_bytes: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), ArchiveError> {
    buffer.resize(len_bytes as usize, 0);
    file.read_exact_at(buffer, offset)
        .map_err(|source| ArchiveError::Read {
            path: path.to_path_buf(),
            source,
        })
}
