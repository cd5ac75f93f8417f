//! `cargo xtask lint`: rustfmt and clippy over the workspace, warnings as errors.
//!
//! The canisters are looked at twice: as the host sees them, and as they are compiled for the IC. Most of
//! the pair exists only there.

use crate::cargo::{self, host_cargo, wasm_dir};
use crate::pair::{KINDS, rustflags};
use crate::toolchain::{Toolchain, build_dir};
use crate::wasm::{self, TARGET};
use anyhow::Result;
use std::process::Command;

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
    )?;
    lint_canisters()
}

/// Clippy over everything that is compiled for the IC. The modules are built first: rescue embeds the pair.
fn lint_canisters() -> Result<()> {
    wasm::build_all()?;
    let toolchain = Toolchain::for_target(TARGET)?;
    for kind in KINDS {
        let mut clippy = toolchain.cargo_clippy(TARGET, "core,panic_abort")?;
        clippy
            .args(["-p", kind.package()])
            .env("RUSTFLAGS", rustflags().join(" "))
            .env("CARGO_TARGET_DIR", build_dir().join("clippy-pair"));
        deny_warnings(clippy, kind.package())?;
    }
    for (package, features) in wasm::canisters() {
        let mut clippy = toolchain.cargo_clippy(TARGET, "std,panic_abort")?;
        clippy
            .args(["-p", package, "--features", features])
            .env("CARGO_TARGET_DIR", build_dir().join("clippy"))
            .env("IC_RESCUE_PAIR_DIR", wasm_dir());
        deny_warnings(clippy, &format!("{package} {features}"))?;
    }
    Ok(())
}

fn deny_warnings(mut clippy: Command, what: &str) -> Result<()> {
    clippy.args(["--lib", "--", "-D", "warnings"]);
    cargo::run(&mut clippy, &format!("cargo clippy for the IC, {what}"))
}
