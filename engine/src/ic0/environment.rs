//! Functions about the canister's environment variables, which are ordered by name.

use super::context::NOT_START;
use super::host::{Host, call, call_with_heap, copy_to_heap, slice, violation};
use super::{FUNCTION_COST, Pointer, with_bytes};
use crate::error::ExecutionError;
use wasmtime::{Caller, Linker};

/// Longest name of an environment variable, bytes.
const NAME_MAX_BYTES: usize = 128;

impl Host {
    fn variable_name(&self, function: &str, index: usize) -> Result<&str, ExecutionError> {
        self.context.require(NOT_START, function)?;
        let variables = &self.env.environment_variables;
        variables.keys().nth(index).map(String::as_str).ok_or(
            ExecutionError::EnvironmentVariableIndexOutOfBounds {
                index: index as u64,
                length: variables.len(),
            },
        )
    }

    /// The name a heap range holds, which need not be a variable's.
    fn name_in_heap<'a>(
        &self,
        function: &str,
        range_name: &str,
        (src, size): (usize, usize),
        heap: &'a [u8],
    ) -> Result<&'a str, ExecutionError> {
        self.context
            .require(NOT_START, &format!("ic0_{function}"))?;
        if size > NAME_MAX_BYTES {
            return Err(violation(format!(
                "ic0.{function}: Variable name is too large."
            )));
        }
        let bytes = slice(&format!("ic0.{function} {range_name}"), src, size, heap)?;
        std::str::from_utf8(bytes).map_err(|_| {
            violation(format!(
                "ic0.{function}: Variable name is not a valid UTF-8 string."
            ))
        })
    }

    fn variable(&self, name: &str) -> Result<&str, ExecutionError> {
        self.env
            .environment_variables
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| ExecutionError::EnvironmentVariableNotFound {
                name: name.to_string(),
            })
    }
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "env_var_count", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            host.context.require(NOT_START, "ic0_env_var_count")?;
            Ok(P::from_usize(host.env.environment_variables.len()))
        })
    })?;
    linker.func_wrap(
        "ic0",
        "env_var_name_size",
        |mut caller: Caller<'_, Host>, index: P| {
            call(&mut caller, FUNCTION_COST, |host| {
                let name = host.variable_name("ic0_env_var_name_size", index.to_usize())?;
                Ok(P::from_usize(name.len()))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_name_copy",
        |mut caller: Caller<'_, Host>, index: P, dst: P, offset: P, size: P| {
            let range = (dst.to_usize(), offset.to_usize(), size.to_usize());
            let cost = with_bytes(FUNCTION_COST, range.2);
            call_with_heap(&mut caller, cost, |host, heap| {
                let name = host.variable_name("ic0_env_var_name_copy", index.to_usize())?;
                let what = ("ic0.env_var_name_copy heap", "ic0.env_var_name_copy name");
                copy_to_heap(heap, range, what, name.as_bytes())
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_name_exists",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let range = (src.to_usize(), size.to_usize());
            call_with_heap(&mut caller, FUNCTION_COST, |host, heap| {
                let name = host.name_in_heap("env_var_name_exists", "heap", range, heap)?;
                Ok(u32::from(host.env.environment_variables.contains_key(name)))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_value_size",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let range = (src.to_usize(), size.to_usize());
            call_with_heap(&mut caller, FUNCTION_COST, |host, heap| {
                let name = host.name_in_heap("env_var_value_size", "heap", range, heap)?;
                Ok(P::from_usize(host.variable(name)?.len()))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_value_copy",
        |mut caller: Caller<'_, Host>, src: P, name_size: P, dst: P, offset: P, size: P| {
            let name_range = (src.to_usize(), name_size.to_usize());
            let range = (dst.to_usize(), offset.to_usize(), size.to_usize());
            let cost = with_bytes(FUNCTION_COST, range.2);
            call_with_heap(&mut caller, cost, |host, heap| {
                let name = host
                    .name_in_heap("env_var_value_copy", "name", name_range, heap)?
                    .to_string();
                let what = (
                    "ic0.env_var_value_copy heap",
                    "ic0.env_var_value_copy value",
                );
                copy_to_heap(heap, range, what, host.variable(&name)?.as_bytes())
            })
        },
    )?;
    Ok(())
}
