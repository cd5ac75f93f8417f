//! WebAssembly memory as a value: cheap to clone, copied on write.
//!
//! Contents are an image file plus pages written over it since. Running a message maps the image
//! privately; what it wrote becomes the pages of the new value. As soon as no other value needs
//! the image any more, the pages move into it.

use crate::image::{HEAP_MAX_BYTES, Image};
use crate::mapping::Mapping;
use crate::memory_error::{MemoryError, check_length};
use crate::pagemap::written_pages;
use crate::pages::{PAGE_BYTES, Page, PageTree};
use std::sync::{Arc, Mutex, PoisonError};

/// Address space kept inaccessible behind a heap: wasmtime's code relies on it.
pub(crate) const GUARD_BYTES: u64 = 32 << 20;

/// When a message writes this much and half of what there is, its pages go to an image of their
/// own right away.
const OWN_IMAGE_MIN_BYTES: u64 = 4 << 20;

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
    /// Moves the written pages into the image, or into a copy of it when others need it as it is.
    fn settle(&mut self) -> Result<(), MemoryError> {
        if self.written.len() == 0 {
            return Ok(());
        }
        match Arc::get_mut(&mut self.image).filter(|image| image.is_owned()) {
            Some(image) => image.write_pages(self.written.iter())?,
            None => {
                let mut image = self.image.duplicate()?;
                image.write_pages(self.written.iter())?;
                self.image = Arc::new(image);
            }
        }
        self.written = PageTree::new();
        Ok(())
    }

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

    /// A heap of `pages` pages with the contents of a file of that length. The file is only read,
    /// page by page when needed; nobody may change it while this value or one made from it lives.
    pub fn of_file(file: std::fs::File, pages: u64) -> Result<Self, MemoryError> {
        check_size(pages)?;
        let data_bytes = pages * crate::WASM_PAGE_BYTES;
        check_length(&file, data_bytes)?;
        Ok(Self {
            pages,
            content: Arc::new(Mutex::new(Content {
                image: Arc::new(Image::of_file(file, data_bytes)),
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
            content.settle()?;
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
    let count = indexes.len() as u64;
    let page = |index: u64| -> &Page {
        let start = index as usize * PAGE_BYTES;
        memory[start..start + PAGE_BYTES]
            .try_into()
            .expect("BUG: a memory is a multiple of the page length")
    };
    let mut content = Content {
        image,
        written: PageTree::new(),
    };
    let written_bytes = count * PAGE_BYTES as u64;
    if written_bytes >= OWN_IMAGE_MIN_BYTES && 2 * written_bytes >= content.image.data_bytes() {
        content.image = Arc::new(renewed(&content.image, &indexes, page)?);
    } else {
        for &index in &indexes {
            content.written.get_mut(index, || *page(index));
        }
    }
    let heap = Heap {
        pages: memory.len() as u64 / crate::WASM_PAGE_BYTES,
        content: Arc::new(Mutex::new(content)),
    };
    Ok((heap, count))
}

/// A new image of the pages given and of what the old image holds elsewhere.
fn renewed<'a>(
    old: &Image,
    indexes: &[u64],
    page: impl Fn(u64) -> &'a Page,
) -> Result<Image, MemoryError> {
    let mut image = Image::new()?;
    let mut kept_from = 0;
    for &index in indexes {
        let start = index * PAGE_BYTES as u64;
        old.copy_to(&mut image, kept_from..start.min(old.data_bytes()))?;
        kept_from = start + PAGE_BYTES as u64;
    }
    old.copy_to(&mut image, kept_from..old.data_bytes())?;
    image.write_pages(indexes.iter().map(|&index| (index, page(index))))?;
    Ok(image)
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
