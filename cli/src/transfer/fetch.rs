//! Fetches the missing chunks of an image. What does not have the recorded digest is never kept.
//!
//! ```text
//! spans ─► [ a lane: request, reply ] ─► [ hash, compare, write ]
//!           as many at once as bring      while other requests have the lanes
//!           more, at most `workers`
//! ```
//!
//! A reply gives its lane back before it is hashed, so that the line never waits for the disk. Replies that
//! wait to be hashed are bounded as well: memory use does not depend on the size of the image.

use super::lanes::Lanes;
use super::plan::{Span, spans};
use super::progress::Progress;
use super::retry::Retry;
use super::{Source, pool};
use crate::error::CliError;
use crate::limits::{REPLIES_CHECKED_MAX, WRONG_REPLIES_MAX};
use archive::{ArchiveError, ImageWriter};
use std::sync::Arc;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Requests under way at once, at most.
    pub workers: usize,
    /// Chunks per request.
    pub chunks_per_read: u64,
    /// Patience with what passes.
    pub retry: Arc<Retry>,
}

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Chunks written.
    pub chunks: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Chunks that arrived with wrong bytes or a wrong length, and were fetched again.
    pub wrong_chunks: u64,
}

/// A source and the lanes to it.
struct Line<S> {
    source: Arc<S>,
    lanes: Lanes,
    retry: Arc<Retry>,
}

/// Fetches `missing` from `source` into `writer`.
///
/// # Errors
/// [`CliError::ChunkNeverMatched`] when a chunk arrives wrong again and again; otherwise what the calls or
/// the disk answered. What was written stays.
pub async fn fetch_image<S: Source>(
    source: &Arc<S>,
    writer: &Arc<ImageWriter>,
    missing: &[u64],
    options: &FetchOptions,
    progress: &dyn Progress,
) -> Result<Fetched, CliError> {
    let jobs = spans(writer.digests(), missing, options.chunks_per_read);
    let mut total = Fetched::default();
    let line = Arc::new(Line {
        source: source.clone(),
        lanes: Lanes::new(options.workers),
        retry: options.retry.clone(),
    });
    let work = |span| fetch_span(line.clone(), writer.clone(), span);
    let spans_at_once = options.workers + REPLIES_CHECKED_MAX;
    pool::run(jobs, spans_at_once, work, |fetched: Fetched| {
        total.chunks += fetched.chunks;
        total.bytes += fetched.bytes;
        total.wrong_chunks += fetched.wrong_chunks;
        progress.advance(fetched.bytes);
    })
    .await?;
    Ok(total)
}

/// Fetches one span; chunks of it that are wrong are fetched again one by one.
async fn fetch_span<S: Source>(
    line: Arc<Line<S>>,
    writer: Arc<ImageWriter>,
    span: Span,
) -> Result<Fetched, CliError> {
    let mut fetched = Fetched::default();
    let wrong = fetch_once(&line, &writer, span).await?;
    for (chunk, mut error) in wrong {
        let single = spans(writer.digests(), &[chunk], 1)[0];
        let mut attempts = 1;
        loop {
            fetched.wrong_chunks += 1;
            if attempts >= WRONG_REPLIES_MAX {
                return Err(never_matched(&writer, chunk, attempts, &error));
            }
            attempts += 1;
            match fetch_once(&line, &writer, single).await?.pop() {
                None => break,
                Some((_, again)) => error = again,
            }
        }
    }
    fetched.chunks = span.count;
    fetched.bytes = span.len_bytes;
    Ok(fetched)
}

/// Fetches one span once, writes what is right, returns what is wrong.
async fn fetch_once<S: Source>(
    line: &Line<S>,
    writer: &Arc<ImageWriter>,
    span: Span,
) -> Result<Vec<(u64, ArchiveError)>, CliError> {
    let memory = writer.digests().memory();
    let request = || async {
        // A pause between two attempts keeps no lane from others.
        let lane = line.lanes.take().await;
        let read = line.source.read(memory, span.offset_bytes, span.len_bytes);
        let data = read.await?;
        lane.replied(data.len() as u64);
        Ok(data)
    };
    let data = line.retry.run(request).await?;
    let writer = writer.clone();
    // Hashing and writing take milliseconds: not on the threads that wait for the network.
    let checked = tokio::task::spawn_blocking(move || write_span(&writer, span, &data)).await;
    checked.map_err(|error| CliError::Worker {
        reason: error.to_string(),
    })?
}

fn write_span(
    writer: &ImageWriter,
    span: Span,
    data: &[u8],
) -> Result<Vec<(u64, ArchiveError)>, CliError> {
    let mut wrong = Vec::new();
    for chunk in span.first..span.first + span.count {
        let start = (writer.digests().offset_bytes(chunk) - span.offset_bytes) as usize;
        let end = start + writer.digests().len_bytes(chunk) as usize;
        // Bytes beyond the end make the last chunk too long; missing ones make chunks too short.
        let end = if chunk + 1 == span.first + span.count {
            end.max(data.len())
        } else {
            end
        };
        let piece = &data[start.min(data.len())..end.min(data.len())];
        match writer.write(chunk, piece) {
            Ok(()) => {}
            Err(
                error @ (ArchiveError::ChunkMismatch { .. } | ArchiveError::ChunkLength { .. }),
            ) => wrong.push((chunk, error)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wrong)
}

fn never_matched(
    writer: &ImageWriter,
    chunk: u64,
    attempts: u32,
    error: &ArchiveError,
) -> CliError {
    let found = match error {
        ArchiveError::ChunkMismatch { found, .. } => found.clone(),
        other => other.to_string(),
    };
    CliError::ChunkNeverMatched {
        memory: writer.digests().memory(),
        chunk,
        attempts,
        expected: hex::encode(writer.digests().get(chunk)),
        found,
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
