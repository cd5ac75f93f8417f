//! Backups of every format version that was ever written stay readable: `tests/golden/v*`.
//!
//! `BLESS=1 cargo test -p archive --test golden` writes the directory of the current version; it refuses
//! when the environment says that this is a CI machine.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::lock::Guard;
use archive::stop_note::StopNote;
use archive::{Backup, Draft, Exclusive, Memory, Shared, Subject, verify::verify};
use common::*;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(version: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/golden/v{version}"))
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn version_1_is_read() {
    let lock = Shared::existing(&golden(1)).unwrap();
    assert_eq!(verify(&lock, &mut |_| {}).unwrap().findings, []);
    let backup = Backup::open(&lock).unwrap();
    assert_eq!(backup.manifest().unwrap().subject, subject());
    for memory in Memory::ALL {
        let image = backup.image(memory, &mut |_| {}).unwrap().unwrap();
        let read: Vec<u8> = (0..image.digests().count())
            .flat_map(|index| image.read(index).unwrap())
            .collect();
        assert!(read == data(memory), "{memory}");
    }
}

#[test]
fn version_1_is_written_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    if std::env::var_os("BLESS").is_some() {
        assert!(
            std::env::var_os("CI").is_none(),
            "golden files are not rewritten on CI"
        );
        copy_tree(dir.path(), &golden(1));
    }
    let mut folders = vec![PathBuf::new()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let names = |root: &Path| {
            let mut names: Vec<_> = fs::read_dir(root.join(&folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(
            names(&golden(1)),
            names(dir.path()),
            "in {}",
            folder.display()
        );
        for name in names(dir.path()) {
            let path = folder.join(name);
            if dir.path().join(&path).is_dir() {
                folders.push(path);
                continue;
            }
            let written = fs::read(dir.path().join(&path)).unwrap();
            assert!(
                fs::read(golden(1).join(&path)).unwrap() == written,
                "{}",
                path.display()
            );
            files += 1;
        }
    }
    assert_eq!(files, 11);
}

#[test]
fn a_stop_note_is_written_byte_for_byte_and_goes_with_the_draft_of_its_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let lock = Exclusive::create(dir.path()).unwrap();
    let path = lock.layout().stop_note();
    assert_eq!(StopNote::read(&path).unwrap(), None);
    let note = StopNote {
        canister: "bkyz2-fmaaa-aaaaa-qaaaq-cai".into(),
        snapshot: Some("00ff".into()),
    };
    note.write(&path).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        r#"{
  "format": "ic-rescue stop note",
  "format_version": 1,
  "canister": "bkyz2-fmaaa-aaaaa-qaaaq-cai",
  "snapshot": "00ff"
}
"#
    );
    assert_eq!(StopNote::read(&path).unwrap(), Some(note.clone()));

    // A backup by another route leaves it: the canister is still to be started.
    let canister = Subject {
        canister: note.canister,
        ..subject()
    };
    drop(Draft::begin(lock, canister.clone()).unwrap());
    assert!(path.exists());
    let of_snapshot = Subject {
        snapshot: note.snapshot,
        ..canister
    };
    let lock = Exclusive::create(dir.path()).unwrap();
    drop(Draft::begin(lock, of_snapshot).unwrap());
    assert!(!path.exists());
}
