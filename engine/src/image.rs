//! The memory file behind a heap: a sparse anonymous file that instances map privately.

#![allow(unsafe_code)]

use crate::memory_error::MemoryError;
use crate::pages::PAGE_BYTES;
use rustix::fs::{MemfdFlags, SeekFrom, ftruncate, memfd_create, seek};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::c_void;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Greatest heap: 6 GiB, that of wasm64. Every image file has this length; holes cost nothing.
pub(crate) const HEAP_MAX_BYTES: u64 = 6 << 30;

fn system(action: &'static str) -> impl Fn(Errno) -> MemoryError {
    move |errno| MemoryError::System {
        action,
        source: errno.into(),
    }
}

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
}

impl Image {
    /// An image of zeros.
    pub(crate) fn new() -> Result<Self, MemoryError> {
        let descriptor = memfd_create("canister-heap", MemfdFlags::CLOEXEC)
            .map_err(system("create a memory file"))?;
        ftruncate(&descriptor, HEAP_MAX_BYTES).map_err(system("size a memory file"))?;
        Ok(Self {
            file: descriptor.into(),
        })
    }

    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        self.file
            .read_exact_at(out, offset)
            .map_err(|source| MemoryError::System {
                action: "read a memory file",
                source,
            })
    }

    /// Writes into the file itself. Only for an image nobody else holds: what private mappings
    /// of the file would see of it is not defined.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|source| MemoryError::System {
                action: "write a memory file",
                source,
            })
    }

    /// An image of its own with the same contents; holes stay holes.
    pub(crate) fn duplicate(&self) -> Result<Self, MemoryError> {
        let copy = Self::new()?;
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            let start = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => return Ok(copy),
                Err(errno) => return Err(system("find data in a memory file")(errno)),
            };
            let end = seek(&self.file, SeekFrom::Hole(start))
                .map_err(system("find a hole in a memory file"))?;
            at = start;
            while at < end {
                let count = (end - at).min(buffer.len() as u64) as usize;
                self.read(at, &mut buffer[..count])?;
                copy.write(at, &buffer[..count])?;
                at += count as u64;
            }
        }
    }
}

/// A private mapping of an image with address space reserved behind it: writes stay here.
///
/// Address space beyond the current length is inaccessible, so that code compiled without
/// bounds checks faults there.
#[derive(Debug)]
pub(crate) struct Mapping {
    image: Arc<Image>,
    base: *mut c_void,
    reserved_bytes: usize,
    length_bytes: usize,
}

// SAFETY: the mapping is owned by this value alone; the pointer is not tied to a thread.
unsafe impl Send for Mapping {}
// SAFETY: shared access only reads the fields; the bytes are accessed through wasmtime, which
// has exclusive access to the store that owns the mapping.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length_bytes` of the image and reserves `reserved_bytes` of address space.
    pub(crate) fn new(
        image: Arc<Image>,
        length_bytes: usize,
        reserved_bytes: usize,
    ) -> Result<Self, MemoryError> {
        // SAFETY: a fresh reservation at an address the system chooses touches no other memory.
        let base = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                reserved_bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(system("reserve address space"))?;
        let mut mapping = Self {
            image,
            base,
            reserved_bytes,
            length_bytes: 0,
        };
        let file_bytes = reserved_bytes.min(HEAP_MAX_BYTES as usize);
        // SAFETY: the range lies inside the reservation made above, which nothing uses yet.
        unsafe {
            rustix::mm::mmap(
                base,
                file_bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
                mapping.image.file.as_fd(),
                0,
            )
        }
        .map_err(system("map a heap"))?;
        mapping.grow_to(length_bytes)?;
        Ok(mapping)
    }

    pub(crate) fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.cast()
    }

    /// Makes the first `length_bytes` accessible. Never shrinks.
    pub(crate) fn grow_to(&mut self, length_bytes: usize) -> Result<(), MemoryError> {
        let limit = self.reserved_bytes.min(HEAP_MAX_BYTES as usize);
        if length_bytes > limit {
            return Err(MemoryError::TooLarge {
                pages: length_bytes as u64 / crate::WASM_PAGE_BYTES,
                maximum_pages: limit as u64 / crate::WASM_PAGE_BYTES,
            });
        }
        if length_bytes > self.length_bytes {
            // SAFETY: the range lies inside the file mapping; only more access is given.
            unsafe {
                mprotect(
                    self.base.cast::<u8>().add(self.length_bytes).cast(),
                    length_bytes - self.length_bytes,
                    MprotectFlags::READ | MprotectFlags::WRITE,
                )
            }
            .map_err(system("open heap pages"))?;
            self.length_bytes = length_bytes;
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the reservation made in `new`; wasmtime drops its memory last.
        // A failure would leak address space only, and there is nobody to tell.
        let _ = unsafe { munmap(self.base, self.reserved_bytes) };
    }
}

