//! Instances: made from a module's code and a state, thrown away after one message.

use crate::compile::Compiler;
use crate::entry::Entry;
use crate::env::{Env, Limits};
use crate::error::{ExecutionError, ModuleError};
use crate::heap::Heap;
use crate::host_memory::with_mapping;
use crate::ic0::{Host, instantiate_watched};
use crate::image::Image;
use crate::instrument::{COUNTER, MEMORY, global_export};
use crate::mapping::Mapping;
use crate::memory_error::MemoryError;
use crate::module::ListedGlobal;
use crate::relaxed::Running;
use crate::slices::Slices;
use crate::state::{ExecutionState, GlobalValue};
use std::sync::Arc;
use wasmtime::{Instance, InstancePre, Store, Trap, Val};

pub(crate) fn engine_error(what: impl std::fmt::Display) -> ExecutionError {
    ExecutionError::WasmEngine {
        message: what.to_string(),
    }
}

/// The values of listed globals right after instantiation.
pub(crate) fn initial_globals(
    compiler: &Compiler,
    code: &InstancePre<Host>,
    heap: &Heap,
    globals: &[ListedGlobal],
) -> Result<Vec<GlobalValue>, ModuleError> {
    let fail = |error: ExecutionError| match error {
        ExecutionError::WasmEngine { message } => ModuleError::engine(message),
        other => ModuleError::engine(other),
    };
    let env = Env::new(candid::Principal::management_canister());
    let host = Host::new(
        &Entry::Start,
        &env,
        &Limits::unbounded(),
        crate::StableMemory::new(),
        false,
    );
    let mapped = heap
        .map(0)
        .map_err(|error| ModuleError::engine(format!("Failed to instantiate module: {error}")))?;
    let (mut store, instance) =
        instantiate(compiler, code, host, false, Some(mapped.mapping)).map_err(fail)?;
    read_globals(&mut store, &instance, globals).map_err(fail)
}

fn instantiate(
    compiler: &Compiler,
    code: &InstancePre<Host>,
    host: Host,
    wasm64: bool,
    mapping: Option<Mapping>,
) -> Result<(Store<Host>, Instance), ExecutionError> {
    let mut store = Store::new(compiler.engine(), host);
    store.limiter(|host| &mut host.store_limits);
    let instance = with_mapping(mapping, || match store.data().relaxed {
        None => code.instantiate(&mut store),
        Some(_) => instantiate_watched(&mut store, compiler.linker(wasm64), code.module()),
    })
    .map_err(|error| {
        let text = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => format!("{error:#}"),
        };
        engine_error(format!("Failed to instantiate module: {text}"))
    })?;
    Ok((store, instance))
}

pub(crate) fn read_globals(
    store: &mut Store<Host>,
    instance: &Instance,
    globals: &[ListedGlobal],
) -> Result<Vec<GlobalValue>, ExecutionError> {
    let mut values = Vec::with_capacity(globals.len());
    for global in globals {
        let handle = instance
            .get_global(&mut *store, &global_export(global.index))
            .ok_or_else(|| engine_error("a global is missing"))?;
        values.push(match handle.get(&mut *store) {
            Val::I32(value) => GlobalValue::I32(value),
            Val::I64(value) => GlobalValue::I64(value),
            Val::F32(bits) => GlobalValue::F32(bits),
            Val::F64(bits) => GlobalValue::F64(bits),
            Val::V128(value) => GlobalValue::V128(value.as_u128()),
            _ => return Err(engine_error("a global has an unknown type")),
        });
    }
    Ok(values)
}

/// An instance made from a state, ready to run.
pub(crate) struct Execution {
    pub(crate) store: Store<Host>,
    pub(crate) instance: Instance,
    /// What the heap was made from; `None` when the module has no memory.
    pub(crate) image: Option<Arc<Image>>,
}

impl Execution {
    /// An instance over `state`, with all its counters set.
    pub(crate) fn start(
        compiler: &Compiler,
        state: &ExecutionState,
        entry: &Entry,
        env: &Env,
        limits: &Limits,
        relaxed: Option<Box<Running>>,
    ) -> Result<Self, ExecutionError> {
        let module = &state.module;
        let mapped = match module.memory() {
            Some(declared) => {
                check_heap_fits(state)?;
                Some(
                    state
                        .heap
                        .map(declared.minimum_pages)
                        .map_err(memory_failure)?,
                )
            }
            None => None,
        };
        let (image, mapping) = mapped.map(|mapped| (mapped.image, mapped.mapping)).unzip();
        let wasm64 = module.is_wasm64();
        let mut host = Host::new(entry, env, limits, state.stable.clone(), wasm64);
        if relaxed.is_some() && limits.slice_instructions.is_none() {
            host.slices = Slices::tolerant(limits, Running::slice_instructions());
        }
        host.relaxed = relaxed;
        let (mut store, instance) = instantiate(compiler, module.code(), host, wasm64, mapping)?;
        for (global, value) in module.listed_globals().iter().zip(&state.globals) {
            if !global.ty.mutable {
                continue;
            }
            let handle = instance
                .get_global(&mut store, &global_export(global.index))
                .ok_or_else(|| engine_error("a global is missing"))?;
            handle
                .set(&mut store, value.to_wasmtime())
                .map_err(|error| engine_error(format!("a global cannot be set: {error:#}")))?;
        }
        let counter = instance
            .get_global(&mut store, COUNTER)
            .ok_or_else(|| engine_error("the instruction counter is missing"))?;
        let first = store.data().slices.first();
        counter
            .set(&mut store, Val::I64(first))
            .map_err(|error| engine_error(format!("the counter cannot be set: {error:#}")))?;
        let memory = instance.get_memory(&mut store, MEMORY);
        store.data_mut().counter = Some(counter);
        store.data_mut().memory = memory;
        Ok(Self {
            store,
            instance,
            image,
        })
    }
}

/// Refuses a kept heap that the module's memory cannot hold.
fn check_heap_fits(state: &ExecutionState) -> Result<(), ExecutionError> {
    let module = &state.module;
    let pages = state.heap.size_pages();
    let declared = module.memory().and_then(|memory| memory.maximum_pages);
    let widest = if module.is_wasm64() {
        u64::MAX
    } else {
        1 << 16
    };
    let maximum_pages = declared.unwrap_or(widest).min(widest);
    if pages > maximum_pages {
        return Err(ExecutionError::HeapExceedsDeclaredMaximum {
            pages,
            maximum_pages,
        });
    }
    Ok(())
}

pub(crate) fn memory_failure(error: MemoryError) -> ExecutionError {
    engine_error(format!("Failed to instantiate module: {error}"))
}
