//! `cargo xtask bench`: what the pair costs, in instructions and cycles.
//!
//! Builds the modules and runs the measurements, which live beside the code they measure: the example
//! `bench` of the uploader. `--json FILE` goes through to it.

use crate::{cargo, wasm};
use anyhow::Result;

/// Builds what is measured, then measures; `args` go to the example.
pub fn run(args: &[String]) -> Result<()> {
    wasm::build_all()?;
    let mut build = cargo::host_cargo();
    build.args(["build", "--workspace", "--example", "bench"]);
    cargo::run(&mut build, "cargo build --workspace --example bench")?;
    let mut bench = std::process::Command::new(cargo::target_dir().join("debug/examples/bench"));
    bench
        .args(args)
        .env("IC_RESCUE_WASM_DIR", cargo::wasm_dir());
    cargo::run(&mut bench, "the measurements")
}
