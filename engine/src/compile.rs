//! Compiles rewritten modules, with a folder of compiled code that outlives the process.

#![allow(unsafe_code)]

use crate::backtrace::FRAMES_MAX;
use crate::error::ModuleError;
use crate::heap::GUARD_BYTES;
use crate::host_memory::HeapCreator;
use crate::ic0::{self, Host};
use crate::image::HEAP_MAX_BYTES;
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel, Strategy};

/// Stack a canister may use (`MAX_WASM_STACK_SIZE`).
pub(crate) const WASM_STACK_BYTES: usize = 5 << 20;

/// wasmtime set up for canisters, with the system API for both kinds of memory.
pub(crate) struct Compiler {
    engine: Engine,
    linker_32: Linker<Host>,
    linker_64: Linker<Host>,
    cache_dir: Option<PathBuf>,
    /// What compiled code must match to be used again.
    compatibility: u64,
}

fn configuration() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        // Modules come optimised; compiling fast matters more here.
        .cranelift_opt_level(OptLevel::None)
        // Results must not depend on the machine.
        .cranelift_nan_canonicalization(true)
        .generate_address_map(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Unused, but must not be smaller.
        .async_stack_size(2 * WASM_STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX))
        .memory_init_cow(false)
        .memory_may_move(false)
        .memory_reservation(HEAP_MAX_BYTES)
        .memory_guard_size(GUARD_BYTES)
        .with_host_memory(Arc::new(HeapCreator))
        .wasm_bulk_memory(true)
        .wasm_extended_const(false)
        .wasm_memory64(true)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_simd(true)
        .wasm_tail_call(true);
    config
}

impl Compiler {
    pub(crate) fn new(cache_dir: Option<PathBuf>) -> Self {
        let engine =
            Engine::new(&configuration()).expect("BUG: the configuration is a fixed, valid one");
        let mut linker_32 = Linker::new(&engine);
        ic0::link::<u32>(&mut linker_32).expect("BUG: a system function is defined twice");
        let mut linker_64 = Linker::new(&engine);
        ic0::link::<u64>(&mut linker_64).expect("BUG: a system function is defined twice");
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self {
            engine,
            linker_32,
            linker_64,
            cache_dir,
            compatibility: hasher.finish(),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a rewritten module, or takes its code from the cache folder.
    pub(crate) fn compile(
        &self,
        wasm: &[u8],
        wasm64: bool,
    ) -> Result<InstancePre<Host>, ModuleError> {
        let path = self
            .cache_dir
            .as_deref()
            .map(|dir| self.cache_path(dir, wasm));
        let module = match path.as_deref().and_then(|path| self.load(path)) {
            Some(module) => module,
            None => {
                let module = Module::new(&self.engine, wasm)
                    .map_err(|error| ModuleError::engine(format!("WasmEngineError: {error:#}")))?;
                if let Some(path) = &path {
                    store(path, &module);
                }
                module
            }
        };
        self.linker(wasm64)
            .instantiate_pre(&module)
            .map_err(|error| {
                ModuleError::engine(format!("Failed to instantiate module: {error:#}"))
            })
    }

    /// The system API for one kind of memory.
    pub(crate) fn linker(&self, wasm64: bool) -> &Linker<Host> {
        if wasm64 {
            &self.linker_64
        } else {
            &self.linker_32
        }
    }

    fn cache_path(&self, dir: &Path, wasm: &[u8]) -> PathBuf {
        let digest: [u8; 32] = Sha256::digest(wasm).into();
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        dir.join(format!("{name}-{:016x}.cwasm", self.compatibility))
    }

    fn load(&self, path: &Path) -> Option<Module> {
        if !path.is_file() {
            return None;
        }
        // SAFETY: files of this name in the cache folder are written by `store` below, whole and
        // renamed into place, from wasmtime's own serialization of this very module; wasmtime
        // checks version and settings. Who can write the folder can run code as this user.
        unsafe { Module::deserialize_file(&self.engine, path) }.ok()
    }
}

/// Puts code into the cache folder. A cache that cannot be written costs time only.
fn store(path: &Path, module: &Module) {
    let Ok(code) = module.serialize() else {
        return;
    };
    let Some(dir) = path.parent() else { return };
    // A name of its own for each writer: renaming must not catch a file half written.
    static WRITERS: AtomicU64 = AtomicU64::new(0);
    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{writer}.partial", std::process::id()));
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&partial, code))
        .and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // Nothing to do about it: the next process compiles again.
        let _ = std::fs::remove_file(&partial);
    }
}
