//! The memory file behind a heap: a sparse anonymous file that instances map privately, or a file
//! on disk that is only read.

use crate::memory_error::MemoryError;
use crate::pages::{PAGE_BYTES, Page};
use rustix::fs::{MemfdFlags, SeekFrom, ftruncate, memfd_create, seek};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Greatest heap: 6 GiB, that of wasm64. Every image file has this length; holes cost nothing.
pub(crate) const HEAP_MAX_BYTES: u64 = 6 << 30;

/// Names what the system refused to do.
pub(crate) fn system(action: &'static str) -> impl Fn(Errno) -> MemoryError {
    move |errno| MemoryError::System {
        action,
        source: errno.into(),
    }
}

/// Bytes copied at a time.
const RUN_BYTES: usize = 1 << 20;

/// Open files a process needs at most: one per heap value that was ever run.
const OPEN_FILES_MAX: u64 = 1 << 20;

/// Lets this process open as many files as the system allows: the usual limit of 1,024 is soon
/// reached when each heap is one. Where it cannot be raised, mapping a heap fails later.
pub(crate) fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(OPEN_FILES_MAX).min(OPEN_FILES_MAX);
    if limit.current.is_some_and(|current| current < most) {
        let raised = Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        };
        // A refusal leaves the limit as it was.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// Contents of a heap, zero where never written.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    data_bytes: u64,
    /// Whether the file is this value's own. Others are never written.
    owned: bool,
}

impl Image {
    /// An image of zeros.
    pub(crate) fn new() -> Result<Self, MemoryError> {
        let descriptor = memfd_create("canister-heap", MemfdFlags::CLOEXEC)
            .map_err(system("create a memory file"))?;
        ftruncate(&descriptor, HEAP_MAX_BYTES).map_err(system("size a memory file"))?;
        Ok(Self {
            file: descriptor.into(),
            data_bytes: 0,
            owned: true,
        })
    }

    /// The contents of a file on disk, in whole pages. Nobody may change it while this value lives.
    pub(crate) fn of_file(file: File, data_bytes: u64) -> Self {
        Self {
            file,
            data_bytes,
            owned: false,
        }
    }

    /// Whether the file may be written.
    pub(crate) fn is_owned(&self) -> bool {
        self.owned
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Bytes up to which anything was ever written, in whole pages; behind them are zeros.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        // A file on disk ends with its data.
        let held = self.data_bytes.saturating_sub(offset).min(out.len() as u64) as usize;
        let (out, behind) = out.split_at_mut(held);
        behind.fill(0);
        self.file
            .read_exact_at(out, offset)
            .map_err(|source| MemoryError::System {
                action: "read a memory file",
                source,
            })
    }

    /// Writes into the file itself. Being borrowed exclusively, the image is mapped nowhere: what
    /// private mappings of the file would see is not defined.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        let end = offset + bytes.len() as u64;
        self.data_bytes = self.data_bytes.max(end.next_multiple_of(PAGE_BYTES as u64));
        self.file
            .write_all_at(bytes, offset)
            .map_err(|source| MemoryError::System {
                action: "write a memory file",
                source,
            })
    }

    /// Writes pages by their numbers, ascending.
    pub(crate) fn write_pages<'a>(
        &mut self,
        pages: impl Iterator<Item = (u64, &'a Page)>,
    ) -> Result<(), MemoryError> {
        let mut run = Vec::with_capacity(RUN_BYTES);
        let mut start = 0;
        for (index, page) in pages {
            let offset = index * PAGE_BYTES as u64;
            if offset != start + run.len() as u64 || run.len() == RUN_BYTES {
                self.write(start, &run)?;
                run.clear();
                start = offset;
            }
            run.extend_from_slice(page);
        }
        self.write(start, &run)
    }

    /// An image of its own with the same contents; holes stay holes.
    pub(crate) fn duplicate(&self) -> Result<Self, MemoryError> {
        let mut copy = Self::new()?;
        self.copy_to(&mut copy, 0..self.data_bytes)?;
        Ok(copy)
    }

    /// Copies a range to another image that holds nothing there; holes stay holes.
    pub(crate) fn copy_to(&self, other: &mut Self, range: Range<u64>) -> Result<(), MemoryError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut buffer = vec![0; RUN_BYTES.min((range.end - range.start) as usize)];
        let mut at = range.start;
        while at < range.end {
            let start = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(system("find data in a memory file")(errno)),
            };
            let end = seek(&self.file, SeekFrom::Hole(start))
                .map_err(system("find a hole in a memory file"))?
                .min(range.end);
            at = start;
            while at < end {
                let count = (end - at).min(buffer.len() as u64) as usize;
                self.read(at, &mut buffer[..count])?;
                other.write(at, &buffer[..count])?;
                at += count as u64;
            }
        }
        Ok(())
    }
}
