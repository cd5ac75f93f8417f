//! A look at the patient: canister_info, then canister_status, and its snapshots if they matter.
//!
//! Only the fields that are read are declared, so that a replica that adds or lacks any other cannot
//! stop a rescue.

use candid::{CandidType, Nat, Principal};
use ic_cdk::call::Call;
use ic_cdk_management_canister as ic;
use rescue_api::Refusal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteArray, ByteBuf};

use super::management::rejection;
use super::outstanding;
use crate::case::judge::{Entry, Listed, Look, What};
use crate::case::model::{Hash, Run, Seen};
use crate::limits;
use crate::store::counters;

const SECONDS_PER_DAY: u128 = 86_400;
/// Reject code of a canister that refuses, as the management canister does to strangers.
const CANISTER_ERROR: u32 = 5;

#[derive(CandidType)]
struct InfoArgs {
    canister_id: Principal,
    num_requested_changes: Option<u64>,
}

#[derive(CandidType)]
struct StatusArgs {
    canister_id: Principal,
}

#[derive(CandidType, Deserialize)]
struct Info {
    total_num_changes: u64,
    recent_changes: Vec<ic::Change>,
    controllers: Vec<Principal>,
}

#[derive(CandidType, Deserialize)]
struct Status {
    status: RunStatus,
    version: u64,
    settings: StatusSettings,
    module_hash: Option<ByteBuf>,
    memory_size: Nat,
    memory_metrics: StatusMetrics,
    cycles: Nat,
    reserved_cycles: Nat,
    idle_cycles_burned_per_day: Nat,
}

#[derive(CandidType, Deserialize)]
enum RunStatus {
    #[serde(rename = "running")]
    Running,
    #[serde(rename = "stopping")]
    Stopping,
    #[serde(rename = "stopped")]
    Stopped,
}

#[derive(CandidType, Deserialize)]
struct StatusSettings {
    compute_allocation: Nat,
    memory_allocation: Nat,
    freezing_threshold: Nat,
    wasm_memory_limit: Nat,
}

#[derive(CandidType, Deserialize)]
struct StatusMetrics {
    wasm_memory_size: Nat,
    stable_memory_size: Nat,
    wasm_chunk_store_size: Nat,
}

/// Looks at the patient. Changes nothing, costs two or three calls.
pub async fn look(patient: Principal, with_snapshots: bool) -> Result<Look, Refusal> {
    let info: Info = ask(
        "canister_info",
        InfoArgs {
            canister_id: patient,
            num_requested_changes: Some(limits::HISTORY_MAX),
        },
    )
    .await?;
    if !info.controllers.contains(&ic_cdk::api::canister_self()) {
        return Err(Refusal::NotPatientController {
            controllers: info.controllers,
        });
    }
    let status: Status = match ask(
        "canister_status",
        StatusArgs {
            canister_id: patient,
        },
    )
    .await
    {
        Err(Refusal::CallRejected { code, .. }) if code == CANISTER_ERROR => {
            // Removed as a controller between the two calls.
            return Err(Refusal::NotPatientController {
                controllers: info.controllers,
            });
        }
        other => other?,
    };
    let snapshots = if with_snapshots {
        Some(list_snapshots(patient).await?)
    } else {
        None
    };
    Ok(Look {
        seen: seen(&info, &status)?,
        recent: info.recent_changes.into_iter().map(entry).collect(),
        snapshots,
    })
}

async fn list_snapshots(patient: Principal) -> Result<Vec<Listed>, Refusal> {
    let listed: Vec<ic::Snapshot> = ask(
        "list_canister_snapshots",
        StatusArgs {
            canister_id: patient,
        },
    )
    .await?;
    Ok(listed
        .into_iter()
        .map(|snapshot| Listed {
            id: ByteBuf::from(snapshot.id),
            taken_at: snapshot.taken_at_timestamp,
            total_bytes: snapshot.total_size,
        })
        .collect())
}

