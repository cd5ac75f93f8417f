//! Verifies a finished backup: re-reads every byte and returns everything that is wrong with it.
//!
//! What is trusted, and why:
//! - The manifest is kept twice and its hash is in `SHA256SUMS`, so one damaged byte in any of the three
//!   is found and the right version is known.
//! - The manifest holds the hash of every small file and the root of every memory.
//! - The root covers the digests, the digests cover the image. If image and root agree, it is the digests
//!   file that is damaged.
//!
//! Reads only. Repairing is the business of [`crate::repair`].

use crate::digests::{ChunkDigests, sha256};
use crate::error::ArchiveError;
use crate::files::read_small;
use crate::layout::Layout;
use crate::lock::Guard;
use crate::manifest::{FileEntry, Manifest, MemoryEntry};
use crate::memory::Memory;
use crate::metadata::Metadata;
use crate::open;
use crate::sums;
use crate::write::Examined;
use std::fmt;
use std::fs::File;
use std::path::Path;

/// Everything that a verification found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in the order of the files.
    pub findings: Vec<Finding>,
    /// Chunks of images that were hashed.
    pub chunks_checked: u64,
    /// Bytes of images that were examined, holes included.
    pub image_bytes_checked: u64,
    /// Small files that were hashed.
    pub files_checked: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The damaged file, relative to the backup directory.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What to do about it.
    pub remedy: Remedy,
}

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere in it, or the file as a whole.
    Whole,
    /// A line, counted from 1.
    Line(u64),
    /// A chunk of an image.
    Chunk {
        /// Which memory.
        memory: Memory,
        /// Index of the chunk, counted from 0.
        index: u64,
        /// First byte.
        offset_bytes: u64,
        /// Length in bytes.
        len_bytes: u64,
    },
    /// An entry of a digests file, counted from 0.
    Digest(u64),
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Fetch the chunk again.
    Refetch,
    /// Rebuild the file from the rest of the directory.
    Rebuild,
    /// Get the file again from where it came, or from a copy: its bytes are nowhere else in the directory.
    PutBack,
    /// Make the backup again: too much is damaged to tell what is right.
    BackUpAgain,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => formatter.write_str("file"),
            Place::Line(line) => write!(formatter, "line {line}"),
            Place::Chunk {
                index,
                offset_bytes,
                len_bytes,
                ..
            } => {
                write!(
                    formatter,
                    "chunk {index} (bytes {offset_bytes}..{})",
                    offset_bytes + len_bytes
                )
            }
            Place::Digest(index) => write!(formatter, "digest {index}"),
        }
    }
}

impl Remedy {
    /// The word used in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Remedy::Refetch => "refetch",
            Remedy::Rebuild => "rebuild",
            Remedy::PutBack => "put_back",
            Remedy::BackUpAgain => "back_up_again",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Remedy::Refetch => "`ic-rescue verify --repair` fetches it again",
            Remedy::Rebuild => {
                "`ic-rescue verify --repair` rebuilds it from the rest of the backup"
            }
            Remedy::PutBack => {
                "`ic-rescue verify --repair` gets it again from where it came, or from a copy (--from)"
            }
            Remedy::BackUpAgain => "run `ic-rescue backup` into this directory again",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            place,
            expected,
            found,
            remedy,
        } = self;
        write!(
            formatter,
            "{file}, {place}: expected {expected}, found {found}; {remedy}"
        )
    }
}

/// Verifies the backup in the directory that `lock` protects.
///
/// # Errors
/// Only when there is nothing to verify against: [`ArchiveError::NotSealed`] without a manifest,
/// [`ArchiveError::Parse`] if neither manifest nor copy can be read. Everything else is a finding.
pub fn verify(lock: &impl Guard, examined: Examined<'_>) -> Result<Report, ArchiveError> {
    let layout = lock.layout();
    let mut report = Report::default();
    let (manifest, json) = check_manifest(layout, &mut report)?;
    check_sums(layout, &manifest, &json, &mut report);
    for entry in &manifest.files {
        if manifest
            .memories
            .iter()
            .all(|memory| memory.digests != entry.path)
        {
            check_file(layout, entry, &mut report);
        }
    }
    check_metadata(layout, &manifest, &mut report);
    for entry in &manifest.memories {
        check_memory(layout, &manifest, entry, &mut report, examined);
    }
    Ok(report)
}

