//! Calls the function an entry point names, and says why it stopped.

use crate::entry::{Closure, Entry};
use crate::error::{ExecutionError, TrapCode};
use crate::instance::{Execution, engine_error};
use crate::instrument::{TABLE, method_export};
use crate::state::ExecutionState;
use wasmtime::{Trap, Val, WasmBacktrace};

const BAD_SIGNATURE: &str = "function invocation does not match its signature";

fn contract(error: impl Into<String>) -> ExecutionError {
    ExecutionError::ToolchainContractViolation {
        error: error.into(),
    }
}

impl Execution {
    /// Runs the function of `entry` to its end.
    pub(crate) fn call(
        &mut self,
        state: &ExecutionState,
        entry: &Entry,
    ) -> Result<(), ExecutionError> {
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
