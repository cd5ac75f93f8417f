//! Compiled code in a folder outlives the engine.

#![allow(clippy::unwrap_used)]

use engine::{Engine, EngineConfig};
use std::path::{Path, PathBuf};

fn engine(dir: &Path) -> Engine {
    Engine::new(EngineConfig {
        cache_dir: Some(dir.to_path_buf()),
    })
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn code_is_stored_once_and_a_damaged_file_is_replaced() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    let wasm = wat::parse_str("(module (memory 1) (func (export \"canister_update u\")))").unwrap();

    engine(first.path()).load_module(&wasm).unwrap();
    let stored = files(first.path());
    assert_eq!(stored.len(), 1);
    let code = std::fs::read(&stored[0]).unwrap();

    let damaged = second.path().join(stored[0].file_name().unwrap());
    std::fs::write(&damaged, &code[..code.len() / 2]).unwrap();
    engine(second.path()).load_module(&wasm).unwrap();
    assert_eq!(files(second.path()), std::slice::from_ref(&damaged));
    assert_eq!(std::fs::read(&damaged).unwrap().len(), code.len());
}

#[test]
fn a_folder_that_cannot_be_written_only_costs_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let wasm = wat::parse_str("(module)").unwrap();
    let below_a_file = file.path().join("cache");
    engine(&below_a_file).load_module(&wasm).unwrap();
}
