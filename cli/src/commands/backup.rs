//! `backup`: has the memory hashed on chain, downloads it, and keeps nothing that does not match.
//!
//! ```text
//! swap the downloader in, have the memory hashed on chain                     (routes/)
//!    ─► survey what is on disk ─► fetch what is missing ─► read back, rename  (each memory)
//!    ─► fence: did anything change meanwhile? ─► metadata, manifest ─► verify
//! ```
//!
//! Run again after an interruption, it goes on where it was; run again after the canister ran on, it fetches
//! only the chunks whose checksums changed.

use super::plan::PlanArgs;
use super::{Context, now_ns, read_file, verify};
use crate::args::{NetworkArgs, canister};
use crate::cost::REFERENCE_NODES;
use crate::error::{CliError, EXIT_FINDINGS};
use crate::limits::CHUNKS_PER_READ_MAX;
use crate::management::Management;
use crate::output::{Event, Output};
use crate::patient::Patient;
use crate::routes::{self, Prepared};
use crate::transfer::fetch::{FetchOptions, fetch_image};
use archive::layout::check_canister;
use archive::lock::Guard;
use archive::manifest::{Attestation, Manifest};
use archive::metadata::Metadata;
use archive::{ChunkDigests, Draft, Exclusive, Memory, Seal, Shared, open};
use candid::Principal;
use clap::{Args, ValueEnum};
use rescue_api::HeapChoice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue backup bkyz2-fmaaa-aaaaa-qaaaq-cai -o backup/ --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem\n\nInterrupted? Run the same command again."
)]
pub struct BackupArgs {
    /// The canister.
    pub canister: String,
    /// Directory of the backup: new, empty, or holding an earlier backup of the same canister.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Without a rescue canister: swap the downloader in as a controller of the canister, and have the memory
    /// hashed by replicated calls.
    #[arg(long, conflicts_with_all = ["endpoints", "by_snapshot"])]
    pub direct: bool,
    /// Without a swap: the canister has `stable_size` and `stable_read` of its own.
    #[arg(long, conflicts_with = "by_snapshot")]
    pub endpoints: bool,
    /// Without a swap: stop the canister, take a snapshot, start it, download the snapshot. It stays, as a way
    /// back.
    #[arg(long)]
    pub by_snapshot: bool,
    /// With --direct: the downloader to swap in, instead of the one in this program.
    #[arg(long, value_name = "FILE", requires = "direct")]
    pub downloader: Option<PathBuf>,
    /// Say what would be done and what it would cost, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// What becomes of the heap when the downloader is swapped in.
    #[arg(long, value_enum, default_value = "keep")]
    pub heap: HeapArg,
    /// Take no snapshot before the first swap: there is no way back. Say why.
    #[arg(long, value_name = "RISK")]
    pub no_snapshot: Option<String>,
    /// The module that the canister ran, to be put into the backup. Needed only if no snapshot is taken; it
    /// must have the canister's module hash.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
}

/// The way to the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteArg {
    /// Through a rescue canister.
    Rescue,
    /// As a controller.
    Direct,
    /// Through the canister's own endpoints.
    Endpoints,
    /// Through a canister snapshot.
    Snapshot,
}

impl BackupArgs {
    /// The way that was asked for.
    pub fn route(&self) -> RouteArg {
        if self.direct {
            RouteArg::Direct
        } else if self.endpoints {
            RouteArg::Endpoints
        } else if self.by_snapshot {
            RouteArg::Snapshot
        } else {
            RouteArg::Rescue
        }
    }
}

/// What becomes of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeapArg {
    /// It stays and is backed up, too.
    Keep,
    /// It is dropped.
    Replace,
}

