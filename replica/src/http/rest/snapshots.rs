//! `canister_snapshot_download` and `canister_snapshot_upload`: snapshots between a canister and a folder of the
//! server's machine.
//!
//! The folder is laid out as `dfx` and `icp` do:
//!
//! ```text
//! metadata.json              what read_canister_snapshot_metadata replies, as JSON
//! wasm_module.bin            wasm_module_size bytes
//! wasm_memory.bin            wasm_memory_size bytes
//! stable_memory.bin          stable_memory_size bytes; absent when there are none
//! wasm_chunk_store/<hex>.bin one file a chunk, named by its hash; absent when there are none
//! ```
//!
//! Both go through the management canister's own methods, so that they are refused, charged and counted like those. The
//! server holds one slice in memory, never a whole part. A transfer that fails leaves the files it has written, and a
//! snapshot it was uploading, behind.

use super::{Reply, convert, update};
use crate::core::limits::SNAPSHOT_SLICE_MAX_BYTES;
use crate::server::Hosted;
use candid::{CandidType, Decode, Encode, Principal};
use ic_management_canister_types as types;
use pocket_ic::common::rest::{
    RawCanisterCall, RawCanisterResult, RawCanisterSnapshotDownload, RawCanisterSnapshotId,
    RawCanisterSnapshotUpload, RawEffectivePrincipal,
};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

const METADATA: &str = "metadata.json";
const CHUNK_STORE: &str = "wasm_chunk_store";

/// The parts of a snapshot that are read in slices.
#[derive(Clone, Copy)]
enum Part {
    Module,
    Heap,
    Stable,
}

impl Part {
    const ALL: [Part; 3] = [Part::Module, Part::Heap, Part::Stable];

    fn file(self) -> &'static str {
        match self {
            Part::Module => "wasm_module.bin",
            Part::Heap => "wasm_memory.bin",
            Part::Stable => "stable_memory.bin",
        }
    }

    fn len_bytes(self, metadata: &types::ReadCanisterSnapshotMetadataResult) -> u64 {
        match self {
            Part::Module => metadata.wasm_module_size,
            Part::Heap => metadata.wasm_memory_size,
            Part::Stable => metadata.stable_memory_size,
        }
    }

    fn slice(self, offset: u64, size: u64) -> types::SnapshotDataKind {
        match self {
            Part::Module => types::SnapshotDataKind::WasmModule { offset, size },
            Part::Heap => types::SnapshotDataKind::WasmMemory { offset, size },
            Part::Stable => types::SnapshotDataKind::StableMemory { offset, size },
        }
    }

    fn place(self, offset: u64) -> types::SnapshotDataOffset {
        match self {
            Part::Module => types::SnapshotDataOffset::WasmModule { offset },
            Part::Heap => types::SnapshotDataOffset::WasmMemory { offset },
            Part::Stable => types::SnapshotDataOffset::StableMemory { offset },
        }
    }
}

/// One sender's management calls about one canister.
struct Caller<'a> {
    hosted: &'a Hosted,
    sender: Principal,
    canister: Principal,
}

impl Caller<'_> {
    fn call<In: CandidType>(&self, method: &str, arg: &In) -> Result<Vec<u8>, Reply> {
        let payload =
            Encode!(arg).map_err(|error| failed(format!("{method}: the argument: {error}")))?;
        let call = RawCanisterCall {
            sender: self.sender.as_slice().to_vec(),
            canister_id: Principal::management_canister().as_slice().to_vec(),
            effective_principal: RawEffectivePrincipal::CanisterId(
                self.canister.as_slice().to_vec(),
            ),
            method: method.to_owned(),
            payload,
            sender_info: None,
        };
        let result = match update::submit_call(self.hosted, call)? {
            Ok(message) => update::wait_for(self.hosted, &message)?,
            Err(reject) => RawCanisterResult::Err(reject),
        };
        match result {
            RawCanisterResult::Ok(reply) => Ok(reply),
            RawCanisterResult::Err(reject) => Err(failed(format!(
                "{method} was refused ({:?}): {}",
                reject.error_code, reject.reject_message
            ))),
        }
    }
}

