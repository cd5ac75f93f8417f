//! A canister as a backup holds it, ready to be run.

use crate::error::OfflineError;
use crate::globals;
use crate::rest::initial_at_rest;
use archive::digests::sha256;
use archive::open::ImageReader;
use archive::provenance::{GlobalsFrom, ModuleCheck, ModuleUsed, Source};
use archive::{Backup, Memory, Metadata, Shared, Subject};
use candid::Principal;
use engine::{
    Engine, ExecutionState, Heap, Module, STABLE_MAX_PAGES, StableMemory, WASM_PAGE_BYTES,
};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// What the caller knows about the module and the canister.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The module; none to take the backup's.
    pub module: Option<Vec<u8>>,
    /// Why a module is used that is not the canister's.
    pub force_module: Option<String>,
    /// The canister, for directories that do not tell.
    pub canister: Option<Principal>,
}

/// A canister of a backup. The directory stays locked while this lives: heap and stable memory are
/// read from its files when they are needed.
#[derive(Debug)]
pub struct Patient {
    /// Its code and memories.
    pub state: ExecutionState,
    /// Its id.
    pub canister: Principal,
    /// The module, and how it is known to be the right one.
    pub module: ModuleUsed,
    /// Where the globals came from.
    pub globals: GlobalsFrom,
    /// What identifies the backup.
    pub source: Source,
    /// The backup's subject; none for a snapshot of another tool.
    pub subject: Option<Subject>,
    /// The backup's metadata.
    pub metadata: Metadata,
    /// The module as it was installed, if it is known byte by byte.
    pub installed: Option<Vec<u8>>,
    /// Chunks of the chunk store.
    pub chunk_store: Vec<Vec<u8>>,
    _lock: Shared,
}

impl Patient {
    /// Opens the backup that `lock` protects. Whether its files are sound is for the caller to know:
    /// see [`archive::verify`].
    ///
    /// # Errors
    /// When a memory or the module is missing, or the module is not the canister's.
    pub fn open(engine: &Engine, lock: Shared, given: Given) -> Result<Self, OfflineError> {
        let backup = Backup::open(&lock)?;
        let subject = backup.manifest().map(|manifest| manifest.subject.clone());
        let canister = canister(&given, subject.as_ref())?;
        let held = backup.module()?;
        let (module, used, installed) = identify(engine, given, held, subject.as_ref())?;

        let metadata = backup.metadata().clone();
        let (globals_from, values) = rest_values(&module, &metadata)?;
        let heap = image(&backup, Memory::Heap, &module)?;
        let stable = image(&backup, Memory::Stable, &module)?;
        let root = |image: &Option<Image>| image.as_ref().map(|image| image.root.clone());
        let source = Source {
            stable_root: root(&stable),
            heap_root: root(&heap),
            sealed_at_ns: backup.manifest().map(|manifest| manifest.sealed_at_ns),
        };
        let state = ExecutionState {
            heap: match heap {
                Some(image) => Heap::of_file(image.file, image.pages)?,
                None => Heap::zeroed(0)?,
            },
            stable: match stable {
                Some(image) => StableMemory::of_file(image.file, image.pages)?,
                None => StableMemory::new(),
            },
            globals: values,
            module,
        };
        let mut chunk_store = Vec::new();
        for chunk in &metadata.wasm_chunk_store {
            let path = backup.layout().stored_chunk(&chunk.hash);
            chunk_store.push(archive::files::read_small(&path)?);
        }
        Ok(Self {
            state,
            canister,
            module: used,
            globals: globals_from,
            source,
            subject,
            metadata,
            installed,
            chunk_store,
            _lock: lock,
        })
    }
}

fn canister(given: &Given, subject: Option<&Subject>) -> Result<Principal, OfflineError> {
    match (given.canister, subject) {
        (Some(canister), _) => Ok(canister),
        (None, Some(subject)) => crate::surroundings::principal(&subject.canister),
        (None, None) => Err(OfflineError::NoCanister),
    }
}

type Identified = (Arc<Module>, ModuleUsed, Option<Vec<u8>>);