/// Finds out which of manifest and copy is right, and returns it with its bytes.
pub(crate) fn check_manifest(
    layout: &Layout,
    report: &mut Report,
) -> Result<(Manifest, Vec<u8>), ArchiveError> {
    open::read_manifest(layout)?;
    let paths = [layout.manifest(), layout.manifest_copy()];
    let sums = read_small(&layout.sums()).unwrap_or_default();
    let sums = String::from_utf8_lossy(&sums);
    let listed = |path: &Path, json: &[u8]| {
        let line = format!("{}  {}", hex::encode(sha256(json)), layout.relative(path));
        sums.lines().any(|held| held == line)
    };
    let held = paths.each_ref().map(|path| read_small(path).ok());
    report.files_checked += 2;
    // A version that SHA256SUMS vouches for wins; otherwise one that reads.
    let vouched = |n: usize| held[n].as_ref().is_some_and(|json| listed(&paths[n], json));
    let reads = |n: usize| {
        held[n]
            .as_ref()
            .is_some_and(|json| Manifest::parse(&paths[n], json).is_ok())
    };
    let right = [
        vouched(0) && reads(0),
        vouched(1) && reads(1),
        reads(0),
        reads(1),
    ]
    .iter()
    .position(|good| *good)
    .map_or(0, |n| n % 2);
    let json = held[right].clone().ok_or_else(|| ArchiveError::Read {
        path: paths[right].clone(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let manifest = Manifest::parse(&paths[right], &json)?;
    let other = 1 - right;
    if held[other].as_ref() != Some(&json) {
        let ambiguous = !vouched(right);
        report.findings.push(Finding {
            file: layout.relative(&paths[other]),
            place: Place::Whole,
            expected: format!("the same bytes as {}", layout.relative(&paths[right])),
            found: held[other]
                .as_ref()
                .map_or("no readable file".into(), |bytes| sha_text(bytes)),
            remedy: if ambiguous {
                Remedy::BackUpAgain
            } else {
                Remedy::Rebuild
            },
        });
    }
    Ok((manifest, json))
}

fn check_sums(layout: &Layout, manifest: &Manifest, json: &[u8], report: &mut Report) {
    report.files_checked += 1;
    let path = layout.sums();
    let expected = sums::render(layout, manifest, json);
    let found = match read_small(&path) {
        Ok(found) => found,
        Err(error) => {
            return report
                .findings
                .push(unreadable(layout, &path, &error, Remedy::Rebuild));
        }
    };
    if found == expected.as_bytes() {
        return;
    }
    let found = String::from_utf8_lossy(&found);
    let (mut wanted, mut held) = (expected.split_inclusive('\n'), found.split_inclusive('\n'));
    for line in 1.. {
        let (want, have) = (wanted.next(), held.next());
        if want == have && want.is_some() {
            continue;
        }
        report.findings.push(Finding {
            file: layout.relative(&path),
            place: Place::Line(line),
            expected: format!("{:?}", want.unwrap_or("end of file")),
            found: format!("{:?}", have.unwrap_or("end of file")),
            remedy: Remedy::Rebuild,
        });
        break;
    }
}

fn check_file(layout: &Layout, entry: &FileEntry, report: &mut Report) {
    report.files_checked += 1;
    let path = layout.root().join(&entry.path);
    match read_small(&path) {
        Err(error) => report
            .findings
            .push(unreadable(layout, &path, &error, Remedy::PutBack)),
        Ok(data) if hex::encode(sha256(&data)) != entry.sha256 => report.findings.push(Finding {
            file: entry.path.clone(),
            place: Place::Whole,
            expected: format!("{} bytes with SHA-256 {}", entry.size_bytes, entry.sha256),
            found: sha_text(&data),
            remedy: remedy_of(layout, &path),
        }),
        Ok(_) => {}
    }
}

/// The manifest tells what `metadata.json` says; an empty image stands for a memory that is not in the
/// backup. The bytes of all other files are nowhere else.
fn remedy_of(layout: &Layout, path: &Path) -> Remedy {
    let rebuildable = path == layout.metadata()
        || Memory::ALL
            .into_iter()
            .any(|memory| path == layout.image(memory));
    if rebuildable {
        Remedy::Rebuild
    } else {
        Remedy::PutBack
    }
}

/// Checks that the metadata tells the same as the manifest. Damage of the file is found by its hash; this
/// finds a manifest that was put together wrongly.
fn check_metadata(layout: &Layout, manifest: &Manifest, report: &mut Report) {
    let Some(metadata) = read_small(&layout.metadata())
        .ok()
        .and_then(|json| Metadata::parse(&json).ok())
    else {
        return;
    };
    let recorded = |memory| manifest.memory(memory).map_or(0, |entry| entry.size_bytes);
    for (name, expected, found) in [
        (
            "stable_memory_size",
            recorded(Memory::Stable),
            metadata.stable_memory_size,
        ),
        (
            "wasm_memory_size",
            recorded(Memory::Heap),
            metadata.wasm_memory_size,
        ),
    ] {
        if expected != found && !report.findings.iter().any(|f| f.file == "metadata.json") {
            report.findings.push(Finding {
                file: layout.relative(&layout.metadata()),
                place: Place::Whole,
                expected: format!("{name} {expected}"),
                found: format!("{name} {found}"),
                remedy: Remedy::BackUpAgain,
            });
        }
    }
}

fn check_memory(
    layout: &Layout,
    manifest: &Manifest,
    entry: &MemoryEntry,
    report: &mut Report,
    examined: Examined<'_>,
) {
    let hashed = match hash_image(layout, manifest, entry, report, examined) {
        Ok(hashed) => hashed,
        Err(finding) => return report.findings.push(finding),
    };
    report.files_checked += 1;
    let path = layout.digests(entry.memory);
    let recorded = match read_small(&path) {
        Ok(recorded) => recorded,
        Err(error) => {
            let rebuildable = hex::encode(hashed.root()) == entry.root;
            let remedy = if rebuildable {
                Remedy::Rebuild
            } else {
                Remedy::BackUpAgain
            };
            return report
                .findings
                .push(unreadable(layout, &path, &error, remedy));
        }
    };
    if hex::encode(hashed.root()) == entry.root {
        // The image is right. If the digests file is not, its damage is named entry by entry.
        report
            .findings
            .extend(digest_findings(layout, entry.memory, &hashed, &recorded));
        return;
    }
    match ChunkDigests::from_raw(
        entry.memory,
        entry.size_bytes,
        manifest.chunk_len_bytes,
        &recorded,
    ) {
        Ok(recorded) if hex::encode(recorded.root()) == entry.root => {
            report
                .findings
                .extend(chunk_findings(layout, &recorded, &hashed));
        }
        other => {
            report.findings.push(Finding {
                file: layout.relative(&path),
                place: Place::Whole,
                expected: format!("digests with root {}", entry.root),
                found: match &other {
                    Ok(recorded) => format!("root {}", hex::encode(recorded.root())),
                    Err(error) => error.to_string(),
                },
                remedy: Remedy::BackUpAgain,
            });
            if let Ok(recorded) = other {
                report
                    .findings
                    .extend(chunk_findings(layout, &recorded, &hashed));
            }
        }
    }
}

/// Hashes an image as it lies on disk.
fn hash_image(
    layout: &Layout,
    manifest: &Manifest,
    entry: &MemoryEntry,
    report: &mut Report,
    examined: Examined<'_>,
) -> Result<ChunkDigests, Finding> {
    let path = layout.image(entry.memory);
    let io_finding = |error: &ArchiveError| unreadable(layout, &path, error, Remedy::Refetch);
    let read_error = |source| {
        io_finding(&ArchiveError::Read {
            path: path.clone(),
            source,
        })
    };
    let file = File::open(&path).map_err(read_error)?;
    let found_bytes = file.metadata().map_err(read_error)?.len();
    if found_bytes != entry.size_bytes {
        return Err(Finding {
            file: entry.file.clone(),
            place: Place::Whole,
            expected: format!("{} bytes", entry.size_bytes),
            found: format!("{found_bytes} bytes"),
            remedy: Remedy::Refetch,
        });
    }
    let (mut chunks, mut bytes) = (0, 0);
    let mut count = |len| {
        chunks += 1;
        bytes += len;
        examined(len);
    };
    let chunk_len_bytes = manifest.chunk_len_bytes;
    let digests = open::hash_image(
        &file,
        &path,
        entry.memory,
        entry.size_bytes,
        chunk_len_bytes,
        &mut count,
    )
    .map_err(|error| io_finding(&error));
    report.chunks_checked += chunks;
    report.image_bytes_checked += bytes;
    digests
}

fn chunk_findings(layout: &Layout, recorded: &ChunkDigests, hashed: &ChunkDigests) -> Vec<Finding> {
    let memory = recorded.memory();
    (0..recorded.count())
        .filter(|chunk| recorded.get(*chunk) != hashed.get(*chunk))
        .map(|index| Finding {
            file: layout.relative(&layout.image(memory)),
            place: Place::Chunk {
                memory,
                index,
                offset_bytes: recorded.offset_bytes(index),
                len_bytes: recorded.len_bytes(index),
            },
            expected: format!("SHA-256 {}", hex::encode(recorded.get(index))),
            found: hex::encode(hashed.get(index)),
            remedy: Remedy::Refetch,
        })
        .collect()
}

fn digest_findings(
    layout: &Layout,
    memory: Memory,
    right: &ChunkDigests,
    recorded: &[u8],
) -> Vec<Finding> {
    let file = layout.relative(&layout.digests(memory));
    let wanted_bytes = right.count() * 32;
    if recorded.len() as u64 != wanted_bytes {
        return vec![Finding {
            file,
            place: Place::Whole,
            expected: format!("{wanted_bytes} bytes"),
            found: format!("{} bytes", recorded.len()),
            remedy: Remedy::Rebuild,
        }];
    }
    (0..right.count())
        .filter_map(|index| {
            let found = &recorded[(index * 32) as usize..][..32];
            (found != right.get(index)).then(|| Finding {
                file: file.clone(),
                place: Place::Digest(index),
                expected: hex::encode(right.get(index)),
                found: hex::encode(found),
                remedy: Remedy::Rebuild,
            })
        })
        .collect()
}

fn unreadable(layout: &Layout, path: &Path, error: &ArchiveError, remedy: Remedy) -> Finding {
    Finding {
        file: layout.relative(path),
        place: Place::Whole,
        expected: "a readable file".into(),
        found: error.to_string(),
        remedy,
    }
}

fn sha_text(data: &[u8]) -> String {
    format!(
        "{} bytes with SHA-256 {}",
        data.len(),
        hex::encode(sha256(data))
    )
}
