//! A validated, compiled canister module.

use crate::backtrace::FunctionNames;
use crate::compile::Compiler;
use crate::decode::decode;
use crate::error::{Help, ModuleError};
use crate::heap::Heap;
use crate::ic0::Host;
use crate::instrument::instrument;
use crate::method::Method;
use crate::parse::Parsed;
use crate::state::GlobalValue;
use crate::validate::{constant_offset, custom_sections, validate};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use wasmparser::{DataKind, ExternalKind, ValType};
use wasmtime::InstancePre;

/// Name of the custom section that declares enhanced orthogonal persistence.
const MARKER_SECTION: &str = "enhanced-orthogonal-persistence";

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
    /// Value type, by its zero.
    pub zero: GlobalValue,
    /// Whether it can change.
    pub mutable: bool,
}

/// A global a snapshot lists: its index in the module and its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListedGlobal {
    pub(crate) index: u32,
    pub(crate) ty: GlobalType,
}

/// A validated, compiled canister module. Shared by all canisters it is installed in.
pub struct Module {
    hash: [u8; 32],
    bytes: Vec<u8>,
    /// The uncompressed module, when the bytes as given are compressed.
    unpacked: Option<Vec<u8>>,
    wasm64: bool,
    memory: Option<MemoryDecl>,
    methods: Vec<Method>,
    method_set: HashSet<Method>,
    custom_sections: BTreeMap<String, CustomSection>,
    compile_cost: u64,
    globals: Vec<ListedGlobal>,
    global_types: Vec<GlobalType>,
    initial_globals: Vec<GlobalValue>,
    initial_heap: Heap,
    function_names: FunctionNames,
    code: InstancePre<Host>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("hash", &self.hash)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Validates, rewrites and compiles a module, then instantiates it once for its globals.
    pub(crate) fn load(
        compiler: &Compiler,
        bytes: &[u8],
        hash: [u8; 32],
    ) -> Result<Arc<Self>, ModuleError> {
        let wasm = decode(bytes)?;
        let parsed = validate(&wasm)?;
        let custom_sections = custom_sections(&parsed)?;
        check_data_bounds(&parsed)?;
        check_stable_access(&parsed)?;
        let instrumented = instrument(&wasm, &parsed)?;
        let wasm64 = parsed.is_wasm64();
        let code = compiler.compile(&instrumented.wasm, wasm64)?;
        let memory = parsed.memories.first().map(|memory| MemoryDecl {
            minimum_pages: memory.initial,
            maximum_pages: memory.maximum,
        });
        let methods = methods(&parsed);
        let globals = listed_globals(&parsed);
        let initial_heap = initial_heap(&parsed, memory)?;
        let initial_globals =
            crate::instance::initial_globals(compiler, &code, &initial_heap, &globals)?;
        Ok(Arc::new(Self {
            hash,
            unpacked: match wasm {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(ref wasm) => Some(wasm.clone()),
            },
            bytes: bytes.to_vec(),
            wasm64,
            memory,
            method_set: methods.iter().cloned().collect(),
            methods,
            custom_sections,
            compile_cost: instrumented.compile_cost,
            global_types: globals.iter().map(|global| global.ty).collect(),
            globals,
            initial_globals,
            initial_heap,
            function_names: FunctionNames::new(&parsed),
            code,
        }))
    }

    /// SHA-256 of the bytes as given (compressed, when they were).
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The bytes as given.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, decompressed.
    pub fn wasm_bytes(&self) -> &[u8] {
        self.unpacked.as_deref().unwrap_or(&self.bytes)
    }

    /// Whether the memory is 64-bit.
    pub fn is_wasm64(&self) -> bool {
        self.wasm64
    }

    /// The declared memory.
    pub fn memory(&self) -> Option<MemoryDecl> {
        self.memory
    }

    /// Whether the method is exported (for [`Method::Start`]: whether there is a start section).
    pub fn exports(&self, method: &Method) -> bool {
        self.method_set.contains(method)
    }

    /// All methods the system can call, in export order; the start function last.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Custom sections named `icp:…`, by name without the prefix.
    pub fn custom_sections(&self) -> &BTreeMap<String, CustomSection> {
        &self.custom_sections
    }

    /// Whether the module carries the marker section `enhanced-orthogonal-persistence`.
    pub fn has_marker(&self) -> bool {
        self.custom_sections.contains_key(MARKER_SECTION)
    }

    /// Instructions charged for compiling the module the first time.
    pub fn compile_cost_instructions(&self) -> u64 {
        self.compile_cost
    }

