//! Functions about the canister and its surroundings: identity, time, certified data, logs.

use super::context::{CERTIFICATES, CERTIFIES, NOT_START, ROOT_KEY, SETS_TIMER};
use super::host::{
    Host, call, call_with_heap, charge, fail, instructions_used, slice, toolchain, violation,
};
use super::message::link_bytes;
use super::{FUNCTION_COST, Pointer, with_bytes};
use crate::env::CanisterStatus;
use crate::error::ExecutionError;
use candid::Principal;
use wasmtime::{Caller, Linker};

const IS_CONTROLLER_COST: u64 = 1_000;
const PERFORMANCE_COUNTER_COST: u64 = 200;
const DEBUG_PRINT_COST: u64 = 100;
const CERTIFIED_DATA_MAX_BYTES: usize = 32;
/// Longest message of a trap that is kept.
const TRAP_MESSAGE_MAX_BYTES: usize = 32 << 10;

impl Host {
    fn canister_self(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(NOT_START, function)?;
        Ok(self.env.canister_id.as_slice())
    }

    fn subnet_self(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(NOT_START, function)?;
        Ok(self.env.subnet_id.as_slice())
    }

    fn root_key(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(ROOT_KEY, function)?;
        Ok(&self.env.root_key)
    }

    fn data_certificate(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(CERTIFICATES, function)?;
        self.env
            .data_certificate
            .as_deref()
            .ok_or_else(|| self.context.violation(function))
    }

    fn copy_certificate(
        &self,
        heap: &mut [u8],
        (dst, offset, size): (usize, usize, usize),
    ) -> Result<(), ExecutionError> {
        let certificate = self.data_certificate("ic0_data_certificate_copy")?;
        let complain = |name: &str, at: usize, length: usize| {
            toolchain(format!(
                "ic0_data_certificate_copy failed because {name} + size is out of bounds. Found \
                 {name} = {at} and size = {size} while {name} + size must be <= {length}"
            ))
        };
        let source = offset
            .checked_add(size)
            .and_then(|end| certificate.get(offset..end))
            .ok_or_else(|| complain("offset", offset, certificate.len()))?;
        let length = heap.len();
        dst.checked_add(size)
            .and_then(|end| heap.get_mut(dst..end))
            .ok_or_else(|| complain("dst", dst, length))?
            .copy_from_slice(source);
        Ok(())
    }

    fn set_certified_data(
        &mut self,
        heap: &[u8],
        src: usize,
        size: usize,
    ) -> Result<(), ExecutionError> {
        self.context.require(CERTIFIES, "ic0_certified_data_set")?;
        if size > CERTIFIED_DATA_MAX_BYTES {
            return Err(ExecutionError::UserContractViolation {
                error: format!(
                    "ic0_certified_data_set failed because the passed data must be no larger \
                     than {CERTIFIED_DATA_MAX_BYTES} bytes. Found {size} bytes."
                ),
                suggestion: "Try certifying just the hash of your data instead of the full \
                             contents."
                    .to_string(),
                anchor: "certified_data_set-payload-too-large",
            });
        }
        let data = src
            .checked_add(size)
            .and_then(|end| heap.get(src..end))
            .ok_or_else(|| {
                toolchain(format!(
                    "ic0_certified_data_set failed because src + size is out of bounds. Found \
                     src = {src} and size = {size} while src + size must be <= {}",
                    heap.len()
                ))
            })?;
        self.effects.certified_data = Some(data.to_vec());
        Ok(())
    }

    fn set_timer(&mut self, time_ns: u64) -> Result<u64, ExecutionError> {
        self.context.require(SETS_TIMER, "ic0_global_timer_set")?;
        let before = self
            .effects
            .global_timer
            .unwrap_or(self.env.global_timer_ns);
        self.effects.global_timer = Some(time_ns);
        Ok(before)
    }

    fn is_controller(&self, heap: &[u8], src: usize, size: usize) -> Result<u32, ExecutionError> {
        let bytes = slice("ic0.is_controller", src, size, heap)?;
        let principal =
            Principal::try_from_slice(bytes).map_err(|_| ExecutionError::InvalidPrincipalId)?;
        Ok(self.env.controllers.contains(&principal).into())
    }
}

