//! The canister modules that `cargo xtask wasm` built. Never builds anything itself.

use std::path::{Path, PathBuf};

/// The bytes of a module by its name below `target/wasm/`, for example `rescue` or `patients/ledger`.
///
/// # Panics
/// If the module has not been built.
pub fn load(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask wasm` first", path.display()))
}

/// The folder of the modules: `IC_RESCUE_WASM_DIR`, or `target/wasm` of this workspace.
pub fn folder() -> PathBuf {
    std::env::var_os("IC_RESCUE_WASM_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm"),
        PathBuf::from,
    )
}