impl From<HeapArg> for HeapChoice {
    fn from(arg: HeapArg) -> Self {
        match arg {
            HeapArg::Keep => HeapChoice::Keep,
            HeapArg::Replace => HeapChoice::Replace,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it; what is on disk stays.
pub async fn execute(
    args: &BackupArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    if args.dry_run && args.by_snapshot {
        output
            .step("would stop the canister, take a snapshot, start it, and download the snapshot");
        return Ok(0);
    }
    if args.dry_run {
        let plan = PlanArgs {
            canister: args.canister.clone(),
            restore: false,
            nodes: REFERENCE_NODES,
            backup: None,
        };
        return super::plan::execute(&plan, network, output).await;
    }
    let module = args.module.as_deref().map(read_file).transpose()?;
    // The directory first: a mistake there must show before anything on chain is changed.
    let lock = Exclusive::create(&args.output)?;
    if let Some(held) = Draft::peek(&lock)? {
        check_canister(&args.output, &held.canister, &canister.to_text())?;
    }
    let context = Context::open(network, "backup").await?;
    let prepared = match args.route() {
        RouteArg::Rescue => {
            let rescue = context.rescue(network, "backup")?;
            routes::rescue::prepare(lock, &context, rescue, canister, args, output).await?
        }
        RouteArg::Direct => routes::direct::prepare(lock, &context, canister, args, output).await?,
        RouteArg::Endpoints => {
            routes::endpoints::prepare(lock, &context, canister, args, output).await?
        }
        RouteArg::Snapshot => return by_snapshot(lock, &context, canister, args, output).await,
    };

    let patient = Arc::new(Patient::new(context.connection.clone(), canister));
    let Prepared {
        mut draft,
        digests,
        fence,
        certified,
        snapshot,
        metadata,
    } = prepared;
    let size = |memory| {
        digests
            .iter()
            .find(|d: &&ChunkDigests| d.memory() == memory)
            .map(ChunkDigests::size_bytes)
    };
    let sizes = [size(Memory::Stable), size(Memory::Heap)];
    for digests in digests {
        draft = fetch(draft, digests, &patient, &context, output).await?;
    }
    fence.check(&context, canister).await?;

    let parts = Parts {
        metadata,
        certified,
        snapshot,
        sizes,
    };
    let seal = complete(&context, canister, parts, module, output).await?;
    drop(draft.seal(seal)?);
    context.report(output);
    conclude(&args.output, output)
}

/// Takes a snapshot and downloads it; goes on with the one that an interrupted command took.
async fn by_snapshot(
    lock: Exclusive,
    context: &Context,
    canister: Principal,
    args: &BackupArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    let begun = Draft::unfinished(&lock)?
        .and_then(|subject| subject.snapshot)
        .and_then(|id| hex::decode(id).ok());
    let held = management.snapshots().await?;
    let id = match begun.filter(|id| held.iter().any(|snapshot| snapshot.id == *id)) {
        Some(id) => id,
        None => routes::taking::take(&management, &lock.layout().stop_note(), None, output).await?,
    };
    routes::snapshot::download(lock, context, canister, &id, output).await?;
    context.report(output);
    conclude(&args.output, output)
}

/// Verifies what was finished and tells of it; returns the exit code.
///
/// # Errors
/// When the directory cannot be read.
pub fn conclude(directory: &Path, output: &Output) -> Result<u8, CliError> {
    let lock = Shared::existing(directory)?;
    let report = verify::examine(&lock, directory, output)?;
    output.say(&finished(directory, &open::read_manifest(lock.layout())?));
    Ok(if report.is_sound() { 0 } else { EXIT_FINDINGS })
}

/// Brings one image up to its digests and gives it its final name.
async fn fetch(
    mut draft: Draft,
    digests: ChunkDigests,
    patient: &Arc<Patient>,
    context: &Context,
    output: &Output,
) -> Result<Draft, CliError> {
    let memory = digests.memory();
    let size_bytes = digests.size_bytes();
    let chunks = digests.count();
    let chunks_zero = (0..chunks).filter(|chunk| digests.is_zero(*chunk)).count() as u64;

    let progress = output.progress("looking at what is here", size_bytes);
    let mut writer = draft.writer(digests)?;
    let missing = writer.survey(&mut |bytes| progress.advance(bytes))?;
    progress.finish();
    let chunks_missing = missing.len() as u64;
    output.say(&Event::Surveyed {
        memory,
        size_bytes,
        chunks,
        chunks_zero,
        chunks_missing,
    });

    let writer = Arc::new(writer);
    let bytes_missing = missing
        .iter()
        .map(|chunk| writer.digests().len_bytes(*chunk))
        .sum();
    let options = FetchOptions {
        workers: context.workers,
        chunks_per_read: CHUNKS_PER_READ_MAX,
        retry: context.retry.clone(),
    };
    let repeated_before = context.retry.repeated();
    let progress = output.progress("downloading", bytes_missing);
    let fetched = fetch_image(patient, &writer, &missing, &options, &*progress).await;
    progress.finish();
    let fetched = fetched?;
    output.say(&Event::Fetched {
        memory,
        chunks: fetched.chunks,
        bytes: fetched.bytes,
        wrong_chunks: fetched.wrong_chunks,
        repeated_calls: context.retry.repeated() - repeated_before,
    });

    let writer = Arc::into_inner(writer).expect("BUG: all workers have ended");
    let progress = output.progress("reading back", size_bytes);
    let sealed = writer.seal(&mut |bytes| progress.advance(bytes));
    progress.finish();
    draft.add_image(sealed?);
    Ok(draft)
}

/// Adds what makes the images a whole backup: metadata, module, chunk store, certificates.
async fn complete(
    context: &Context,
    canister: Principal,
    prepared: Parts,
    module: Option<Vec<u8>>,
    output: &Output,
) -> Result<Seal, CliError> {
    let mut seal = Seal {
        metadata: prepared.metadata,
        module,
        chunk_store: Vec::new(),
        certified: prepared.certified,
        loadable_as_snapshot: false,
        sealed_at_ns: now_ns(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    };
    let Some(snapshot) = prepared.snapshot else {
        output.detail(
            "there is no snapshot, so globals and certified data are not part of the backup",
        );
        return Ok(seal);
    };
    let management = Management::new(&context.connection, canister, &context.retry);
    match management.snapshot_metadata(&snapshot).await {
        Err(CliError::Rejected(error)) => output.warn(format!(
            "the module is not part of the backup, because its snapshot cannot be read ({error}); \
             give it with --module FILE"
        )),
        Err(error) => return Err(error),
        Ok(metadata) => {
            output.step("read the module from the snapshot");
            if seal.module.is_none() {
                let size = metadata.wasm_module_size;
                seal.module = Some(management.snapshot_module(&snapshot, size).await?);
            }
            for chunk in &metadata.wasm_chunk_store {
                seal.chunk_store
                    .push(management.snapshot_chunk(&snapshot, &chunk.hash).await?);
            }
            seal.loadable_as_snapshot = prepared.sizes
                == [metadata.stable_memory_size, metadata.wasm_memory_size].map(Some)
                && metadata.globals.iter().all(Option::is_some);
            seal.metadata = routes::snapshot::writable(metadata, output);
        }
    }
    Ok(seal)
}

/// What is left of the preparations when the images are done.
struct Parts {
    metadata: Metadata,
    certified: Vec<(String, Vec<u8>)>,
    snapshot: Option<Vec<u8>>,
    /// Sizes of stable memory and heap, where they are in the backup.
    sizes: [Option<u64>; 2],
}

fn finished(directory: &Path, manifest: &Manifest) -> Event {
    let root = |memory| manifest.memory(memory).map(|entry| entry.root.clone());
    Event::BackedUp {
        directory: directory.display().to_string(),
        canister: manifest.subject.canister.clone(),
        case: match manifest.subject.attestation {
            Attestation::Rescue { case, .. } => Some(case),
            Attestation::ReplicatedCalls | Attestation::Received => None,
        },
        module_hash: manifest.subject.module_hash.clone(),
        stable_root: root(Memory::Stable),
        heap_root: root(Memory::Heap),
        loadable_as_snapshot: manifest.loadable_as_snapshot,
    }
}