/// The module to run: the given one, checked against what the canister ran, or the backup's own.
fn identify(
    engine: &Engine,
    given: Given,
    held: Option<Vec<u8>>,
    subject: Option<&Subject>,
) -> Result<Identified, OfflineError> {
    let recorded = subject.and_then(|subject| subject.module_hash.clone());
    let expected = recorded.or_else(|| held.as_deref().map(|held| hex::encode(sha256(held))));
    let Some(bytes) = given.module else {
        let held = held.ok_or(OfflineError::NoModule)?;
        let module = engine.load_module(&held)?;
        let used = ModuleUsed {
            sha256: hex::encode(sha256(&held)),
            check: match subject {
                Some(_) => ModuleCheck::Hash,
                None => ModuleCheck::Unknown,
            },
        };
        return Ok((module, used, Some(held)));
    };
    let found = hex::encode(sha256(&bytes));
    let module = engine.load_module(&bytes)?;
    let unpacked = hex::encode(sha256(module.wasm_bytes()));
    let is_unpacked_from = |held: &Vec<u8>| -> Result<bool, OfflineError> {
        Ok(engine.load_module(held)?.wasm_bytes() == module.wasm_bytes())
    };
    let check = match (&expected, &held) {
        (None, _) => ModuleCheck::Unknown,
        (Some(expected), _) if *expected == found => ModuleCheck::Hash,
        (Some(expected), _) if *expected == unpacked => ModuleCheck::Decompressed,
        (Some(_), Some(held)) if is_unpacked_from(held)? => ModuleCheck::Decompressed,
        (Some(expected), _) => match given.force_module {
            Some(reason) => ModuleCheck::Forced(reason),
            None => {
                return Err(OfflineError::OtherModule {
                    expected: expected.clone(),
                    found,
                });
            }
        },
    };
    let installed = match check {
        ModuleCheck::Hash => Some(bytes),
        _ => held,
    };
    let used = ModuleUsed {
        sha256: found,
        check,
    };
    Ok((module, used, installed))
}

fn rest_values(
    module: &Module,
    metadata: &Metadata,
) -> Result<(GlobalsFrom, Vec<engine::GlobalValue>), OfflineError> {
    let is_listed = !metadata.globals.is_empty();
    if is_listed || module.global_types_for_snapshot().is_empty() {
        let values = globals::from_metadata(module, &metadata.globals)?;
        return Ok((GlobalsFrom::Metadata, values));
    }
    initial_at_rest(module.wasm_bytes()).map_err(|why| OfflineError::GlobalsUnknown { why })?;
    Ok((GlobalsFrom::InitialProven, module.initial_globals()))
}

struct Image {
    file: File,
    pages: u64,
    root: String,
}

/// The image of a memory; none where there is nothing in it.
fn image(backup: &Backup, memory: Memory, module: &Module) -> Result<Option<Image>, OfflineError> {
    let path: PathBuf = backup.layout().root().to_path_buf();
    let missing = |remedy| {
        Err(OfflineError::NoMemory {
            path: path.clone(),
            memory,
            remedy,
        })
    };
    let reader: Option<ImageReader> = backup.image(memory, &mut |_| {})?;
    let Some(reader) = reader else {
        return match memory {
            Memory::Heap if module.memory().is_some() => {
                missing("make the backup with the heap kept (`backup --heap keep`)")
            }
            Memory::Stable if backup.manifest().is_some() => missing("make the backup again"),
            _ => Ok(None),
        };
    };
    let size_bytes = reader.digests().size_bytes();
    let pages = size_bytes / WASM_PAGE_BYTES;
    if !size_bytes.is_multiple_of(WASM_PAGE_BYTES) || pages > STABLE_MAX_PAGES {
        return Err(OfflineError::OddSize { memory, size_bytes });
    }
    let file = reader.file().try_clone().map_err(|source| {
        OfflineError::Archive(archive::ArchiveError::Read {
            path: backup.layout().image(memory),
            source,
        })
    })?;
    Ok(Some(Image {
        file,
        pages,
        root: hex::encode(reader.digests().root()),
    }))
}
