//! Through canister snapshots: no module is swapped, and module, globals and chunk store come along.
//!
//! ```text
//! download: metadata ─► module ─► memories, replicated reads ─► chunk store ─► still the same? ─► seal, verify
//! upload:   is all of it here? ─► begin, or go on with one that is the same ─► what is not zero ─► snapshot id
//! ```
//!
//! Nobody hashes a snapshot on chain. Every reply is certified and was checked when it came; what is kept are the
//! digests of what was received. An upload is proven by the certified replies to calls that name every byte; what
//! an earlier attempt left is read back and compared.

use super::way_back;
use crate::commands::{Context, now_ns};
use crate::error::CliError;
use crate::limits::SNAPSHOT_CHUNKS_PER_JOB;
use crate::management::{Management, Status};
use crate::network::Network;
use crate::output::{Event, Output};
use crate::snapshots::{SnapshotData, write_kind};
use crate::transfer::plan::{Span, spans};
use crate::transfer::{Source as _, pool};
use archive::digests::{CHUNK_LEN_BYTES, sha256};
use archive::manifest::{Attestation, Route};
use archive::metadata::{Metadata, Source};
use archive::open::ImageReader;
use archive::{Backup, ChunkDigests, Draft, Exclusive, Memory, Receiver, Seal, Subject};
use candid::Principal;
use ic_management_canister_types as ic;
use std::sync::Arc;

