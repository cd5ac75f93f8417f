//! A validated, compiled canister module.

use crate::heap::Heap;
use crate::method::Method;
use crate::state::GlobalValue;

/// Declared size of a module's memory, in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryDecl {
    /// Initial size.
    pub minimum_pages: u64,
    /// Declared maximum.
    pub maximum_pages: Option<u64>,
}

/// Who may read a custom section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// `icp:public`: anybody.
    Public,
    /// `icp:private`: controllers.
    Private,
}

/// A custom section whose name starts with `icp:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomSection {
    /// Who may read it.
    pub visibility: Visibility,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Type of a global as snapshot metadata names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// Value type, by an example of value zero.
    pub zero: GlobalValue,
    /// Whether it can change.
    pub mutable: bool,
}

/// A validated, compiled canister module. Shared by all canisters it is installed in.
#[derive(Debug)]
pub struct Module {
    hash: [u8; 32],
}

impl Module {
    /// SHA-256 of the bytes as given (compressed, when they were).
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
    /// The bytes as given.
    pub fn bytes(&self) -> &[u8] {
        todo!()
    }
    /// The bytes, decompressed.
    pub fn wasm_bytes(&self) -> &[u8] {
        todo!()
    }
    /// Whether the memory is 64-bit.
    pub fn is_wasm64(&self) -> bool {
        todo!()
    }
    /// The declared memory.
    pub fn memory(&self) -> Option<MemoryDecl> {
        todo!()
    }
    /// Whether the method is exported (for [`Method::Start`]: whether there is a start section).
    pub fn exports(&self, _method: &Method) -> bool {
        todo!()
    }
    /// All methods the system can call, in export order.
    pub fn methods(&self) -> &[Method] {
        todo!()
    }
    /// Custom sections named `icp:…`, by name without the prefix.
    pub fn custom_sections(&self) -> &std::collections::BTreeMap<String, CustomSection> {
        todo!()
    }
    /// Whether the module carries the marker section `enhanced-orthogonal-persistence`.
    pub fn has_marker(&self) -> bool {
        todo!()
    }
    /// Instructions charged for compiling the module the first time.
    pub fn compile_cost_instructions(&self) -> u64 {
        todo!()
    }
    /// The globals a snapshot lists: exported ones in export order, then mutable ones that are
    /// not exported, in index order.
    pub fn global_types_for_snapshot(&self) -> &[GlobalType] {
        todo!()
    }
    /// Initial values in the order of [`Module::global_types_for_snapshot`].
    pub fn initial_globals(&self) -> Vec<GlobalValue> {
        todo!()
    }
    /// The heap of a fresh instance: declared minimum, data segments applied.
    pub fn initial_heap(&self) -> Heap {
        todo!()
    }
}
