//! Runs one entry point in a fresh instance over a state.

use crate::compile::Compiler;
use crate::entry::{Closure, Entry};
use crate::env::{Env, Limits};
use crate::error::{ExecutionError, ModuleError, TrapCode, backtrace_text};
use crate::heap::{self, Heap};
use crate::host_memory::with_mapping;
use crate::ic0::Host;
use crate::image::Image;
use crate::instrument::{COUNTER, MEMORY, TABLE, global_export, method_export};
use crate::memory_error::MemoryError;
use crate::method::Method;
use crate::module::{ListedGlobal, Module};
use crate::outcome::{Effects, Outcome};
use crate::stack::on_deep_stack;
use crate::state::{ExecutionState, GlobalValue};
use std::sync::Arc;
use wasmtime::{Instance, InstancePre, Store, Trap, Val, WasmBacktrace};

/// Instructions charged for each 4 KiB page of heap that is written.
const DIRTY_PAGE_COST: u64 = 1_000;
/// The same for 64-bit memories.
const DIRTY_PAGE_COST_WASM64: u64 = 4_000;

const BAD_SIGNATURE: &str = "function invocation does not match its signature";

fn contract(error: impl Into<String>) -> ExecutionError {
    ExecutionError::ToolchainContractViolation {
        error: error.into(),
    }
}

fn engine_error(what: impl std::fmt::Display) -> ExecutionError {
    ExecutionError::WasmEngine {
        message: what.to_string(),
    }
}

/// Executes one message; nothing of `state` changes.
pub(crate) fn execute(
    compiler: &Compiler,
    state: &ExecutionState,
    entry: &Entry,
    env: &Env,
    limits: &Limits,
) -> Outcome {
    let without_code = |result| Outcome {
        result,
        instructions_used: 0,
        logs: Vec::new(),
        state: state.clone(),
    };
    if let Some(method) = entry.method()
        && !state.module.exports(&method)
    {
        return without_code(match method {
            Method::Public(..) => Err(ExecutionError::MethodNotFound {
                kind: method.kind_word(),
                name: method.short_name(),
            }),
            _ => Ok(Effects {
                heap_bytes: state.heap.size_bytes(),
                ..Effects::default()
            }),
        });
    }
    on_deep_stack(|| {
        Execution::start(compiler, state, entry, env, limits).map_or_else(
            |error| without_code(Err(error)),
            |execution| execution.run(state, entry),
        )
    })
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
        instantiate(compiler, code, host, Some(mapped.mapping)).map_err(fail)?;
    read_globals(&mut store, &instance, globals).map_err(fail)
}

fn instantiate(
    compiler: &Compiler,
    code: &InstancePre<Host>,
    host: Host,
    mapping: Option<crate::image::Mapping>,
) -> Result<(Store<Host>, Instance), ExecutionError> {
    let mut store = Store::new(compiler.engine(), host);
    store.limiter(|host| &mut host.store_limits);
    let instance = with_mapping(mapping, || code.instantiate(&mut store)).map_err(|error| {
        let text = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => format!("{error:#}"),
        };
        engine_error(format!("Failed to instantiate module: {text}"))
    })?;
    Ok((store, instance))
}

