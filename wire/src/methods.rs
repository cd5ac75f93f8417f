//! Names of the pair's methods, as they stand in `downloader.did` and `uploader.did`.

/// `() -> (nat64) query`: size of stable memory in bytes.
pub const STABLE_SIZE: &str = "stable_size";
/// `(offset : nat64, length : nat64) -> (blob) query`: bytes of stable memory.
pub const STABLE_READ: &str = "stable_read";
/// `(offset : nat64, chunk_length : nat64, count : nat64) -> (blob) query`: SHA-256 digests of
/// consecutive chunks of stable memory.
pub const STABLE_SHA256: &str = "stable_sha256";
/// `() -> (nat64) query`: size of the heap in bytes.
pub const HEAP_SIZE: &str = "heap_size";
/// `(offset : nat64, length : nat64) -> (blob) query`: bytes of the heap.
pub const HEAP_READ: &str = "heap_read";
/// `(offset : nat64, chunk_length : nat64, count : nat64) -> (blob) query`: SHA-256 digests of
/// consecutive chunks of the heap.
pub const HEAP_SHA256: &str = "heap_sha256";
/// `(offset : nat64, data : blob) -> ()`: write stable memory, growing it as needed.
pub const STABLE_WRITE: &str = "stable_write";
/// `(offset : nat64, data : blob) -> ()`: write stable memory from an LZ4 block behind its
/// decompressed length.
pub const STABLE_WRITE_COMPRESSED: &str = "stable_write_compressed";
/// `(offset : nat64, data : blob) -> ()`: write the heap, growing it as needed.
pub const HEAP_WRITE: &str = "heap_write";

/// The downloader's methods, all of them queries.
pub const READS: [&str; 6] = [
    STABLE_SIZE,
    STABLE_READ,
    STABLE_SHA256,
    HEAP_SIZE,
    HEAP_READ,
    HEAP_SHA256,
];
/// What the uploader has besides the reads, all of them updates.
pub const WRITES: [&str; 3] = [STABLE_WRITE, STABLE_WRITE_COMPRESSED, HEAP_WRITE];
