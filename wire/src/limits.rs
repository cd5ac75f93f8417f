//! Named limits: every number that bounds a message, a memory or a computation, with its source.
//!
//! "Replica" is the source of the Internet Computer's node software, "spec" its interface
//! specification (resource limits), "measured" what a PocketIC server answered. Numbers without a
//! source are choices of this project. The relations between them are asserted at compile time.

/// One MiB in bytes.
pub const MIB_BYTES: u64 = 1 << 20;
/// One GiB in bytes.
pub const GIB_BYTES: u64 = 1 << 30;

/// Length of a WebAssembly page: the unit of growth of the heap and of stable memory (spec).
pub const PAGE_LEN_BYTES: u64 = 65_536;

/// Length of the chunks whose checksums are recorded, everywhere in this project. A whole number
/// of pages; two fit next to each other into a plain query's reply.
pub const CHUNK_LEN_BYTES: u64 = MIB_BYTES;

/// Length of a SHA-256 digest.
pub const DIGEST_LEN_BYTES: u64 = 32;

/// Longest principal (spec).
pub const PRINCIPAL_LEN_MAX_BYTES: u64 = 29;

/// Reply of a plain (not replicated) query, candid header included (replica; measured to the byte).
pub const QUERY_REPLY_MAX_BYTES: u64 = 3 * MIB_BYTES;
/// Reply of an update or of a replicated query, candid header included (replica; measured to the byte).
pub const REPLICATED_REPLY_MAX_BYTES: u64 = 2 * MIB_BYTES;
/// A whole signed ingress message on an application subnet (spec; measured to the byte).
pub const INGRESS_MAX_BYTES: u64 = 2 * MIB_BYTES;
/// Argument of a call between canisters of different subnets (replica).
pub const INTER_CANISTER_PAYLOAD_MAX_BYTES: u64 = 2 * MIB_BYTES;
/// Slice of one `read_canister_snapshot_data` (replica; measured to the byte).
pub const SNAPSHOT_SLICE_MAX_BYTES: u64 = 2_000_000;

/// Data carried by one write to the uploader: leaves 97 kB of an ingress message for the candid
/// header, the signature and a chain of delegations.
pub const WRITE_LEN_MAX_BYTES: u64 = 2_000_000;
/// Data of one read whose reply must also pass as a replicated query's.
pub const READ_LEN_MAX_BYTES: u64 = 2_000_000;
/// What one compressed write may decompress to. Bounds the work of one message: at the worst
/// measured cost a byte it stays below a tenth of an update's instructions.
pub const DECOMPRESSED_LEN_MAX_BYTES: u64 = 16 * MIB_BYTES;
/// Bytes before the LZ4 block in the data of a compressed write: its decompressed length, 32 bits
/// little-endian.
pub const COMPRESSED_HEADER_LEN_BYTES: u64 = 4;

/// Instructions of one query, plain or replicated (replica; a subnet may be configured otherwise).
pub const QUERY_INSTRUCTIONS_MAX: u64 = 5_000_000_000;
/// Instructions of one update (replica).
pub const UPDATE_INSTRUCTIONS_MAX: u64 = 40_000_000_000;
/// Ceiling of what the pair's SHA-256 spends for a byte when four chunks are hashed together.
pub const HASH_INSTRUCTIONS_PER_BYTE_MAX: u64 = 40;
/// Chunks that the pair hashes side by side, one in each lane of a 128-bit vector.
pub const HASH_LANES: u64 = 4;
/// Checksums to ask for in one call: the largest power of two whose hashing fits into a query. One
/// group of lanes is spare, because a last chunk cut short takes a group of its own.
pub const HASH_CHUNKS_PER_CALL_MAX: u64 = 64;

/// Stable memory of a canister (spec).
pub const STABLE_MEMORY_MAX_BYTES: u64 = 500 * GIB_BYTES;
/// Heap of a canister whose module is 32-bit (spec).
pub const HEAP32_MAX_BYTES: u64 = 4 * GIB_BYTES;
/// Heap of a canister whose module is 64-bit (spec).
pub const HEAP64_MAX_BYTES: u64 = 6 * GIB_BYTES;

/// Size of the built downloader (64-bit: a quarter more).
pub const DOWNLOADER_MODULE_MAX_BYTES: u64 = 10 * 1024;
/// Size of the built uploader (64-bit: a quarter more).
pub const UPLOADER_MODULE_MAX_BYTES: u64 = 10 * 1024;

const _: () = {
    let blob_header = crate::candid::BLOB_HEADER_LEN_MAX_BYTES as u64;
    let write_header = crate::candid::NAT64_BLOB_HEADER_LEN_MAX_BYTES as u64;
    assert!(CHUNK_LEN_BYTES.is_multiple_of(PAGE_LEN_BYTES));
    assert!(STABLE_MEMORY_MAX_BYTES.is_multiple_of(CHUNK_LEN_BYTES));
    assert!(HEAP32_MAX_BYTES.is_multiple_of(CHUNK_LEN_BYTES));
    assert!(HEAP64_MAX_BYTES.is_multiple_of(CHUNK_LEN_BYTES));
    assert!(CHUNK_LEN_BYTES <= READ_LEN_MAX_BYTES && CHUNK_LEN_BYTES <= WRITE_LEN_MAX_BYTES);
    assert!(2 * CHUNK_LEN_BYTES + blob_header <= QUERY_REPLY_MAX_BYTES);
    assert!(READ_LEN_MAX_BYTES + blob_header <= REPLICATED_REPLY_MAX_BYTES);
    assert!(WRITE_LEN_MAX_BYTES + write_header + 4_096 <= INGRESS_MAX_BYTES);
    assert!(DECOMPRESSED_LEN_MAX_BYTES <= u32::MAX as u64);
    assert!(DECOMPRESSED_LEN_MAX_BYTES >= WRITE_LEN_MAX_BYTES);
    assert!(HASH_CHUNKS_PER_CALL_MAX.is_multiple_of(HASH_LANES));
    assert!(
        (HASH_CHUNKS_PER_CALL_MAX + HASH_LANES) * CHUNK_LEN_BYTES * HASH_INSTRUCTIONS_PER_BYTE_MAX
            <= QUERY_INSTRUCTIONS_MAX
    );
    assert!(
        HASH_CHUNKS_PER_CALL_MAX * DIGEST_LEN_BYTES + blob_header <= REPLICATED_REPLY_MAX_BYTES
    );
};
