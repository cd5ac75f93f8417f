//! Moving memory images: what to move is planned, then moved by bounded workers, each piece checked.
//!
//! [`plan`] and [`pace`] are pure. [`lanes`] finds out how many requests at once bring the most, [`pool`] bounds the
//! work under way, [`retry`] repeats what may pass, [`fetch`] and [`send`] put them together. Memory use depends on
//! the number of workers, never on the size of an image.

pub mod fetch;
pub mod lanes;
pub mod pace;
pub mod plan;
pub mod pool;
pub mod progress;
pub mod retry;
pub mod send;

use crate::error::CallError;
use archive::Memory;
use bytes::Bytes;
use std::future::Future;

/// Something that memory can be read from.
pub trait Source: Send + Sync + 'static {
    /// Reads `len_bytes` at `offset`. What comes back may be wrong in any way, length included.
    fn read(
        &self,
        memory: Memory,
        offset: u64,
        len_bytes: u64,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
}

/// Something that memory can be written to. Writing the same bytes twice is writing them once.
pub trait Sink: Send + Sync + 'static {
    /// Writes `payload` at `offset`, growing the memory as needed.
    fn write(
        &self,
        memory: Memory,
        offset: u64,
        payload: &Payload,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Bytes on their way to a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// As they are.
    Raw(Vec<u8>),
    /// Their length, 32 bits little-endian, then an LZ4 block. Only stable memory can be written so.
    Lz4(Vec<u8>),
}

impl Payload {
    /// What travels.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Raw(bytes) | Payload::Lz4(bytes) => bytes,
        }
    }
}
