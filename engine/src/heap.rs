//! WebAssembly memory as a value: cheap to clone, copied on write.

use crate::memory_error::MemoryError;

/// Heap of a canister.
#[derive(Clone, Debug)]
pub struct Heap {
    pages: u64,
}

impl Heap {
    /// A heap of `pages` zeroed pages of 64 KiB. Costs no memory until written.
    pub fn zeroed(pages: u64) -> Result<Self, MemoryError> {
        Ok(Self { pages })
    }

    /// Size in pages of 64 KiB.
    pub fn size_pages(&self) -> u64 {
        self.pages
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.pages * crate::WASM_PAGE_BYTES
    }

    /// Copies bytes from `offset` on; fails when the range leaves the heap.
    pub fn read(&self, _offset: u64, _out: &mut [u8]) -> Result<(), MemoryError> {
        todo!()
    }

    /// Writes bytes from `offset` on; fails when the range leaves the heap.
    pub fn write(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), MemoryError> {
        todo!()
    }
}
