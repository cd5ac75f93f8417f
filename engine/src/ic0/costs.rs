//! Functions that tell what calls to the system cost.

use super::host::{Host, call_with_heap, cycles_to_heap, slice, toolchain};
use super::{FUNCTION_COST, Pointer, with_bytes};
use crate::error::ExecutionError;
use crate::fees;
use wasmtime::{Caller, Linker};

/// Answer of the signature cost functions: the curve or algorithm does not exist.
const UNKNOWN_CURVE: u32 = 1;
/// Answer of the signature cost functions: no subnet holds the key.
const UNKNOWN_KEY: u32 = 2;

/// Defines a cost function of threshold signatures. This engine knows of no subnet with threshold
/// keys, so it says of every key what the Internet Computer says of unknown ones.
fn link_signature_cost<P: Pointer>(
    linker: &mut Linker<Host>,
    name: &'static str,
    curves: u32,
) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        name,
        move |mut caller: Caller<'_, Host>, src: P, size: P, curve: u32, _dst: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            call_with_heap(&mut caller, with_bytes(FUNCTION_COST, size), |_, heap| {
                let key = slice(&format!("ic0.{name} heap"), src, size, heap)?;
                if std::str::from_utf8(key).is_err() {
                    return Err(toolchain(format!(
                        "Failed to decode key name {}",
                        String::from_utf8_lossy(key)
                    )));
                }
                Ok(if curve < curves {
                    UNKNOWN_KEY
                } else {
                    UNKNOWN_CURVE
                })
            })
        },
    )?;
    Ok(())
}

fn write<P: Pointer>(
    caller: &mut Caller<'_, Host>,
    dst: P,
    name: &str,
    cost: impl FnOnce(&Host) -> u128,
) -> wasmtime::Result<()> {
    call_with_heap(
        caller,
        FUNCTION_COST,
        |host, heap| -> Result<(), ExecutionError> {
            cycles_to_heap(heap, dst.to_usize(), cost(host), name)
        },
    )
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "cost_call",
        |mut caller: Caller<'_, Host>, method_size: u64, payload_size: u64, dst: P| {
            write(&mut caller, dst, "ic0_cost_call", |host| {
                let bytes = method_size.saturating_add(payload_size);
                // The reference size, whatever the subnet: so does the replica.
                fees::call(bytes, host.wasm64, fees::REFERENCE_SUBNET_SIZE).total()
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "cost_create_canister",
        |mut caller: Caller<'_, Host>, dst: P| {
            write(&mut caller, dst, "ic0_cost_create_canister", |host| {
                fees::create_canister(host.env.subnet_size)
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "cost_http_request",
        |mut caller: Caller<'_, Host>, request_size: u64, response_size: u64, dst: P| {
            write(&mut caller, dst, "ic0_cost_http_request", |host| {
                fees::http_request(request_size, response_size, host.env.subnet_size)
            })
        },
    )?;
    link_signature_cost::<P>(linker, "cost_sign_with_ecdsa", 1)?;
    link_signature_cost::<P>(linker, "cost_sign_with_schnorr", 2)?;
    link_signature_cost::<P>(linker, "cost_vetkd_derive_key", 1)?;
    Ok(())
}
