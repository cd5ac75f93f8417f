//! Stable memory as a value: a persistent radix tree of shared pages, so that cloning is O(1)
//! whatever the size, and unwritten ranges cost nothing. Contents may come from a file on disk; pages
//! written since lie over it.

use crate::memory_error::{MemoryError, check_length};
use crate::pages::{PAGE_BYTES, Page, PageTree};
use rustix::fs::{SeekFrom, seek};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of the unit that is shared, copied on write and charged when dirtied.
pub const STABLE_PAGE_BYTES: u64 = PAGE_BYTES as u64;

/// Greatest size in 64 KiB pages: 500 GiB.
pub const STABLE_MAX_PAGES: u64 = 500 << 14;

/// Stable memory of a canister. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct StableMemory {
    pages: u64,
    tree: PageTree,
    base: Option<Arc<Base>>,
}

/// A file that is only read.
#[derive(Debug)]
struct Base {
    file: File,
    size_bytes: u64,
}

impl Base {
    /// Reads what the file holds of a range; behind its end are zeros.
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        let held = self.size_bytes.saturating_sub(offset).min(out.len() as u64) as usize;
        let (out, behind) = out.split_at_mut(held);
        behind.fill(0);
        self.file
            .read_exact_at(out, offset)
            .map_err(|source| MemoryError::System {
                action: "read a memory file",
                source,
            })
    }

    /// Whether the file holds data in a range; a file system that cannot tell says yes.
    fn has_data(&self, offset: u64, end: u64) -> bool {
        if offset >= self.size_bytes {
            return false;
        }
        match seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) => data < end,
            Err(errno) => errno != rustix::io::Errno::NXIO,
        }
    }
}

impl Default for StableMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl StableMemory {
    /// Empty stable memory.
    pub fn new() -> Self {
        Self {
            pages: 0,
            tree: PageTree::new(),
            base: None,
        }
    }

    /// Stable memory of `pages` pages with the contents of a file of that length. The file is only
    /// read, when needed; nobody may change it while this value or one made from it lives.
    pub fn of_file(file: File, pages: u64) -> Result<Self, MemoryError> {
        let mut memory = Self::zeroed(pages)?;
        let size_bytes = memory.size_bytes();
        check_length(&file, size_bytes)?;
        memory.base = Some(Arc::new(Base { file, size_bytes }));
        Ok(memory)
    }

    /// Stable memory of `pages` zeroed pages of 64 KiB.
    pub fn zeroed(pages: u64) -> Result<Self, MemoryError> {
        let mut memory = Self::new();
        memory.grow(pages)?;
        Ok(memory)
    }

    /// Size in pages of 64 KiB.
    pub fn size_pages(&self) -> u64 {
        self.pages
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.pages * crate::WASM_PAGE_BYTES
    }

    /// Adds `additional` zeroed pages and returns the size before, in pages.
    pub fn grow(&mut self, additional: u64) -> Result<u64, MemoryError> {
        let before = self.pages;
        match before.checked_add(additional) {
            Some(pages) if pages <= STABLE_MAX_PAGES => {
                self.pages = pages;
                Ok(before)
            }
            sum => Err(MemoryError::TooLarge {
                pages: sum.unwrap_or(u64::MAX),
                maximum_pages: STABLE_MAX_PAGES,
            }),
        }
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

    /// Whether any byte of the 4 KiB page was ever written; an unwritten page reads as zeros.
    pub fn page_is_written(&self, index: u64) -> bool {
        let offset = index * STABLE_PAGE_BYTES;
        self.tree.get(index).is_some() || self.base_has_data(offset, offset + STABLE_PAGE_BYTES)
    }

    /// Whether any byte of a range was ever written; otherwise it reads as zeros.
    pub fn is_written(&self, offset: u64, length: u64) -> bool {
        let end = offset.saturating_add(length);
        let pages = offset / STABLE_PAGE_BYTES..end.div_ceil(STABLE_PAGE_BYTES);
        pages
            .into_iter()
            .any(|index| self.tree.get(index).is_some())
            || self.base_has_data(offset, end)
    }

    fn base_has_data(&self, offset: u64, end: u64) -> bool {
        self.base
            .as_ref()
            .is_some_and(|base| base.has_data(offset, end))
    }

    /// What a page holds that was not written since the file was opened.
    fn original(&self, index: u64) -> Result<Page, MemoryError> {
        let mut page = [0; PAGE_BYTES];
        if let Some(base) = &self.base {
            base.read(index * STABLE_PAGE_BYTES, &mut page)?;
        }
        Ok(page)
    }

    /// Copies bytes from `offset` on; fails when the range leaves the memory.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        self.check(offset, out.len())?;
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let within = (at % STABLE_PAGE_BYTES) as usize;
            let count = (STABLE_PAGE_BYTES as usize - within).min(out.len() - done);
            let part = &mut out[done..done + count];
            match self.tree.get(at / STABLE_PAGE_BYTES) {
                Some(page) => part.copy_from_slice(&page[within..within + count]),
                None => match &self.base {
                    Some(base) => base.read(at, part)?,
                    None => part.fill(0),
                },
            }
            done += count;
        }
        Ok(())
    }

    /// Writes bytes from `offset` on; fails when the range leaves the memory.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.check(offset, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let within = (at % STABLE_PAGE_BYTES) as usize;
            let count = (STABLE_PAGE_BYTES as usize - within).min(bytes.len() - done);
            let part = &bytes[done..done + count];
            let index = at / STABLE_PAGE_BYTES;
            // Zeros written over a hole leave the hole: a restored sparse memory stays sparse.
            if part.iter().any(|&byte| byte != 0) || self.page_is_written(index) {
                let original = match self.tree.get(index) {
                    Some(_) => [0; PAGE_BYTES],
                    None if count == PAGE_BYTES => [0; PAGE_BYTES],
                    None => self.original(index)?,
                };
                let page = self.tree.get_mut(index, || original);
                page[within..within + count].copy_from_slice(part);
            }
            done += count;
        }
        Ok(())
    }
}
