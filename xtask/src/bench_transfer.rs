//! `cargo xtask bench --large` and `--transfer`: what the command line does with large memories, and how fast.
//!
//! Builds everything and runs the programs of the same names in `tests/src/bin`, which print the figures and
//! fail if a promise is not kept. Words after the flag go to them.

use crate::{cargo, wasm};
use anyhow::Result;

/// A sparse memory through backup, verification, second backup and restore.
pub fn large(args: &[String]) -> Result<()> {
    run("bench_large", args)
}

/// A download beside the ways of others and beside the ceiling.
pub fn transfer(args: &[String]) -> Result<()> {
    run("bench_transfer", args)
}

fn run(program: &str, args: &[String]) -> Result<()> {
    wasm::build_all()?;
    cargo::build_host()?;
    let mut bench = std::process::Command::new(cargo::target_dir().join("debug").join(program));
    bench.args(args);
    cargo::scenario_environment(&mut bench);
    cargo::tools_environment(&mut bench)?;
    cargo::run(&mut bench, program)
}
