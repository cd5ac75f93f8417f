//! The downloader: a canister module without a heap of its own, that reads memory out and changes nothing.
//!
//! Installed over a canister whose hook traps, it answers with the bytes and the checksums of stable memory and of the
//! kept heap. Every method is a query, so whatever it scribbles while it works is discarded. It
//! keeps its state in WebAssembly locals: no allocator, no shadow stack, no data segment, no
//! static. It never writes stable memory, never calls, never accepts anything.
//!
//! On the host this crate is empty; the built module is what the tests run.

#![cfg_attr(target_family = "wasm", no_std)]
#![cfg_attr(target_arch = "wasm64", feature(simd_wasm64))]

#[cfg(target_arch = "wasm32")]
pub(crate) use core::arch::wasm32 as wasm;
#[cfg(target_arch = "wasm64")]
pub(crate) use core::arch::wasm64 as wasm;

#[cfg(target_family = "wasm")]
pub mod candid;
#[cfg(target_family = "wasm")]
pub mod endpoints;
#[cfg(target_family = "wasm")]
pub mod guard;
#[cfg(target_family = "wasm")]
pub mod refuse;
#[cfg(target_family = "wasm")]
pub mod scratch;
#[cfg(target_family = "wasm")]
pub mod sha256;
#[cfg(target_family = "wasm")]
pub mod system;

/// A panic is a bug; there is nothing to unwind and no text to print.
#[cfg(target_family = "wasm")]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    wasm::unreachable()
}
