//! Calls to the canister being rescued while it runs the downloader or the uploader (or has endpoints of
//! the same names of its own).

use crate::agent::Connection;
use crate::calls::Calls;
use crate::error::{CallError, CallErrorKind, CliError};
use crate::transfer::retry::Retry;
use crate::transfer::{Payload, Sink, Source, pool};
use archive::digests::sha256;
use archive::{ChunkDigests, Digest, Memory};
use bytes::Bytes;
use candid::Principal;
use std::sync::Arc;
use wire::limits::{CHUNK_LEN_BYTES, DIGEST_LEN_BYTES, HASH_CHUNKS_PER_CALL_MAX};
use wire::methods;

/// The canister being rescued.
#[derive(Clone, Debug)]
pub struct Patient {
    connection: Connection,
    canister: Principal,
    kept: Option<Arc<Calls>>,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One node: fast and free, proves nothing.
    Node,
    /// The whole subnet: certified, costs cycles.
    Subnet,
}

impl Patient {
    /// The canister `canister`.
    pub fn new(connection: Connection, canister: Principal) -> Self {
        Self {
            connection,
            canister,
            kept: None,
        }
    }

    /// Has the certified replies of replicated calls kept in `calls`.
    pub fn keeping(self, calls: Arc<Calls>) -> Self {
        Self {
            kept: Some(calls),
            ..self
        }
    }

    /// Its id.
    pub fn canister(&self) -> Principal {
        self.canister
    }

    /// Size of a memory in bytes.
    ///
    /// # Errors
    /// When the calls fail.
    pub async fn size(&self, memory: Memory, asked: Asked, retry: &Retry) -> Result<u64, CliError> {
        let method = match memory {
            Memory::Stable => methods::STABLE_SIZE,
            Memory::Heap => methods::HEAP_SIZE,
        };
        retry
            .run(|| async {
                let reply = self
                    .call(method, wire::candid::UNIT.to_vec(), asked)
                    .await?;
                wire::candid::decode_nat64(&reply).map_err(|_| self.garbled(method))
            })
            .await
    }

    /// Hashes a whole memory chunk by chunk, with at most `workers` calls at once; `done` is told of bytes.
    ///
    /// # Errors
    /// When the calls fail.
    pub async fn digests(
        &self,
        memory: Memory,
        asked: Asked,
        workers: usize,
        retry: &Arc<Retry>,
        done: impl Fn(u64),
    ) -> Result<ChunkDigests, CliError> {
        let size_bytes = self.size(memory, asked, retry).await?;
        let count = size_bytes.div_ceil(CHUNK_LEN_BYTES);
        let mut raw = vec![0; (count * DIGEST_LEN_BYTES) as usize];
        let batches = (0..count).step_by(HASH_CHUNKS_PER_CALL_MAX as usize);
        let work = |first: u64| {
            let (patient, retry) = (self.clone(), retry.clone());
            let chunks = HASH_CHUNKS_PER_CALL_MAX.min(count - first);
            async move {
                let read = || patient.hash(memory, first, chunks, asked);
                Ok((first, retry.run(read).await?))
            }
        };
        pool::run(
            batches,
            workers,
            work,
            |(first, digests): (u64, Vec<u8>)| {
                let start = (first * DIGEST_LEN_BYTES) as usize;
                raw[start..start + digests.len()].copy_from_slice(&digests);
                done(digests.len() as u64 / DIGEST_LEN_BYTES * CHUNK_LEN_BYTES);
            },
        )
        .await?;
        Ok(ChunkDigests::from_raw(
            memory,
            size_bytes,
            CHUNK_LEN_BYTES,
            &raw,
        )?)
    }

    /// Digests of stable memory, computed here from replies that the whole subnet certified: for canisters
    /// that can be read but not hash themselves.
    ///
    /// # Errors
    /// When the calls fail.
    pub async fn digests_by_reading(
        &self,
        workers: usize,
        retry: &Arc<Retry>,
    ) -> Result<ChunkDigests, CliError> {
        let memory = Memory::Stable;
        let size_bytes = self.size(memory, Asked::Subnet, retry).await?;
        let count = size_bytes.div_ceil(CHUNK_LEN_BYTES);
        let mut raw = vec![0; (count * DIGEST_LEN_BYTES) as usize];
        let work = |chunk: u64| {
            let (patient, retry) = (self.clone(), retry.clone());
            let offset = chunk * CHUNK_LEN_BYTES;
            let len_bytes = CHUNK_LEN_BYTES.min(size_bytes - offset);
            async move {
                let read = || async {
                    let data = patient
                        .bytes(memory, offset, len_bytes, Asked::Subnet)
                        .await?;
                    let whole = data.len() as u64 == len_bytes;
                    whole
                        .then(|| sha256(&data))
                        .ok_or_else(|| patient.garbled(methods::STABLE_READ))
                };
                Ok((chunk, retry.run(read).await?))
            }
        };
        pool::run(0..count, workers, work, |(chunk, digest): (u64, Digest)| {
            let start = (chunk * DIGEST_LEN_BYTES) as usize;
            raw[start..start + digest.len()].copy_from_slice(&digest);
        })
        .await?;
        Ok(ChunkDigests::from_raw(
            memory,
            size_bytes,
            CHUNK_LEN_BYTES,
            &raw,
        )?)
    }

