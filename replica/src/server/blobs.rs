//! Blobs uploaded ahead of the request that uses them.

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of blobs one server keeps, as they were uploaded.
const MAX_TOTAL_BYTES: usize = 16 << 30;

/// Most bytes a compressed blob may unpack to.
const MAX_UNPACKED_BYTES: u64 = 16 << 30;

/// SHA-256 of a blob as it was uploaded.
pub type BlobId = [u8; 32];

/// An uploaded blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The bytes as uploaded.
    pub bytes: Vec<u8>,
    /// Whether they are gzip.
    pub is_gzip: bool,
}

/// A blob that cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store is full.
    #[error("the blob store holds {MAX_TOTAL_BYTES} bytes at most; start another server")]
    Full,
    /// The bytes are not what the upload said.
    #[error("Decompression failed: {0}")]
    NoGzip(#[source] std::io::Error),
    /// The blob unpacks to more than a stable memory of a test should hold.
    #[error("the blob unpacks to more than {MAX_UNPACKED_BYTES} bytes; upload less")]
    TooLarge,
}

/// All blobs of a server.
#[derive(Debug, Default)]
pub struct Blobs {
    blobs: Mutex<HashMap<BlobId, Arc<Blob>>>,
}

impl Blobs {
    /// Keeps a blob; the same bytes are kept once.
    ///
    /// # Errors
    /// [`BlobError::Full`].
    pub fn put(&self, blob: Blob) -> Result<BlobId, BlobError> {
        let id: BlobId = Sha256::digest(&blob.bytes).into();
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let held: usize = blobs.values().map(|blob| blob.bytes.len()).sum();
        if held.saturating_add(blob.bytes.len()) > MAX_TOTAL_BYTES {
            return Err(BlobError::Full);
        }
        blobs.insert(id, Arc::new(blob));
        Ok(id)
    }

    /// The blob of an id.
    pub fn get(&self, id: &[u8]) -> Option<Arc<Blob>> {
        let id = BlobId::try_from(id).ok()?;
        let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.get(&id).cloned()
    }
}

impl Blob {
    /// The bytes, unpacked if need be.
    ///
    /// # Errors
    /// [`BlobError::NoGzip`] and [`BlobError::TooLarge`].
    pub fn unpack(&self) -> Result<Vec<u8>, BlobError> {
        if !self.is_gzip {
            return Ok(self.bytes.clone());
        }
        let mut unpacked = Vec::new();
        GzDecoder::new(self.bytes.as_slice())
            .take(MAX_UNPACKED_BYTES + 1)
            .read_to_end(&mut unpacked)
            .map_err(BlobError::NoGzip)?;
        if unpacked.len() as u64 > MAX_UNPACKED_BYTES {
            return Err(BlobError::TooLarge);
        }
        Ok(unpacked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_blob_is_found_by_the_hash_of_what_was_uploaded() {
        let blobs = Blobs::default();
        let blob = Blob {
            bytes: b"abc".to_vec(),
            is_gzip: false,
        };
        let id = blobs.put(blob.clone()).unwrap();
        assert_eq!(*blobs.get(&id).unwrap(), blob);
        assert_eq!(blobs.get(&[0; 32]), None);
        assert_eq!(blobs.get(b"short"), None);
    }

    #[test]
    fn gzip_is_unpacked_and_what_only_claims_to_be_is_refused() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"abc").unwrap();
        let bytes = encoder.finish().unwrap();
        let blob = |bytes| Blob {
            bytes,
            is_gzip: true,
        };
        assert_eq!(blob(bytes).unpack().unwrap(), b"abc");
        assert!(blob(b"abc".to_vec()).unpack().is_err());
    }
}
