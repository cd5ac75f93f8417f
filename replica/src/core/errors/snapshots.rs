//! Texts of the chunk store and of snapshots.

use candid::Principal;

use super::{UserError, error, helped, helped_bare, out_of_cycles_text};
use crate::core::api::ErrorCode;
use crate::core::snapshot::SnapshotId;

impl UserError {
    /// Too few cycles for a snapshot call.
    pub fn snapshot_out_of_cycles(canister: Principal, missing: Option<u128>) -> Self {
        error(
            ErrorCode::CanisterOutOfCycles,
            format!(
                "Canister snapshotting failed with: `{}`\nTry sending more cycles with the request. See documentation: canister-snapshot-not-enough-cycles",
                out_of_cycles_text(canister, missing)
            ),
        )
    }

    /// A refusal of the chunk store.
    pub fn chunk_store(text: impl std::fmt::Display) -> Self {
        helped(
            ErrorCode::CanisterContractViolation,
            format!("Error from Wasm chunk store: {text}"),
            "Use the `stored_chunks` API to check which hashes are present or top up the canister if it is low on cycles.",
            "wasm-chunk-store-error",
        )
    }

    /// No such snapshot.
    pub fn snapshot_not_found(canister: Principal, snapshot: &SnapshotId) -> Self {
        helped(
            ErrorCode::CanisterSnapshotNotFound,
            format!("Could not find the snapshot ID {snapshot} for canister {canister}"),
            "Use the `list_canister_snapshot` API to see which snapshots are present.",
            "canister-snapshot-not-found",
        )
    }

    /// A snapshot of another canister.
    pub fn snapshot_of_other(canister: Principal, snapshot: &SnapshotId) -> Self {
        helped(
            ErrorCode::CanisterRejectedMessage,
            format!("The snapshot {snapshot} does not belong to canister {canister}"),
            "Use the `list_canister_snapshot` API to see which snapshots are present.",
            "canister-snapshot-invalid-ownership",
        )
    }

    /// Loading a snapshot of a canister one does not control.
    pub fn snapshot_not_controller(
        sender: Principal,
        canister: Principal,
        snapshot: &SnapshotId,
    ) -> Self {
        helped_bare(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "Only a controller of the canister that snapshot {snapshot} belongs to can load it on canister {canister}. Sender: {sender}"
            ),
            "Make sure you are a controller of the canister that the snapshot belongs to.",
            "canister-snapshot-not-controller",
        )
    }

    /// A snapshot of another canister before the next checkpoint.
    pub fn snapshot_not_loadable(canister: Principal, snapshot: &SnapshotId) -> Self {
        Self::rejected(format!(
            "Snapshot {snapshot} is not currently loadable on the specified canister {canister}. Try again later. The call should succeed if you wait sufficiently long (usually ten minutes)."
        ))
    }

    /// A snapshot of nothing.
    pub fn snapshot_of_empty(canister: Principal) -> Self {
        Self::rejected(format!(
            "Failed to create snapshot for empty canister {canister}:"
        ))
    }

    /// Too many snapshots.
    pub fn too_many_snapshots(canister: Principal, limit: usize) -> Self {
        helped_bare(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "Canister {canister} has reached the maximum number of snapshots allowed: {limit}"
            ),
            "Consider deleting an unnecessary snapshot of the specified canister before creating a new one.",
            "canister-snapshot-limit-exceeded",
        )
    }

    /// A taken snapshot cannot be written.
    pub fn snapshot_immutable() -> Self {
        error(
            ErrorCode::CanisterSnapshotImmutable,
            "Only canister snapshots created by metadata upload can be mutated.",
        )
    }

    /// Too much memory written lately.
    pub fn heap_delta_rate_limited(
        canister: Principal,
        debit_bytes: u64,
        limit_bytes: u64,
    ) -> Self {
        helped(
            ErrorCode::CanisterHeapDeltaRateLimited,
            format!(
                "Canister {canister} is heap delta rate limited: current delta debit is {debit_bytes}, but limit is {limit_bytes}"
            ),
            "Try waiting a few seconds before retrying the operation.",
            "canister-heap-delta-rate-limited",
        )
    }

    /// A long execution is under way.
    pub fn long_execution(canister: Principal) -> Self {
        Self::rejected(format!(
            "The canister {canister} is currently executing a long-running message."
        ))
    }

    /// A range outside the snapshot's data.
    pub fn invalid_slice(offset: u64, size: u64) -> Self {
        Self::invalid_payload(format!(
            "Invalid subslice into wasm module / main memory / stable memory: offset: {offset}, size: {size}"
        ))
    }
}
