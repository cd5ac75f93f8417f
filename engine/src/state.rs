//! The state of a canister's code: module, heap, globals, stable memory.

use crate::heap::Heap;
use crate::module::Module;
use crate::stable::StableMemory;
use std::sync::Arc;

/// The value of a WebAssembly global; floats and vectors by their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GlobalValue {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`, bits
    F32(u32),
    /// `f64`, bits
    F64(u64),
    /// `v128`, bits
    V128(u128),
}

impl GlobalValue {
    pub(crate) fn to_wasmtime(self) -> wasmtime::Val {
        match self {
            Self::I32(value) => wasmtime::Val::I32(value),
            Self::I64(value) => wasmtime::Val::I64(value),
            Self::F32(bits) => wasmtime::Val::F32(bits),
            Self::F64(bits) => wasmtime::Val::F64(bits),
            Self::V128(bits) => wasmtime::Val::V128(bits.into()),
        }
    }
}

/// What becomes of the heap when code is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapHandling {
    /// Fresh heap of the new module with its data segments.
    Replace,
    /// The old heap stays; data segments are not applied.
    Keep,
}

/// State of an installed canister. Cloning is cheap: pages are shared and copied on write.
#[derive(Clone, Debug)]
pub struct ExecutionState {
    /// The installed module.
    pub module: Arc<Module>,
    /// WebAssembly memory 0; empty when the module has none.
    pub heap: Heap,
    /// Values of the globals a snapshot lists, in the order of
    /// [`Module::global_types_for_snapshot`].
    pub globals: Vec<GlobalValue>,
    /// Stable memory.
    pub stable: StableMemory,
}

impl ExecutionState {
    /// State right after creation from a module: data segments applied, initial globals, empty
    /// stable memory. The start function has not run.
    pub fn fresh(module: Arc<Module>) -> Self {
        Self {
            heap: module.initial_heap(),
            globals: module.initial_globals(),
            stable: StableMemory::new(),
            module,
        }
    }

    /// The state after new code was put in place by an upgrade: stable memory kept, globals
    /// initialised anew, heap as asked. No function has run.
    pub fn with_module(&self, module: Arc<Module>, handling: HeapHandling) -> Self {
        Self {
            heap: match handling {
                HeapHandling::Replace => module.initial_heap(),
                HeapHandling::Keep => self.heap.clone(),
            },
            globals: module.initial_globals(),
            stable: self.stable.clone(),
            module,
        }
    }
}
