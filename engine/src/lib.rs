//! Executes one message of a canister module over its state.
//!
//! The engine is pure: it has no network, no clock, no identities of its own. A caller hands in a
//! state, an entry point, the surroundings of the message ([`Env`]) and its limits; it gets back
//! what the message did ([`Effects`]) or why it failed ([`ExecutionError`]), what it cost in
//! instructions, and the state afterwards. Nothing is committed: the caller keeps
//! [`Outcome::state`] or drops it, and dropping it is a complete rollback.
//!
//! What the engine models is the Internet Computer's embedder: module validation with its texts,
//! block-wise instruction metering with its weights, the `ic0` system API with the contexts each
//! function may be called in, and copy-on-write heap and stable memory.
//!
//! It never routes a call, charges a balance or decides what a failure means for a canister: that
//! is the replica's part.

mod backtrace;
mod call;
mod compile;
mod decode;
mod engine;
mod entry;
mod env;
mod error;
mod execute;
mod fees;
mod heap;
mod host_memory;
mod ic0;
mod image;
mod instance;
mod instrument;
mod mapping;
mod memory_error;
mod meter;
mod method;
mod module;
mod outcome;
mod pagemap;
mod pages;
mod parse;
mod relaxed;
mod slices;
mod stable;
mod stack;
mod state;
mod touched;
mod validate;
mod weights;

pub use engine::{Engine, EngineConfig};
pub use entry::{CallKind, Closure, Entry};
pub use env::{CanisterStatus, Env, Limits};
pub use error::{ExecutionError, ModuleError, TrapCode};
pub use heap::Heap;
pub use memory_error::MemoryError;
pub use method::{Method, MethodKind};
pub use module::{CustomSection, GlobalType, MemoryDecl, Module, Visibility};
pub use outcome::{CallPrepayment, Effects, Outcome, OutgoingCall, Response};
pub use relaxed::{Progress, Relaxed, RulesUsed, Stable32, SystemCall, Trace};
pub use stable::{STABLE_MAX_PAGES, STABLE_PAGE_BYTES, StableMemory};
pub use stack::on_deep_stack;
pub use state::{ExecutionState, GlobalValue, HeapHandling};

/// Bytes of one WebAssembly page, of heap and stable memory alike.
pub const WASM_PAGE_BYTES: u64 = 65_536;
