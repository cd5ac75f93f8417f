//! Sends the chunks in which a canister differs from a backup, compressed where that pays.
//!
//! Every byte of a call costs the canister 2,000 cycles (13 nodes), unpacking one a few.

use super::plan::{Span, spans};
use super::progress::Progress;
use super::retry::Retry;
use super::{Payload, Sink, pool};
use crate::error::CliError;
use archive::Memory;
use archive::open::ImageReader;
use std::sync::Arc;
use wire::limits::{DECOMPRESSED_LEN_MAX_BYTES, WRITE_LEN_MAX_BYTES};

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of memory.
    pub bytes: u64,
    /// Bytes that travelled for them.
    pub wire_bytes: u64,
}

/// Sends `chunks` of `reader` to `sink`.
///
/// # Errors
/// What the disk or the calls answered. Sending again is harmless.
pub async fn send_image<S: Sink>(
    sink: &Arc<S>,
    reader: &Arc<ImageReader>,
    chunks: &[u64],
    workers: usize,
    retry: &Arc<Retry>,
    progress: &dyn Progress,
) -> Result<Sent, CliError> {
    let jobs = spans(reader.digests(), chunks, 1);
    let mut total = Sent::default();
    let work = |span: Span| {
        let (sink, reader, retry) = (sink.clone(), reader.clone(), retry.clone());
        async move {
            let memory = reader.digests().memory();
            let packed = tokio::task::spawn_blocking(move || {
                reader.read(span.first).map(|data| pack(memory, data))
            });
            let packed = packed.await;
            let payload = packed.map_err(|error| CliError::Worker {
                reason: error.to_string(),
            })??;
            retry
                .run(|| sink.write(memory, span.offset_bytes, &payload))
                .await?;
            let wire_bytes = payload.bytes().len() as u64;
            Ok(Sent {
                bytes: span.len_bytes,
                wire_bytes,
            })
        }
    };
    pool::run(jobs, workers, work, |sent| {
        total.bytes += sent.bytes;
        total.wire_bytes += sent.wire_bytes;
        progress.advance(sent.bytes);
    })
    .await?;
    Ok(total)
}

/// Compresses `data` if it may be and if that saves at least a tenth.
fn pack(memory: Memory, data: Vec<u8>) -> Payload {
    let len_bytes = data.len() as u64;
    if memory != Memory::Stable || len_bytes > DECOMPRESSED_LEN_MAX_BYTES {
        return Payload::Raw(data);
    }
    let packed = lz4_flex::block::compress_prepend_size(&data);
    let pays = packed.len() as u64 <= len_bytes / 10 * 9;
    if pays && packed.len() as u64 <= WRITE_LEN_MAX_BYTES {
        Payload::Lz4(packed)
    } else {
        Payload::Raw(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_shrinks_is_compressed() {
        let text: Vec<u8> = b"all work and no play ".repeat(1000);
        let Payload::Lz4(packed) = pack(Memory::Stable, text.clone()) else {
            panic!("text shrinks")
        };
        assert!(packed.len() < text.len() / 10);
        assert_eq!(
            lz4_flex::block::decompress_size_prepended(&packed).unwrap(),
            text
        );
        assert_eq!(pack(Memory::Heap, text.clone()), Payload::Raw(text));
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(10_000)
        .collect();
        assert_eq!(pack(Memory::Stable, noise.clone()), Payload::Raw(noise));
    }
}
