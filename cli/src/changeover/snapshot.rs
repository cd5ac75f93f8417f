//! The second way: a snapshot that holds the patched module, and heap, globals, stable memory, chunk store,
//! certified data and timer as they were. Loading it runs no code at all.

use super::Changeover;
use crate::error::CliError;
use crate::snapshots::{SnapshotData, write_kind};
use crate::transfer::Source;
use archive::Memory;
use archive::metadata::Metadata;
use archive::sparse::is_zero;
use futures::stream::{self, TryStreamExt};
use ic_management_canister_types::{SnapshotDataKind, SnapshotDataOffset};
use wire::limits::SNAPSHOT_SLICE_MAX_BYTES;

impl Changeover<'_> {
    /// Uploads a copy of the snapshot `id` with `module` in the place of its module, and returns its id. An
    /// earlier attempt's makes way for it.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn upload_patched(
        &mut self,
        id: &[u8],
        metadata: &Metadata,
        module: &[u8],
    ) -> Result<Vec<u8>, CliError> {
        let listed = self.management().snapshots().await?;
        let earlier = self.logbook.uploaded.take();
        let earlier = listed
            .into_iter()
            .map(|snapshot| snapshot.id)
            .find(|id| Some(hex::encode(id)) == earlier);
        self.output
            .step("upload a snapshot with the patched module");
        let described = Metadata {
            wasm_module_size: module.len() as u64,
            ..metadata.clone()
        };
        let uploaded = self
            .management()
            .begin_upload(&described, earlier.as_deref())
            .await?;
        self.logbook.uploaded = Some(hex::encode(&uploaded));
        self.logbook.save()?;

        let from = self.management().snapshot_reader(id);
        let to = self.management().snapshot_reader(&uploaded);
        let slice = SNAPSHOT_SLICE_MAX_BYTES as usize;
        for (index, part) in module.chunks(slice).enumerate() {
            let offset = (index * slice) as u64;
            self.upload(&to, SnapshotDataOffset::WasmModule { offset }, part)
                .await?;
        }
        for (memory, size) in [
            (Memory::Heap, metadata.wasm_memory_size),
            (Memory::Stable, metadata.stable_memory_size),
        ] {
            self.copy(memory, size, &from, &to).await?;
        }
        for chunk in &metadata.wasm_chunk_store {
            let kind = SnapshotDataKind::WasmChunk {
                hash: chunk.hash.clone(),
            };
            let read = || from.read_slice(kind.clone());
            let bytes = self.context.retry.run(read).await?;
            self.upload(&to, SnapshotDataOffset::WasmChunk, &bytes)
                .await?;
        }
        Ok(uploaded)
    }

    async fn upload(
        &self,
        to: &SnapshotData,
        kind: SnapshotDataOffset,
        bytes: &[u8],
    ) -> Result<(), CliError> {
        let write = || to.write(kind.clone(), bytes.to_vec());
        self.context.retry.run(write).await
    }

    /// Copies a memory from one snapshot to another, but for what is zero.
    async fn copy(
        &self,
        memory: Memory,
        size: u64,
        from: &SnapshotData,
        to: &SnapshotData,
    ) -> Result<(), CliError> {
        let progress = self.output.progress(&format!("copy the {memory}"), size);
        let offsets = (0..size).step_by(SNAPSHOT_SLICE_MAX_BYTES as usize);
        stream::iter(offsets.map(Ok::<u64, CliError>))
            .try_for_each_concurrent(self.context.workers, |offset| {
                let len = SNAPSHOT_SLICE_MAX_BYTES.min(size - offset);
                let progress = &progress;
                async move {
                    let read = || from.read(memory, offset, len);
                    let bytes = self.context.retry.run(read).await?;
                    if !is_zero(&bytes) {
                        self.upload(to, write_kind(memory, offset), &bytes).await?;
                    }
                    progress.advance(len);
                    Ok(())
                }
            })
            .await?;
        progress.finish();
        Ok(())
    }
}
