//! Named upper bounds of everything that could otherwise grow: workers, retries, lengths, waits.

use std::time::Duration;

/// Requests under way at once, at most, unless `--workers` says otherwise. Twelve replies of 2 MiB and their
/// copies on the way from socket to disk stay far below 256 MiB, and fill a line of 240 MB/s at 100 ms.
pub const WORKERS_DEFAULT: usize = 12;
/// Most requests under way at once that `--workers` may ask for.
pub const WORKERS_MAX: usize = 64;

/// Replies that are hashed and written, or wait for it, while all lanes are busy with further requests.
pub const REPLIES_CHECKED_MAX: usize = 6;

/// Chunks asked for in one plain query. Two chunks of 1 MiB fit the 3 MiB of its reply.
pub const CHUNKS_PER_READ_MAX: u64 = 2;

/// Neighbouring chunks of a snapshot that are read together. A snapshot is read in slices of up to 2,000,000
/// bytes, so eight chunks of 1 MiB take five calls, not eight.
pub const SNAPSHOT_CHUNKS_PER_JOB: u64 = 8;

/// Attempts at one request that fails for a reason that passes.
pub const ATTEMPTS_MAX: u32 = 8;
/// Wait before the second attempt; doubled each time.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest wait between two attempts.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Attempts at one request of a server that says it is overloaded, with the first wait between them.
pub const OVERLOADED_ATTEMPTS_MAX: u32 = 7;
/// Times that a chunk may arrive with wrong bytes before its fetching is given up.
pub const WRONG_REPLIES_MAX: u32 = 6;

/// Longest wait for the reply to a plain query.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for the outcome of an update call: an upgrade may run for many rounds.
pub const UPDATE_TIMEOUT: Duration = Duration::from_secs(420);
/// Longest body of an HTTP reply, in bytes: a query's reply is at most 3 MiB.
pub const RESPONSE_MAX_BYTES: usize = 5 << 20;

/// Steps of a case that are driven in one command. A checksum call advances up to 1 GiB, so this is
/// enough for 500 GiB twice over.
pub const CASE_STEPS_MAX: u32 = 4000;
/// Wait before a case that is busy is looked at again.
pub const CASE_POLL: Duration = Duration::from_secs(2);
/// Times that a case may be found busy or undecided in a row.
pub const CASE_POLLS_MAX: u32 = 150;
/// Batches of 64 MiB that the rescue canister hashes in one call.
pub const CHECKSUM_BATCHES_PER_CALL: u32 = 16;
/// Checksums listed in one query.
pub const CHECKSUMS_PER_CALL: u64 = 60_000;
/// Cases listed in one query.
pub const CASES_PER_CALL: u32 = 100;
/// Cases looked through to find the one of a canister.
pub const CASES_MAX: u64 = 100_000;
/// Journal entries listed in one query.
pub const JOURNAL_PER_CALL: u32 = 200;

/// Modules up to this length travel in one message, longer ones in chunks. In bytes.
pub const MODULE_INLINE_MAX_BYTES: usize = 1_800_000;
/// Chunks of a module on their way through the chunk store, in bytes (spec: at most 1 MiB).
pub const MODULE_CHUNK_LEN_BYTES: usize = 1 << 20;
/// Longest module (spec), in bytes.
pub const MODULE_MAX_BYTES: u64 = 100 << 20;

/// How often a run of code off chain tells how far it is.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Longest reply of a method that is decoded off chain: values take many times the room of their bytes.
pub const REPLY_DECODED_MAX_BYTES: usize = 64 << 20;

const _: () = {
    use wire::limits::{CHUNK_LEN_BYTES, QUERY_REPLY_MAX_BYTES, WRITE_LEN_MAX_BYTES};
    assert!(CHUNKS_PER_READ_MAX * CHUNK_LEN_BYTES < QUERY_REPLY_MAX_BYTES);
    assert!(CHUNK_LEN_BYTES <= WRITE_LEN_MAX_BYTES);
    assert!(QUERY_REPLY_MAX_BYTES < RESPONSE_MAX_BYTES as u64);
    assert!(WORKERS_DEFAULT <= WORKERS_MAX);
};
/// How often the server of a local network is looked after.
pub const SERVER_POLL: Duration = Duration::from_millis(100);
/// Longest wait for the server of a local network to end when told to.
pub const SERVER_PATIENCE: Duration = Duration::from_secs(5);
