//! `cargo xtask lint`: rustfmt and clippy over the workspace, warnings as errors.

use crate::cargo::{self, host_cargo};
use anyhow::Result;

/// Fails on the first unformatted file or warning.
pub fn run() -> Result<()> {
    cargo::run(
        host_cargo().args(["fmt", "--all", "--check"]),
        "cargo fmt --check",
    )?;
    cargo::run(
        host_cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
        "cargo clippy",
    )
}
