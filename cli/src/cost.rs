//! What a rescue costs: the published constants of a 13-node subnet, scaled by the number of nodes. Pure.
//!
//! Sources: fees of the Internet Computer's documentation (cycle costs), measured costs of the pair's calls.
//! Estimates are upper bounds where the amount of work is not known beforehand.

use wire::limits::{
    CHUNK_LEN_BYTES, GIB_BYTES, HASH_CHUNKS_PER_CALL_MAX, HASH_INSTRUCTIONS_PER_BYTE_MAX,
    HASH_LANES,
};

/// Nodes that the constants are published for.
pub const REFERENCE_NODES: u32 = 13;
/// Execution of one update call.
const UPDATE_CYCLES: u128 = 5_000_000;
/// Reception of one ingress message.
const INGRESS_CYCLES: u128 = 1_200_000;
/// Reception of one byte of an ingress message.
const INGRESS_BYTE_CYCLES: u128 = 2_000;
/// One instruction (32-bit modules).
const INSTRUCTION_CYCLES: u128 = 1;
/// Storage of one GiB for one second.
const STORAGE_GIB_SECOND_CYCLES: u128 = 127_000;
/// Taking a snapshot: once, and for each GiB.
const SNAPSHOT_CYCLES: u128 = 2_005_000_000;
const SNAPSHOT_GIB_CYCLES: u128 = 1_070_000_000;
/// What must be free for one install_code; all but what it used is paid back.
pub const INSTALL_PREPAID_CYCLES: u128 = 300_000_000_000;
/// What one install_code of a module of the pair uses (measured, rounded up).
const SWAP_CYCLES: u128 = 50_000_000;

/// Cycles of each part of a rescue, on a subnet of a given size.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    nodes: u128,
}

impl Costs {
    /// On a subnet of `nodes` nodes.
    pub fn new(nodes: u32) -> Self {
        Self {
            nodes: u128::from(nodes),
        }
    }

    fn scaled(self, cycles: u128) -> u128 {
        cycles * self.nodes / u128::from(REFERENCE_NODES)
    }

    /// Free balance that one installation asks for.
    pub fn install_prepaid(self) -> u128 {
        self.scaled(INSTALL_PREPAID_CYCLES)
    }

    /// Stopping, swapping and starting.
    pub fn swap(self) -> u128 {
        self.scaled(SWAP_CYCLES + 3 * (UPDATE_CYCLES + INGRESS_CYCLES))
    }

    /// Taking a snapshot of so many bytes.
    pub fn snapshot(self, bytes: u64) -> u128 {
        self.scaled(SNAPSHOT_CYCLES + per_gib(SNAPSHOT_GIB_CYCLES, bytes))
    }

    /// Storing so many more bytes for a day.
    pub fn storage_day(self, bytes: u64) -> u128 {
        self.scaled(per_gib(STORAGE_GIB_SECOND_CYCLES * 86_400, bytes))
    }

    /// Hashing one memory of so many bytes by replicated execution.
    pub fn checksum(self, bytes: u64) -> u128 {
        let calls = bytes
            .div_ceil(CHUNK_LEN_BYTES * HASH_CHUNKS_PER_CALL_MAX)
            .max(1);
        let instructions = u128::from(hash_instructions(bytes));
        let fixed = u128::from(calls) * (UPDATE_CYCLES + INGRESS_CYCLES);
        self.scaled(fixed + instructions * INSTRUCTION_CYCLES)
    }

    /// Writing so many bytes, uncompressed.
    pub fn upload(self, bytes: u64) -> u128 {
        let calls = u128::from(bytes.div_ceil(CHUNK_LEN_BYTES));
        let fixed = calls * (UPDATE_CYCLES + INGRESS_CYCLES);
        // Each byte is copied from the message and written to memory: a few instructions.
        let per_byte = INGRESS_BYTE_CYCLES + 3 * INSTRUCTION_CYCLES;
        self.scaled(fixed + u128::from(bytes) * per_byte)
    }
}

/// Instructions that the pair spends at most on hashing one memory. Four chunks are hashed side by side; a group of
/// fewer, and a last chunk that is cut short, take as long as four of their length.
fn hash_instructions(bytes: u64) -> u64 {
    let groups = (bytes / CHUNK_LEN_BYTES).div_ceil(HASH_LANES);
    let cut_short_bytes = bytes % CHUNK_LEN_BYTES;
    let hashed_bytes = HASH_LANES * (groups * CHUNK_LEN_BYTES + cut_short_bytes);
    hashed_bytes * HASH_INSTRUCTIONS_PER_BYTE_MAX
}

