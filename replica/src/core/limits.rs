//! Every bound and period the network applies, in one place.
//!
//! The numbers are the Internet Computer's for application subnets (`rs/config`, `rs/limits` of
//! late 2025); where a system subnet differs, a function says so.

/// Instructions a round may spend on canister messages: 7 B minus the longest message that may
/// start with one instruction left (5 B), plus one.
pub const ROUND_INSTRUCTIONS: i64 = 2_000_000_001;
/// Instructions a round may spend on management messages: one sixteenth of 7 B.
pub const SUBNET_ROUND_INSTRUCTIONS: i64 = 437_500_000;
/// Instructions of one slice of a long execution; also what the install debit loses per round.
pub const SLICE_INSTRUCTIONS: u64 = 2_000_000_000;
/// Round instructions that starting any message costs.
pub const OVERHEAD_PER_EXECUTION: i64 = 2_000_000;
/// Round instructions that running a canister at all costs.
pub const OVERHEAD_PER_CANISTER: i64 = 8_000_000;
/// Instructions of a module's compilation when the module was compiled before: one in so many.
pub const COMPILE_CACHE_DIVISOR: u64 = 100;
/// Rounds from one checkpoint to the next.
pub const CHECKPOINT_ROUNDS: u64 = 500;
/// Time that passes from round to round unless set.
pub const ROUND_TIME_NS: u64 = 1;

/// Bytes of a whole ingress message on an application subnet.
pub const INGRESS_MAX_BYTES: u64 = 2 << 20;
/// Bytes of a whole ingress message on the NNS.
pub const INGRESS_MAX_BYTES_NNS: u64 = (3 << 20) + (512 << 10);
/// Messages and bytes of one block.
pub const BLOCK_MAX_INGRESS_MESSAGES: usize = 1000;
/// Bytes of ingress in one block.
pub const BLOCK_MAX_INGRESS_BYTES: u64 = 4 << 20;
/// Messages one queue between two canisters may hold.
pub const QUEUE_CAPACITY: usize = 500;

/// How long `stop_canister` waits for open call contexts.
pub const STOP_TIMEOUT_NS: u64 = 5 * 60 * 1_000_000_000;
/// Controllers of a canister.
pub const MAX_CONTROLLERS: usize = 10;
/// Viewers in a visibility setting.
pub const MAX_ALLOWED_VIEWERS: usize = 10;
/// Environment variables of a canister.
pub const MAX_ENVIRONMENT_VARIABLES: usize = 20;
/// Bytes of an environment variable's name, and of its value.
pub const MAX_ENVIRONMENT_VARIABLE_BYTES: usize = 128;
/// History entries kept.
pub const MAX_HISTORY_ENTRIES: usize = 20;
/// Bytes of a canister's log.
pub const LOG_CAPACITY_BYTES: usize = 4096;
/// Bytes a log record takes besides its content.
pub const LOG_RECORD_OVERHEAD_BYTES: usize = 40;

/// Snapshots of a canister.
pub const MAX_SNAPSHOTS: usize = 10;
/// Bytes of one read of snapshot data.
pub const SNAPSHOT_SLICE_MAX_BYTES: u64 = 2_000_000;
/// Instructions of taking or loading a snapshot, besides its size.
pub const SNAPSHOT_BASELINE_INSTRUCTIONS: u64 = 2_000_000_000;
/// Instructions of reading or writing snapshot data, besides the bytes.
pub const SNAPSHOT_DATA_BASELINE_INSTRUCTIONS: u64 = 5_000_000;
/// Heap delta a canister may have open before its snapshot calls are refused, and what a round
/// takes off.
pub const HEAP_DELTA_RATE_BYTES: u64 = 75 << 20;

/// Bytes of a chunk in the chunk store.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Chunks in a chunk store.
pub const MAX_CHUNKS: usize = 100;
/// Instructions of storing a chunk.
pub const UPLOAD_CHUNK_INSTRUCTIONS: u64 = 200_000_000;
/// Bytes of a module, uncompressed.
pub const WASM_MAX_BYTES: u64 = 100 << 20;

/// Memory of a subnet.
pub const SUBNET_MEMORY_BYTES: u64 = 2 << 40;
/// Part of it that is kept back for responses.
pub const SUBNET_MEMORY_RESERVED_BYTES: u64 = 10 << 30;
/// Execution threads that share what is left.
pub const SCHEDULER_CORES: u64 = 4;
/// Default of `wasm_memory_limit`.
pub const DEFAULT_WASM_MEMORY_LIMIT_BYTES: u64 = 3 << 30;
/// Greatest heap of a wasm32 module.
pub const MAX_WASM32_HEAP_BYTES: u64 = 4 << 30;
/// Greatest heap of a wasm64 module.
pub const MAX_WASM64_HEAP_BYTES: u64 = 6 << 30;
/// Greatest stable memory.
pub const MAX_STABLE_BYTES: u64 = 500 << 30;
/// Default of `freezing_threshold`.
pub const DEFAULT_FREEZING_THRESHOLD_SECONDS: u64 = 30 * 24 * 60 * 60;
/// Default of `reserved_cycles_limit`.
pub const DEFAULT_RESERVED_CYCLES_LIMIT: u128 = 5_000_000_000_000;
/// Cycles of a canister created provisionally without an amount.
pub const DEFAULT_PROVISIONAL_CYCLES: u128 = 100_000_000_000_000;

/// Calls a composite query may be deep.
pub const QUERY_DEPTH_MAX: usize = 6;
/// Instructions of a whole query call graph.
pub const QUERY_GRAPH_INSTRUCTIONS: u64 = 5_000_000_000;
/// Instructions every call in a query call graph costs besides what it runs.
pub const QUERY_CALL_OVERHEAD_INSTRUCTIONS: u64 = 50_000_000;
/// Bytes of certified data.
pub const CERTIFIED_DATA_MAX_BYTES: usize = 32;
