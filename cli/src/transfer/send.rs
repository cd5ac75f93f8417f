//! Sends the chunks in which a canister differs from a backup.

use super::plan::spans;
use super::progress::Progress;
use super::retry::Retry;
use super::{Sink, pool};
use crate::error::CliError;
use archive::open::ImageReader;
use std::sync::Arc;

/// Sends `chunks` of `reader` to `sink`, and returns how many bytes that were.
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
) -> Result<u64, CliError> {
    let jobs = spans(reader.digests(), chunks, 1);
    let mut total = 0;
    let work = |span: super::plan::Span| {
        let (sink, reader, retry) = (sink.clone(), reader.clone(), retry.clone());
        async move {
            let memory = reader.digests().memory();
            let read = tokio::task::spawn_blocking(move || reader.read(span.first)).await;
            let data = read.map_err(|error| CliError::Worker {
                reason: error.to_string(),
            })??;
            retry
                .run(|| sink.write(memory, span.offset_bytes, data.clone()))
                .await?;
            Ok(span.len_bytes)
        }
    };
    pool::run(jobs, workers, work, |bytes| {
        total += bytes;
        progress.advance(bytes);
    })
    .await?;
    Ok(total)
}
