//! Chunk digests of one memory and the root over them.
//!
//! ```text
//! digests file (raw, no header):   root = SHA-256 of
//! ┌──────────────────────────┐     "ic-rescue memory root 1\n"
//! │ SHA-256 of chunk 0   32 B│     "stable\n" or "heap\n"
//! │ SHA-256 of chunk 1   32 B│     "<memory size in bytes, decimal>\n"
//! │ …                        │     "<chunk length in bytes, decimal>\n"
//! │ SHA-256 of last chunk    │     then the digests file
//! └──────────────────────────┘
//! ```
//!
//! All chunks have the chunk length but the last, which ends where the memory ends. An empty memory
//! has no chunks, an empty digests file and a root over the header alone.

use crate::error::ArchiveError;
use crate::memory::Memory;
use sha2::{Digest as _, Sha256};
use wire::geometry::Geometry;
use wire::root::Header;

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// Bytes of one digest.
pub const DIGEST_LEN_BYTES: u64 = wire::limits::DIGEST_LEN_BYTES;

/// Chunk length of all backups that this program writes, in bytes.
pub const CHUNK_LEN_BYTES: u64 = wire::limits::CHUNK_LEN_BYTES;

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> Digest {
    Sha256::digest(data).into()
}

/// The digests of all chunks of one memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkDigests {
    memory: Memory,
    size_bytes: u64,
    chunk_len_bytes: u64,
    digests: Vec<Digest>,
    zero_full: Digest,
    zero_last: Digest,
}

impl ChunkDigests {
    /// Takes `raw`, the concatenated digests of a memory of `size_bytes`.
    ///
    /// # Errors
    /// [`ArchiveError::DigestCount`] when the length of `raw` does not fit the size.
    pub fn from_raw(
        memory: Memory,
        size_bytes: u64,
        chunk_len_bytes: u64,
        raw: &[u8],
    ) -> Result<Self, ArchiveError> {
        assert!(chunk_len_bytes > 0, "BUG: chunk length of zero");
        let expected_bytes = size_bytes.div_ceil(chunk_len_bytes) * DIGEST_LEN_BYTES;
        if raw.len() as u64 != expected_bytes {
            return Err(ArchiveError::DigestCount {
                memory,
                expected_bytes,
                found_bytes: raw.len() as u64,
            });
        }
        let digests: Vec<Digest> = raw.as_chunks::<32>().0.to_vec();
        let last_len_bytes = match size_bytes % chunk_len_bytes {
            0 => chunk_len_bytes,
            rest => rest,
        };
        Ok(Self {
            memory,
            size_bytes,
            chunk_len_bytes,
            digests,
            zero_full: zero_digest(chunk_len_bytes),
            zero_last: zero_digest(last_len_bytes),
        })
    }

    /// Hashes `data` as a whole memory: for tests and small images.
    pub fn of_bytes(memory: Memory, data: &[u8], chunk_len_bytes: u64) -> Self {
        let raw: Vec<u8> = data
            .chunks(chunk_len_bytes as usize)
            .flat_map(sha256)
            .collect();
        Self::from_raw(memory, data.len() as u64, chunk_len_bytes, &raw)
            .expect("BUG: as many digests as chunks")
    }

    /// Which memory the digests belong to.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Size of the memory in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Length of every chunk but the last, in bytes.
    pub fn chunk_len_bytes(&self) -> u64 {
        self.chunk_len_bytes
    }

    /// Number of chunks.
    pub fn count(&self) -> u64 {
        self.digests.len() as u64
    }

    /// First byte of chunk `chunk`.
    pub fn offset_bytes(&self, chunk: u64) -> u64 {
        chunk * self.chunk_len_bytes
    }

    /// Length of chunk `chunk` in bytes.
    pub fn len_bytes(&self, chunk: u64) -> u64 {
        assert!(chunk < self.count(), "BUG: chunk {chunk} out of range");
        self.chunk_len_bytes
            .min(self.size_bytes - self.offset_bytes(chunk))
    }

    /// Recorded digest of chunk `chunk`.
    pub fn get(&self, chunk: u64) -> &Digest {
        &self.digests[chunk as usize]
    }

