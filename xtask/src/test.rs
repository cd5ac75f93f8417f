//! `cargo xtask test`: every test of the workspace, with the modules and binaries they need built first.

use crate::{cargo, wasm};
use anyhow::Result;

/// Builds modules and binaries, then runs `cargo test --workspace` with `args` appended.
pub fn run(args: &[String]) -> Result<()> {
    let modules = wasm::build_all()?;
    wasm::print(&modules);
    cargo::build_host()?;
    let mut tests = cargo::host_cargo();
    tests.args(["test", "--workspace"]).args(args);
    cargo::scenario_environment(&mut tests);
    cargo::tools_environment(&mut tests)?;
    cargo::run(&mut tests, "cargo test --workspace")
}
