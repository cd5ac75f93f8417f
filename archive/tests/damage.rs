//! Damage anywhere in a backup is found, named, and repaired as far as the directory allows.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::lock::Guard;
use archive::verify::{Place, Remedy, verify};
use archive::{Backup, Exclusive, Memory, Shared, open, repair};
use common::*;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    files
}

fn relative(dir: &Path, path: &Path) -> String {
    path.strip_prefix(dir)
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

/// Repairs everything but what is nowhere else in the directory; chunks come from `common`.
fn repair_all(dir: &Path) {
    let lock = Exclusive::existing(dir).unwrap();
    let report = verify(&lock, &mut |_| {}).unwrap();
    repair::rebuild(&lock, &report).unwrap();
    let json = fs::read(dir.join("ic-rescue/manifest.json")).unwrap();
    let manifest = archive::Manifest::parse(dir, &json).unwrap();
    for memory in Memory::ALL {
        let image = &manifest.memory(memory).unwrap().file;
        if report.findings.iter().all(|finding| finding.file != *image) {
            continue;
        }
        let mut writer = repair::reopen(&lock, &manifest, memory).unwrap();
        for index in writer.survey(&mut |_| {}).unwrap() {
            writer
                .write(index, &chunk(writer.digests(), &data(memory), index))
                .unwrap();
        }
        writer.seal(&mut |_| {}).unwrap();
    }
}

/// Every file of a backup with its bytes. One backup serves all cases: each case ends with it as it was.
struct Whole {
    dir: tempfile::TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Whole {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &stable(), &heap());
        let files = files_below(dir.path())
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        Self { dir, files }
    }

    /// The file and the offset in it of byte `at` of all bytes.
    fn locate(&self, mut at: usize) -> (&PathBuf, &[u8], usize) {
        for (path, bytes) in &self.files {
            if at < bytes.len() {
                return (path, bytes, at);
            }
            at -= bytes.len();
        }
        panic!("beyond the last byte")
    }

    fn differing(&self) -> Vec<String> {
        let same = |path: &Path, bytes: &[u8]| fs::read(path).is_ok_and(|found| found == bytes);
        let changed = self.files.iter().filter(|(path, bytes)| !same(path, bytes));
        changed
            .map(|(path, _)| relative(self.dir.path(), path))
            .collect()
    }
}

#[test]
fn one_changed_byte_anywhere_is_found_named_and_repaired() {
    const CASES: u32 = 2000;
    let whole = Whole::new();
    let dir = whole.dir.path();
    let total: usize = whole.files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    });
    let damage = |(position, change): (prop::sample::Index, u8)| {
        let (path, bytes, at) = whole.locate(position.index(total));
        let mut damaged = bytes.to_vec();
        damaged[at] ^= change;
        fs::write(path, damaged).unwrap();

        let report = verify(&Shared::existing(dir).unwrap(), &mut |_| {}).unwrap();
        let name = relative(dir, path);
        prop_assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        let finding = &report.findings[0];
        prop_assert_eq!(&finding.file, &name);
        if name.ends_with("_memory.bin") {
            let right =
                matches!(finding.place, Place::Chunk { index, .. } if index == at as u64 / CHUNK);
            prop_assert!(right, "{:?}", finding.place);
        }
        if finding.remedy == Remedy::PutBack {
            let lock = Exclusive::existing(dir).unwrap();
            let manifest = open::read_manifest(lock.layout()).unwrap();
            let is_back = repair::put_back(&lock, &manifest, &name, bytes).unwrap();
            prop_assert!(is_back, "{} is not what the manifest lists", name);
        } else {
            repair_all(dir);
        }
        let differing = whole.differing();
        prop_assert!(differing.is_empty(), "{:?}", differing);
        Ok(())
    };
    runner
        .run(&(any::<prop::sample::Index>(), 1u8..), damage)
        .unwrap();
}

#[test]
fn all_damage_is_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    let flip = |name: &str, at: usize| {
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip("stable_memory.bin", 10);
    flip("stable_memory.bin", 5 * CHUNK as usize);
    flip("wasm_memory.bin", 1);
    flip("wasm_module.bin", 9);
    flip("metadata.json", 3);
    flip("ic-rescue/manifest.json", 30);
    fs::remove_file(dir.path().join("ic-rescue/SHA256SUMS")).unwrap();
    let report = verify(&Shared::existing(dir.path()).unwrap(), &mut |_| {}).unwrap();
    let text: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            finding
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR")
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_missing_or_short_image_is_found() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("stable_memory.bin"))
        .unwrap()
        .set_len(100)
        .unwrap();
    fs::remove_file(dir.path().join("wasm_memory.bin")).unwrap();
    let lock = Shared::existing(dir.path()).unwrap();
    let report = verify(&lock, &mut |_| {}).unwrap();
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.remedy == Remedy::Refetch)
    );
    let backup = Backup::open(&lock).unwrap();
    assert!(backup.image(Memory::Stable, &mut |_| {}).is_err());
    drop(lock);
    repair_all(dir.path());
    let lock = Shared::existing(dir.path()).unwrap();
    assert!(verify(&lock, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn digests_and_image_damaged_together_are_both_named() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &stable(), &heap());
    for (name, at) in [
        ("ic-rescue/stable_memory.sha256", 40),
        ("stable_memory.bin", 4 * 4096),
    ] {
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let report = verify(&Shared::existing(dir.path()).unwrap(), &mut |_| {}).unwrap();
    let files: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.file.as_str())
        .collect();
    assert!(
        files.contains(&"ic-rescue/stable_memory.sha256"),
        "{files:?}"
    );
    assert!(files.contains(&"stable_memory.bin"), "{files:?}");
}
