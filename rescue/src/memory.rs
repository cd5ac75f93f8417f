//! The only list of stable memory regions. An id, once released, is never given to something else.
//!
//! ```text
//! id  holds                                  key                              value
//! 0   settings, the layout's first word      -                                store::settings
//! 1   cases                                  case, 8 bytes big-endian         store::cases
//! 2   journal                                case ‖ index, 16 bytes           store::journal
//! 3   digests, 64 to a block                 case ‖ memory ‖ block, 17 bytes  store::digests
//! 4   staged chunks of final modules         case ‖ index, 12 bytes           store::modules
//! 5   counters for /metrics                  -                                store::counters
//! ```

use ic_stable_structures::DefaultMemoryImpl;
use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};

/// A region.
pub type Region = VirtualMemory<DefaultMemoryImpl>;

const SETTINGS: MemoryId = MemoryId::new(0);
const CASES: MemoryId = MemoryId::new(1);
const JOURNAL: MemoryId = MemoryId::new(2);
const DIGESTS: MemoryId = MemoryId::new(3);
const MODULES: MemoryId = MemoryId::new(4);
const COUNTERS: MemoryId = MemoryId::new(5);

thread_local! {
    static MANAGER: MemoryManager<DefaultMemoryImpl> =
        MemoryManager::init(DefaultMemoryImpl::default());
}

fn region(id: MemoryId) -> Region {
    MANAGER.with(|manager| manager.get(id))
}

/// Settings.
pub fn settings() -> Region {
    region(SETTINGS)
}

/// Cases.
pub fn cases() -> Region {
    region(CASES)
}

/// Journal.
pub fn journal() -> Region {
    region(JOURNAL)
}

/// Digests.
pub fn digests() -> Region {
    region(DIGESTS)
}

/// Staged modules.
pub fn modules() -> Region {
    region(MODULES)
}

/// Counters.
pub fn counters() -> Region {
    region(COUNTERS)
}
