//! `restore`: writes a backup back into a canister, and proves that it arrived.
//!
//! ```text
//! verify the whole backup ─► open case ─► have the memory recorded ─► swap in uploader ─► start
//!    ─► compare with what is on chain now ─► send what differs ─► have it hashed again ─► compare roots
//! ```
//!
//! With `--direct` a controller's own identity takes the snapshot and swaps, and the proof is by its own replicated
//! calls. With `--by-snapshot` nothing is swapped: the backup is uploaded as a canister snapshot and loaded.
//! Nothing is sent before every byte of the backup was verified. Run again, it sends only what still
//! differs.

use super::{Context, verify};
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, recorded_root, theirs};
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output, human_bytes};
use crate::pair::{self, Role};
use crate::patient::{Asked, Patient};
use crate::proof::prove;
use crate::routes::direct::{Memories, Swap, bytes, swap_in};
use crate::routes::rescue::policy;
use crate::routes::snapshot::{self, Loadable, WayBack};
use crate::transfer::plan::differing;
use crate::transfer::send::send_image;
use crate::transfer::{Payload, Sink};
use archive::digests::sha256;
use archive::open::ImageReader;
use archive::{Backup, Memory, Shared};
use candid::Principal;
use clap::{Args, ValueEnum};
use rescue_api::{CaseView, HeapChoice, OpenCaseArgs, Plan};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `restore`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue restore backup/ bkyz2-fmaaa-aaaaa-qaaaq-cai --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem\n\nInterrupted? Run the same command again."
)]
pub struct RestoreArgs {
    /// The backup, or a snapshot directory that dfx or icp downloaded.
    pub directory: PathBuf,
    /// The canister to write to.
    pub canister: String,
    /// Without a rescue canister: swap the uploader in as a controller of the canister.
    #[arg(long, conflicts_with = "by_snapshot")]
    pub direct: bool,
    /// With --direct: the uploader to swap in, instead of the one in this program.
    #[arg(long, value_name = "FILE", requires = "direct")]
    pub uploader: Option<PathBuf>,
    /// Without a swap: upload the backup as a canister snapshot and load it, module and globals included.
    #[arg(long, conflicts_with_all = ["memory", "wipe"])]
    pub by_snapshot: bool,
    /// Which memories to write.
    #[arg(long, value_enum, default_value = "all")]
    pub memory: MemoryArg,
    /// Empty the canister's memories first. Cannot be undone but by `rollback`.
    #[arg(long)]
    pub wipe: bool,
    /// Take no snapshot before the canister is changed: there is no way back. Say why.
    #[arg(long, value_name = "RISK")]
    pub no_snapshot: Option<String>,
    /// Say what would be sent, and send nothing. Changes nothing on chain.
    #[arg(long)]
    pub dry_run: bool,
}

/// Which memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MemoryArg {
    /// All that the backup holds.
    All,
    /// Stable memory.
    Stable,
    /// The heap.
    Heap,
}

