//! The two memories of a canister that a backup holds.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two memories of a canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Stable memory: survives every upgrade.
    Stable,
    /// The wasm heap: survives only an upgrade that keeps it.
    Heap,
}

impl Memory {
    /// Both memories, in the order in which they are handled.
    pub const ALL: [Memory; 2] = [Memory::Stable, Memory::Heap];
}

impl From<Memory> for wire::root::MemoryKind {
    fn from(memory: Memory) -> Self {
        match memory {
            Memory::Stable => Self::Stable,
            Memory::Heap => Self::Heap,
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Memory::Stable => "stable memory",
            Memory::Heap => "heap",
        })
    }
}
