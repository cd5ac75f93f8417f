//! Hashes the chunks of an image as it lies on disk: on several threads, and holes without reading them.
//!
//! Threads take batches of neighbouring chunks from a counter and hand what they find to the caller's thread,
//! which alone is told of progress. Memory use is a chunk a thread, whatever the size of the image.

use crate::digests::{ChunkDigests, Digest, sha256};
use crate::error::ArchiveError;
use crate::sparse::HoleFinder;
use crate::write::{Examined, read_at};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Most threads of one scan: a disk hardly feeds more.
const THREADS_MAX: u64 = 8;
/// Chunks that a thread takes at once: enough to read ahead, few enough to share the work evenly.
const BATCH_CHUNKS: u64 = 16;
/// Batches that may wait for the caller, per thread.
const BATCHES_WAITING: u64 = 2;

/// What lies where a chunk belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A hole: it reads as zeros and takes no space.
    Hole,
    /// Data with this digest.
    Data(Digest),
}

impl Found {
    /// The digest of what is there. `zero` is the digest of a chunk of zeros.
    pub(crate) fn digest(&self, zero: &Digest) -> Digest {
        match self {
            Found::Hole => *zero,
            Found::Data(digest) => *digest,
        }
    }
}

/// A run of chunks: the first, and what was found from there on.
type Batch = Result<(u64, Vec<Found>), ArchiveError>;

/// Looks at every chunk of an image laid out as `shape` says; the result has an entry a chunk.
///
/// # Errors
/// [`ArchiveError::Read`], also when the file is shorter than the image.
pub(crate) fn scan(
    file: &File,
    path: &Path,
    shape: &ChunkDigests,
    examined: Examined<'_>,
) -> Result<Vec<Found>, ArchiveError> {
    let mut found = vec![Found::Hole; shape.count() as usize];
    let batches = shape.count().div_ceil(BATCH_CHUNKS);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads = cores.min(THREADS_MAX).min(batches).max(1);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel((threads * BATCHES_WAITING) as usize);
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || work(file, path, shape, next, &sender));
        }
        drop(sender);
        // Leaving early closes the channel, which ends the threads.
        for batch in receiver {
            let (first, chunks) = batch?;
            for (chunk, what) in (first..).zip(chunks) {
                found[chunk as usize] = what;
                examined(shape.len_bytes(chunk));
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Takes batches until there are none, one fails, or nobody listens any more.
fn work(
    file: &File,
    path: &Path,
    shape: &ChunkDigests,
    next: &AtomicU64,
    sender: &SyncSender<Batch>,
) {
    let mut holes = HoleFinder::new(file);
    let mut buffer = Vec::new();
    loop {
        let first = next.fetch_add(1, Ordering::Relaxed) * BATCH_CHUNKS;
        if first >= shape.count() {
            return;
        }
        let end = shape.count().min(first + BATCH_CHUNKS);
        let look = |chunk: u64| {
            let (offset, len_bytes) = (shape.offset_bytes(chunk), shape.len_bytes(chunk));
            if holes.is_hole(offset, len_bytes) {
                return Ok(Found::Hole);
            }
            read_at(file, path, offset, len_bytes, &mut buffer)?;
            Ok(Found::Data(sha256(&buffer)))
        };
        let chunks: Result<Vec<Found>, ArchiveError> = (first..end).map(look).collect();
        let failed = chunks.is_err();
        if sender.send(chunks.map(|chunks| (first, chunks))).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use std::os::unix::fs::FileExt;

    const CHUNK: u64 = 4096;

    #[test]
    fn every_chunk_is_found_where_it_lies() {
        let file = tempfile::tempfile().unwrap();
        let count = 5 * BATCH_CHUNKS + 3;
        let size_bytes = count * CHUNK - 100;
        file.set_len(size_bytes).unwrap();
        let mut data = vec![0; size_bytes as usize];
        for chunk in (0..count).filter(|chunk| chunk % 3 != 0) {
            let at = chunk * CHUNK + chunk;
            file.write_all_at(&[chunk as u8 | 1], at).unwrap();
            data[at as usize] = chunk as u8 | 1;
        }
        let shape = ChunkDigests::of_bytes(Memory::Stable, &data, CHUNK);
        let mut examined = 0;
        let found = scan(&file, Path::new("image"), &shape, &mut |n| examined += n).unwrap();
        assert_eq!(examined, size_bytes);
        for chunk in 0..count {
            let found = found[chunk as usize];
            assert_eq!(
                found.digest(shape.zero(chunk)),
                *shape.get(chunk),
                "{chunk}"
            );
            // The last bytes of a file need not be a whole block.
            let blocks = chunk + 1 < count;
            assert!(
                !blocks || (found == Found::Hole) == (chunk % 3 == 0),
                "{chunk}"
            );
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let data = vec![7; 40 * CHUNK as usize];
        file.write_all_at(&data[..20 * CHUNK as usize], 0).unwrap();
        let shape = ChunkDigests::of_bytes(Memory::Stable, &data, CHUNK);
        file.set_len(21 * CHUNK - 1).unwrap();
        file.write_all_at(&[1], 20 * CHUNK).unwrap();
        let error = scan(&file, Path::new("image"), &shape, &mut |_| {}).unwrap_err();
        assert!(matches!(error, ArchiveError::Read { .. }), "{error}");
    }

    #[test]
    fn an_empty_image_has_nothing_to_find() {
        let file = tempfile::tempfile().unwrap();
        let shape = ChunkDigests::of_bytes(Memory::Heap, &[], CHUNK);
        assert_eq!(
            scan(&file, Path::new("i"), &shape, &mut |_| {}).unwrap(),
            []
        );
    }
}
