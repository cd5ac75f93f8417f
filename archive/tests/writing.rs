//! A backup is made, interrupted, resumed and brought up to date.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::{ArchiveError, Backup, Draft, Exclusive, Memory, Shared, verify::verify};
use common::*;
use proptest::prelude::*;
use std::fs;

#[test]
fn a_backup_verifies_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, written) = make(dir.path(), &stable(), &heap());
    assert_eq!(written.len(), 7, "the zero chunk is not among them");
    assert!(backup.manifest().unwrap().loadable_as_snapshot);

    let lock = Shared::existing(dir.path()).unwrap();
    let report = verify(&lock, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.chunks_checked, 8);
    let backup = Backup::open(&lock).unwrap();
    for memory in Memory::ALL {
        let image = backup.image(memory, &mut |_| {}).unwrap().unwrap();
        let read: Vec<u8> = (0..image.digests().count())
            .flat_map(|index| image.read(index).unwrap())
            .collect();
        assert!(read == data(memory), "{memory}");
    }
    assert_eq!(backup.module().unwrap().unwrap(), MODULE);
}

#[test]
fn wrong_bytes_are_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let draft = Draft::begin(Exclusive::create(dir.path()).unwrap(), subject()).unwrap();
    let writer = draft.writer(digests(Memory::Stable, &stable())).unwrap();
    let mut wrong = chunk(writer.digests(), &stable(), 1);
    wrong[17] ^= 1;
    assert!(matches!(
        writer.write(1, &wrong),
        Err(ArchiveError::ChunkMismatch { chunk: 1, .. })
    ));
    assert!(matches!(
        writer.write(1, &wrong[1..]),
        Err(ArchiveError::ChunkLength {
            chunk: 1,
            found_bytes: 4095,
            ..
        })
    ));
    let partial = fs::read(draft.layout().partial_image(Memory::Stable)).unwrap();
    assert!(partial.iter().all(|byte| *byte == 0));
}

#[test]
fn an_image_with_a_missing_chunk_is_not_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let draft = Draft::begin(Exclusive::create(dir.path()).unwrap(), subject()).unwrap();
    let writer = draft.writer(digests(Memory::Heap, &heap())).unwrap();
    writer
        .write(0, &chunk(writer.digests(), &heap(), 0))
        .unwrap();
    let error = writer.seal(&mut |_| {}).unwrap_err();
    assert!(matches!(
        error,
        ArchiveError::Unfinished {
            bad: 1,
            first: 1,
            total: 2,
            ..
        }
    ));
    assert!(!draft.layout().image(Memory::Heap).exists());
}

#[test]
fn a_second_backup_writes_changed_chunks_only() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    let mut changed = stable();
    changed[CHUNK as usize + 5] ^= 0xff;
    changed[4 * CHUNK as usize..5 * CHUNK as usize].fill(0);
    changed.extend([9; 50]);
    let (_, written) = make(dir.path(), &changed, &heap());
    assert_eq!(written, [(Memory::Stable, 1), (Memory::Stable, 5)]);
    let lock = Shared::existing(dir.path()).unwrap();
    assert!(verify(&lock, &mut |_| {}).unwrap().is_sound());
    assert!(fs::read(dir.path().join("stable_memory.bin")).unwrap() == changed);
}

#[test]
fn another_canister_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    let other = archive::Subject {
        canister: "aaaaa-aa".into(),
        ..subject()
    };
    let error = Draft::begin(Exclusive::existing(dir.path()).unwrap(), other).unwrap_err();
    assert!(
        matches!(error, ArchiveError::OtherCanister { .. }),
        "{error}"
    );
    assert!(
        dir.path().join("ic-rescue/manifest.json").exists(),
        "the backup is untouched"
    );
}

#[test]
fn a_directory_of_someone_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "the only copy").unwrap();
    let error = Draft::begin(Exclusive::existing(dir.path()).unwrap(), subject()).unwrap_err();
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    assert!(!dir.path().join("ic-rescue").exists());
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    for name in ["manifest.json", "manifest.copy.json"] {
        let path = dir.path().join("ic-rescue").join(name);
        let json = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            json.replace("\"format_version\": 1", "\"format_version\": 2"),
        )
        .unwrap();
    }
    let lock = Shared::existing(dir.path()).unwrap();
    assert!(matches!(
        Backup::open(&lock),
        Err(ArchiveError::NewerFormat {
            found: 2,
            supported: 1,
            ..
        })
    ));
}

#[test]
fn a_wrong_module_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let draft = Draft::begin(Exclusive::create(dir.path()).unwrap(), subject()).unwrap();
    let wrong = archive::Seal {
        module: Some(b"another".to_vec()),
        ..seal()
    };
    assert!(matches!(
        draft.seal(wrong),
        Err(ArchiveError::ModuleMismatch { .. })
    ));
    assert!(!dir.path().join("ic-rescue/manifest.json").exists());
}

#[test]
fn an_unfinished_backup_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    drop(Draft::begin(Exclusive::create(dir.path()).unwrap(), subject()).unwrap());
    let lock = Shared::existing(dir.path()).unwrap();
    let error = verify(&lock, &mut |_| {}).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("run the same backup command again"),
        "{error}"
    );
}

#[test]
fn a_snapshot_of_another_tool_is_read() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    fs::remove_dir_all(dir.path().join("ic-rescue")).unwrap();
    let backup = Backup::open(&Shared::existing(dir.path()).unwrap()).unwrap();
    assert!(backup.manifest().is_none());
    let image = backup.image(Memory::Stable, &mut |_| {}).unwrap().unwrap();
    assert_eq!(image.digests().size_bytes(), stable().len() as u64);
    assert_eq!(image.read(0).unwrap(), stable());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A kill leaves some chunks written, some garbled, some not there, and either name on the image.
    #[test]
    fn a_killed_backup_is_finished_by_the_same_command(
        fates in prop::collection::vec(0u8..4, 6),
        torn_at in 0usize..4096,
        sealed_before in any::<bool>(),
        length_change in -5000i64..5000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        if sealed_before {
            make(dir.path(), &vec![3; 9000], &heap());
        }
        let draft = Draft::begin(Exclusive::create(dir.path()).unwrap(), subject()).unwrap();
        let writer = draft.writer(digests(Memory::Stable, &stable())).unwrap();
        let path = draft.layout().partial_image(Memory::Stable);
        let mut image = fs::read(&path).unwrap();
        for (index, fate) in fates.iter().enumerate() {
            let right = chunk(writer.digests(), &stable(), index as u64);
            let start = index * CHUNK as usize;
            let kept = match fate { 0 => 0, 1 => right.len(), _ => torn_at.min(right.len()) };
            image[start..start + kept].copy_from_slice(&right[..kept]);
            if *fate == 3 {
                image[start + torn_at % right.len()] ^= 0x10;
            }
        }
        fs::write(&path, image).unwrap();
        let length = (stable().len() as i64 + length_change) as u64;
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        drop((writer, draft));

        let (_, written) = make(dir.path(), &stable(), &heap());
        for (index, fate) in fates.iter().enumerate() {
            let whole = (index as u64 + 1) * CHUNK <= length;
            let refetched = written.contains(&(Memory::Stable, index as u64));
            prop_assert!(!(*fate == 1 && whole && refetched), "chunk {} was proven on disk", index);
        }
        prop_assert!(fs::read(dir.path().join("stable_memory.bin")).unwrap() == stable());
        let lock = Shared::existing(dir.path()).unwrap();
        let report = verify(&lock, &mut |_| {}).unwrap();
        prop_assert!(report.is_sound());
    }
}
