//! A case to begin with.

use candid::Principal;
use rescue::case::model::{Case, Heap, Held, MemoryRecord, Phase, Plan, Run, Seen, SnapshotPolicy};

use super::{MEMORY_BYTES, OWN, operator, rescue};

/// A case whose fields are all set to something, to be overwritten.
pub fn placeholder() -> Case {
    let seen = Seen {
        at: 0,
        run: Run::Running,
        module_hash: Some(OWN),
        version: 1,
        total_changes: 1,
        controllers: vec![rescue()],
        stable_bytes: MEMORY_BYTES,
        heap_bytes: 65_536,
        memory_bytes: MEMORY_BYTES,
        chunk_store_bytes: 0,
        cycles: 1_000_000_000_000,
        frozen_cycles: 0,
        idle_cycles_per_day: 1,
        compute_allocation: 0,
        memory_allocation: 0,
        freezing_threshold: 1,
        wasm_memory_limit: 0,
    };
    Case {
        id: 1,
        patient: Principal::from_slice(&[1, 1]),
        rescue: rescue(),
        opened_by: operator(),
        opened_at: 0,
        changed_at: 0,
        phase: Phase::Holding {
            module: Held::Own,
            run: Run::Running,
        },
        pending: None,
        next_token: 1,
        baseline: seen.clone(),
        last_seen: seen,
        own_hash: Some(OWN),
        pair_hash: None,
        final_hash: None,
        policy: SnapshotPolicy::Take,
        snapshot: None,
        lived_since_snapshot: false,
        rolled_back: false,
        held_before_foreign: Held::Own,
        plan: Plan {
            heap: Heap::Keep,
            restore: false,
        },
        stable: MemoryRecord::default(),
        heap: MemoryRecord::default(),
        journal_length: 0,
        staged_chunks: 0,
        staged_bytes: 0,
    }
}
