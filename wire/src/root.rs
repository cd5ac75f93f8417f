//! The memory root: one SHA-256 that stands for a whole memory and its chunk checksums.
//!
//! ```text
//! root = SHA-256( header ‖ digests )
//!
//! header   ASCII, four lines, each ended by a newline:
//!            ic-rescue memory root 1
//!            stable | heap
//!            <size of the memory in bytes, decimal>
//!            <chunk length in bytes, decimal>
//! digests  SHA-256 of every chunk, 32 bytes each, raw, in order
//! ```
//!
//! `cat header digests.bin | sha256sum` verifies it. This module writes the header; it hashes
//! nothing.

use crate::geometry::Geometry;

/// First line of every header, newline included. The number is the version of the format.
pub const MAGIC_LINE: &str = "ic-rescue memory root 1\n";

/// Longest header: the magic line, the longer name, two numbers of 20 digits, three newlines.
pub const HEADER_LEN_MAX_BYTES: usize = MAGIC_LINE.len() + 6 + 1 + 2 * (20 + 1);

/// Which of a canister's two memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryKind {
    /// Stable memory.
    Stable,
    /// The WebAssembly heap.
    Heap,
}

impl MemoryKind {
    /// The name as it stands in the header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Heap => "heap",
        }
    }
}

/// A header, written without allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; HEADER_LEN_MAX_BYTES],
    len_bytes: usize,
}

impl Header {
    /// The header of a memory.
    #[must_use]
    pub fn new(kind: MemoryKind, geometry: Geometry) -> Self {
        let mut header = Self {
            bytes: [0; HEADER_LEN_MAX_BYTES],
            len_bytes: 0,
        };
        header.push(MAGIC_LINE.as_bytes());
        header.push(kind.name().as_bytes());
        header.push(b"\n");
        header.push_decimal(geometry.memory_len_bytes());
        header.push(b"\n");
        header.push_decimal(geometry.chunk_len_bytes());
        header.push(b"\n");
        header
    }

    /// The bytes to hash before the digests.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len_bytes]
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.len_bytes + part.len();
        self.bytes[self.len_bytes..end].copy_from_slice(part);
        self.len_bytes = end;
    }

    fn push_decimal(&mut self, mut number: u64) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len() - 1;
        loop {
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
            first -= 1;
        }
        self.push(&digits[first..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_header_is_four_lines_of_text() {
        let header = Header::new(MemoryKind::Heap, Geometry::of_memory(17 * 65_536));
        assert_eq!(
            header.as_bytes(),
            b"ic-rescue memory root 1\nheap\n1114112\n1048576\n"
        );
        let header = Header::new(MemoryKind::Stable, Geometry::of_memory(0));
        assert_eq!(
            header.as_bytes(),
            b"ic-rescue memory root 1\nstable\n0\n1048576\n"
        );
    }

    #[test]
    fn the_longest_header_fits() {
        let geometry = Geometry::with_chunk_len(u64::MAX, u64::MAX).unwrap();
        let header = Header::new(MemoryKind::Stable, geometry);
        assert_eq!(header.as_bytes().len(), HEADER_LEN_MAX_BYTES);
    }

    /// Golden: computed with `printf … | sha256sum` over the header and one digest of 65,536 zeros.
    #[test]
    fn the_root_of_one_zero_page_is_stable() {
        let header = Header::new(MemoryKind::Stable, Geometry::of_memory(65_536));
        let digest = Sha256::digest([0u8; 65_536]);
        let root = Sha256::new()
            .chain_update(header.as_bytes())
            .chain_update(digest)
            .finalize();
        let root: [u8; 32] = root.into();
        assert_eq!(root, GOLDEN);
    }

    const GOLDEN: [u8; 32] = [
        0x47, 0x62, 0x8c, 0x73, 0x71, 0xd1, 0xc9, 0x43, 0x2a, 0x6e, 0x94, 0xc8, 0xc4, 0x9e, 0x51,
        0xad, 0xd4, 0xf9, 0x2b, 0x10, 0x83, 0x09, 0xb5, 0xa6, 0x99, 0x6d, 0x38, 0x8e, 0x94, 0x3d,
        0x35, 0x1e,
    ];
}
