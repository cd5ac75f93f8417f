//! System calls of a relaxed execution: the usual functions, wrapped to be traced and, where they
//! are forbidden, answered.

use super::host::Host;
use crate::error::ExecutionError;
use crate::relaxed::SystemCall;
use wasmtime::{Caller, Extern, Func, Instance, Linker, Module, Store, Val, ValType};

/// Module name of the system functions.
const IC0: &str = "ic0";

/// Instantiates `module` with those of its system functions wrapped that are watched.
pub(crate) fn instantiate(
    store: &mut Store<Host>,
    linker: &Linker<Host>,
    module: &Module,
) -> wasmtime::Result<Instance> {
    let mut linker = linker.clone();
    linker.allow_shadowing(true);
    for import in module.imports() {
        let name = import.name();
        let is_watched = store
            .data()
            .relaxed
            .as_ref()
            .is_some_and(|running| running.watches(name));
        if import.module() != IC0 || !is_watched {
            continue;
        }
        if let Ok(Extern::Func(function)) = linker.get(&mut *store, IC0, name) {
            let wrapper = wrap(store, name.to_string(), function);
            linker.define(&*store, IC0, name, wrapper)?;
        }
    }
    linker.instantiate(store, module)
}

fn wrap(store: &mut Store<Host>, name: String, function: Func) -> Func {
    let ty = function.ty(&*store);
    Func::new(
        &mut *store,
        ty,
        move |mut caller: Caller<'_, Host>, arguments: &[Val], results: &mut [Val]| {
            let outcome = function.call(&mut caller, arguments, results);
            let answer = match outcome {
                Ok(()) => None,
                Err(_) => answer(caller.data_mut(), &name),
            };
            if let Some(value) = answer {
                for (result, ty) in results.iter_mut().zip(function.ty(&caller).results()) {
                    *result = typed(value, &ty);
                }
            }
            let failed = outcome.is_err() && answer.is_none();
            if let Some(running) = &mut caller.data_mut().relaxed
                && let Some(trace) = &mut running.rules.trace
            {
                let arguments: Vec<i64> = arguments.iter().map(number).collect();
                trace(&SystemCall {
                    function: &name,
                    arguments: &arguments,
                    result: results.first().filter(|_| !failed).map(number),
                    answered: answer.is_some(),
                    failed,
                });
            }
            if failed { outcome } else { Ok(()) }
        },
    )
}

/// The answer to a call that failed because it is forbidden here; the failure is forgotten then.
fn answer(host: &mut Host, function: &str) -> Option<i64> {
    if !host
        .error
        .as_ref()
        .is_some_and(ExecutionError::is_forbidden_call)
    {
        return None;
    }
    let running = host.relaxed.as_mut()?;
    let value = *running.rules.answers.get(function)?;
    *running
        .used
        .answered
        .entry(function.to_string())
        .or_default() += 1;
    host.error = None;
    host.frames.clear();
    host.innermost_frame = None;
    Some(value)
}

fn typed(value: i64, ty: &ValType) -> Val {
    match ty {
        ValType::I64 => Val::I64(value),
        // System functions return integers only.
        _ => Val::I32(value as i32),
    }
}

fn number(value: &Val) -> i64 {
    match value {
        Val::I32(value) => i64::from(*value),
        Val::I64(value) => *value,
        _ => 0,
    }
}
