//! Without a rescue canister: a controller's own identity swaps the pair in and has the memory hashed by replicated
//! calls, whose certified replies are kept with the backup.
//!
//! The directory remembers which module the canister ran before the swap, and the version it had when it was stopped for
//! it, so that an interrupted command can go on and knows its snapshot among others: it is bound to the canister
//! before any module is changed. That snapshot is the way back; `ic-rescue snapshot restore` loads it.

use super::way_back::{self, Origin};
use super::{Fence, Prepared};
use crate::calls::Calls;
use crate::commands::backup::{BackupArgs, HeapArg};
use crate::commands::{Context, now_ns};
use crate::error::CliError;
use crate::management::{Management, Status};
use crate::network::RootKey;
use crate::output::Output;
use crate::pair::{self, Role};
use crate::patient::{Asked, Patient};
use archive::digests::sha256;
use archive::manifest::{Attestation, Route};
use archive::metadata::Metadata;
use archive::{Draft, Exclusive, Memory, Subject};
use candid::{Nat, Principal};
use ic_management_canister_types::CanisterStatusType;
use std::sync::Arc;

/// Swaps the downloader in, if it is not there yet, and has the memory hashed.
///
/// # Errors
/// When a call fails, or the directory belongs to another canister.
pub async fn prepare(
    lock: Exclusive,
    context: &Context,
    canister: Principal,
    args: &BackupArgs,
    output: &Output,
) -> Result<Prepared, CliError> {
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    let mut before = management.status().await?;
    let heap_bytes = bytes(&before.memory_metrics.wasm_memory_size);
    let downloader = pair::module(Role::Downloader, args.downloader.as_deref(), heap_bytes)?;
    let swapped = before
        .module_hash
        .as_ref()
        .is_some_and(|hash| hash[..] == sha256(&downloader));
    let earlier = Draft::peek(&lock)?.filter(|_| swapped);
    let mut stopped = false;
    if !swapped {
        // Its version is then the one that its snapshot will bear.
        stopped = management.stop_and_wait(output).await?;
        before = management.status().await?;
    }
    let subject = Subject {
        canister: canister.to_text(),
        module_hash: match &earlier {
            Some(earlier) => earlier.module_hash.clone(),
            None if swapped => None,
            None => before.module_hash.as_ref().map(hex::encode),
        },
        canister_version: match &earlier {
            Some(earlier) => earlier.canister_version,
            None => Some(before.version),
        },
        network: context.connection.network().name(),
        route: Route::Direct,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: now_ns(),
        snapshot: None,
    };
    let metadata = Metadata {
        taken_at_timestamp: subject.taken_at_ns,
        canister_version: subject.canister_version.unwrap_or(0),
        ..Metadata::empty()
    };
    let origin = origin(&subject);
    let draft = begin(lock, subject, stopped, &management).await?;
    let swap = Swap {
        module: downloader,
        memories: match args.heap {
            HeapArg::Keep => Memories::Keep,
            HeapArg::Replace => Memories::DropHeap,
        },
        snapshot: args.no_snapshot.is_none(),
    };
    swap_in(&management, &swap, output).await?;

    let unrecorded = swapped && earlier.is_none();
    let snapshot = match (&args.no_snapshot, &origin) {
        (None, Some(_)) => way_back::find(&management, origin.as_ref()).await?,
        (None, None) if unrecorded => way_back::find(&management, None).await?,
        // Waived, or there was no module.
        (Some(_), _) | (None, None) => None,
    };
    let calls = Arc::new(Calls::default());
    let patient = Patient::new(context.connection.clone(), canister).keeping(calls.clone());
    let mut digests = Vec::new();
    for memory in Memory::ALL {
        if memory == Memory::Heap && args.heap == HeapArg::Replace {
            continue;
        }
        output.step(format!("have the {memory} hashed by replicated calls"));
        let found = patient
            .digests(
                memory,
                Asked::Subnet,
                context.workers,
                &context.retry,
                |_| {},
            )
            .await?;
        digests.push(found);
    }
    let version = management.status().await?.version;
    Ok(Prepared {
        draft,
        digests,
        fence: Fence::Version { canister, version },
        certified: evidence(&calls, context),
        snapshot,
        metadata,
    })
}

/// What the directory says of the canister from before the swap.
fn origin(subject: &Subject) -> Option<Origin> {
    Some(Origin {
        version: subject.canister_version?,
        module_hash: subject.module_hash.clone()?,
    })
}

/// Binds the directory; a canister that was stopped for it (`stopped`) is started again if that fails.
async fn begin(
    lock: Exclusive,
    subject: Subject,
    stopped: bool,
    management: &Management<'_>,
) -> Result<Draft, CliError> {
    match Draft::begin(lock, subject) {
        Ok(draft) => Ok(draft),
        Err(error) => {
            if stopped {
                management.start().await?;
            }
            Err(error.into())
        }
    }
}

/// The certified replies to `calls`, and the key to check them with where that is not known to everybody.
pub fn evidence(calls: &Calls, context: &Context) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![calls.file()];
    if context.connection.network().root_key != RootKey::Mainnet {
        files.push(("root_key.der".to_string(), context.connection.root_key()));
    }
    files
}

/// What becomes of the memories in a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memories {
    /// Both stay.
    Keep,
    /// Stable memory stays.
    DropHeap,
    /// Both are emptied.
    Wipe,
}

/// A swap by the caller's own hand.
#[derive(Clone, Debug)]
pub struct Swap {
    /// The module to put in.
    pub module: Vec<u8>,
    /// What becomes of the memories.
    pub memories: Memories,
    /// Take a snapshot before.
    pub snapshot: bool,
}

/// Stops the canister, takes a snapshot, swaps, starts; each only if it is not done yet. While one of the pair is
/// in place the snapshot from before it came is the way back, and no other is taken.
///
/// # Errors
/// When a call fails, or the canister does not stop.
pub async fn swap_in(
    management: &Management<'_>,
    swap: &Swap,
    output: &Output,
) -> Result<(), CliError> {
    let hash = sha256(&swap.module);
    let is_in_place = |status: &Status| {
        let held = status.module_hash.as_ref();
        held.is_some_and(|held| held[..] == hash)
    };
    let before = management.status().await?;
    if !is_in_place(&before) {
        management.stop_and_wait(output).await?;
        if swap.snapshot {
            way_back::keep(management, output).await?;
        }
        output.step("swap the module in");
        let module = swap.module.clone();
        match swap.memories {
            Memories::Keep => management.swap(module, true).await?,
            Memories::DropHeap => management.swap(module, false).await?,
            Memories::Wipe => management.reinstall(module).await?,
        }
    }
    let after = management.status().await?;
    if !is_in_place(&after) {
        return Err(CliError::CanisterChanged {
            canister: management.canister().to_text(),
            what: "somebody else installed another module meanwhile".into(),
        });
    }
    if after.status != CanisterStatusType::Running {
        output.step("start the canister");
        management.start().await?;
    }
    Ok(())
}

/// Bytes out of a status.
pub fn bytes(nat: &Nat) -> u64 {
    u64::try_from(nat.0.clone()).unwrap_or(u64::MAX)
}
