//! The 32-bit interface to stable memory, which traps once that is larger than 4 GiB.

#![allow(unsafe_code)]

#[cfg(target_family = "wasm")]
#[link(wasm_import_module = "ic0")]
unsafe extern "C" {
    fn stable_write(offset: i32, src: i32, size: i32);
    fn stable_size() -> i32;
    fn stable_grow(pages: i32) -> i32;
}

#[cfg(not(target_family = "wasm"))]
const NO_CANISTER: &str = "there is no stable memory outside a canister";

/// Pages of stable memory.
pub fn size() -> i32 {
    #[cfg(target_family = "wasm")]
    // SAFETY: takes nothing, changes nothing.
    return unsafe { stable_size() };
    #[cfg(not(target_family = "wasm"))]
    unreachable!("{NO_CANISTER}")
}

/// Grows it; negative when that fails.
pub fn grow(pages: i32) -> i32 {
    #[cfg(target_family = "wasm")]
    // SAFETY: touches no memory of the program.
    return unsafe { stable_grow(pages) };
    #[cfg(not(target_family = "wasm"))]
    unreachable!("{NO_CANISTER}: {pages}")
}

/// Writes to it.
pub fn write(offset: i32, bytes: &[u8]) {
    #[cfg(target_family = "wasm")]
    // SAFETY: pointer and length are those of a live slice.
    unsafe {
        stable_write(offset, bytes.as_ptr() as i32, bytes.len() as i32)
    }
    #[cfg(not(target_family = "wasm"))]
    unreachable!("{NO_CANISTER}: {offset}, {}", bytes.len())
}