    /// Whether chunk `chunk` consists of zeros, told from its digest alone.
    pub fn is_zero(&self, chunk: u64) -> bool {
        self.get(chunk) == self.zero(chunk)
    }

    /// Digest that chunk `chunk` would have if it were all zeros.
    pub fn zero(&self, chunk: u64) -> &Digest {
        if chunk + 1 == self.count() {
            &self.zero_last
        } else {
            &self.zero_full
        }
    }

    /// Checks `data` against the recorded length and digest of chunk `chunk`.
    ///
    /// # Errors
    /// [`ArchiveError::ChunkLength`] or [`ArchiveError::ChunkMismatch`].
    pub fn check(&self, chunk: u64, data: &[u8]) -> Result<(), ArchiveError> {
        if data.len() as u64 != self.len_bytes(chunk) {
            return Err(ArchiveError::ChunkLength {
                memory: self.memory,
                chunk,
                expected_bytes: self.len_bytes(chunk),
                found_bytes: data.len() as u64,
            });
        }
        let found = sha256(data);
        if found != *self.get(chunk) {
            return Err(ArchiveError::ChunkMismatch {
                memory: self.memory,
                chunk,
                expected: hex::encode(self.get(chunk)),
                found: hex::encode(found),
            });
        }
        Ok(())
    }

    /// The digests file.
    pub fn to_raw(&self) -> Vec<u8> {
        self.digests.concat()
    }

    /// The root over header and digests.
    pub fn root(&self) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(root_header(
            self.memory,
            self.size_bytes,
            self.chunk_len_bytes,
        ));
        for digest in &self.digests {
            hasher.update(digest);
        }
        hasher.finalize().into()
    }
}

/// The text that is hashed before the digests.
pub fn root_header(memory: Memory, size_bytes: u64, chunk_len_bytes: u64) -> String {
    let geometry =
        Geometry::with_chunk_len(size_bytes, chunk_len_bytes).expect("BUG: chunk length of zero");
    let header = Header::new(memory.into(), geometry);
    String::from_utf8_lossy(header.as_bytes()).into_owned()
}

/// Digest of `len_bytes` zeros.
fn zero_digest(len_bytes: u64) -> Digest {
    static BLOCK: [u8; 65536] = [0; 65536];
    let mut hasher = Sha256::new();
    let mut left = len_bytes;
    while left > 0 {
        let step = left.min(BLOCK.len() as u64);
        hasher.update(&BLOCK[..step as usize]);
        left -= step;
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_chunk_ends_where_the_memory_ends() {
        let digests = ChunkDigests::of_bytes(Memory::Stable, &[7; 10], 4);
        assert_eq!(digests.count(), 3);
        assert_eq!([0, 1, 2].map(|chunk| digests.len_bytes(chunk)), [4, 4, 2]);
        assert_eq!(digests.get(2), &sha256(&[7; 2]));
    }

    #[test]
    fn zero_chunks_are_told_from_digests() {
        let digests = ChunkDigests::of_bytes(Memory::Heap, &[0, 0, 0, 1, 0, 0, 0, 0, 0], 4);
        assert_eq!(
            [0, 1, 2].map(|chunk| digests.is_zero(chunk)),
            [false, true, true]
        );
    }

    #[test]
    fn root_is_the_hash_of_header_and_digests() {
        let digests = ChunkDigests::of_bytes(Memory::Stable, b"abcdef", 4);
        let mut text = b"ic-rescue memory root 1\nstable\n6\n4\n".to_vec();
        text.extend(sha256(b"abcd"));
        text.extend(sha256(b"ef"));
        assert_eq!(digests.root(), sha256(&text));
    }

    #[test]
    fn empty_memory_has_a_root() {
        let digests = ChunkDigests::of_bytes(Memory::Heap, &[], 4);
        assert_eq!(digests.count(), 0);
        assert_eq!(
            digests.root(),
            sha256(b"ic-rescue memory root 1\nheap\n0\n4\n")
        );
    }

    #[test]
    fn wrong_digest_count_is_refused() {
        let error = ChunkDigests::from_raw(Memory::Stable, 5, 4, &[0; 32]).unwrap_err();
        assert!(matches!(
            error,
            ArchiveError::DigestCount {
                expected_bytes: 64,
                ..
            }
        ));
    }
}
