//! Writes a state as a new backup directory.
//!
//! ```text
//! NEW.unfinished/  images written, read back, sealed ─► manifest ─► renamed to NEW/
//! ```
//!
//! Until the rename there is no directory of the final name; a leftover of an interrupted run is
//! taken up again. The digests are of what the engine holds; what lies on disk is read back and
//! compared with them before it gets its name.

use crate::error::OfflineError;
use crate::globals;
use crate::patient::Patient;
use archive::digests::{CHUNK_LEN_BYTES, DIGEST_LEN_BYTES, sha256};
use archive::manifest::{Attestation, Route};
use archive::metadata::{GlobalTimer, Metadata};
use archive::provenance::Provenance;
use archive::{Backup, ChunkDigests, Draft, Exclusive, Memory, Seal, Subject};
use engine::{Effects, ExecutionState, Heap, MemoryError, StableMemory};
use std::path::{Path, PathBuf};

/// Told how many more bytes were handled.
pub type Saved<'a> = &'a mut dyn FnMut(u64);

/// What is written.
#[derive(Debug)]
pub struct Content<'a> {
    /// Whose state it is.
    pub patient: &'a Patient,
    /// Code and memories.
    pub state: &'a ExecutionState,
    /// Stable memory, which need not be that of the state.
    pub stable: &'a StableMemory,
    /// Whether the heap is written, too.
    pub with_heap: bool,
    /// What the code asked the system to do, for certified data and timer.
    pub effects: &'a Effects,
    /// How it came to be.
    pub provenance: Provenance,
    /// Now, nanoseconds since 1970.
    pub now_ns: u64,
    /// Version of the program.
    pub tool_version: String,
}

/// Bytes that [`save`] handles, for progress.
pub fn handled_bytes(content: &Content<'_>) -> u64 {
    // Hashed, written, read back.
    let heap = if content.with_heap {
        content.state.heap.size_bytes()
    } else {
        0
    };
    3 * (heap + content.stable.size_bytes())
}

/// Refuses a directory that exists and holds something.
///
/// # Errors
/// [`OfflineError::TargetExists`].
pub fn check_target(target: &Path) -> Result<(), OfflineError> {
    let is_empty = std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if target.exists() && !is_empty {
        return Err(OfflineError::TargetExists {
            path: target.to_path_buf(),
        });
    }
    Ok(())
}

/// Writes `content` to the new directory `target`.
///
/// # Errors
/// [`OfflineError::TargetExists`], or when something cannot be written; then there is no directory
/// of that name.
pub fn save(target: &Path, content: Content<'_>, saved: Saved<'_>) -> Result<(), OfflineError> {
    check_target(target)?;
    let unfinished = unfinished(target);
    let lock = Exclusive::create(&unfinished)?;
    let mut draft = Draft::begin(lock, subject(&content))?;
    draft.set_provenance(content.provenance);
    write_image(&mut draft, &Pages::Stable(content.stable), saved)?;
    if content.with_heap {
        write_image(&mut draft, &Pages::Heap(&content.state.heap), saved)?;
    }
    let module = content.patient.installed.clone();
    let globals = globals::to_metadata(&content.state.globals);
    let seal = Seal {
        metadata: metadata(&content.patient.metadata, content.effects, globals),
        loadable_as_snapshot: content.with_heap && module.is_some(),
        module,
        chunk_store: content.patient.chunk_store.clone(),
        certified: Vec::new(),
        sealed_at_ns: content.now_ns,
        tool_version: content.tool_version,
    };
    let backup: Backup = draft.seal(seal)?;
    drop(backup);
    std::fs::rename(&unfinished, target).map_err(|source| OfflineError::Write {
        path: target.to_path_buf(),
        source,
    })
}