fn read_globals(
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
struct Execution {
    store: Store<Host>,
    instance: Instance,
    /// What the heap was made from; `None` when the module has no memory.
    image: Option<Arc<Image>>,
}

impl Execution {
    fn start(
        compiler: &Compiler,
        state: &ExecutionState,
        entry: &Entry,
        env: &Env,
        limits: &Limits,
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
        let host = Host::new(entry, env, limits, state.stable.clone(), module.is_wasm64());
        let (mut store, instance) = instantiate(compiler, module.code(), host, mapping)?;
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

    fn run(mut self, state: &ExecutionState, entry: &Entry) -> Outcome {
        let result = self.call(state, entry);
        let collected = self.collect(state, entry, result.is_ok());
        let counter = self.counter();
        let host = self.store.into_data();
        let mut logs = host.log;
        let (result, state, dirty_heap_pages) = match (result, collected) {
            (Ok(()), Ok((after, dirty))) => {
                let mut effects = host.effects;
                effects.heap_bytes = after.heap_bytes;
                effects.dirty_pages = dirty + host.touched.written_count();
                let state = match after.kept {
                    Some((heap, globals)) => ExecutionState {
                        module: state.module.clone(),
                        heap,
                        globals,
                        stable: host.stable,
                    },
                    None => state.clone(),
                };
                (Ok(effects), state, dirty)
            }
            (Err(error), collected) => {
                let dirty = collected.map_or(0, |(_, dirty)| dirty);
                (Err(error), state.clone(), dirty)
            }
            (Ok(()), Err(error)) => (Err(memory_failure(error)), state.clone(), 0),
        };
        if let Err(error) = &result
            && let Some(line) = trap_line(error)
        {
            logs.push(line.into_bytes());
        }
        let page_cost = if host.wasm64 {
            DIRTY_PAGE_COST_WASM64
        } else {
            DIRTY_PAGE_COST
        };
        let dirty_cost = dirty_heap_pages.saturating_mul(page_cost);
        let counter = counter.saturating_sub(i64::try_from(dirty_cost).unwrap_or(i64::MAX));
        Outcome {
            result,
            instructions_used: host.slices.used_capped(counter),
            logs: logs.lines,
            state,
        }
    }

    fn counter(&mut self) -> i64 {
        let counter = self.store.data().counter;
        match counter.map(|counter| counter.get(&mut self.store)) {
            Some(Val::I64(value)) => value,
            _ => 0,
        }
    }

    fn call(&mut self, state: &ExecutionState, entry: &Entry) -> Result<(), ExecutionError> {
        let result = match entry {
            Entry::Reply { closure, .. }
            | Entry::Reject { closure, .. }
            | Entry::Cleanup { closure, .. } => self.call_closure(*closure),
            _ => self.call_method(entry),
        };
        result.map_err(|stopped| {
            // What a system call said counts, not how wasmtime passed it on.
            let host = self.store.data_mut();
            let (mut error, frames) = match host.error.take() {
                Some(error) => (error, std::mem::take(&mut host.frames)),
                None => (stopped.error, stopped.frames),
            };
            let names = state.module.function_names();
            error.set_backtrace(names.backtrace(host.innermost_frame, &frames));
            error
        })
    }

    fn call_method(&mut self, entry: &Entry) -> Result<(), Stopped> {
        let name = entry
            .method()
            .map(|method| method_export(&method.to_string()))
            .unwrap_or_default();
        let function = self
            .instance
            .get_typed_func::<(), ()>(&mut self.store, &name)
            .map_err(|error| engine_error(format!("{error:#}")))?;
        function.call(&mut self.store, ()).map_err(stopped)
    }

    fn call_closure(&mut self, closure: Closure) -> Result<(), Stopped> {
        let argument = if self.store.data().wasm64 {
            Val::I64(closure.env as i64)
        } else {
            let env = u32::try_from(closure.env).map_err(|_| {
                contract(format!(
                    "error converting additional value {} to u32",
                    closure.env
                ))
            })?;
            Val::I32(env as i32)
        };
        let table = self
            .instance
            .get_table(&mut self.store, TABLE)
            .ok_or_else(|| contract("table not found"))?;
        let function = *table
            .get(&mut self.store, closure.fun)
            .ok_or(ExecutionError::FunctionNotFound {
                function: closure.fun,
            })?
            .as_func()
            .ok_or_else(|| contract("not a function reference"))?
            .ok_or_else(|| contract("unexpected null function reference"))?;
        let ty = function.ty(&self.store);
        let wanted = argument
            .ty(&self.store)
            .map_err(|error| engine_error(format!("{error:#}")))?;
        let fits = ty.params().len() == 1
            && ty.results().len() == 0
            && ty
                .params()
                .all(|param| wasmtime::ValType::eq(&param, &wanted));
        if !fits {
            return Err(contract(BAD_SIGNATURE).into());
        }
        function
            .call(&mut self.store, &[argument], &mut [])
            .map_err(stopped)
    }

    /// Heap and globals afterwards, if they are to be kept, and how many heap pages were written.
    fn collect(
        &mut self,
        state: &ExecutionState,
        entry: &Entry,
        succeeded: bool,
    ) -> Result<(After, u64), MemoryError> {
        let memory = self.store.data().memory;
        let heap_bytes = memory.map_or(0, |memory| memory.data_size(&self.store) as u64);
        if entry.drops_state() {
            let kept = None;
            return Ok((After { heap_bytes, kept }, 0));
        }
        let (heap, dirty) = match (memory, &self.image) {
            (Some(memory), Some(image)) => {
                let bytes = memory.data(&self.store);
                if !succeeded {
                    let dirty = heap::count_written_pages(image, bytes)?;
                    let kept = None;
                    return Ok((After { heap_bytes, kept }, dirty));
                }
                heap::collect(image.clone(), bytes)?
            }
            _ => (state.heap.clone(), 0),
        };
        let globals = read_globals(
            &mut self.store,
            &self.instance,
            state.module.listed_globals(),
        )
        .unwrap_or_else(|_| state.globals.clone());
        let kept = Some((heap, globals));
        Ok((After { heap_bytes, kept }, dirty))
    }
}

/// What an instance leaves behind.
struct After {
    heap_bytes: u64,
    /// Heap and globals, unless they are dropped.
    kept: Option<(Heap, Vec<GlobalValue>)>,
}

/// Refuses a kept heap that the module's memory cannot hold.
fn check_heap_fits(state: &ExecutionState) -> Result<(), ExecutionError> {
    let module: &Module = &state.module;
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

fn memory_failure(error: MemoryError) -> ExecutionError {
    engine_error(format!("Failed to instantiate module: {error}"))
}

/// Why code could not be run to its end, and where it was.
struct Stopped {
    error: ExecutionError,
    frames: Vec<u32>,
}

impl From<ExecutionError> for Stopped {
    fn from(error: ExecutionError) -> Self {
        let frames = Vec::new();
        Self { error, frames }
    }
}

/// What wasmtime stopped code for.
fn stopped(error: wasmtime::Error) -> Stopped {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let frames = backtrace.map(crate::ic0::frames).unwrap_or_default();
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::BadSignature) => return contract(BAD_SIGNATURE).into(),
        Some(Trap::StackOverflow) => TrapCode::StackOverflow,
        Some(Trap::MemoryOutOfBounds) => TrapCode::HeapOutOfBounds,
        Some(Trap::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(Trap::IntegerDivisionByZero) => TrapCode::IntegerDivByZero,
        Some(Trap::UnreachableCodeReached) => TrapCode::Unreachable,
        _ => TrapCode::Other,
    };
    let error = ExecutionError::trap(code);
    Stopped { error, frames }
}

/// The log line of a failed message; only traps have one.
fn trap_line(error: &ExecutionError) -> Option<String> {
    let (message, backtrace) = match error {
        ExecutionError::Trapped { code, backtrace } => (code.to_string(), backtrace),
        ExecutionError::CalledTrap { message, backtrace } if message.is_empty() => {
            ("(no message)".to_string(), backtrace)
        }
        ExecutionError::CalledTrap { message, backtrace } => (message.clone(), backtrace),
        _ => return None,
    };
    Some(format!("[TRAP]: {message}{}", backtrace_text(backtrace)))
}
