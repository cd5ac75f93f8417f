//! Hands mapped heaps to wasmtime as the memories of its instances.

#![allow(unsafe_code)]

use crate::mapping::Mapping;
use std::cell::Cell;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

thread_local! {
    /// The mapping the next memory created on this thread gets: wasmtime tells a creator nothing
    /// about the instance the memory is for.
    static NEXT: Cell<Option<Mapping>> = const { Cell::new(None) };
}

/// Runs `instantiate` with `mapping` as the memory of the instance it creates.
pub(crate) fn with_mapping<T>(mapping: Option<Mapping>, instantiate: impl FnOnce() -> T) -> T {
    NEXT.set(mapping);
    let result = instantiate();
    NEXT.set(None);
    result
}

/// Creates memories from the mapping announced with [`with_mapping`].
pub(crate) struct HeapCreator;

struct HeapMemory(Mapping);

// SAFETY: a `Mapping` is page aligned, accessible for its length and followed by inaccessible
// reserved address space up to its reservation; its base never moves.
unsafe impl LinearMemory for HeapMemory {
    fn byte_size(&self) -> usize {
        self.0.length_bytes()
    }

    fn byte_capacity(&self) -> usize {
        crate::image::HEAP_MAX_BYTES as usize
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        self.0
            .grow_to(new_size)
            .map_err(|error| wasmtime::Error::msg(error.to_string()))
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base()
    }
}

// SAFETY: each memory is a mapping of its own, given away once; it has the reservation and guard
// the engine's configuration asks for (`compile::configuration` uses the same constants).
unsafe impl MemoryCreator for HeapCreator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        _reserved_size_in_bytes: Option<usize>,
        _guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let mapping = NEXT
            .take()
            .ok_or_else(|| "no heap was prepared for this instance".to_string())?;
        if mapping.length_bytes() < minimum {
            return Err("the prepared heap is below the declared minimum".to_string());
        }
        Ok(Box::new(HeapMemory(mapping)))
    }
}