fn per_gib(cycles: u128, bytes: u64) -> u128 {
    cycles * u128::from(bytes) / u128::from(GIB_BYTES)
}

/// Cycles for people, rounded up.
pub fn human_cycles(cycles: u128) -> String {
    const UNITS: [(u128, &str); 3] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "B"),
        (1_000_000, "M"),
    ];
    for (size, name) in UNITS {
        if cycles >= size {
            let hundredths = (cycles * 100).div_ceil(size);
            return format!("{}.{:02} {name}", hundredths / 100, hundredths % 100);
        }
    }
    cycles.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{Role, module};
    use candid::{Encode, Principal};
    use engine::{
        Engine, EngineConfig, Entry, Env, ExecutionState, Heap, HeapHandling, Limits, StableMemory,
    };
    use wire::limits::PAGE_LEN_BYTES;

    /// Instructions that the engine counts for hashing a memory of so many pages without a pattern, by as many
    /// calls as that takes.
    fn counted(engine: &Engine, method: &str, pages: u64) -> u64 {
        let downloader = module(Role::Downloader, None, 0)
            .expect("the pair is embedded in builds that are tested: run `cargo xtask wasm` first");
        let bytes: Vec<u8> = (0..pages * PAGE_LEN_BYTES / 8)
            .flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect();
        let (mut heap, mut stable) = (
            Heap::zeroed(pages).unwrap(),
            StableMemory::zeroed(pages).unwrap(),
        );
        heap.write(0, &bytes).unwrap();
        stable.write(0, &bytes).unwrap();
        let loaded = engine.load_module(&downloader).unwrap();
        let mut state = ExecutionState::fresh(loaded.clone());
        (state.heap, state.stable) = (heap, stable);
        let state = state.with_module(loaded, HeapHandling::Keep);
        let controller = Principal::self_authenticating([7; 32]);
        let mut env = Env::new(Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]));
        (env.controllers, env.caller, env.replicated) = (vec![controller], controller, true);
        let chunks = (bytes.len() as u64).div_ceil(CHUNK_LEN_BYTES);
        let mut counted = 0;
        for first in (0..chunks).step_by(HASH_CHUNKS_PER_CALL_MAX as usize) {
            let count = HASH_CHUNKS_PER_CALL_MAX.min(chunks - first);
            let entry = Entry::Query {
                method: method.to_string(),
                arg: Encode!(&(first * CHUNK_LEN_BYTES), &CHUNK_LEN_BYTES, &count).unwrap(),
            };
            let outcome = engine.execute(&state, &entry, &env, &Limits::replicated_query());
            outcome.result.unwrap();
            counted += outcome.instructions_used;
        }
        counted
    }

    #[test]
    fn hashing_costs_what_the_engine_counts_and_little_less_than_estimated() {
        let engine = Engine::new(EngineConfig::default());
        // In pages: less than a chunk, one to five chunks, with a last one cut short, and more than one call.
        for pages in [1, 15, 16, 17, 32, 47, 48, 64, 80, 65 * 16 + 3] {
            let estimated = hash_instructions(pages * PAGE_LEN_BYTES);
            for method in ["stable_sha256", "heap_sha256"] {
                let counted = counted(&engine, method, pages);
                assert!(
                    counted <= estimated && estimated * 4 <= counted * 5,
                    "{method} of {pages} pages: {counted} counted, {estimated} estimated"
                );
            }
        }
    }

    #[test]
    fn one_gib_costs_what_the_published_constants_say() {
        let costs = Costs::new(13);
        let near = |found: u128, billions: u128| {
            found / 1_000_000_000 >= billions * 97 / 100
                && found / 1_000_000_000 <= billions * 103 / 100
        };
        assert!(
            near(costs.upload(GIB_BYTES), 2_155),
            "{}",
            costs.upload(GIB_BYTES)
        );
        assert!(
            near(costs.checksum(GIB_BYTES), 43),
            "{}",
            costs.checksum(GIB_BYTES)
        );
        assert!(
            near(costs.storage_day(GIB_BYTES), 11),
            "{}",
            costs.storage_day(GIB_BYTES)
        );
        assert_eq!(costs.snapshot(GIB_BYTES), 3_075_000_000);
        assert_eq!(
            Costs::new(26).upload(GIB_BYTES),
            2 * costs.upload(GIB_BYTES)
        );
    }

    #[test]
    fn cycles_are_written_for_people() {
        let texts = [999, 1_000_000, 1_234_567_890, 2_150_000_000_001].map(human_cycles);
        assert_eq!(texts, ["999", "1.00 M", "1.24 B", "2.16 T"]);
    }
}
