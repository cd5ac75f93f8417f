//! A heap in the address space of this process, for one instance.

#![allow(unsafe_code)]

use crate::image::{HEAP_MAX_BYTES, Image, system};
use crate::memory_error::MemoryError;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};
use std::ffi::c_void;
use std::os::fd::AsFd;
use std::sync::Arc;

/// A private mapping of an image with address space reserved behind it: writes stay here.
///
/// What the image never held is anonymous memory: writing there costs one page, not two.
/// Address space beyond the current length is inaccessible, so that code compiled without
/// bounds checks faults there.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Kept: nobody may write into the file while it is mapped.
    _image: Arc<Image>,
    base: *mut c_void,
    reserved_bytes: usize,
    length_bytes: usize,
}

// SAFETY: the mapping is owned by this value alone; the pointer is not tied to a thread.
unsafe impl Send for Mapping {}
// SAFETY: shared access only reads the fields; the bytes are accessed through `&mut self` or
// through wasmtime, which has exclusive access to the store that owns the mapping.
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
        let file_bytes = reserved_bytes.min(image.data_bytes() as usize);
        let mut mapping = Self {
            _image: image.clone(),
            base,
            reserved_bytes,
            length_bytes: 0,
        };
        // Large pages would count as written as a whole.
        // SAFETY: the advice concerns the reservation made above alone.
        unsafe { madvise(base, reserved_bytes, Advice::LinuxNoHugepage) }
            .or_else(|errno| match errno {
                // A system without large pages.
                rustix::io::Errno::INVAL => Ok(()),
                other => Err(other),
            })
            .map_err(system("set page sizes"))?;
        if file_bytes > 0 {
            // SAFETY: the range lies inside the reservation made above, which nothing uses yet.
            unsafe {
                mmap(
                    base,
                    file_bytes,
                    ProtFlags::empty(),
                    MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
                    image.file().as_fd(),
                    0,
                )
            }
            .map_err(system("map a heap"))?;
        }
        mapping.grow_to(length_bytes)?;
        Ok(mapping)
    }

    pub(crate) fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.cast()
    }

    /// The accessible part, for a mapping that no instance uses.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: that much is readable and writable since `grow_to`, and `self` is borrowed
        // exclusively for as long as the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.base(), self.length_bytes) }
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
            // SAFETY: the range lies inside the reservation; only more access is given.
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
