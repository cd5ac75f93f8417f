//! `cargo xtask turns COMMIT`: the command line of an earlier commit and today's take turns on the same directories.
//!
//! Builds `ic-rescue` of that commit from a work tree of its own below `target/turns/`, then runs the scenarios that kill
//! backups and restores, every other run by the earlier binary. Today's binaries are the ones in `target/debug` when it
//! ends. It changes neither the work tree it runs in nor its index.

use crate::{cargo, wasm};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the scenarios of `killed_anywhere` with both binaries.
pub fn run(args: &[String]) -> Result<()> {
    let [commit] = args else {
        bail!("say which earlier commit (or tag) takes turns: cargo xtask turns COMMIT");
    };
    wasm::build_all()?;
    let earlier = build_earlier(commit)?;
    cargo::build_host()?;
    let mut tests = cargo::host_cargo();
    tests.args([
        "test",
        "--workspace",
        "--test",
        "scenarios",
        "killed_anywhere",
    ]);
    tests.env("IC_RESCUE_OLD_BIN", earlier);
    cargo::scenario_environment(&mut tests);
    cargo::run(&mut tests, "the scenarios that kill")
}

/// The binary of `commit`, built from a work tree of its own with this one's compiled dependencies.
fn build_earlier(commit: &str) -> Result<PathBuf> {
    let folder = cargo::target_dir().join("turns");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("could not make {}", folder.display()))?;
    let tree = folder.join("tree");
    // What an earlier run left is of no use to this one.
    if tree.exists() {
        cargo::run(
            git(&["worktree", "remove", "--force"]).arg(&tree),
            "git worktree remove",
        )?;
    }
    cargo::run(
        git(&["worktree", "add", "--detach"]).arg(&tree).arg(commit),
        "git worktree add",
    )?;
    let built = build(&tree);
    let kept = folder.join("ic-rescue");
    let copied = built.and_then(|()| {
        std::fs::copy(cargo::target_dir().join("debug/ic-rescue"), &kept)
            .with_context(|| format!("could not keep {}", kept.display()))
    });
    cargo::run(
        git(&["worktree", "remove", "--force"]).arg(&tree),
        "git worktree remove",
    )?;
    copied?;
    Ok(kept)
}

fn build(tree: &Path) -> Result<()> {
    let mut cargo = cargo::host_cargo();
    cargo.current_dir(tree);
    cargo.args(["build", "--workspace", "--bins"]);
    cargo.env("CARGO_TARGET_DIR", cargo::target_dir());
    cargo.env("IC_RESCUE_EMBEDDED_PAIR_DIR", cargo::wasm_dir());
    cargo::run(&mut cargo, "cargo build of the earlier commit")
}

fn git(args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.current_dir(cargo::root()).args(args);
    git
}