fn failed(text: String) -> Reply {
    Reply::error(400, text)
}

fn on_disk(path: &Path) -> impl Fn(std::io::Error) -> Reply {
    let path = path.display().to_string();
    move |error| failed(format!("{path}: {error}"))
}

/// Writes a snapshot into a folder, which is made if need be and has to be empty.
pub fn download(hosted: &Hosted, args: &RawCanisterSnapshotDownload) -> Result<Reply, Reply> {
    let caller = Caller {
        hosted,
        sender: convert::principal(&args.sender.principal_id, "sender principal")?,
        canister: convert::principal(&args.canister_id.canister_id, "canister id")?,
    };
    let folder = args.snapshot_dir.as_path();
    fs::create_dir_all(folder).map_err(on_disk(folder))?;
    let mut entries = fs::read_dir(folder).map_err(on_disk(folder))?;
    if entries.next().is_some() {
        return Err(failed(format!(
            "{} is not empty; name an empty folder",
            folder.display()
        )));
    }
    let arg = types::ReadCanisterSnapshotMetadataArgs {
        canister_id: caller.canister,
        snapshot_id: args.snapshot_id.clone(),
    };
    let reply = caller.call("read_canister_snapshot_metadata", &arg)?;
    let metadata = Decode!(&reply, types::ReadCanisterSnapshotMetadataResult)
        .map_err(|error| failed(format!("the metadata: {error}")))?;
    for part in Part::ALL {
        let len_bytes = part.len_bytes(&metadata);
        if len_bytes > 0 || !matches!(part, Part::Stable) {
            let path = folder.join(part.file());
            let mut file = File::create_new(&path).map_err(on_disk(&path))?;
            let mut offset = 0;
            while offset < len_bytes {
                let size = SNAPSHOT_SLICE_MAX_BYTES.min(len_bytes - offset);
                let chunk = read_data(&caller, &args.snapshot_id, part.slice(offset, size))?;
                file.write_all(&chunk).map_err(on_disk(&path))?;
                offset += size;
            }
        }
    }
    if !metadata.wasm_chunk_store.is_empty() {
        let store = folder.join(CHUNK_STORE);
        fs::create_dir(&store).map_err(on_disk(&store))?;
        for chunk in &metadata.wasm_chunk_store {
            let path = store.join(format!("{}.bin", hex::encode(&chunk.hash)));
            let kind = types::SnapshotDataKind::WasmChunk {
                hash: chunk.hash.clone(),
            };
            let bytes = read_data(&caller, &args.snapshot_id, kind)?;
            fs::write(&path, bytes).map_err(on_disk(&path))?;
        }
    }
    let path = folder.join(METADATA);
    let text = serde_json::to_vec_pretty(&metadata)
        .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    fs::write(&path, text).map_err(on_disk(&path))?;
    Ok(Reply::json(&()))
}

fn read_data(
    caller: &Caller<'_>,
    snapshot_id: &[u8],
    kind: types::SnapshotDataKind,
) -> Result<Vec<u8>, Reply> {
    let arg = types::ReadCanisterSnapshotDataArgs {
        canister_id: caller.canister,
        snapshot_id: snapshot_id.to_vec(),
        kind,
    };
    let reply = caller.call("read_canister_snapshot_data", &arg)?;
    Decode!(&reply, types::ReadCanisterSnapshotDataResult)
        .map(|result| result.chunk)
        .map_err(|error| failed(format!("the snapshot's data: {error}")))
}