/// Numbers of the 4 KiB pages of `memory` that were written since it was mapped, ascending.
///
/// `memory` is the accessible part of a [`Mapping`]. The kernel's page table tells: a page that
/// was only read still belongs to the file, a written one is anonymous. Where the page table
/// cannot be read, every page that differs from the image counts.
pub(crate) fn written_pages(image: &Image, memory: &[u8]) -> Result<Vec<u64>, MemoryError> {
    match pagemap() {
        Some(pagemap) => scan_pagemap(pagemap, memory).map_err(|source| MemoryError::System {
            action: "read the page map",
            source,
        }),
        None => compare_pages(image, memory),
    }
}

const PAGEMAP_PRESENT_OR_SWAPPED: u64 = 0b11 << 62;
const PAGEMAP_FILE: u64 = 1 << 61;
const PAGEMAP_ENTRY_BYTES: usize = 8;

fn scan_pagemap(pagemap: &File, memory: &[u8]) -> std::io::Result<Vec<u64>> {
    let mut written = Vec::new();
    let first = memory.as_ptr() as usize / PAGE_BYTES;
    let count = memory.len() / PAGE_BYTES;
    let mut entries = vec![0; PAGEMAP_ENTRY_BYTES * count.min(1 << 16)];
    let mut done = 0;
    while done < count {
        let part = (count - done).min(1 << 16);
        let bytes = &mut entries[..part * PAGEMAP_ENTRY_BYTES];
        pagemap.read_exact_at(bytes, ((first + done) * PAGEMAP_ENTRY_BYTES) as u64)?;
        for (i, entry) in bytes.chunks_exact(PAGEMAP_ENTRY_BYTES).enumerate() {
            let entry = u64::from_le_bytes(entry.try_into().expect("BUG: entries are 8 bytes"));
            if entry & PAGEMAP_PRESENT_OR_SWAPPED != 0 && entry & PAGEMAP_FILE == 0 {
                written.push((done + i) as u64);
            }
        }
        done += part;
    }
    Ok(written)
}

fn compare_pages(image: &Image, memory: &[u8]) -> Result<Vec<u64>, MemoryError> {
    let mut written = Vec::new();
    let mut original = [0; PAGE_BYTES];
    for (index, page) in memory.chunks_exact(PAGE_BYTES).enumerate() {
        image.read((index * PAGE_BYTES) as u64, &mut original)?;
        if page != original {
            written.push(index as u64);
        }
    }
    Ok(written)
}

/// The page map of this process, if the system tells the truth in it.
fn pagemap() -> Option<&'static File> {
    static PAGEMAP: std::sync::OnceLock<Option<File>> = std::sync::OnceLock::new();
    PAGEMAP
        .get_or_init(|| {
            let file = File::open("/proc/self/pagemap").ok()?;
            pagemap_is_truthful(&file).then_some(file)
        })
        .as_ref()
}

/// Reads one page and writes another of a small mapping and looks whether the page map agrees.
fn pagemap_is_truthful(pagemap: &File) -> bool {
    let probe = || -> Result<bool, MemoryError> {
        let image = Arc::new(Image::new()?);
        image.write(0, &[1; 2 * PAGE_BYTES])?;
        let mapping = Mapping::new(image, 3 * PAGE_BYTES, 4 * PAGE_BYTES)?;
        // SAFETY: the mapping is three accessible pages long and nobody else has its address.
        let memory =
            unsafe { std::slice::from_raw_parts_mut(mapping.base(), mapping.length_bytes()) };
        memory[PAGE_BYTES] = std::hint::black_box(memory[0]).wrapping_add(1);
        std::hint::black_box(&*memory);
        Ok(scan_pagemap(pagemap, memory).is_ok_and(|pages| pages == [1]))
    };
    probe().unwrap_or(false)
}
