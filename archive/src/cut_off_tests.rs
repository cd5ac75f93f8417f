//! A process may be gone between any two file operations. What it leaves is then a whole backup, or one that says
//! that it is unfinished; never one that passes for damaged, nor one that cannot be gone on with.

#![allow(clippy::unwrap_used)] // a panic is the report

#[path = "../tests/common/mod.rs"]
mod common;

use crate::error::ArchiveError;
use crate::files::cut;
use crate::lock::Shared;
use crate::open::read_manifest;
use crate::verify::verify;
use common::{heap, make, stable, try_make, try_receive};
use std::path::Path;

type Attempt = fn(&Path) -> Result<(), ArchiveError>;

/// What the directory holds at first.
const BEGINNINGS: [Attempt; 4] = [
    |_| Ok(()),
    |dir| try_make(dir, &[3; 9000], &heap()).map(drop),
    |dir| try_receive(dir, "00", &[3; 70_000], &heap()),
    // Of the same lengths and without the last step: notes of another snapshot would fit.
    |dir| {
        cut::after(Some(20));
        try_receive(dir, "00", &vec![4; stable().len()], &heap()).unwrap_err();
        cut::after(None);
        Ok(())
    },
];

#[test]
fn a_backup_cut_off_anywhere_is_whole_or_unfinished_and_is_gone_on_with() {
    let backup: Attempt = |dir| try_make(dir, &stable(), &heap()).map(drop);
    let snapshot: Attempt = |dir| try_receive(dir, "01", &stable(), &heap());
    for (beginning, begin) in BEGINNINGS.into_iter().enumerate() {
        for (name, attempt) in [("backup", backup), ("snapshot", snapshot)] {
            let operations = cut_off_at_each(begin, attempt, &format!("{name} over {beginning}"));
            assert!(operations > 20, "{operations}");
        }
    }
}

/// Cuts `attempt` off before each of its operations in turn, and returns how many there are.
fn cut_off_at_each(begin: Attempt, attempt: Attempt, what: &str) -> u64 {
    for operations in 0.. {
        let dir = tempfile::tempdir().unwrap();
        begin(dir.path()).unwrap();
        cut::after(Some(operations));
        let ended = attempt(dir.path());
        cut::after(None);
        let at = format!("{what}, cut off after {operations} operations");
        whole_or_unfinished(dir.path(), &at);

        attempt(dir.path()).unwrap_or_else(|error| panic!("{at}: {error}"));
        let lock = Shared::existing(dir.path()).unwrap();
        assert_eq!(verify(&lock, &mut |_| {}).unwrap().findings, [], "{at}");
        let held = std::fs::read(dir.path().join("stable_memory.bin")).unwrap();
        assert!(held == stable(), "{at}: other bytes");
        if ended.is_ok() {
            return operations;
        }
    }
    unreachable!("BUG: it counts until the attempt is through")
}

fn whole_or_unfinished(dir: &Path, at: &str) {
    let lock = Shared::existing(dir).unwrap();
    match verify(&lock, &mut |_| {}) {
        Ok(report) => assert_eq!(report.findings, [], "{at}"),
        Err(ArchiveError::NotSealed { .. }) => {}
        Err(error) => panic!("{at}: {error}"),
    }
}

#[test]
fn a_finished_backup_that_lost_its_manifest_is_damaged_not_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, _) = make(dir.path(), &stable(), &heap());
    std::fs::remove_file(backup.layout().manifest()).unwrap();
    read_manifest(backup.layout()).unwrap();
    let lock = Shared::existing(dir.path()).unwrap();
    let report = verify(&lock, &mut |_| {}).unwrap();
    assert_eq!(report.findings.len(), 1);
}