    async fn hash(
        &self,
        memory: Memory,
        first: u64,
        chunks: u64,
        asked: Asked,
    ) -> Result<Vec<u8>, CallError> {
        let method = match memory {
            Memory::Stable => methods::STABLE_SHA256,
            Memory::Heap => methods::HEAP_SHA256,
        };
        let arg =
            wire::candid::encode_nat64_triple(first * CHUNK_LEN_BYTES, CHUNK_LEN_BYTES, chunks);
        let reply = self.call(method, arg.to_vec(), asked).await?;
        match wire::candid::decode_blob(&reply) {
            Ok(digests) if digests.len() as u64 == chunks * DIGEST_LEN_BYTES => {
                Ok(digests.to_vec())
            }
            _ => Err(self.garbled(method)),
        }
    }

    async fn bytes(
        &self,
        memory: Memory,
        offset: u64,
        len_bytes: u64,
        asked: Asked,
    ) -> Result<Bytes, CallError> {
        let method = match memory {
            Memory::Stable => methods::STABLE_READ,
            Memory::Heap => methods::HEAP_READ,
        };
        let arg = wire::candid::encode_nat64_pair(offset, len_bytes).to_vec();
        let reply = match asked {
            // What one node says counts only if it has the recorded digest, whoever signed it.
            Asked::Node => self.connection.fetch(self.canister, method, arg).await?,
            Asked::Subnet => self.call(method, arg, asked).await?.into(),
        };
        let data_len = match wire::candid::decode_blob(&reply) {
            Ok(data) => data.len(),
            Err(_) => return Err(self.garbled(method)),
        };
        // The data is the end of the reply: cut the header off instead of copying megabytes.
        Ok(reply.slice(reply.len() - data_len..))
    }

    async fn call(&self, method: &str, arg: Vec<u8>, asked: Asked) -> Result<Vec<u8>, CallError> {
        match (asked, &self.kept) {
            (Asked::Node, _) => self.connection.query(self.canister, method, arg).await,
            (Asked::Subnet, None) => self.connection.update(self.canister, method, arg).await,
            (Asked::Subnet, Some(calls)) => {
                let data_len =
                    |reply: &[u8]| wire::candid::decode_blob(reply).map_or(0, <[u8]>::len);
                let (reply, call) = self
                    .connection
                    .update_for_keeps(self.canister, method, arg, data_len)
                    .await?;
                calls.push(call);
                Ok(reply)
            }
        }
    }

    /// A reply that does not decode: a node that lies, so another may answer better.
    fn garbled(&self, method: &str) -> CallError {
        CallError {
            canister: self.canister.to_text(),
            method: method.to_string(),
            message: "the reply is not understood".into(),
            kind: CallErrorKind::Temporary,
        }
    }
}

impl Source for Patient {
    async fn read(&self, memory: Memory, offset: u64, len_bytes: u64) -> Result<Bytes, CallError> {
        self.bytes(memory, offset, len_bytes, Asked::Node).await
    }
}

impl Sink for Patient {
    async fn write(&self, memory: Memory, offset: u64, payload: &Payload) -> Result<(), CallError> {
        let method = match (memory, payload) {
            (Memory::Stable, Payload::Raw(_)) => methods::STABLE_WRITE,
            (Memory::Stable, Payload::Lz4(_)) => methods::STABLE_WRITE_COMPRESSED,
            (Memory::Heap, Payload::Raw(_)) => methods::HEAP_WRITE,
            (Memory::Heap, Payload::Lz4(_)) => {
                unreachable!("BUG: the heap is never sent compressed")
            }
        };
        let data = payload.bytes();
        let header = wire::candid::nat64_blob_header(offset, data.len() as u64)
            .expect("BUG: a chunk is shorter than 4 GiB");
        let mut arg =
            Vec::with_capacity(wire::candid::NAT64_BLOB_HEADER_LEN_MAX_BYTES + data.len());
        arg.extend_from_slice(header.as_bytes());
        arg.extend_from_slice(data);
        self.connection.update(self.canister, method, arg).await?;
        Ok(())
    }
}
