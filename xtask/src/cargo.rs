//! Running cargo and naming the project's folders, once.
//!
//! Everything xtask builds for the host goes through [`build_host`] with the same target selection, so
//! that `demo` and `test` share their artifacts. It never changes the user's environment.

use crate::tools;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace root: the folder above `xtask/`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("BUG: xtask lies below the workspace root")
        .to_path_buf()
}

/// The target folder of host builds (`CARGO_TARGET_DIR` is honoured).
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where the finished canister modules lie.
pub fn wasm_dir() -> PathBuf {
    target_dir().join("wasm")
}

/// The cargo that runs xtask.
pub fn host_cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Runs `command` and turns a failure into an error that names `what`.
pub fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("could not start: {what}"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Builds every host target of the workspace, tests included, so that the binaries the scenarios start
/// are the ones that were just built.
pub fn build_host() -> Result<()> {
    let mut cargo = host_cargo();
    cargo.args(["build", "--workspace", "--all-targets"]);
    run(&mut cargo, "cargo build --workspace --all-targets")
}

/// The programs of others that tests run: the `icp` binary, the Motoko compiler, a browser.
pub fn tools_environment(command: &mut Command) -> Result<()> {
    command.env("IC_RESCUE_ICP_BIN", tools::icp()?);
    command.env("IC_RESCUE_MOTOKO_DIR", tools::motoko()?);
    command.env("IC_RESCUE_CHROMIUM_BIN", tools::chromium()?);
    Ok(())
}

/// What scenarios and the demo need to find: the modules, the CLI and a server. A `POCKET_IC_BIN` that is
/// already set is left alone: the same tests then run on that server.
pub fn scenario_environment(command: &mut Command) {
    let binaries = target_dir().join("debug");
    command.env("IC_RESCUE_WASM_DIR", wasm_dir());
    command.env("IC_RESCUE_BIN", binaries.join("ic-rescue"));
    if std::env::var_os("POCKET_IC_BIN").is_none_or(|path| path.is_empty()) {
        command.env("POCKET_IC_BIN", binaries.join("pocket-ic-server"));
    }
}
