//! Errors of heap and stable memory values.

use std::fs::File;

/// Refuses a file that holds less than a memory of `size_bytes`.
pub(crate) fn check_length(file: &File, size_bytes: u64) -> Result<(), MemoryError> {
    let action = "tell the length of a memory file";
    let found = file
        .metadata()
        .map_err(|source| MemoryError::System { action, source })?;
    if found.len() < size_bytes {
        return Err(MemoryError::OutOfBounds {
            offset: 0,
            length: size_bytes,
            size_bytes: found.len(),
        });
    }
    Ok(())
}

/// A memory operation that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The range leaves the memory.
    #[error("bytes {offset}..+{length} lie outside a memory of {size_bytes} bytes")]
    OutOfBounds {
        /// First byte of the range.
        offset: u64,
        /// Bytes in the range.
        length: u64,
        /// Size of the memory.
        size_bytes: u64,
    },
    /// The memory would exceed what the Internet Computer allows.
    #[error("{pages} pages exceed the maximum of {maximum_pages} pages")]
    TooLarge {
        /// Pages asked for.
        pages: u64,
        /// Greatest number of pages.
        maximum_pages: u64,
    },
    /// The operating system refused memory.
    #[error("the operating system refused to {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Its error.
        source: std::io::Error,
    },
}