/// Where a directory is made before it gets its name.
fn unfinished(target: &Path) -> PathBuf {
    // Without a separator at its end, if there is one.
    let mut name = target.components().as_path().as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

fn subject(content: &Content<'_>) -> Subject {
    let known = content.patient.subject.as_ref();
    Subject {
        canister: content.patient.canister.to_text(),
        module_hash: match known {
            Some(known) => known.module_hash.clone(),
            None => content
                .patient
                .installed
                .as_deref()
                .map(|module| hex::encode(sha256(module))),
        },
        canister_version: Some(content.patient.metadata.canister_version),
        network: known.map_or_else(|| "unknown".into(), |known| known.network.clone()),
        route: known.map_or(Route::Snapshot, |known| known.route),
        // Nobody on chain hashed these memories: nobody on chain ever held them.
        attestation: Attestation::Received,
        taken_at_ns: content.now_ns,
        snapshot: None,
    }
}

fn metadata(
    before: &Metadata,
    effects: &Effects,
    globals: Vec<Option<archive::metadata::Global>>,
) -> Metadata {
    let mut metadata = before.clone();
    metadata.globals = globals;
    if let Some(data) = &effects.certified_data {
        metadata.certified_data = data.clone();
    }
    if let Some(at) = effects.global_timer {
        metadata.global_timer = Some(match at {
            0 => GlobalTimer::Inactive,
            at => GlobalTimer::Active(at),
        });
    }
    metadata
}

/// A memory as the engine holds it.
enum Pages<'a> {
    Stable(&'a StableMemory),
    Heap(&'a Heap),
}

impl Pages<'_> {
    fn memory(&self) -> Memory {
        match self {
            Self::Stable(_) => Memory::Stable,
            Self::Heap(_) => Memory::Heap,
        }
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::Stable(memory) => memory.size_bytes(),
            Self::Heap(heap) => heap.size_bytes(),
        }
    }

    /// Reads a range; false when it is known to be zeros, and `out` is left as it is then.
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<bool, MemoryError> {
        match self {
            Self::Stable(memory) => {
                if !memory.is_written(offset, out.len() as u64) {
                    return Ok(false);
                }
                memory.read(offset, out)?;
            }
            Self::Heap(heap) => heap.read(offset, out)?,
        }
        Ok(true)
    }
}

fn write_image(draft: &mut Draft, pages: &Pages<'_>, saved: Saved<'_>) -> Result<(), OfflineError> {
    let digests = digests(pages, saved)?;
    let mut writer = draft.writer(digests)?;
    let mut buffer = Vec::new();
    let mut missing_bytes = 0;
    for chunk in writer.survey(&mut |_| {})? {
        let offset = writer.digests().offset_bytes(chunk);
        buffer.resize(writer.digests().len_bytes(chunk) as usize, 0);
        pages.read(offset, &mut buffer)?;
        writer.write(chunk, &buffer)?;
        missing_bytes += buffer.len() as u64;
        saved(buffer.len() as u64);
    }
    saved(writer.digests().size_bytes() - missing_bytes);
    let sealed = writer.seal(saved)?;
    draft.add_image(sealed);
    Ok(())
}

fn digests(pages: &Pages<'_>, saved: Saved<'_>) -> Result<ChunkDigests, OfflineError> {
    let (memory, size_bytes) = (pages.memory(), pages.size_bytes());
    let count = size_bytes.div_ceil(CHUNK_LEN_BYTES);
    let blank = vec![0; (count * DIGEST_LEN_BYTES) as usize];
    let shape = ChunkDigests::from_raw(memory, size_bytes, CHUNK_LEN_BYTES, &blank)?;
    let mut raw = Vec::with_capacity(blank.len());
    let mut buffer = Vec::new();
    for chunk in 0..count {
        buffer.resize(shape.len_bytes(chunk) as usize, 0);
        if pages.read(shape.offset_bytes(chunk), &mut buffer)? {
            raw.extend(sha256(&buffer));
        } else {
            raw.extend(shape.zero(chunk));
        }
        saved(buffer.len() as u64);
    }
    Ok(ChunkDigests::from_raw(
        memory,
        size_bytes,
        CHUNK_LEN_BYTES,
        &raw,
    )?)
}
