//! Chunk geometry: how a memory of a given size falls into chunks of a given length.
//!
//! ```text
//! memory   |<------------------------ memory_len_bytes ------------------------>|
//! chunks   | 0 ............ | 1 ............ | 2 ............ | 3 ... (cut short) |
//!          |<- chunk_len -->|
//! ```
//!
//! Index, offset and length are different types, so that they cannot be taken for each other.

use crate::limits::{CHUNK_LEN_BYTES, PAGE_LEN_BYTES};

/// Position of a chunk in its memory, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkIndex(pub u64);

/// Where a chunk lies in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkRange {
    /// First byte.
    pub offset_bytes: u64,
    /// Number of bytes, at least 1.
    pub len_bytes: u64,
}

impl ChunkRange {
    /// First byte behind the chunk.
    #[must_use]
    pub const fn end_bytes(self) -> u64 {
        self.offset_bytes + self.len_bytes
    }
}

/// How one memory falls into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    memory_len_bytes: u64,
    chunk_len_bytes: u64,
}

impl Geometry {
    /// A memory in the chunks whose checksums this project records.
    #[must_use]
    pub const fn of_memory(memory_len_bytes: u64) -> Self {
        Self {
            memory_len_bytes,
            chunk_len_bytes: CHUNK_LEN_BYTES,
        }
    }

    /// A memory in chunks of another length; `None` for a length of 0.
    #[must_use]
    pub const fn with_chunk_len(memory_len_bytes: u64, chunk_len_bytes: u64) -> Option<Self> {
        if chunk_len_bytes == 0 {
            return None;
        }
        Some(Self {
            memory_len_bytes,
            chunk_len_bytes,
        })
    }

    /// Size of the memory.
    #[must_use]
    pub const fn memory_len_bytes(self) -> u64 {
        self.memory_len_bytes
    }

    /// Length of every chunk but a last one cut short.
    #[must_use]
    pub const fn chunk_len_bytes(self) -> u64 {
        self.chunk_len_bytes
    }

    /// Number of chunks; 0 for an empty memory.
    #[must_use]
    pub const fn chunk_count(self) -> u64 {
        self.memory_len_bytes.div_ceil(self.chunk_len_bytes)
    }

    /// Where a chunk lies; `None` at and beyond the chunk count.
    #[must_use]
    pub const fn chunk(self, index: ChunkIndex) -> Option<ChunkRange> {
        if index.0 >= self.chunk_count() {
            return None;
        }
        let offset_bytes = index.0 * self.chunk_len_bytes;
        let left_bytes = self.memory_len_bytes - offset_bytes;
        let len_bytes = if left_bytes < self.chunk_len_bytes {
            left_bytes
        } else {
            self.chunk_len_bytes
        };
        Some(ChunkRange {
            offset_bytes,
            len_bytes,
        })
    }

    /// All chunks in order.
    pub fn chunks(self) -> impl Iterator<Item = (ChunkIndex, ChunkRange)> {
        (0..self.chunk_count()).filter_map(move |index| {
            let index = ChunkIndex(index);
            self.chunk(index).map(|range| (index, range))
        })
    }

    /// The chunk that holds a byte; `None` at and beyond the end of memory.
    #[must_use]
    pub const fn chunk_of_byte(self, offset_bytes: u64) -> Option<ChunkIndex> {
        if offset_bytes >= self.memory_len_bytes {
            return None;
        }
        Some(ChunkIndex(offset_bytes / self.chunk_len_bytes))
    }
}

/// Pages needed to hold so many bytes.
#[must_use]
pub const fn pages_for(len_bytes: u64) -> u64 {
    len_bytes.div_ceil(PAGE_LEN_BYTES)
}

/// End of a range in bytes, if it lies within a memory of `memory_len_bytes`.
#[must_use]
pub const fn end_within(offset_bytes: u64, len_bytes: u64, memory_len_bytes: u64) -> Option<u64> {
    match offset_bytes.checked_add(len_bytes) {
        Some(end) if end <= memory_len_bytes => Some(end),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_memory_has_no_chunk() {
        let geometry = Geometry::of_memory(0);
        assert_eq!(geometry.chunk_count(), 0);
        assert_eq!(geometry.chunk(ChunkIndex(0)), None);
        assert_eq!(geometry.chunks().count(), 0);
    }

    #[test]
    fn the_last_chunk_is_cut_at_the_end_of_memory() {
        let geometry = Geometry::of_memory(17 * PAGE_LEN_BYTES);
        assert_eq!(geometry.chunk_count(), 2);
        let last = geometry.chunk(ChunkIndex(1));
        assert_eq!(
            last,
            Some(ChunkRange {
                offset_bytes: CHUNK_LEN_BYTES,
                len_bytes: PAGE_LEN_BYTES
            })
        );
        assert_eq!(geometry.chunk(ChunkIndex(2)), None);
    }

    #[test]
    fn a_chunk_length_of_zero_is_refused() {
        assert_eq!(Geometry::with_chunk_len(1, 0), None);
    }

    #[test]
    fn a_range_that_overflows_lies_in_no_memory() {
        assert_eq!(end_within(u64::MAX, 2, u64::MAX), None);
        assert_eq!(end_within(3, 4, 7), Some(7));
        assert_eq!(end_within(3, 5, 7), None);
    }

    proptest::proptest! {
        #[test]
        fn chunks_cover_a_memory_without_gap_or_overlap(memory in 0u64..5_000, chunk in 1u64..600) {
            let geometry = Geometry::with_chunk_len(memory, chunk).unwrap();
            let mut end = 0;
            let mut count = 0;
            for (index, range) in geometry.chunks() {
                assert_eq!(index.0, count);
                assert_eq!(range.offset_bytes, end);
                assert!(range.len_bytes > 0 && range.len_bytes <= chunk);
                assert_eq!(geometry.chunk_of_byte(range.offset_bytes), Some(index));
                assert_eq!(geometry.chunk_of_byte(range.end_bytes() - 1), Some(index));
                end = range.end_bytes();
                count += 1;
            }
            assert_eq!(end, memory);
            assert_eq!(count, geometry.chunk_count());
            assert_eq!(geometry.chunk_of_byte(memory), None);
        }
    }
}
