//! WebAssembly memory as a value: cheap to clone, copied on write.
//!
//! Contents are an image file plus pages written over it since. Running a message maps the image
//! privately; what it wrote becomes the pages of the new value. As soon as no other value needs
//! the image any more, the pages move into it.

use crate::image::{HEAP_MAX_BYTES, Image, Mapping, written_pages};
use crate::memory_error::MemoryError;
use crate::pages::{PAGE_BYTES, Page, PageTree};
use std::sync::{Arc, Mutex, PoisonError};

/// Address space kept inaccessible behind a heap: wasmtime's code relies on it.
pub(crate) const GUARD_BYTES: u64 = 32 << 20;

/// Heap of a canister. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct Heap {
    pages: u64,
    content: Arc<Mutex<Content>>,
}

#[derive(Clone, Debug)]
struct Content {
    image: Arc<Image>,
    written: PageTree,
}

impl Content {
    /// Writes pages over the image; the range was checked.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        for (at, part) in parts(offset, bytes.len()) {
            let index = at / PAGE_BYTES as u64;
            let mut original = [0; PAGE_BYTES];
            if part.len() < PAGE_BYTES && self.written.get(index).is_none() {
                self.image.read(index * PAGE_BYTES as u64, &mut original)?;
            }
            let within = (at % PAGE_BYTES as u64) as usize;
            let page = self.written.get_mut(index, || original);
            page[within..within + part.len()].copy_from_slice(&bytes[part]);
        }
        Ok(())
    }
}

impl Heap {
    /// A heap of `pages` zeroed pages of 64 KiB. Costs no memory until written.
    pub fn zeroed(pages: u64) -> Result<Self, MemoryError> {
        check_size(pages)?;
        Ok(Self {
            pages,
            content: Arc::new(Mutex::new(Content {
                image: Arc::new(Image::new()?),
                written: PageTree::new(),
            })),
        })
    }

    /// Size in pages of 64 KiB.
    pub fn size_pages(&self) -> u64 {
        self.pages
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.pages * crate::WASM_PAGE_BYTES
    }

    /// Adds zeroed pages up to a size of `pages`; a heap never shrinks.
    pub fn grow_to(&mut self, pages: u64) -> Result<(), MemoryError> {
        check_size(pages)?;
        self.pages = self.pages.max(pages);
        Ok(())
    }

    /// Copies bytes from `offset` on; fails when the range leaves the heap.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        self.check(offset, out.len())?;
        let content = self.content();
        content.image.read(offset, out)?;
        if content.written.len() > 0 {
            for (at, part) in parts(offset, out.len()) {
                let index = at / PAGE_BYTES as u64;
                if let Some(page) = content.written.get(index) {
                    let within = (at % PAGE_BYTES as u64) as usize;
                    out[part.clone()].copy_from_slice(&page[within..within + part.len()]);
                }
            }
        }
        Ok(())
    }

    /// Writes bytes from `offset` on; fails when the range leaves the heap.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.check(offset, bytes.len())?;
        let mut content = match Arc::get_mut(&mut self.content) {
            Some(own) => {
                let content = own.get_mut().unwrap_or_else(PoisonError::into_inner);
                return content.write(offset, bytes);
            }
            None => self.content().clone(),
        };
        content.write(offset, bytes)?;
        self.content = Arc::new(Mutex::new(content));
        Ok(())
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), MemoryError> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.size_bytes() => Ok(()),
            _ => Err(MemoryError::OutOfBounds {
                offset,
                length: length as u64,
                size_bytes: self.size_bytes(),
            }),
        }
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        // A panic while the lock is held leaves complete contents: every step of moving pages
        // into the image may be repeated.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the heap for one execution with at least `minimum_pages`.
    pub(crate) fn map(&self, minimum_pages: u64) -> Result<MappedHeap, MemoryError> {
        check_size(minimum_pages)?;
        let image = {
            let mut content = self.content();
            if content.written.len() > 0 {
                // Nobody can clone the image meanwhile: all ways to it go through this lock.
                if Arc::get_mut(&mut content.image).is_none() {
                    content.image = Arc::new(content.image.duplicate()?);
                }
                for (index, page) in content.written.iter() {
                    content.image.write(index * PAGE_BYTES as u64, page)?;
                }
                content.written = PageTree::new();
            }
            content.image.clone()
        };
        let bytes = self.pages.max(minimum_pages) * crate::WASM_PAGE_BYTES;
        let mapping = Mapping::new(
            image.clone(),
            bytes as usize,
            (HEAP_MAX_BYTES + GUARD_BYTES) as usize,
        )?;
        Ok(MappedHeap { image, mapping })
    }
}

/// A heap mapped for one execution: the image it stands on, and the mapping the instance gets.
#[derive(Debug)]
pub(crate) struct MappedHeap {
    pub(crate) image: Arc<Image>,
    pub(crate) mapping: Mapping,
}

/// How many 4 KiB pages of an instance's memory were written.
pub(crate) fn count_written_pages(image: &Image, memory: &[u8]) -> Result<u64, MemoryError> {
    Ok(written_pages(image, memory)?.len() as u64)
}

/// The heap after an execution: `memory` is what the instance's memory holds now. Also gives the
/// number of 4 KiB pages written.
pub(crate) fn collect(image: Arc<Image>, memory: &[u8]) -> Result<(Heap, u64), MemoryError> {
    let indexes = written_pages(&image, memory)?;
    let mut written = PageTree::new();
    for &index in &indexes {
        let start = index as usize * PAGE_BYTES;
        let page: &Page = memory[start..start + PAGE_BYTES]
            .try_into()
            .expect("BUG: a memory is a multiple of the page length");
        written.get_mut(index, || *page);
    }
    let heap = Heap {
        pages: memory.len() as u64 / crate::WASM_PAGE_BYTES,
        content: Arc::new(Mutex::new(Content { image, written })),
    };
    Ok((heap, indexes.len() as u64))
}

fn check_size(pages: u64) -> Result<(), MemoryError> {
    let maximum_pages = HEAP_MAX_BYTES / crate::WASM_PAGE_BYTES;
    if pages > maximum_pages {
        return Err(MemoryError::TooLarge {
            pages,
            maximum_pages,
        });
    }
    Ok(())
}

/// Cuts a byte range at page boundaries: address and part of the buffer.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let count = (PAGE_BYTES - (at % PAGE_BYTES as u64) as usize).min(length - done);
        let part = done..done + count;
        done += count;
        Some((at, part))
    })
}
