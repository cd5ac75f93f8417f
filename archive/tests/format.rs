//! The commands in `docs/FORMAT.md` verify a backup, and notice damage.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use common::*;
use std::path::Path;
use std::process::Command;

/// The shell lines of the document, made to run in `dir`.
fn commands(dir: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FORMAT.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block = text
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let block = block.replace("/tmp/", "../");
    let block = block.replace("cd DIR", &format!("cd '{}'", dir.display()));
    format!("set -eu\n{block}")
}

fn run(dir: &Path) -> (bool, String) {
    let output = Command::new("sh")
        .arg("-c")
        .arg(commands(dir))
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn the_documented_commands_verify_a_backup() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("backup");
    make(&dir, &stable(), &heap());
    let (success, stdout) = run(&dir);
    let root = hex::encode(digests(archive::Memory::Stable, &stable()).root());
    assert!(
        success && stdout.ends_with(&format!("stable memory: {root}\n")),
        "{stdout}"
    );
}

#[test]
fn the_documented_commands_notice_damage() {
    for name in [
        "stable_memory.bin",
        "ic-rescue/stable_memory.sha256",
        "metadata.json",
    ] {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("backup");
        make(&dir, &stable(), &heap());
        let mut bytes = std::fs::read(dir.join(name)).unwrap();
        bytes[7] ^= 4;
        std::fs::write(dir.join(name), bytes).unwrap();
        assert!(!run(&dir).0, "{name}");
    }
}
