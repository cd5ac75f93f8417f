//! The chunk store of a canister: pieces of modules too large for one message.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::errors::UserError;
use super::limits::{CHUNK_BYTES, MAX_CHUNKS};

/// SHA-256 of a chunk.
pub type ChunkHash = [u8; 32];

/// Chunks by their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkStore {
    chunks: BTreeMap<ChunkHash, Arc<Vec<u8>>>,
}

impl ChunkStore {
    /// Whether inserting the chunk would change anything, if it may be inserted at all.
    ///
    /// # Errors
    /// A chunk above 1 MiB, or a full store.
    pub fn check(&self, chunk: &[u8]) -> Result<bool, UserError> {
        if chunk.len() > CHUNK_BYTES {
            return Err(UserError::chunk_store(format!(
                "Wasm chunk size {} exceeds the maximum chunk size of {CHUNK_BYTES}",
                chunk.len()
            )));
        }
        if self.chunks.contains_key(&hash_of(chunk)) {
            return Ok(false);
        }
        if self.chunks.len() >= MAX_CHUNKS {
            return Err(UserError::chunk_store(format!(
                "Wasm chunk store has already reached maximum capacity of {} bytes or the maximum number of entries, {MAX_CHUNKS}",
                MAX_CHUNKS * CHUNK_BYTES
            )));
        }
        Ok(true)
    }

    /// Keeps a chunk that [`ChunkStore::check`] has let through.
    pub fn insert(&mut self, chunk: Vec<u8>) -> ChunkHash {
        let hash = hash_of(&chunk);
        self.chunks.insert(hash, Arc::new(chunk));
        hash
    }

    /// A chunk.
    pub fn get(&self, hash: &[u8]) -> Option<&Arc<Vec<u8>>> {
        self.chunks.get(<&ChunkHash>::try_from(hash).ok()?)
    }

    /// All hashes, in order.
    pub fn hashes(&self) -> impl Iterator<Item = &ChunkHash> {
        self.chunks.keys()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.chunks.clear();
    }

    /// What the store counts for, in bytes: every chunk as a whole one.
    pub fn size_bytes(&self) -> u64 {
        (self.chunks.len() * CHUNK_BYTES) as u64
    }

    /// Puts a module together.
    ///
    /// # Errors
    /// A hash that is no hash, a chunk that is not there, or a module whose hash is another one.
    pub fn assemble<'a>(
        &self,
        hashes: impl Iterator<Item = &'a [u8]>,
        expected: &ChunkHash,
    ) -> Result<Vec<u8>, UserError> {
        let mut chunks = Vec::new();
        for hash in hashes {
            let hash =
                <&ChunkHash>::try_from(hash).map_err(|_| UserError::chunk_store(HASH_LENGTH))?;
            chunks.push(self.chunks.get(hash).ok_or_else(|| {
                UserError::chunk_store(format!("Chunk hash {hash:?} was not found"))
            })?);
        }
        let module: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| chunk.iter().copied())
            .collect();
        let found = hash_of(&module);
        if found != *expected {
            return Err(UserError::chunk_store(format!(
                "Wasm module hash {found:?} does not match given hash WasmHash({expected:?})"
            )));
        }
        Ok(module)
    }
}

const HASH_LENGTH: &str = "Chunk hash is invalid. The length is not 32";

fn hash_of(bytes: &[u8]) -> ChunkHash {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_put_together_in_order_give_the_module() {
        let mut store = ChunkStore::default();
        let first = store.insert(vec![1, 2]);
        let second = store.insert(vec![3]);
        let hash = hash_of(&[1, 2, 3]);
        let order = [first.as_slice(), second.as_slice()];
        assert_eq!(store.assemble(order.into_iter(), &hash).unwrap(), [1, 2, 3]);
        let reversed = [second.as_slice(), first.as_slice()];
        assert!(store.assemble(reversed.into_iter(), &hash).is_err());
    }

    #[test]
    fn a_chunk_above_one_mib_is_refused() {
        assert!(
            ChunkStore::default()
                .check(&vec![0; CHUNK_BYTES + 1])
                .is_err()
        );
        assert!(ChunkStore::default().check(&vec![0; CHUNK_BYTES]).unwrap());
    }
}