    /// The globals a snapshot lists: exported ones in export order, then mutable ones that are
    /// not exported, in index order.
    pub fn global_types_for_snapshot(&self) -> &[GlobalType] {
        &self.global_types
    }

    /// Initial values in the order of [`Module::global_types_for_snapshot`].
    pub fn initial_globals(&self) -> Vec<GlobalValue> {
        self.initial_globals.clone()
    }

    /// The heap of a fresh instance: declared minimum, data segments applied.
    pub fn initial_heap(&self) -> Heap {
        self.initial_heap.clone()
    }

    pub(crate) fn listed_globals(&self) -> &[ListedGlobal] {
        &self.globals
    }

    pub(crate) fn function_names(&self) -> &FunctionNames {
        &self.function_names
    }

    pub(crate) fn code(&self) -> &InstancePre<Host> {
        &self.code
    }
}

fn methods(parsed: &Parsed) -> Vec<Method> {
    let exported = parsed
        .exports
        .iter()
        .filter(|export| export.kind == ExternalKind::Func)
        .filter_map(|export| Method::from_export_name(export.name));
    exported
        .chain(parsed.start.map(|_| Method::Start))
        .collect()
}

fn global_type(ty: &wasmparser::GlobalType) -> Option<GlobalType> {
    let zero = match ty.content_type {
        ValType::I32 => GlobalValue::I32(0),
        ValType::I64 => GlobalValue::I64(0),
        ValType::F32 => GlobalValue::F32(0),
        ValType::F64 => GlobalValue::F64(0),
        ValType::V128 => GlobalValue::V128(0),
        ValType::Ref(_) => return None,
    };
    Some(GlobalType {
        zero,
        mutable: ty.mutable,
    })
}

fn listed_globals(parsed: &Parsed) -> Vec<ListedGlobal> {
    let exported: Vec<u32> = parsed
        .exports
        .iter()
        .filter(|export| export.kind == ExternalKind::Global)
        .map(|export| export.index)
        .collect();
    let hidden = (0..parsed.globals.len() as u32)
        .filter(|index| parsed.globals[*index as usize].ty.mutable && !exported.contains(index));
    exported
        .iter()
        .copied()
        .chain(hidden)
        .filter_map(|index| {
            let ty = global_type(&parsed.globals.get(index as usize)?.ty)?;
            Some(ListedGlobal { index, ty })
        })
        .collect()
}

/// Offset and bytes of the active data segments.
fn active_segments<'a>(parsed: &'a Parsed<'a>) -> impl Iterator<Item = (u64, &'a [u8])> {
    let wasm64 = parsed.is_wasm64();
    parsed
        .data
        .iter()
        .filter_map(move |segment| match &segment.kind {
            DataKind::Active { offset_expr, .. } => {
                Some((constant_offset(offset_expr, wasm64)?, segment.data))
            }
            DataKind::Passive => None,
        })
}

/// Copies between stable memory and the heap need a heap: replicas fail to compile a module that imports them and
/// declares none.
fn check_stable_access(parsed: &Parsed) -> Result<(), ModuleError> {
    const COPIES: [&str; 4] = [
        "stable_read",
        "stable_write",
        "stable64_read",
        "stable64_write",
    ];
    let copies = |name: &&str| COPIES.contains(name);
    let mut imports = parsed.imports.iter().map(|import| import.name);
    match imports.find(copies) {
        Some(name) if parsed.memories.is_empty() => Err(ModuleError::engine(format_args!(
            "Failed to instantiate module: failed to compile: {name} needs a memory"
        ))),
        _ => Ok(()),
    }
}

fn check_data_bounds(parsed: &Parsed) -> Result<(), ModuleError> {
    let pages = parsed.memories.first().map_or(0, |memory| memory.initial);
    let size = pages.saturating_mul(crate::WASM_PAGE_BYTES);
    for (offset, data) in active_segments(parsed) {
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > size) {
            return Err(ModuleError::instrumentation(
                format!(
                    "Wasm module has invalid data segment of {} bytes at {offset}",
                    data.len()
                ),
                Help::Toolchain,
            ));
        }
    }
    Ok(())
}

fn initial_heap(parsed: &Parsed, memory: Option<MemoryDecl>) -> Result<Heap, ModuleError> {
    let build = || {
        let mut heap = Heap::zeroed(memory.map_or(0, |memory| memory.minimum_pages))?;
        for (offset, data) in active_segments(parsed) {
            heap.write(offset, data)?;
        }
        Ok(heap)
    };
    build().map_err(|error: crate::MemoryError| {
        ModuleError::engine(format!("Failed to instantiate module: {error}"))
    })
}
