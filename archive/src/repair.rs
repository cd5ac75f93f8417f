//! Repairs what the directory itself can repair: manifest, copy, checksums and digests files. What is nowhere
//! else in it is put back, or, if it is proof, replaced by new proof.
//!
//! Images are repaired by writing again into them: [`reopen`] gives a damaged image its partial name back,
//! so that the bad chunks can be fetched and the image sealed as when it was first made.

use crate::digests::{ChunkDigests, sha256};
use crate::draft::metadata_json;
use crate::error::ArchiveError;
use crate::files::{create_folder, write_atomic};
use crate::lock::{Exclusive, Guard};
use crate::manifest::{FileEntry, Manifest};
use crate::memory::Memory;
use crate::open::read_digests;
use crate::sums;
use crate::verify::{Remedy, Report, check_manifest};
use crate::write::ImageWriter;

/// Rebuilds every small file that `report` says can be rebuilt, and returns their names.
///
/// # Errors
/// When a file cannot be read or written.
pub fn rebuild(lock: &Exclusive, report: &Report) -> Result<Vec<String>, ArchiveError> {
    let layout = lock.layout();
    let (manifest, json) = check_manifest(layout, &mut Report::default())?;
    let mut rebuilt: Vec<String> = Vec::new();
    for finding in report
        .findings
        .iter()
        .filter(|f| f.remedy == Remedy::Rebuild)
    {
        if rebuilt.contains(&finding.file) {
            continue;
        }
        let path = layout.root().join(&finding.file);
        let memory = Memory::ALL
            .into_iter()
            .find(|memory| path == layout.digests(*memory));
        match memory {
            Some(memory) => write_atomic(&path, &image_digests(lock, &manifest, memory)?)?,
            None if path == layout.sums() => {
                write_atomic(&path, sums::render(layout, &manifest, &json).as_bytes())?;
            }
            None if path == layout.metadata() => {
                write_atomic(&path, &metadata_json(&path, &manifest.metadata)?)?;
            }
            None if Memory::ALL
                .into_iter()
                .any(|memory| path == layout.image(memory)) =>
            {
                write_atomic(&path, &[])?;
            }
            None if path == layout.manifest() || path == layout.manifest_copy() => {
                write_atomic(&path, &json)?;
            }
            None => continue,
        }
        rebuilt.push(finding.file.clone());
    }
    Ok(rebuilt)
}

/// Puts `data` back as the file `path` (relative to the directory) if it is what the manifest lists there,
/// and tells whether it was.
///
/// # Errors
/// When the file cannot be written.
pub fn put_back(
    lock: &Exclusive,
    manifest: &Manifest,
    path: &str,
    data: &[u8],
) -> Result<bool, ArchiveError> {
    let sum = hex::encode(sha256(data));
    let listed = manifest
        .files
        .iter()
        .any(|entry| entry.path == path && entry.sha256 == sum);
    if listed {
        let path = lock.layout().root().join(path);
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        write_atomic(&path, data)?;
    }
    Ok(listed)
}

/// Replaces the certified replies by `files` (name and bytes), which prove the same roots anew, and lists them
/// in the manifest. Interrupted, it leaves findings that the same repair mends.
///
/// # Errors
/// When a file cannot be written.
pub fn replace_certified(
    lock: &Exclusive,
    manifest: &Manifest,
    files: &[(String, Vec<u8>)],
) -> Result<(), ArchiveError> {
    let layout = lock.layout();
    let folder = layout.certified();
    create_folder(&folder)?;
    let within = format!("{}/", layout.relative(&folder));
    let mut manifest = manifest.clone();
    manifest
        .files
        .retain(|entry| !entry.path.starts_with(&within));
    for (name, bytes) in files {
        let path = folder.join(name);
        write_atomic(&path, bytes)?;
        manifest.files.push(FileEntry {
            path: layout.relative(&path),
            size_bytes: bytes.len() as u64,
            sha256: hex::encode(sha256(bytes)),
        });
    }
    manifest
        .files
        .sort_by(|one, other| one.path.cmp(&other.path));
    let json = manifest.to_json();
    let sums = sums::render(layout, &manifest, &json);
    write_atomic(&layout.sums(), sums.as_bytes())?;
    write_atomic(&layout.manifest_copy(), &json)?;
    write_atomic(&layout.manifest(), &json)
}

/// Opens a finished image for writing again. It has its partial name until it is sealed.
///
/// # Errors
/// [`ArchiveError::RootMismatch`] when the digests file is damaged: rebuild it first.
pub fn reopen(
    lock: &Exclusive,
    manifest: &Manifest,
    memory: Memory,
) -> Result<ImageWriter, ArchiveError> {
    let digests = read_digests(lock.layout(), manifest, memory)?;
    ImageWriter::open(lock.layout(), digests)
}

/// The digests of an image as it lies on disk.
fn image_digests(
    lock: &Exclusive,
    manifest: &Manifest,
    memory: Memory,
) -> Result<Vec<u8>, ArchiveError> {
    let size_bytes = manifest.memory(memory).map_or(0, |entry| entry.size_bytes);
    let path = lock.layout().image(memory);
    let file = std::fs::File::open(&path).map_err(|source| ArchiveError::Read {
        path: path.clone(),
        source,
    })?;
    let digests: ChunkDigests = crate::open::hash_image(
        &file,
        &path,
        memory,
        size_bytes,
        manifest.chunk_len_bytes,
        &mut |_| {},
    )?;
    Ok(digests.to_raw())
}
