//! Stable memory as a value: a persistent radix tree of shared pages, so that cloning is O(1)
//! whatever the size, and unwritten ranges cost nothing.

use crate::memory_error::MemoryError;
use std::sync::Arc;

/// Bytes of the unit that is shared, copied on write and charged when dirtied.
pub const STABLE_PAGE_BYTES: u64 = 4096;

/// Greatest size in 64 KiB pages: 500 GiB.
pub const STABLE_MAX_PAGES: u64 = 500 << 14;

const FANOUT_BITS: u32 = 9;
const FANOUT: usize = 1 << FANOUT_BITS;
const PAGE_BITS: u32 = 12;

type Page = [u8; STABLE_PAGE_BYTES as usize];
type Leaf = [Option<Arc<Page>>; FANOUT];
type Middle = [Option<Arc<Leaf>>; FANOUT];
type Root = [Option<Arc<Middle>>; FANOUT];

/// Stable memory of a canister. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct StableMemory {
    pages: u64,
    root: Arc<Root>,
}

impl Default for StableMemory {
    fn default() -> Self {
        Self::new()
    }
}

fn slot(index: u64, level: u32) -> usize {
    (index >> (FANOUT_BITS * level)) as usize & (FANOUT - 1)
}

fn empty<T>() -> Arc<[Option<Arc<T>>; FANOUT]> {
    Arc::new([const { None }; FANOUT])
}

impl StableMemory {
    /// Empty stable memory.
    pub fn new() -> Self {
        Self {
            pages: 0,
            root: empty(),
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

    fn page(&self, index: u64) -> Option<&Arc<Page>> {
        let middle = self.root[slot(index, 2)].as_ref()?;
        let leaf = middle[slot(index, 1)].as_ref()?;
        leaf[slot(index, 0)].as_ref()
    }

    fn page_mut(&mut self, index: u64) -> &mut Page {
        let root = Arc::make_mut(&mut self.root);
        let middle = Arc::make_mut(root[slot(index, 2)].get_or_insert_with(empty));
        let leaf = Arc::make_mut(middle[slot(index, 1)].get_or_insert_with(empty));
        let page =
            leaf[slot(index, 0)].get_or_insert_with(|| Arc::new([0; STABLE_PAGE_BYTES as usize]));
        Arc::make_mut(page)
    }

    /// Whether any byte of the 4 KiB page was ever written; an unwritten page reads as zeros.
    pub fn page_is_written(&self, index: u64) -> bool {
        self.page(index).is_some()
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
            match self.page(at >> PAGE_BITS) {
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
            let index = at >> PAGE_BITS;
            // Zeros written over a hole leave the hole: a restored sparse memory stays sparse.
            if self.page_is_written(index) || part.iter().any(|&byte| byte != 0) {
                self.page_mut(index)[within..within + count].copy_from_slice(part);
            }
            done += count;
        }
        Ok(())
    }
}
