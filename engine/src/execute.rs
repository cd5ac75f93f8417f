//! Runs one entry point in a fresh instance over a state.

use crate::compile::Compiler;
use crate::entry::Entry;
use crate::env::{Env, Limits};
use crate::error::{ExecutionError, backtrace_text};
use crate::heap::{self, Heap};
use crate::instance::{Execution, memory_failure, read_globals};
use crate::memory_error::MemoryError;
use crate::method::Method;
use crate::outcome::{Effects, Outcome};
use crate::relaxed::{Relaxed, RulesUsed, Running};
use crate::stack::on_deep_stack;
use crate::state::{ExecutionState, GlobalValue};
use wasmtime::Val;

/// Instructions charged for each 4 KiB page of heap that is written.
const DIRTY_PAGE_COST: u64 = 1_000;
/// The same for 64-bit memories.
const DIRTY_PAGE_COST_WASM64: u64 = 4_000;

/// Executes one message; nothing of `state` changes.
pub(crate) fn execute(
    compiler: &Compiler,
    state: &ExecutionState,
    entry: &Entry,
    env: &Env,
    limits: &Limits,
    rules: Option<Relaxed>,
) -> (Outcome, RulesUsed) {
    let without_code = |result| Outcome {
        result,
        instructions_used: 0,
        logs: Vec::new(),
        state: state.clone(),
    };
    if let Some(method) = entry.method()
        && !state.module.exports(&method)
    {
        let outcome = without_code(match method {
            Method::Public(..) => Err(ExecutionError::MethodNotFound {
                kind: method.kind_word(),
                name: method.short_name(),
            }),
            _ => Ok(Effects {
                heap_bytes: state.heap.size_bytes(),
                ..Effects::default()
            }),
        });
        return (outcome, RulesUsed::default());
    }
    let relaxed = rules.map(|rules| Box::new(Running::new(rules)));
    let (outcome, used) = on_deep_stack(|| {
        Execution::start(compiler, state, entry, env, limits, relaxed).map_or_else(
            |error| (without_code(Err(error)), RulesUsed::default()),
            |execution| execution.run(state, entry),
        )
    });
    (outcome.for_caller(env), used)
}

impl Execution {
    fn run(mut self, state: &ExecutionState, entry: &Entry) -> (Outcome, RulesUsed) {
        let result = self.call(state, entry);
        let collected = self.collect(state, entry, result.is_ok());
        let counter = self.counter();
        let host = self.store.into_data();
        let rules_used = host.relaxed.map(|running| running.used);
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
        let outcome = Outcome {
            result,
            instructions_used: host.slices.used_capped(counter),
            logs: logs.lines,
            state,
        };
        (outcome, rules_used.unwrap_or_default())
    }

    fn counter(&mut self) -> i64 {
        let counter = self.store.data().counter;
        match counter.map(|counter| counter.get(&mut self.store)) {
            Some(Val::I64(value)) => value,
            _ => 0,
        }
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