fn performance_counter(caller: &mut Caller<'_, Host>, counter: u32) -> Result<u64, ExecutionError> {
    charge(caller, PERFORMANCE_COUNTER_COST)?;
    let used = instructions_used(caller)?;
    match counter {
        0 => Ok(used),
        1 => Ok(caller
            .data()
            .env
            .call_context_instructions
            .saturating_add(used)),
        other => Err(violation(format!(
            "Error getting performance counter type {other}"
        ))),
    }
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    link_bytes::<P>(
        linker,
        ("canister_self_size", |host| {
            host.canister_self("ic0_canister_self_size")
        }),
        ("canister_self_copy", |host| {
            host.canister_self("ic0_canister_self_copy")
        }),
        ("ic0.canister_self_copy heap", "ic0.canister_self_copy id"),
    )?;
    link_bytes::<P>(
        linker,
        ("subnet_self_size", |host| {
            host.subnet_self("ic0_subnet_self_size")
        }),
        ("subnet_self_copy", |host| {
            host.subnet_self("ic0.subnet_self_copy")
        }),
        ("ic0.subnet_self_copy heap", "ic0.subnet_self_copy id"),
    )?;
    link_bytes::<P>(
        linker,
        ("root_key_size", |host| host.root_key("ic0_root_key_size")),
        ("root_key_copy", |host| host.root_key("ic0.root_key_copy")),
        ("ic0.root_key_copy heap", "ic0.root_key_copy bytes"),
    )?;
    link_scalars(linker)?;
    link_certified_data::<P>(linker)?;
    link_texts::<P>(linker)?;
    linker.func_wrap(
        "ic0",
        "is_controller",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = with_bytes(IS_CONTROLLER_COST, size);
            call_with_heap(&mut caller, cost, |host, heap| {
                host.is_controller(heap, src, size)
            })
        },
    )?;
    Ok(())
}

fn link_scalars(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "time", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            host.context.require(NOT_START, "ic0_time")?;
            Ok(host.env.time_ns)
        })
    })?;
    linker.func_wrap("ic0", "canister_version", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            host.context.require(NOT_START, "ic0_canister_version")?;
            Ok(host.env.canister_version)
        })
    })?;
    linker.func_wrap("ic0", "canister_status", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            host.context.require(NOT_START, "ic0_canister_status")?;
            Ok(match host.env.status {
                CanisterStatus::Running => 1u32,
                CanisterStatus::Stopping => 2,
                CanisterStatus::Stopped => 3,
            })
        })
    })?;
    linker.func_wrap(
        "ic0",
        "in_replicated_execution",
        |mut caller: Caller<'_, Host>| {
            call(&mut caller, FUNCTION_COST, |host| {
                Ok(u32::from(host.context.in_replicated_execution()))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "global_timer_set",
        |mut caller: Caller<'_, Host>, time_ns: u64| {
            call(&mut caller, FUNCTION_COST, |host| host.set_timer(time_ns))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "performance_counter",
        |mut caller: Caller<'_, Host>, counter: u32| {
            performance_counter(&mut caller, counter).map_err(|error| fail(&mut caller, error))
        },
    )?;
    Ok(())
}

fn link_certified_data<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "certified_data_set",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            call_with_heap(
                &mut caller,
                with_bytes(FUNCTION_COST, size),
                |host, heap| host.set_certified_data(heap, src, size),
            )
        },
    )?;
    linker.func_wrap(
        "ic0",
        "data_certificate_present",
        |mut caller: Caller<'_, Host>| {
            call(&mut caller, FUNCTION_COST, |host| {
                host.context
                    .require(NOT_START, "ic0_data_certificate_present")?;
                let present =
                    host.context.is_in(CERTIFICATES) && host.env.data_certificate.is_some();
                Ok(u32::from(present))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "data_certificate_size",
        |mut caller: Caller<'_, Host>| {
            call(&mut caller, FUNCTION_COST, |host| {
                let certificate = host.data_certificate("ic0_data_certificate_size")?;
                Ok(P::from_usize(certificate.len()))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "data_certificate_copy",
        |mut caller: Caller<'_, Host>, dst: P, offset: P, size: P| {
            let range = (dst.to_usize(), offset.to_usize(), size.to_usize());
            let cost = with_bytes(FUNCTION_COST, range.2);
            call_with_heap(&mut caller, cost, |host, heap| {
                host.copy_certificate(heap, range)
            })
        },
    )?;
    Ok(())
}

fn link_texts<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "debug_print",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = caller.data().log.charge_with_text(size);
            call_with_heap(
                &mut caller,
                DEBUG_PRINT_COST.saturating_add(cost),
                |host, heap| {
                    // A text that lies outside the heap is no reason to fail.
                    let text = slice("save_log_message", src, size, heap)
                        .unwrap_or(b"(debug_print message out of memory bounds)");
                    host.log.push(text.to_vec());
                    Ok(())
                },
            )
        },
    )?;
    linker.func_wrap(
        "ic0",
        "trap",
        |mut caller: Caller<'_, Host>, src: P, size: P| -> wasmtime::Result<()> {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = caller.data().log.charge_with_text(size);
            call_with_heap(
                &mut caller,
                FUNCTION_COST.saturating_add(cost),
                |_, heap| {
                    let message = slice("trap", src, size.min(TRAP_MESSAGE_MAX_BYTES), heap)
                        .map_or_else(
                            |_| "(trap message out of memory bounds)".to_string(),
                            |text| String::from_utf8_lossy(text).into_owned(),
                        );
                    Err(ExecutionError::CalledTrap {
                        message,
                        backtrace: None,
                    })
                },
            )
        },
    )?;
    Ok(())
}
