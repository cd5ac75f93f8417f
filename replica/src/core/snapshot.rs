//! Snapshots: a canister's code and memories, set aside.

use std::fmt;
use std::sync::Arc;

use candid::Principal;
use engine::{GlobalValue, Heap, StableMemory};

use super::canister::{Canister, HookStatus};
use super::chunk_store::ChunkStore;
use super::errors::UserError;

/// Bytes one global counts for.
pub const GLOBAL_BYTES: u64 = 32;

/// Identifies a snapshot: the number of the snapshot (8 bytes, big endian), then its canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// The canister it belongs to.
    pub canister: Principal,
    /// Counts the snapshots of the canister, from 0.
    pub number: u64,
}

impl SnapshotId {
    /// The bytes users see.
    pub fn to_bytes(self) -> Vec<u8> {
        [&self.number.to_be_bytes(), self.canister.as_slice()].concat()
    }

    /// Reads an id.
    ///
    /// # Errors
    /// Bytes that are no id.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UserError> {
        let parts = bytes.split_at_checked(8).filter(|(_, id)| id.len() <= 29);
        let Some((number, canister)) = parts else {
            return Err(UserError::undecodable(format!(
                "Invalid snapshot ID: {}",
                hex::encode(bytes)
            )));
        };
        Ok(SnapshotId {
            canister: Principal::from_slice(canister),
            number: u64::from_be_bytes(number.try_into().expect("BUG: split after 8 bytes")),
        })
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.canister, self.number)
    }
}

/// Where a snapshot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotSource {
    /// Taken from a canister; nobody can write to it.
    Taken,
    /// Made from uploaded metadata, to be filled by uploads.
    Uploaded,
}

/// A snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where it came from.
    pub source: SnapshotSource,
    /// When it was made, nanoseconds since the epoch.
    pub taken_at_ns: u64,
    /// Version of the canister then.
    pub canister_version: u64,
    /// The module's bytes as they were installed.
    pub module: Arc<Vec<u8>>,
    /// The heap.
    pub heap: Heap,
    /// Stable memory.
    pub stable: StableMemory,
    /// Exported globals, then mutable ones that are not exported.
    pub globals: Vec<GlobalValue>,
    /// The chunk store.
    pub chunk_store: ChunkStore,
    /// Certified data.
    pub certified_data: Vec<u8>,
    /// The global timer; the outer `None` in uploaded metadata that left it out.
    pub global_timer: Option<Option<u64>>,
    /// Where the low memory hook stood; `None` in uploaded metadata that left it out.
    pub hook: Option<HookStatus>,
    /// What it counts for, in bytes.
    pub size_bytes: u64,
    /// Whether it has memory pages that no checkpoint has seen: only its own canister can load it.
    pub is_unflushed: bool,
}

impl Snapshot {
    /// Sets a canister's state aside.
    ///
    /// # Errors
    /// A canister without code.
    pub fn take(canister: &Canister, now_ns: u64) -> Result<Self, UserError> {
        let Some(state) = &canister.code else {
            return Err(UserError::snapshot_of_empty(canister.id));
        };
        Ok(Snapshot {
            source: SnapshotSource::Taken,
            taken_at_ns: now_ns,
            canister_version: canister.version,
            module: Arc::new(state.module.bytes().to_vec()),
            heap: state.heap.clone(),
            stable: state.stable.clone(),
            globals: state.globals.clone(),
            chunk_store: canister.chunk_store.clone(),
            certified_data: canister.certified_data.clone(),
            global_timer: Some(canister.global_timer),
            hook: Some(canister.hook),
            size_bytes: canister.snapshot_size_bytes(),
            is_unflushed: canister.unflushed_bytes > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_number_and_the_canister() {
        let bytes = hex::decode("00000000000000010000000000000fff0101").unwrap();
        let id = SnapshotId::from_bytes(&bytes).unwrap();
        assert_eq!(id.to_string(), "nnwu2-gqaaa-aaaaa-ab77q-cai-1");
        assert_eq!(id.to_bytes(), bytes);
        assert!(SnapshotId::from_bytes(&bytes[..7]).is_err());
    }
}
