//! A snapshot is received: digests are made from what arrives, and an interruption loses nothing but what was
//! not on disk.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::manifest::{Attestation, Route};
use archive::verify::verify;
use archive::{ArchiveError, Draft, Exclusive, Memory, Shared, Subject};
use std::fs;
use std::path::Path;

const CHUNK: usize = 1 << 20;

fn subject(snapshot: &str) -> Subject {
    Subject {
        route: Route::Snapshot,
        attestation: Attestation::Received,
        snapshot: Some(snapshot.into()),
        ..common::subject()
    }
}

/// Two chunks of data around one of zeros, and a short one.
fn image() -> Vec<u8> {
    let mut data: Vec<u8> = (0..3 * CHUNK + 700)
        .map(|n| (n * 13 + n / 997) as u8)
        .collect();
    data[CHUNK..2 * CHUNK].fill(0);
    data
}

fn begin(dir: &Path, snapshot: &str) -> Draft {
    Draft::begin(Exclusive::create(dir).unwrap(), subject(snapshot)).unwrap()
}

/// Receives the chunks that are missing, at most `count` of them; returns which.
fn receive(draft: &Draft, data: &[u8], count: usize) -> Vec<u64> {
    let receiver = draft.receiver(Memory::Stable, data.len() as u64).unwrap();
    let mut missing = receiver.survey(&mut |_| {}).unwrap();
    missing.truncate(count);
    for chunk in &missing {
        let start = *chunk as usize * CHUNK;
        receiver
            .write(*chunk, &data[start..data.len().min(start + CHUNK)])
            .unwrap();
    }
    missing
}

fn finish(mut draft: Draft, data: &[u8]) {
    let receiver = draft.receiver(Memory::Stable, data.len() as u64).unwrap();
    let digests = receiver.finish().unwrap();
    let writer = draft.writer(digests).unwrap();
    draft.add_image(writer.seal(&mut |_| {}).unwrap());
    draft.seal(common::seal()).unwrap();
}

#[test]
fn an_interrupted_reception_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let data = image();
    assert_eq!(receive(&begin(dir.path(), "aa"), &data, 2), [0, 1]);
    let draft = begin(dir.path(), "aa");
    assert_eq!(receive(&draft, &data, 9), [2, 3]);
    finish(draft, &data);
    assert!(fs::read(dir.path().join("stable_memory.bin")).unwrap() == data);
    let report = verify(&Shared::existing(dir.path()).unwrap(), &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
}

#[test]
fn what_changed_on_disk_since_is_received_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = image();
    receive(&begin(dir.path(), "aa"), &data, 9);
    let partial = dir.path().join("stable_memory.bin.partial");
    let mut held = fs::read(&partial).unwrap();
    held[5] ^= 1;
    fs::write(&partial, &held).unwrap();
    let notes = dir.path().join("ic-rescue/stable_memory.sha256");
    let mut noted = fs::read(&notes).unwrap();
    noted[3 * 32] ^= 1;
    fs::write(&notes, &noted).unwrap();
    let draft = begin(dir.path(), "aa");
    assert_eq!(receive(&draft, &data, 9), [0, 3]);
    finish(draft, &data);
}

#[test]
fn nothing_of_another_snapshot_counts() {
    let dir = tempfile::tempdir().unwrap();
    let data = image();
    let draft = begin(dir.path(), "aa");
    receive(&draft, &data, 9);
    finish(draft, &data);
    let again = begin(dir.path(), "aa");
    assert_eq!(
        receive(&again, &data, 9),
        [] as [u64; 0],
        "the same is there"
    );
    drop(again);
    let mut other = data.clone();
    other[2 * CHUNK] ^= 1;
    let draft = begin(dir.path(), "bb");
    assert_eq!(receive(&draft, &other, 9), [0, 1, 2, 3]);
    finish(draft, &other);
    assert!(fs::read(dir.path().join("stable_memory.bin")).unwrap() == other);
}

#[test]
fn an_incomplete_reception_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let data = image();
    let draft = begin(dir.path(), "aa");
    receive(&draft, &data, 3);
    let receiver = draft.receiver(Memory::Stable, data.len() as u64).unwrap();
    assert!(matches!(
        receiver.write(3, &data[..7]),
        Err(ArchiveError::ChunkLength { chunk: 3, .. })
    ));
    assert!(matches!(
        receiver.finish(),
        Err(ArchiveError::Unfinished {
            bad: 1,
            total: 4,
            first: 3,
            ..
        })
    ));
}