async fn ask<T>(method: &str, args: impl CandidType) -> Result<T, Refusal>
where
    T: CandidType + DeserializeOwned,
{
    let call = Call::unbounded_wait(Principal::management_canister(), method).with_arg(args);
    let answer = outstanding::count(call.into_future())
        .await
        .map_err(|failed| {
            counters::count(|counters| counters.call_errors += 1);
            let (code, message) = rejection(&failed);
            Refusal::CallRejected {
                method: method.to_string(),
                code,
                message,
            }
        })?;
    answer.candid().map_err(|error| Refusal::BadReply {
        method: method.to_string(),
        what: error.to_string(),
    })
}

fn seen(info: &Info, status: &Status) -> Result<Seen, Refusal> {
    let idle_cycles_per_day = amount(&status.idle_cycles_burned_per_day, "idle cycles")?;
    let freezing_threshold = amount(&status.settings.freezing_threshold, "freezing threshold")?;
    let threshold_cycles = idle_cycles_per_day.saturating_mul(freezing_threshold) / SECONDS_PER_DAY;
    let reserved = amount(&status.reserved_cycles, "reserved cycles")?;
    let mut controllers = info.controllers.clone();
    controllers.sort();
    let metrics = &status.memory_metrics;
    Ok(Seen {
        at: ic_cdk::api::time(),
        run: match status.status {
            RunStatus::Running => Run::Running,
            RunStatus::Stopping => Run::Stopping,
            RunStatus::Stopped => Run::Stopped,
        },
        module_hash: status
            .module_hash
            .as_deref()
            .map(|bytes| hash(bytes))
            .transpose()?,
        version: status.version,
        total_changes: info.total_num_changes,
        controllers,
        stable_bytes: bytes(&metrics.stable_memory_size, "stable memory size")?,
        heap_bytes: bytes(&metrics.wasm_memory_size, "heap size")?,
        memory_bytes: bytes(&status.memory_size, "memory size")?,
        chunk_store_bytes: bytes(&metrics.wasm_chunk_store_size, "chunk store size")?,
        cycles: amount(&status.cycles, "cycles")?,
        frozen_cycles: threshold_cycles.saturating_sub(reserved),
        idle_cycles_per_day,
        compute_allocation: amount(&status.settings.compute_allocation, "compute allocation")?,
        memory_allocation: amount(&status.settings.memory_allocation, "memory allocation")?,
        freezing_threshold,
        wasm_memory_limit: amount(&status.settings.wasm_memory_limit, "wasm memory limit")?,
    })
}

fn entry(change: ic::Change) -> Entry {
    let (by, sender_version) = match change.origin {
        ic::ChangeOrigin::FromUser(user) => (user.user_id, None),
        ic::ChangeOrigin::FromCanister(canister) => {
            (canister.canister_id, canister.canister_version)
        }
    };
    let what = match change.details {
        Some(ic::ChangeDetails::Creation(_)) => What::Creation,
        Some(ic::ChangeDetails::CodeUninstall) => What::Uninstall,
        Some(ic::ChangeDetails::CodeDeployment(deployment)) => {
            match hash(&deployment.module_hash) {
                Ok(module_hash) => What::Deployment {
                    wiping: deployment.mode != ic::CodeDeploymentMode::Upgrade,
                    module_hash,
                },
                Err(_) => What::Other,
            }
        }
        Some(ic::ChangeDetails::LoadSnapshot(load)) => What::Load {
            snapshot: ByteBuf::from(load.snapshot_id),
        },
        Some(ic::ChangeDetails::ControllersChange(_)) => What::Controllers,
        Some(_) | None => What::Other,
    };
    Entry {
        at: change.timestamp_nanos,
        by,
        sender_version,
        version: change.canister_version,
        what,
    }
}

fn hash(bytes: &[u8]) -> Result<Hash, Refusal> {
    <[u8; 32]>::try_from(bytes)
        .map(ByteArray::new)
        .map_err(|_| nonsense("module hash"))
}

fn amount(nat: &Nat, what: &str) -> Result<u128, Refusal> {
    u128::try_from(nat.0.clone()).map_err(|_| nonsense(what))
}

fn bytes(nat: &Nat, what: &str) -> Result<u64, Refusal> {
    u64::try_from(nat.0.clone()).map_err(|_| nonsense(what))
}

fn nonsense(what: &str) -> Refusal {
    Refusal::BadReply {
        method: "canister_status".to_string(),
        what: format!("{what} out of range"),
    }
}
