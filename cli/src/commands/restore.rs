//! `restore`: writes a backup back into a canister, and proves that it arrived.
//!
//! ```text
//! verify the whole backup ─► open case ─► have the memory recorded ─► swap in uploader ─► start
//!    ─► compare with what is on chain now ─► send what differs ─► have it hashed again ─► compare roots
//! ```
//!
//! Nothing is sent before every byte of the backup was verified. Run again, it sends only what still
//! differs.

use super::{Context, verify};
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, recorded_root};
use crate::error::CliError;
use crate::output::{Event, Output, human_bytes};
use crate::patient::{Asked, Patient};
use crate::proof::prove;
use crate::routes::rescue::policy;
use crate::transfer::plan::differing;
use crate::transfer::send::send_image;
use crate::transfer::{Payload, Sink};
use archive::open::ImageReader;
use archive::{Backup, Memory, Shared};
use candid::Principal;
use clap::{Args, ValueEnum};
use rescue_api::{HeapChoice, OpenCaseArgs, Plan};
use std::path::PathBuf;
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
    /// Which memories to write.
    #[arg(long, value_enum, default_value = "all")]
    pub memory: MemoryArg,
    /// Empty the canister's memories first. Cannot be undone but by `rollback`.
    #[arg(long)]
    pub wipe: bool,
    /// If a case has to be opened: take no snapshot before the first swap. Say why.
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
    let images = open_images(args, &lock, output)?;
    if args.dry_run {
        return Ok(dry_run(args, &images, output));
    }

    let context = Context::open(network, "restore").await?;
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
    let case = Case::open(rescue, open).await?;
    output.step(format!(
        "case {} at {}",
        case.number(),
        case.rescue().canister()
    ));
    let view = case.drive_to_recorded(output).await?;
    if !args.wipe {
        for image in &images {
            check_size(
                canister,
                image,
                recorded_root(&view, image.digests().memory()),
            )?;
        }
    }
    let view = case.drive_to_uploader(args.wipe, output).await?;

    let patient = Arc::new(Patient::new(context.connection.clone(), canister));
    for image in &images {
        write_image(&patient, image, &context, output).await?;
    }
    for image in &images {
        prove(
            Some((&case, &view)),
            &patient,
            image.digests(),
            &context,
            output,
        )
        .await?;
    }
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
    recorded: Option<(u64, Vec<u8>)>,
) -> Result<(), CliError> {
    match recorded {
        Some((found_bytes, _)) if found_bytes > image.digests().size_bytes() => {
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

/// Verifies the backup and opens its images.
fn open_images(
    args: &RestoreArgs,
    lock: &Shared,
    output: &Output,
) -> Result<Vec<Arc<ImageReader>>, CliError> {
    let backup = Backup::open(lock)?;
    if backup.manifest().is_some() {
        let report = verify::examine(lock, &args.directory, output)?;
        if !report.is_sound() {
            return Err(CliError::DamagedBackup {
                path: args.directory.clone(),
                findings: report.findings.len(),
            });
        }
    } else {
        output.warn(
            "the directory has no manifest: it is restored as it is, nothing can be verified",
        );
    }
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
