//! Every bound of the rescue canister, in one place. A caller who meets one is told which.

/// Cases kept, closed ones included (`forget` makes room).
pub const CASES_MAX: u64 = 500;
/// Journal entries of one case from which on only the way out is open.
pub const JOURNAL_ENTRIES_MAX: u64 = 4_000;
/// Further entries for `stop`, `start`, `settle` and `accept`.
pub const JOURNAL_RESERVE: u64 = 200;
/// Further entries, beyond those, for `rollback` and `close`: hundreds of attempts.
pub const JOURNAL_LAST_RESERVE: u64 = 2_000;
/// Journal entries answered per call.
pub const JOURNAL_PAGE_MAX: u32 = 200;
/// Case summaries answered per call.
pub const CASES_PAGE_MAX: u32 = 200;
/// Bytes of free text in one journal entry; longer text is cut.
pub const DETAIL_LEN_MAX_BYTES: usize = 600;
/// Bytes of the operator's reason to do without a snapshot.
pub const RISK_LEN_MAX_BYTES: usize = 500;
/// Auditors.
pub const AUDITORS_MAX: usize = 32;
/// Chunks of one memory: 500 GiB of stable memory, the IC's limit, in 1 MiB chunks.
pub const CHUNKS_PER_MEMORY_MAX: u64 = 512_000;
/// Chunks hashed by one call to the patient. At no more than 40 instructions a byte, 64 MiB cost
/// 2.7 of the 5 billion instructions a replicated query may use.
pub const CHUNKS_PER_BATCH: u64 = 64;
/// Batches per call of `checksum` and `attest` unless the caller says otherwise.
pub const BATCHES_DEFAULT: u32 = 4;
/// Batches per call of `checksum` and `attest`, at most.
pub const BATCHES_MAX: u32 = 16;
/// Digests answered per call: 1,920,000 bytes, below the 2 MiB of a replicated reply.
pub const DIGESTS_PAGE_MAX: u64 = 60_000;
/// Mismatching chunks that an attestation names.
pub const MISMATCHES_NAMED_MAX: usize = 64;
/// Length of every staged chunk of a module but the last. The chunk store takes no longer ones.
pub const MODULE_CHUNK_LEN_BYTES: usize = 1 << 20;
/// Staged chunks of one module: the IC takes modules of up to 100 MiB.
pub const MODULE_CHUNKS_MAX: u32 = 100;
/// Chunks staged for all cases together.
pub const MODULE_CHUNKS_TOTAL_MAX: u64 = 400;
/// Longest module sent in one `install_code`: an inter-canister message to another subnet holds 2 MiB,
/// and the argument needs room too.
pub const MODULE_INLINE_LEN_MAX_BYTES: usize = 1_000_000;
/// Longest argument for `post_upgrade`.
pub const ARG_LEN_MAX_BYTES: usize = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND_NANOS: u64 = 1_000_000_000;
/// Lease while a step only looks at the patient.
pub const LOOK_LEASE_NANOS: u64 = 120 * SECOND_NANOS;
/// Lease while a call that changes the patient is out. `stop_canister` answers within 5 minutes,
/// `install_code` of 300 billion instructions takes 150 rounds: 15 minutes outlast both.
pub const CALL_LEASE_NANOS: u64 = 900 * SECOND_NANOS;
/// How long a question to the patient waits for its answer, seconds.
pub const HASH_TIMEOUT_SECONDS: u32 = 100;
/// Entries of the patient's history that the IC keeps, and that are looked at.
pub const HISTORY_MAX: u64 = 20;

const _: () = {
    assert!(DIGESTS_PAGE_MAX * wire::limits::DIGEST_LEN_BYTES < 2_000_000);
    assert!(CHUNKS_PER_BATCH * wire::limits::CHUNK_LEN_BYTES * 40 < 5_000_000_000);
    assert!(MODULE_INLINE_LEN_MAX_BYTES + ARG_LEN_MAX_BYTES < 2_097_152);
    assert!(HASH_TIMEOUT_SECONDS as u64 * SECOND_NANOS < LOOK_LEASE_NANOS);
    assert!(LOOK_LEASE_NANOS < CALL_LEASE_NANOS);
};