/// Downloads the snapshot `id` of `canister` into the directory that `lock` protects, and finishes the backup.
///
/// # Errors
/// When a call fails, the snapshot changes meanwhile, or the directory belongs to another canister.
pub async fn download(
    lock: Exclusive,
    context: &Context,
    canister: Principal,
    id: &[u8],
    output: &Output,
) -> Result<Backup, CliError> {
    let management = Management::new(&context.connection, canister, &context.retry);
    let metadata = management.snapshot_metadata(id).await?;
    let module = management
        .snapshot_module(id, metadata.wasm_module_size)
        .await?;
    let subject = subject(
        context.connection.network(),
        canister,
        id,
        &metadata,
        &module,
    );
    let mut draft = Draft::begin(lock, subject)?;
    let data = management.snapshot_reader(id);
    for (memory, size_bytes) in [
        (Memory::Stable, metadata.stable_memory_size),
        (Memory::Heap, metadata.wasm_memory_size),
    ] {
        let receiver = draft.receiver(memory, size_bytes)?;
        let digests = receive(receiver, &data, context, output).await?;
        let progress = output.progress("reading back", size_bytes);
        let sealed = draft
            .writer(digests)?
            .seal(&mut |bytes| progress.advance(bytes));
        progress.finish();
        draft.add_image(sealed?);
    }
    let mut chunk_store = Vec::new();
    for chunk in &metadata.wasm_chunk_store {
        let bytes = management.snapshot_chunk(id, &chunk.hash).await?;
        if sha256(&bytes)[..] != chunk.hash[..] {
            return Err(changed(
                canister,
                "a chunk of its chunk store does not have its hash",
            ));
        }
        chunk_store.push(bytes);
    }
    // One that is being uploaded can change; one that was taken cannot.
    if management.snapshot_metadata(id).await? != metadata {
        return Err(changed(canister, "the snapshot is another one now"));
    }
    if metadata.source == Source::MetadataUpload {
        output.warn("this snapshot was uploaded: whether that was finished cannot be told");
    }
    let known = metadata.globals.iter().all(Option::is_some);
    Ok(draft.seal(Seal {
        metadata: writable(metadata, output),
        module: Some(module),
        chunk_store,
        certified: Vec::new(),
        loadable_as_snapshot: known,
        sealed_at_ns: now_ns(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    })?)
}

/// Metadata as it can be written: a global without a value cannot, so then none is.
pub fn writable(metadata: Metadata, output: &Output) -> Metadata {
    if metadata.globals.iter().all(Option::is_some) {
        return metadata;
    }
    output.warn(
        "a global of the snapshot has no value that can be written: the globals are not part of the backup",
    );
    Metadata {
        globals: Vec::new(),
        ..metadata
    }
}

fn subject(
    network: &Network,
    canister: Principal,
    id: &[u8],
    metadata: &Metadata,
    module: &[u8],
) -> Subject {
    Subject {
        canister: canister.to_text(),
        module_hash: Some(hex::encode(sha256(module))),
        canister_version: Some(metadata.canister_version),
        network: network.name(),
        route: Route::Snapshot,
        attestation: Attestation::Received,
        taken_at_ns: metadata.taken_at_timestamp,
        snapshot: Some(hex::encode(id)),
    }
}

fn changed(canister: Principal, what: &str) -> CliError {
    CliError::CanisterChanged {
        canister: canister.to_text(),
        what: what.into(),
    }
}

/// Brings in what has not arrived of one memory, and returns its digests.
async fn receive(
    receiver: Receiver,
    data: &SnapshotData,
    context: &Context,
    output: &Output,
) -> Result<ChunkDigests, CliError> {
    let shape = receiver.shape().clone();
    let (memory, size_bytes) = (shape.memory(), shape.size_bytes());
    let progress = output.progress("looking at what is here", size_bytes);
    let missing = receiver.survey(&mut |bytes| progress.advance(bytes))?;
    progress.finish();
    let jobs = spans(&shape, &missing, SNAPSHOT_CHUNKS_PER_JOB);
    let bytes = jobs.iter().map(|span| span.len_bytes).sum();
    let repeated_before = context.retry.repeated();
    let progress = output.progress("downloading", bytes);
    let receiver = Arc::new(receiver);
    let work = |span: Span| {
        let (data, retry, receiver) = (data.clone(), context.retry.clone(), receiver.clone());
        async move {
            let read = || async {
                let found = data.read(memory, span.offset_bytes, span.len_bytes).await?;
                if found.len() as u64 == span.len_bytes {
                    Ok(found)
                } else {
                    Err(data.short(found.len()))
                }
            };
            let found = retry.run(read).await?;
            let write = move || {
                let chunks = found.chunks(CHUNK_LEN_BYTES as usize);
                (span.first..)
                    .zip(chunks)
                    .try_for_each(|(chunk, bytes)| receiver.write(chunk, bytes))
            };
            let written = tokio::task::spawn_blocking(write).await;
            written.map_err(|error| CliError::Worker {
                reason: error.to_string(),
            })??;
            Ok(span.len_bytes)
        }
    };
    let workers = workers_for_jobs(context.workers);
    let fetched = pool::run(jobs, workers, work, |bytes| progress.advance(bytes)).await;
    progress.finish();
    fetched?;
    output.say(&Event::Fetched {
        memory,
        chunks: missing.len() as u64,
        bytes,
        wrong_chunks: 0,
        repeated_calls: context.retry.repeated() - repeated_before,
    });
    let receiver = Arc::into_inner(receiver).expect("BUG: all workers have ended");
    Ok(receiver.finish()?)
}

/// Jobs under way at once, so that the slices of all of them are about `workers`.
fn workers_for_jobs(workers: usize) -> usize {
    let slices = (SNAPSHOT_CHUNKS_PER_JOB * CHUNK_LEN_BYTES)
        .div_ceil(wire::limits::SNAPSHOT_SLICE_MAX_BYTES);
    workers.div_ceil(slices as usize)
}

/// A backup that is whole enough to be loaded as a snapshot, checked before anything is sent.
#[derive(Debug)]
pub struct Loadable {
    metadata: Metadata,
    module: Vec<u8>,
    images: Vec<Arc<ImageReader>>,
    chunk_store: Vec<Vec<u8>>,
}

impl Loadable {
    /// Looks whether everything that metadata.json names is there.
    ///
    /// # Errors
    /// [`CliError::Unsupported`] when module, globals or a memory are not part of the backup, or what the
    /// archive finds.
    pub fn check(backup: &Backup, output: &Output) -> Result<Self, CliError> {
        let metadata = backup.metadata().clone();
        let lacks = |what: &str| CliError::Unsupported {
            what: format!(
                "{} cannot be loaded as a snapshot: {what}; restore its memories instead (ic-rescue restore \
                 with --rescue or --direct)",
                backup.layout().root().display()
            ),
        };
        if backup
            .manifest()
            .is_some_and(|manifest| !manifest.loadable_as_snapshot)
        {
            return Err(lacks("module, globals or a memory are not part of it"));
        }
        let module = backup
            .module()?
            .ok_or_else(|| lacks("it has no wasm_module.bin"))?;
        if module.len() as u64 != metadata.wasm_module_size {
            return Err(lacks("wasm_module.bin has another length than it should"));
        }
        let mut images = Vec::new();
        for memory in Memory::ALL {
            let size_bytes = match memory {
                Memory::Stable => metadata.stable_memory_size,
                Memory::Heap => metadata.wasm_memory_size,
            };
            let progress = output.progress("hashing", size_bytes);
            let image = backup.image(memory, &mut |bytes| progress.advance(bytes));
            progress.finish();
            images.extend(image?.map(Arc::new));
        }
        let mut chunk_store = Vec::new();
        for chunk in &metadata.wasm_chunk_store {
            chunk_store.push(backup.stored_chunk(&chunk.hash)?);
        }
        Ok(Self {
            metadata,
            module,
            images,
            chunk_store,
        })
    }

    /// Hash of the module that the canister will run.
    pub fn module_hash(&self) -> [u8; 32] {
        sha256(&self.module)
    }

    /// Bytes that would be sent: what is not zero.
    pub fn bytes(&self) -> u64 {
        let module = self.module.len() as u64;
        let stored: usize = self.chunk_store.iter().map(Vec::len).sum();
        let of_image = |image: &Arc<ImageReader>| -> u64 {
            let digests = image.digests();
            (0..digests.count())
                .filter(|chunk| !digests.is_zero(*chunk))
                .map(|chunk| digests.len_bytes(chunk))
                .sum()
        };
        module + stored as u64 + self.images.iter().map(of_image).sum::<u64>()
    }

    /// Uploads it as a snapshot of `canister` and returns the id. An upload of the very same that was begun
    /// before is gone on with: what of it is there is read back and compared.
    ///
    /// # Errors
    /// When a call fails. Uploading again goes on.
    pub async fn upload(
        &self,
        context: &Context,
        canister: Principal,
        replace: Option<&[u8]>,
        output: &Output,
    ) -> Result<Vec<u8>, CliError> {
        let management = Management::new(&context.connection, canister, &context.retry);
        let begun = self.find_begun(&management, replace).await?;
        let (id, held) = match begun {
            Some((id, held)) => {
                output.step(format!("go on with snapshot {}", hex::encode(&id)));
                (id, Some(held))
            }
            None => {
                let id = management.begin_upload(&self.metadata, replace).await?;
                output.step(format!("began snapshot {}", hex::encode(&id)));
                (id, None)
            }
        };
        let data = management.snapshot_reader(&id);
        self.upload_module(&management, &data, held.is_some())
            .await?;
        for chunk in &self.chunk_store {
            let hash = sha256(chunk);
            let there = |held: &Metadata| {
                held.wasm_chunk_store
                    .iter()
                    .any(|stored| stored.hash[..] == hash[..])
            };
            if !held.as_ref().is_some_and(there) {
                let kind = || ic::SnapshotDataOffset::WasmChunk;
                let write = || data.write(kind(), chunk.clone());
                context.retry.run(write).await?;
            }
        }
        for image in &self.images {
            upload_image(image, &data, held.is_some(), context, output).await?;
        }
        Ok(id)
    }

    /// An upload of the very same that was begun before and is not to be replaced.
    async fn find_begun(
        &self,
        management: &Management<'_>,
        replace: Option<&[u8]>,
    ) -> Result<Option<(Vec<u8>, Metadata)>, CliError> {
        for snapshot in management.snapshots().await?.into_iter().rev() {
            if replace == Some(&snapshot.id[..]) {
                continue;
            }
            let held = management.snapshot_metadata(&snapshot.id).await?;
            let wanted = &self.metadata;
            let same = held.source == Source::MetadataUpload
                && held.wasm_module_size == wanted.wasm_module_size
                && held.wasm_memory_size == wanted.wasm_memory_size
                && held.stable_memory_size == wanted.stable_memory_size
                && held.globals == wanted.globals
                && held.certified_data == wanted.certified_data
                && held.global_timer == wanted.global_timer
                && held.on_low_wasm_memory_hook_status == wanted.on_low_wasm_memory_hook_status
                && (held.wasm_chunk_store.iter())
                    .all(|chunk| wanted.wasm_chunk_store.contains(chunk));
            if same {
                return Ok(Some((snapshot.id, held)));
            }
        }
        Ok(None)
    }

    async fn upload_module(
        &self,
        management: &Management<'_>,
        data: &SnapshotData,
        begun: bool,
    ) -> Result<(), CliError> {
        if begun {
            let held = management
                .snapshot_module(data.id(), self.metadata.wasm_module_size)
                .await?;
            if held == self.module {
                return Ok(());
            }
        }
        let mut offset = 0;
        for piece in self.module.chunks(CHUNK_LEN_BYTES as usize) {
            let kind = || ic::SnapshotDataOffset::WasmModule { offset };
            let write = || data.write(kind(), piece.to_vec());
            management.retry().run(write).await?;
            offset += piece.len() as u64;
        }
        Ok(())
    }
}

/// Sends what of one memory is not there: of a fresh snapshot all that is not zero, otherwise what differs from
/// what is read back.
async fn upload_image(
    image: &Arc<ImageReader>,
    data: &SnapshotData,
    begun: bool,
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let wanted = image.digests();
    let memory = wanted.memory();
    let mut chunks: Vec<u64> = (0..wanted.count())
        .filter(|chunk| begun || !wanted.is_zero(*chunk))
        .collect();
    if begun {
        chunks = differing(image, data, &chunks, context, output).await?;
    }
    let jobs = spans(wanted, &chunks, 1);
    let bytes = jobs.iter().map(|span| span.len_bytes).sum();
    let progress = output.progress("uploading", bytes);
    let work = |span: Span| {
        let (image, data, retry) = (image.clone(), data.clone(), context.retry.clone());
        async move {
            let read = tokio::task::spawn_blocking(move || image.read(span.first)).await;
            let chunk = read.map_err(|error| CliError::Worker {
                reason: error.to_string(),
            })??;
            let kind = || write_kind(memory, span.offset_bytes);
            retry.run(|| data.write(kind(), chunk.clone())).await?;
            Ok(span.len_bytes)
        }
    };
    let sent = pool::run(jobs, context.workers, work, |bytes| progress.advance(bytes)).await;
    progress.finish();
    sent?;
    output.say(&Event::Sent {
        memory,
        chunks: chunks.len() as u64,
        bytes,
        wire_bytes: bytes,
        chunks_equal: wanted.count() - chunks.len() as u64,
    });
    Ok(())
}

/// The chunks in which an upload that was begun before differs from `image`, by reading it back.
async fn differing(
    image: &Arc<ImageReader>,
    data: &SnapshotData,
    chunks: &[u64],
    context: &Context,
    output: &Output,
) -> Result<Vec<u64>, CliError> {
    let wanted = image.digests();
    let memory = wanted.memory();
    let mut differing = Vec::new();
    let progress = output.progress("comparing", wanted.size_bytes());
    let work = |span: Span| {
        let (data, retry) = (data.clone(), context.retry.clone());
        async move {
            let read = || data.read(memory, span.offset_bytes, span.len_bytes);
            let found = retry.run(read).await?;
            Ok((span, sha256(&found)))
        }
    };
    let jobs = spans(wanted, chunks, 1);
    let compared = pool::run(
        jobs,
        context.workers,
        work,
        |(span, found): (Span, [u8; 32])| {
            if found != *wanted.get(span.first) {
                differing.push(span.first);
            }
            progress.advance(span.len_bytes);
        },
    )
    .await;
    progress.finish();
    compared?;
    differing.sort_unstable();
    Ok(differing)
}

/// What is done about the present state before another one is loaded over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// A snapshot of it is taken.
    Snapshot,
    /// It is given up.
    Waived,
}

/// Loads the snapshot `id`, over a way back, and starts the canister.
///
/// # Errors
/// When a call fails. Run again, it loads again.
pub async fn load(
    management: &Management<'_>,
    id: &[u8],
    way_back: WayBack,
    leave_stopped: bool,
    output: &Output,
) -> Result<Status, CliError> {
    management.stop_and_wait(output).await?;
    let before = management.status().await?;
    match (way_back, &before.module_hash) {
        (WayBack::Snapshot, Some(_)) => {
            let (done, back) = way_back::find_or_take(management, None).await?;
            let back = hex::encode(&back);
            output.step(format!(
                "{done} snapshot {back} of the present state: the way back is `ic-rescue snapshot restore {} {back}`",
                management.canister(),
            ));
        }
        (WayBack::Snapshot, None) => {
            output.step("the canister has no module: there is nothing to go back to");
        }
        (WayBack::Waived, _) => output.warn("the present state is given up: there is no way back"),
    }
    output.step(format!("load snapshot {}", hex::encode(id)));
    management.load(id).await?;
    let after = management.status().await?;
    if !leave_stopped {
        output.step("start the canister");
        management.start().await?;
    }
    Ok(after)
}
