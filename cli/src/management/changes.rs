//! Upgrades to modules of any length, with the choice of what becomes of hook and heap.

use super::Management;
use crate::error::CliError;
use crate::limits::{MODULE_CHUNK_LEN_BYTES, MODULE_INLINE_MAX_BYTES};
use archive::digests::sha256;
use ic_management_canister_types as ic;

/// What an upgrade does with hook and heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// `pre_upgrade` is skipped, the heap kept.
    SkipAndKeep,
    /// `pre_upgrade` runs, the heap is replaced; said aloud, as a module with the marker asks for.
    RunAndReplace,
}

impl Upgrade {
    fn mode(self) -> ic::CanisterInstallMode {
        let (skip, persistence) = match self {
            Upgrade::SkipAndKeep => (true, ic::WasmMemoryPersistence::Keep),
            Upgrade::RunAndReplace => (false, ic::WasmMemoryPersistence::Replace),
        };
        ic::CanisterInstallMode::Upgrade(Some(ic::UpgradeFlags {
            skip_pre_upgrade: Some(skip),
            wasm_memory_persistence: Some(persistence),
        }))
    }
}

impl Management<'_> {
    /// Upgrades it to `module`: in one message, or by way of the chunk store.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn upgrade(
        &self,
        module: &[u8],
        upgrade: Upgrade,
        arg: &[u8],
    ) -> Result<(), CliError> {
        if module.len() <= MODULE_INLINE_MAX_BYTES {
            let args = ic::InstallCodeArgs {
                mode: upgrade.mode(),
                canister_id: self.canister,
                wasm_module: module.to_vec(),
                arg: arg.to_vec(),
                sender_canister_version: None,
            };
            return self.order("install_code", args).await;
        }
        let id = ic::CanisterIdRecord {
            canister_id: self.canister,
        };
        let stored: Vec<ic::ChunkHash> = self.call("stored_chunks", id.clone()).await?;
        let mut chunk_hashes_list = Vec::new();
        for chunk in module.chunks(MODULE_CHUNK_LEN_BYTES) {
            let args = ic::UploadChunkArgs {
                canister_id: self.canister,
                chunk: chunk.to_vec(),
            };
            let hash: ic::ChunkHash = self.call("upload_chunk", args).await?;
            chunk_hashes_list.push(hash);
        }
        let args = ic::InstallChunkedCodeArgs {
            mode: upgrade.mode(),
            target_canister: self.canister,
            store_canister: None,
            chunk_hashes_list,
            wasm_module_hash: sha256(module).to_vec(),
            arg: arg.to_vec(),
            sender_canister_version: None,
        };
        self.order("install_chunked_code", args).await?;
        // Chunks that were there before are the user's; ours alone may go.
        if stored.is_empty() {
            self.order("clear_chunk_store", id).await?;
        }
        Ok(())
    }
}
