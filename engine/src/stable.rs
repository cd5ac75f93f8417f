//! Stable memory as a value: a persistent radix tree of shared pages, so that cloning is O(1)
//! whatever the size, and unwritten ranges cost nothing.

use crate::memory_error::MemoryError;
use crate::pages::{PAGE_BYTES, PageTree};

/// Bytes of the unit that is shared, copied on write and charged when dirtied.
pub const STABLE_PAGE_BYTES: u64 = PAGE_BYTES as u64;

/// Greatest size in 64 KiB pages: 500 GiB.
pub const STABLE_MAX_PAGES: u64 = 500 << 14;

/// Stable memory of a canister. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct StableMemory {
    pages: u64,
    tree: PageTree,
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
        }
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
        self.tree.get(index).is_some()
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
                None => part.fill(0),
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
            if self.page_is_written(index) || part.iter().any(|&byte| byte != 0) {
                let page = self.tree.get_mut(index, || [0; PAGE_BYTES]);
                page[within..within + count].copy_from_slice(part);
            }
            done += count;
        }
        Ok(())
    }
}