impl MemoryArg {
    /// Whether `memory` is meant.
    pub fn includes(self, memory: Memory) -> bool {
        match self {
            MemoryArg::All => true,
            MemoryArg::Stable => memory == Memory::Stable,
            MemoryArg::Heap => memory == Memory::Heap,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it; sending again is harmless.
pub async fn execute(
    args: &RestoreArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let lock = Shared::existing(&args.directory)?;
    if args.by_snapshot {
        return by_snapshot(args, network, canister, &lock, output).await;
    }
    let images = open_images(args, &lock, output)?;
    if args.dry_run {
        return Ok(dry_run(args, &images, output));
    }

    let context = Context::open(network, "restore").await?;
    let held = if args.direct {
        swap_directly(args, canister, &images, &context, output).await?;
        None
    } else {
        Some(open_case(args, network, canister, &images, &context, output).await?)
    };
    let patient = Arc::new(Patient::new(context.connection.clone(), canister));
    for image in &images {
        write_image(&patient, image, &context, output).await?;
    }
    let case = held.as_ref().map(|(case, view)| (case, view));
    for image in &images {
        prove(case, &patient, image.digests(), &context, output).await?;
    }
    context.report(output);
    output.say(&Event::Restored {
        canister: canister.to_text(),
        directory: args.directory.display().to_string(),
    });
    if let Some((case, _)) = &held {
        tell_unattested(case, output).await?;
    }
    Ok(0)
}

/// Tells of memories that the rescue canister cannot attest, because its case recorded others before they were
/// emptied: it installs nothing over them unless told to.
async fn tell_unattested(case: &Case, output: &Output) -> Result<(), CliError> {
    let view = case.view().await?;
    let is_unattested = |memory: &Memory| {
        let held = view
            .memories
            .iter()
            .find(|held| held.memory == theirs(*memory));
        let attestation = held.and_then(|held| held.attestation.as_ref());
        held.is_some_and(|held| held.wiped)
            && recorded_root(&view, *memory).is_some()
            && !attestation.is_some_and(|last| last.attested)
    };
    let names: Vec<String> = Memory::ALL
        .into_iter()
        .filter(is_unattested)
        .map(|memory| memory.to_string())
        .collect();
    if !names.is_empty() {
        output.warn(format!(
            "case {} recorded other bytes than these before it emptied the {}, and cannot attest them: once you \
             are sure that they are the right ones, install with `ic-rescue install {} --although-unattested`",
            case.number(),
            names.join(" and the "),
            view.patient
        ));
    }
    Ok(())
}

/// Has the rescue canister record the memories and bring the uploader in.
async fn open_case(
    args: &RestoreArgs,
    network: &NetworkArgs,
    canister: Principal,
    images: &[Arc<ImageReader>],
    context: &Context,
    output: &Output,
) -> Result<(Case, CaseView), CliError> {
    let rescue = context.rescue(network, "restore")?;
    let open = OpenCaseArgs {
        patient: canister,
        final_module_hash: None,
        snapshot: policy(args.no_snapshot.as_ref()),
        plan: Plan {
            heap: HeapChoice::Keep,
            restore: true,
        },
    };
    let case = Case::open(rescue, open).await?.telling(output);
    output.step(format!(
        "case {} at {}",
        case.number(),
        case.rescue().canister()
    ));
    let view = case.drive_to_recorded(output).await?;
    if !args.wipe {
        for image in images {
            let recorded = recorded_root(&view, image.digests().memory());
            check_size(canister, image, recorded.map(|(size, _)| size))?;
        }
    }
    let view = case.drive_to_uploader(args.wipe, output).await?;
    Ok((case, view))
}

/// Brings the uploader in as a controller of the canister.
async fn swap_directly(
    args: &RestoreArgs,
    canister: Principal,
    images: &[Arc<ImageReader>],
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    let status = management.status().await?;
    let size_of = |memory| match memory {
        Memory::Stable => bytes(&status.memory_metrics.stable_memory_size),
        Memory::Heap => bytes(&status.memory_metrics.wasm_memory_size),
    };
    let mut heap_bytes = size_of(Memory::Heap);
    let mut shrinks = false;
    for image in images {
        let (memory, wanted_bytes) = (image.digests().memory(), image.digests().size_bytes());
        shrinks |= size_of(memory) > wanted_bytes;
        if memory == Memory::Heap {
            heap_bytes = heap_bytes.max(wanted_bytes);
        }
        if !args.wipe {
            check_size(canister, image, Some(size_of(memory)))?;
        }
    }
    let module = pair::module(Role::Uploader, args.uploader.as_deref(), heap_bytes)?;
    let in_place = status
        .module_hash
        .as_ref()
        .is_some_and(|hash| hash[..] == sha256(&module));
    if in_place && args.wipe && shrinks {
        // An earlier restore brought the uploader in without emptying the memories.
        management.stop_and_wait(output).await?;
        output.step("empty the memories");
        management.reinstall(module.clone()).await?;
    }
    let memories = match (args.wipe, status.module_hash.is_some()) {
        (false, true) => Memories::Keep,
        // A canister without a module cannot be upgraded, and has no memories.
        (true, _) | (false, false) => Memories::Wipe,
    };
    let swap = Swap {
        module,
        memories,
        snapshot: args.no_snapshot.is_none(),
    };
    swap_in(&management, &swap, output).await
}

/// Uploads the backup as a snapshot and loads it.
async fn by_snapshot(
    args: &RestoreArgs,
    network: &NetworkArgs,
    canister: Principal,
    lock: &Shared,
    output: &Output,
) -> Result<u8, CliError> {
    let backup = open_sound(&args.directory, lock, output)?;
    let loadable = Loadable::check(&backup, output)?;
    if args.dry_run {
        output.step(format!(
            "would upload at most {} as a snapshot of {}, take a snapshot of what is there, load the uploaded one",
            human_bytes(loadable.bytes()),
            args.canister
        ));
        return Ok(0);
    }
    let context = Context::open(network, "restore").await?;
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    let id = loadable.upload(&context, canister, None, output).await?;
    let way_back = match args.no_snapshot {
        None => WayBack::Snapshot,
        Some(_) => WayBack::Waived,
    };
    let after = snapshot::load(&management, &id, way_back, false, output).await?;
    let found = after.module_hash.map(hex::encode).unwrap_or_default();
    if found != hex::encode(loadable.module_hash()) {
        return Err(CliError::CanisterChanged {
            canister: canister.to_text(),
            what: format!("after the snapshot was loaded it runs module {found}"),
        });
    }
    management.delete_snapshot(&id).await?;
    context.report(output);
    output.say(&Event::Restored {
        canister: canister.to_text(),
        directory: args.directory.display().to_string(),
    });
    Ok(0)
}

/// Refuses, before anything is swapped, what could not be written because memory does not shrink.
fn check_size(
    canister: Principal,
    image: &ImageReader,
    found_bytes: Option<u64>,
) -> Result<(), CliError> {
    match found_bytes {
        Some(found_bytes) if found_bytes > image.digests().size_bytes() => {
            Err(CliError::MemoryTooLarge {
                memory: image.digests().memory(),
                canister: canister.to_text(),
                found_bytes,
                backup_bytes: image.digests().size_bytes(),
            })
        }
        _ => Ok(()),
    }
}

/// Opens a backup and verifies it, or warns that it cannot be.
///
/// # Errors
/// [`CliError::DamagedBackup`], or when it cannot be opened.
pub fn open_sound(directory: &Path, lock: &Shared, output: &Output) -> Result<Backup, CliError> {
    let backup = Backup::open(lock)?;
    if backup.manifest().is_some() {
        let report = verify::examine(lock, directory, output)?;
        if !report.is_sound() {
            return Err(CliError::DamagedBackup {
                path: directory.to_path_buf(),
                findings: report.findings.len(),
            });
        }
    } else {
        output.warn(
            "the directory has no manifest: it is restored as it is, nothing can be verified",
        );
    }
    Ok(backup)
}

/// Verifies the backup and opens its images.
fn open_images(
    args: &RestoreArgs,
    lock: &Shared,
    output: &Output,
) -> Result<Vec<Arc<ImageReader>>, CliError> {
    let backup = open_sound(&args.directory, lock, output)?;
    let mut images = Vec::new();
    for memory in Memory::ALL
        .into_iter()
        .filter(|memory| args.memory.includes(*memory))
    {
        let progress = output.progress("hashing", backup.metadata().stable_memory_size);
        let image = backup.image(memory, &mut |bytes| progress.advance(bytes));
        progress.finish();
        match image? {
            Some(image) => images.push(Arc::new(image)),
            None => output.warn(format!("the {memory} is not part of the backup")),
        }
    }
    Ok(images)
}

fn dry_run(args: &RestoreArgs, images: &[Arc<ImageReader>], output: &Output) -> u8 {
    for image in images {
        let digests = image.digests();
        let nonzero = (0..digests.count())
            .filter(|chunk| !digests.is_zero(*chunk))
            .count();
        output.step(format!(
            "{}: {} to compare with {}; at most {nonzero} of {} chunks would be sent",
            digests.memory(),
            human_bytes(digests.size_bytes()),
            args.canister,
            digests.count()
        ));
    }
    0
}

/// Sends the chunks in which the canister's memory differs from the image.
async fn write_image(
    patient: &Arc<Patient>,
    image: &Arc<ImageReader>,
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let wanted = image.digests();
    let memory = wanted.memory();
    let size_bytes = patient.size(memory, Asked::Subnet, &context.retry).await?;
    if size_bytes > wanted.size_bytes() {
        return Err(CliError::MemoryTooLarge {
            memory,
            canister: patient.canister().to_text(),
            found_bytes: size_bytes,
            backup_bytes: wanted.size_bytes(),
        });
    }
    if size_bytes < wanted.size_bytes() {
        grow(patient, memory, wanted.size_bytes(), context).await?;
    }
    let progress = output.progress("comparing", wanted.size_bytes());
    let found = patient
        .digests(memory, Asked::Node, context.workers, &context.retry, |b| {
            progress.advance(b)
        })
        .await;
    progress.finish();
    let chunks = differing(wanted, &found?);
    let bytes: u64 = chunks.iter().map(|chunk| wanted.len_bytes(*chunk)).sum();
    let progress = output.progress("uploading", bytes);
    let sent = send_image(
        patient,
        image,
        &chunks,
        context.workers,
        &context.retry,
        &*progress,
    )
    .await;
    progress.finish();
    let sent = sent?;
    output.say(&Event::Sent {
        memory,
        chunks: chunks.len() as u64,
        bytes: sent.bytes,
        wire_bytes: sent.wire_bytes,
        chunks_equal: wanted.count() - chunks.len() as u64,
    });
    Ok(())
}

/// Grows a memory by writing one zero at its future end, so that chunks of zeros need not be sent.
async fn grow(
    patient: &Arc<Patient>,
    memory: Memory,
    size_bytes: u64,
    context: &Context,
) -> Result<(), CliError> {
    let zero = Payload::Raw(vec![0]);
    context
        .retry
        .run(|| patient.write(memory, size_bytes - 1, &zero))
        .await
}
