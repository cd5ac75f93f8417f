//! One message for each operation, subject and chunk length.

use crate::harness::{chunks, controller, engine, noise, range};
use candid::Principal;
use engine::{Entry, Env, ExecutionState, Heap, HeapHandling, Limits, StableMemory};
use wire::limits::{CHUNK_LEN_BYTES, HASH_LANES, PAGE_LEN_BYTES, READ_LEN_MAX_BYTES};

/// Chunk lengths measured.
pub const CHUNKS: [(&str, u64); 2] = [("1 MiB", CHUNK_LEN_BYTES), ("2 MB", READ_LEN_MAX_BYTES)];

/// Pages of the stable memory that is worked on: four chunks of the longer kind.
const STABLE_PAGES: u64 = 128;
/// Pages of the heap kept under the pair: as many.
const HEAP_PAGES: u64 = 128;

/// A module measured.
#[derive(Clone, Copy)]
pub struct Subject {
    /// Heading of its column.
    pub label: &'static str,
    /// The built module.
    module: &'static str,
    /// Whether it is put over a kept heap, as the pair is.
    over_a_heap: bool,
}

/// The columns. The uploader reads with the downloader's code, so it stands for both.
pub const SUBJECTS: [Subject; 3] = [
    Subject {
        label: "pair",
        module: "uploader",
        over_a_heap: true,
    },
    Subject {
        label: "pair, 64-bit",
        module: "uploader64",
        over_a_heap: true,
    },
    Subject {
        label: "ic-cdk, the usual way",
        module: "patients/endpoints",
        over_a_heap: false,
    },
];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `stable_read` of a chunk.
    StableRead,
    /// `heap_read` of a chunk.
    HeapRead,
    /// `stable_sha256` of four chunks, a chunk's share.
    StableHash,
    /// `heap_sha256` of four chunks, a chunk's share.
    HeapHash,
    /// `stable_sha256` of one chunk alone.
    LoneHash,
    /// `stable_write` of a chunk.
    Write,
    /// `stable_write_compressed` of a chunk of account records.
    CompressedWrite,
    /// `heap_write` of a chunk.
    HeapWrite,
}

/// The rows.
pub const OPERATIONS: [Operation; 8] = [
    Operation::StableRead,
    Operation::HeapRead,
    Operation::StableHash,
    Operation::HeapHash,
    Operation::LoneHash,
    Operation::Write,
    Operation::CompressedWrite,
    Operation::HeapWrite,
];

impl Operation {
    /// Heading of its row.
    pub fn label(self) -> &'static str {
        match self {
            Self::StableRead => "stable read",
            Self::HeapRead => "heap read",
            Self::StableHash => "stable hash, 1 of 4",
            Self::HeapHash => "heap hash, 1 of 4",
            Self::LoneHash => "stable hash, alone",
            Self::Write => "stable write",
            Self::CompressedWrite => "compressed write",
            Self::HeapWrite => "heap write",
        }
    }

    fn needs_the_pair(self) -> bool {
        matches!(self, Self::HeapRead | Self::HeapHash | Self::HeapWrite)
    }
}

/// A measurement.
pub struct Measured {
    /// What was measured.
    pub operation: Operation,
    /// On what.
    pub subject: &'static str,
    /// Bytes of memory that were read, hashed or written.
    pub chunk_len_bytes: u64,
    /// Length of the argument.
    pub message_len_bytes: usize,
    /// Instructions charged, for one chunk.
    pub instructions: u64,
}

impl Measured {
    /// Whether it stands in this cell of the table.
    pub fn is(&self, operation: Operation, subject: &str, chunk_len_bytes: u64) -> bool {
        self.operation == operation
            && self.subject == subject
            && self.chunk_len_bytes == chunk_len_bytes
    }

    /// Instructions for a byte of the chunk.
    pub fn per_byte(&self) -> f64 {
        self.instructions as f64 / self.chunk_len_bytes as f64
    }
}

/// Takes every measurement.
pub fn measure_all() -> Vec<Measured> {
    let mut all = Vec::new();
    for operation in OPERATIONS {
        for (_, chunk_len_bytes) in CHUNKS {
            for subject in SUBJECTS {
                if subject.over_a_heap || !operation.needs_the_pair() {
                    all.push(measure(operation, subject, chunk_len_bytes));
                }
            }
        }
    }
    all
}

fn measure(operation: Operation, subject: Subject, chunk_len_bytes: u64) -> Measured {
    let data = || noise(chunk_len_bytes as usize, 5);
    let write = |data: &[u8]| candid::encode_args((0u64, data)).unwrap();
    let hash = |count| chunks(0, chunk_len_bytes, count);
    let (update, method, arg, share) = match operation {
        Operation::StableRead => (false, "stable_read", range(0, chunk_len_bytes), 1),
        Operation::HeapRead => (false, "heap_read", range(0, chunk_len_bytes), 1),
        Operation::StableHash => (false, "stable_sha256", hash(HASH_LANES), HASH_LANES),
        Operation::HeapHash => (false, "heap_sha256", hash(HASH_LANES), HASH_LANES),
        Operation::LoneHash => (false, "stable_sha256", hash(1), 1),
        Operation::Write => (true, "stable_write", write(&data()), 1),
        Operation::HeapWrite => (true, "heap_write", write(&data()), 1),
        Operation::CompressedWrite => {
            let data = lz4_flex::block::compress_prepend_size(&accounts(chunk_len_bytes as usize));
            (true, "stable_write_compressed", write(&data), 1)
        }
    };
    let message_len_bytes = arg.len();
    Measured {
        operation,
        subject: subject.label,
        chunk_len_bytes,
        message_len_bytes,
        instructions: run(subject, update, method, arg) / share,
    }
}

fn run(subject: Subject, update: bool, method: &str, arg: Vec<u8>) -> u64 {
    let mut stable = StableMemory::zeroed(STABLE_PAGES).unwrap();
    stable
        .write(0, &noise((STABLE_PAGES * PAGE_LEN_BYTES) as usize, 1))
        .unwrap();
    let module = engine()
        .load_module(&crate::harness::module_bytes(subject.module))
        .unwrap();
    let mut state = ExecutionState::fresh(module.clone());
    state.stable = stable;
    if subject.over_a_heap {
        let mut heap = Heap::zeroed(HEAP_PAGES).unwrap();
        heap.write(0, &noise((HEAP_PAGES * PAGE_LEN_BYTES) as usize, 2))
            .unwrap();
        state.heap = heap;
        state = state.with_module(module, HeapHandling::Keep);
    }
    let mut env = Env::new(Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]));
    env.controllers = vec![controller()];
    env.caller = controller();
    env.replicated = update;
    let method = method.to_string();
    let (entry, limits) = if update {
        (Entry::Update { method, arg }, Limits::update())
    } else {
        (Entry::Query { method, arg }, Limits::query())
    };
    let outcome = engine().execute(&state, &entry, &env, &limits);
    let instructions = outcome.instructions_used;
    crate::harness::answer(outcome.result, instructions).reply();
    instructions
}

/// Account records in slots, a third of them empty: what a stable map of a ledger looks like.
pub fn accounts(len_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; len_bytes];
    for (index, slot) in bytes
        .chunks_exact_mut(128)
        .enumerate()
        .filter(|(index, _)| index % 3 > 0)
    {
        let record = format!("account-{index:06} owner {:016x} amount", index * 7_919);
        slot[..record.len()].copy_from_slice(record.as_bytes());
        slot[100..108].copy_from_slice(&noise(8, index as u64));
    }
    bytes
}
