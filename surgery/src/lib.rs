//! Surgery on canister modules: pure functions over bytes, no network, no disk, no terminal.
//!
//! ```text
//! unpack ─► sections ─┬─► patch    the same module without its hooks, with the marker
//!                     ├─► layout   can one module run on the heap of another?
//!                     └─► globals  what is lost when globals start afresh?
//! ```
//!
//! Nothing here re-encodes what it does not change: sections are copied as ranges of bytes, so code, data,
//! elements, tables, types and globals stay identical to the last bit, padding of lengths included.

pub mod error;
pub mod exports;
pub mod globals;
pub mod layout;
pub mod leb;
pub mod patch;
pub mod sections;
pub mod unpack;

pub use error::SurgeryError;

/// Name of the custom section without which a heap cannot be kept, as the IC names it.
pub const MARKER: &str = "enhanced-orthogonal-persistence";
/// The hook that runs in the old module before an upgrade.
pub const PRE_UPGRADE: &str = "canister_pre_upgrade";
/// The hook that runs in the new module after an upgrade.
pub const POST_UPGRADE: &str = "canister_post_upgrade";
/// The method that a global timer calls.
pub const GLOBAL_TIMER: &str = "canister_global_timer";
/// Longest module, unpacked, in bytes (interface specification, resource limits).
pub const MODULE_MAX_BYTES: u64 = 100 << 20;
/// Most custom sections named `icp:…` that a module may have (resource limits).
pub const IC_SECTIONS_MAX: usize = 16;
/// Bytes that those sections may have together, names without their `icp:…` scope included.
pub const IC_SECTIONS_MAX_BYTES: usize = 1 << 20;