/// Makes a snapshot of what lies in a folder; the answer is its id.
///
/// Every file is looked at before the snapshot is made: a folder that does not fit its metadata changes nothing.
pub fn upload(hosted: &Hosted, args: &RawCanisterSnapshotUpload) -> Result<Reply, Reply> {
    let caller = Caller {
        hosted,
        sender: convert::principal(&args.sender.principal_id, "sender principal")?,
        canister: convert::principal(&args.canister_id.canister_id, "canister id")?,
    };
    let folder = args.snapshot_dir.as_path();
    let metadata = read_metadata(folder)?;
    check_files(folder, &metadata)?;
    let globals: Option<Vec<_>> = metadata.globals.iter().cloned().collect();
    let arg = types::UploadCanisterSnapshotMetadataArgs {
        canister_id: caller.canister,
        replace_snapshot: args.replace_snapshot.clone().map(|id| id.snapshot_id),
        wasm_module_size: metadata.wasm_module_size,
        globals: globals.ok_or_else(|| {
            failed(format!(
                "{METADATA} holds a global without a value; give all globals their values"
            ))
        })?,
        wasm_memory_size: metadata.wasm_memory_size,
        stable_memory_size: metadata.stable_memory_size,
        certified_data: metadata.certified_data.clone(),
        global_timer: metadata.global_timer.clone(),
        on_low_wasm_memory_hook_status: metadata.on_low_wasm_memory_hook_status.clone(),
    };
    let reply = caller.call("upload_canister_snapshot_metadata", &arg)?;
    let snapshot_id = Decode!(&reply, types::UploadCanisterSnapshotMetadataResult)
        .map_err(|error| failed(format!("the new snapshot's id: {error}")))?
        .snapshot_id;
    let write = |kind, chunk: &[u8]| {
        let arg = types::UploadCanisterSnapshotDataArgs {
            canister_id: caller.canister,
            snapshot_id: snapshot_id.clone(),
            kind,
            chunk: chunk.to_vec(),
        };
        caller.call("upload_canister_snapshot_data", &arg)
    };
    let mut slice = vec![0; SNAPSHOT_SLICE_MAX_BYTES as usize];
    for part in Part::ALL {
        let len_bytes = part.len_bytes(&metadata);
        if len_bytes == 0 {
            continue;
        }
        let path = folder.join(part.file());
        let mut file = File::open(&path).map_err(on_disk(&path))?;
        let mut offset = 0;
        while offset < len_bytes {
            let size = (len_bytes - offset).min(slice.len() as u64) as usize;
            file.read_exact(&mut slice[..size])
                .map_err(on_disk(&path))?;
            write(part.place(offset), &slice[..size])?;
            offset += size as u64;
        }
    }
    for chunk in &metadata.wasm_chunk_store {
        let path = chunk_path(folder, chunk);
        let bytes = fs::read(&path).map_err(on_disk(&path))?;
        write(types::SnapshotDataOffset::WasmChunk, &bytes)?;
    }
    Ok(Reply::json(&RawCanisterSnapshotId { snapshot_id }))
}

fn read_metadata(folder: &Path) -> Result<types::ReadCanisterSnapshotMetadataResult, Reply> {
    let path = folder.join(METADATA);
    let text = fs::read(&path).map_err(on_disk(&path))?;
    serde_json::from_slice(&text).map_err(|error| failed(format!("{}: {error}", path.display())))
}

fn check_files(
    folder: &Path,
    metadata: &types::ReadCanisterSnapshotMetadataResult,
) -> Result<(), Reply> {
    for part in Part::ALL {
        let path = folder.join(part.file());
        let expected = part.len_bytes(metadata);
        let found = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(_) if expected == 0 => 0,
            Err(error) => return Err(on_disk(&path)(error)),
        };
        if found != expected {
            return Err(failed(format!(
                "{} has {found} bytes, {METADATA} says {expected}; download the snapshot again",
                path.display()
            )));
        }
    }
    for chunk in &metadata.wasm_chunk_store {
        let path = chunk_path(folder, chunk);
        fs::metadata(&path).map_err(on_disk(&path))?;
    }
    Ok(())
}

fn chunk_path(folder: &Path, chunk: &types::ChunkHash) -> std::path::PathBuf {
    let name = format!("{}.bin", hex::encode(&chunk.hash));
    folder.join(CHUNK_STORE).join(name)
}
