//! Names of the management canister's methods.

/// A method of the management canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the interface specification's.
pub enum MethodName {
    CreateCanister,
    UpdateSettings,
    UploadChunk,
    ClearChunkStore,
    StoredChunks,
    InstallCode,
    InstallChunkedCode,
    UninstallCode,
    StartCanister,
    StopCanister,
    CanisterStatus,
    CanisterMetrics,
    CanisterInfo,
    CanisterMetadata,
    DeleteCanister,
    DepositCycles,
    RawRand,
    ProvisionalCreateCanisterWithCycles,
    ProvisionalTopUpCanister,
    TakeCanisterSnapshot,
    LoadCanisterSnapshot,
    ListCanisterSnapshots,
    DeleteCanisterSnapshot,
    ReadCanisterSnapshotMetadata,
    ReadCanisterSnapshotData,
    UploadCanisterSnapshotMetadata,
    UploadCanisterSnapshotData,
    FetchCanisterLogs,
    /// A method of the Internet Computer that this stand-in does not have.
    Unsupported(&'static str),
}

const SUPPORTED: [(&str, MethodName); 28] = [
    ("create_canister", MethodName::CreateCanister),
    ("update_settings", MethodName::UpdateSettings),
    ("upload_chunk", MethodName::UploadChunk),
    ("clear_chunk_store", MethodName::ClearChunkStore),
    ("stored_chunks", MethodName::StoredChunks),
    ("install_code", MethodName::InstallCode),
    ("install_chunked_code", MethodName::InstallChunkedCode),
    ("uninstall_code", MethodName::UninstallCode),
    ("start_canister", MethodName::StartCanister),
    ("stop_canister", MethodName::StopCanister),
    ("canister_status", MethodName::CanisterStatus),
    ("canister_metrics", MethodName::CanisterMetrics),
    ("canister_info", MethodName::CanisterInfo),
    ("canister_metadata", MethodName::CanisterMetadata),
    ("delete_canister", MethodName::DeleteCanister),
    ("deposit_cycles", MethodName::DepositCycles),
    ("raw_rand", MethodName::RawRand),
    (
        "provisional_create_canister_with_cycles",
        MethodName::ProvisionalCreateCanisterWithCycles,
    ),
    (
        "provisional_top_up_canister",
        MethodName::ProvisionalTopUpCanister,
    ),
    ("take_canister_snapshot", MethodName::TakeCanisterSnapshot),
    ("load_canister_snapshot", MethodName::LoadCanisterSnapshot),
    ("list_canister_snapshots", MethodName::ListCanisterSnapshots),
    (
        "delete_canister_snapshot",
        MethodName::DeleteCanisterSnapshot,
    ),
    (
        "read_canister_snapshot_metadata",
        MethodName::ReadCanisterSnapshotMetadata,
    ),
    (
        "read_canister_snapshot_data",
        MethodName::ReadCanisterSnapshotData,
    ),
    (
        "upload_canister_snapshot_metadata",
        MethodName::UploadCanisterSnapshotMetadata,
    ),
    (
        "upload_canister_snapshot_data",
        MethodName::UploadCanisterSnapshotData,
    ),
    ("fetch_canister_logs", MethodName::FetchCanisterLogs),
];

const UNSUPPORTED: [&str; 22] = [
    "http_request",
    "flexible_http_request",
    "ecdsa_public_key",
    "sign_with_ecdsa",
    "schnorr_public_key",
    "sign_with_schnorr",
    "vetkd_public_key",
    "vetkd_derive_key",
    "setup_initial_dkg",
    "reshare_chain_key",
    "bitcoin_get_balance",
    "bitcoin_get_utxos",
    "bitcoin_get_block_headers",
    "bitcoin_send_transaction",
    "bitcoin_send_transaction_internal",
    "bitcoin_get_successors",
    "bitcoin_get_current_fee_percentiles",
    "node_metrics_history",
    "subnet_info",
    "subnet_metrics",
    "rename_canister",
    "list_canisters",
];

impl MethodName {
    /// The method of this name; `None` when the Internet Computer has none.
    pub fn parse(name: &str) -> Option<Self> {
        SUPPORTED
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, method)| *method)
            .or_else(|| {
                UNSUPPORTED
                    .iter()
                    .find(|known| **known == name)
                    .map(|name| MethodName::Unsupported(name))
            })
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            MethodName::Unsupported(name) => name,
            method => SUPPORTED
                .iter()
                .find(|(_, known)| *known == method)
                .map(|(name, _)| *name)
                .expect("BUG: every supported method is in the table"),
        }
    }

    /// Whether it installs code.
    pub fn is_install(self) -> bool {
        matches!(
            self,
            MethodName::InstallCode | MethodName::InstallChunkedCode
        )
    }

    /// Whether it waits for the next round when the round's instructions are used up.
    pub fn is_heavy(self) -> bool {
        self.is_install()
            || matches!(
                self,
                MethodName::UploadChunk
                    | MethodName::TakeCanisterSnapshot
                    | MethodName::LoadCanisterSnapshot
                    | MethodName::UploadCanisterSnapshotMetadata
                    | MethodName::UploadCanisterSnapshotData
            )
    }

    /// Whether users may not call it, so that no effective canister is looked for.
    pub fn is_for_canisters_only(self) -> bool {
        matches!(
            self,
            MethodName::CreateCanister
                | MethodName::DepositCycles
                | MethodName::RawRand
                | MethodName::FetchCanisterLogs
                | MethodName::Unsupported(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_method_and_back() {
        for (name, method) in SUPPORTED {
            assert_eq!(MethodName::parse(name), Some(method));
            assert_eq!(method.name(), name);
        }
        assert_eq!(
            MethodName::parse("sign_with_ecdsa"),
            Some(MethodName::Unsupported("sign_with_ecdsa"))
        );
        assert_eq!(MethodName::parse("no_such_method"), None);
    }
}
