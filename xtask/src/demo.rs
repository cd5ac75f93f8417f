//! `cargo xtask demo`: builds everything and runs the narrated rescue of `tests/src/bin/demo.rs`.

use crate::{cargo, wasm};
use anyhow::Result;
use std::process::Command;

/// Fails unless every check of the demo held.
pub fn run() -> Result<()> {
    eprintln!("xtask: building the canister modules");
    wasm::build_all()?;
    eprintln!("xtask: building the local network, the CLI and the demo");
    cargo::build_host()?;
    let mut demo = Command::new(cargo::target_dir().join("debug/demo"));
    demo.current_dir(cargo::root());
    cargo::scenario_environment(&mut demo);
    cargo::run(&mut demo, "the demo")
}
