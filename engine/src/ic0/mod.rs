//! The system API of a canister: module `ic0`.
//!
//! Each function first charges its instructions, then checks that the context allows it, then
//! acts. A function that fails ends the message; nothing it did lasts.

mod calls;
mod context;
mod costs;
mod cycles;
mod environment;
mod host;
mod message;
mod stable;
mod system;
mod watched;

pub(crate) use host::{Host, frames};
pub(crate) use watched::instantiate as instantiate_watched;

use wasmtime::{Caller, Linker};

/// Instructions of most functions.
const FUNCTION_COST: u64 = 500;
/// Instructions per byte that leaves the canister.
pub(crate) const BYTE_TRANSMISSION_COST: u64 = 50;

/// An argument that is a pointer or a length: i32 or i64, as the memory is.
pub(crate) trait Pointer: wasmtime::WasmTy + Copy {
    fn to_usize(self) -> usize;
    fn from_usize(value: usize) -> Self;
    /// Whether memory of this kind is 64-bit.
    const WASM64: bool;
}

impl Pointer for u32 {
    fn to_usize(self) -> usize {
        self as usize
    }
    fn from_usize(value: usize) -> Self {
        // Lengths are those of arguments and names, which are far below 4 GiB.
        value as u32
    }
    const WASM64: bool = false;
}

impl Pointer for u64 {
    fn to_usize(self) -> usize {
        self as usize
    }
    fn from_usize(value: usize) -> Self {
        value as u64
    }
    const WASM64: bool = true;
}

/// `fixed` plus one instruction per byte.
fn with_bytes(fixed: u64, bytes: usize) -> u64 {
    fixed.saturating_add(bytes as u64)
}

/// `fixed` plus the price of transmitting bytes.
fn with_transmission(fixed: u64, bytes: usize) -> u64 {
    fixed.saturating_add(BYTE_TRANSMISSION_COST.saturating_mul(bytes as u64))
}

/// Defines all functions for one kind of memory.
pub(crate) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    use crate::instrument::{HEAP_GREW, HOST, OUT_OF_INSTRUCTIONS};
    message::link::<P>(linker)?;
    calls::link::<P>(linker)?;
    cycles::link::<P>(linker)?;
    costs::link::<P>(linker)?;
    environment::link::<P>(linker)?;
    stable::link::<P>(linker)?;
    system::link::<P>(linker)?;
    linker.func_wrap(HOST, OUT_OF_INSTRUCTIONS, |mut caller: Caller<'_, Host>| {
        host::out_of_instructions(&mut caller).map_err(|error| host::fail(&mut caller, error))
    })?;
    linker.func_wrap(
        HOST,
        HEAP_GREW,
        |mut caller: Caller<'_, Host>, before: P, pages: P| {
            stable::heap_grew(
                caller.data_mut(),
                before.to_usize(),
                pages.to_usize(),
                P::WASM64,
            )
            .map(|()| before)
            .map_err(|error| host::fail(&mut caller, error))
        },
    )?;
    Ok(())
}
