//! `backup`: has the memory hashed on chain, downloads it, and keeps nothing that does not match.
//!
//! ```text
//! open case ─► stop ─► snapshot ─► swap in downloader ─► start ─► checksum   (rescue canister)
//!    ─► survey what is on disk ─► fetch what is missing ─► read back, rename  (each memory)
//!    ─► fence: did anything change meanwhile? ─► metadata, manifest ─► verify
//! ```
//!
//! Run again after an interruption, it goes on where it was; run again after the canister ran on, it fetches
//! only the chunks whose checksums changed.

use super::{Context, now_ns, read_file, verify};
use crate::args::{NetworkArgs, principal};
use crate::case::{Case, recorded_root};
use crate::error::{CliError, EXIT_FINDINGS};
use crate::limits::CHUNKS_PER_READ_MAX;
use crate::management::Management;
use crate::output::{Event, Output};
use crate::patient::Patient;
use crate::transfer::fetch::{FetchOptions, fetch_image};
use archive::manifest::{Attestation, Manifest, Route};
use archive::metadata::Metadata;
use archive::{ChunkDigests, Draft, Exclusive, Memory, Seal, Shared, Subject};
use candid::Principal;
use clap::{Args, ValueEnum};
use rescue_api::{
    CaseView, CertifiedRoots, HeapChoice, OpenCaseArgs, Plan, SnapshotPolicy, methods,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Options of `backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue backup 22dei-piaaa-aaaad-qdyyq-cai -o backup/ --rescue rdmx6-jaaaa-aaaaa-aaadq-cai --identity me.pem\n\nInterrupted? Run the same command again."
)]
pub struct BackupArgs {
    /// The canister.
    pub canister: String,
    /// Directory of the backup: new, empty, or holding an earlier backup of the same canister.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
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
    let canister = principal(&args.canister)?;
    let module = args.module.as_deref().map(read_file).transpose()?;
    // The directory first: a mistake there must show before anything on chain is changed.
    let lock = Exclusive::create(&args.output)?;
    let context = Context::open(network, "backup").await?;
    let rescue = context.rescue(network, "backup")?;
    let case = Case::open(rescue, open_args(args, canister)).await?;
    output.step(format!(
        "case {} at {}",
        case.number(),
        case.rescue().canister()
    ));
    let view = case.drive_to_recorded(output).await?;

    let mut draft = Draft::begin(lock, subject(&context, &case, &view)?)?;
    let patient = Arc::new(Patient::new(context.connection.clone(), canister));
    for memory in Memory::ALL {
        match case.digests(&view, memory).await? {
            Some(digests) => draft = fetch(draft, digests, &patient, &context, output).await?,
            None => output.warn(format!(
                "the {memory} has no checksums in the case: not backed up"
            )),
        }
    }
    fence(&case, &view, canister).await?;

    let seal = complete(&context, &case, &view, module, output).await?;
    let backup = draft.seal(seal)?;
    let manifest = backup
        .manifest()
        .expect("BUG: a sealed backup has a manifest")
        .clone();
    drop(backup);
    let report = verify::examine(&Shared::existing(&args.output)?, &args.output, output)?;
    output.say(&finished(args, &manifest));
    Ok(if report.is_sound() { 0 } else { EXIT_FINDINGS })
}

fn open_args(args: &BackupArgs, patient: Principal) -> OpenCaseArgs {
    OpenCaseArgs {
        patient,
        final_module_hash: None,
        snapshot: match &args.no_snapshot {
            None => SnapshotPolicy::Take,
            Some(risk) => SnapshotPolicy::Waive { risk: risk.clone() },
        },
        plan: Plan {
            heap: args.heap.into(),
            restore: false,
        },
    }
}

fn subject(context: &Context, case: &Case, view: &CaseView) -> Result<Subject, CliError> {
    Ok(Subject {
        canister: view.patient.to_text(),
        module_hash: view.baseline.module_hash.as_ref().map(hex::encode),
        canister_version: Some(view.baseline.canister_version),
        network: context.connection.network().name(),
        route: Route::Rescue,
        attestation: Attestation::Rescue {
            rescue_canister: case.rescue().canister().to_text(),
            case: case.number(),
        },
        taken_at_ns: view
            .memories
            .iter()
            .filter_map(|m| m.recorded_at_nanos)
            .max()
            .unwrap_or(0),
    })
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

/// Makes sure that the case is what it was before the first byte was read. The bytes themselves cannot be
/// torn, as each chunk matched its checksum; this tells when the checksums are not those of now.
async fn fence(case: &Case, before: &CaseView, canister: Principal) -> Result<(), CliError> {
    let after = case.view().await?;
    let changed = |what: &str| {
        Err(CliError::CanisterChanged {
            canister: canister.to_text(),
            what: what.to_string(),
        })
    };
    if Memory::ALL
        .into_iter()
        .any(|m| recorded_root(&after, m) != recorded_root(before, m))
    {
        return changed("its recorded checksums are others now");
    }
    if after.phase != before.phase {
        return changed("its case stands elsewhere now");
    }
    Ok(())
}

/// Collects what makes the images a whole backup: metadata, module, chunk store, certificate.
async fn complete(
    context: &Context,
    case: &Case,
    view: &CaseView,
    module: Option<Vec<u8>>,
    output: &Output,
) -> Result<Seal, CliError> {
    let certified = certified_roots(case, output).await?;
    let management = Management::new(&context.connection, view.patient, &context.retry);
    let bare = Metadata {
        taken_at_timestamp: view.baseline.seen_at_nanos,
        canister_version: view.baseline.canister_version,
        ..Metadata::empty()
    };
    let mut seal = Seal {
        metadata: bare,
        module,
        chunk_store: Vec::new(),
        certified,
        loadable_as_snapshot: false,
        sealed_at_ns: now_ns(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    };
    let snapshot = view.snapshot.as_ref().filter(|snapshot| !snapshot.deleted);
    let Some(snapshot) = snapshot else {
        output.detail(
            "there is no snapshot, so globals and certified data are not part of the backup",
        );
        return Ok(seal);
    };
    match management.snapshot_metadata(&snapshot.id).await {
        Err(CliError::Rejected(error)) => output.warn(format!(
            "the module is not part of the backup, because its snapshot cannot be read ({error}); \
             give it with --module FILE"
        )),
        Err(error) => return Err(error),
        Ok(metadata) => {
            output.step("read the module from the snapshot");
            if seal.module.is_none() {
                let size = metadata.wasm_module_size;
                seal.module = Some(management.snapshot_module(&snapshot.id, size).await?);
            }
            for chunk in &metadata.wasm_chunk_store {
                seal.chunk_store
                    .push(management.snapshot_chunk(&snapshot.id, &chunk.hash).await?);
            }
            let recorded = |memory| recorded_root(view, memory).map(|(size, _)| size);
            seal.loadable_as_snapshot = recorded(Memory::Stable)
                == Some(metadata.stable_memory_size)
                && recorded(Memory::Heap) == Some(metadata.wasm_memory_size)
                && metadata.globals.iter().all(Option::is_some);
            seal.metadata = metadata;
        }
    }
    Ok(seal)
}

/// The recorded roots with the subnet's signature over them, as files.
async fn certified_roots(case: &Case, output: &Output) -> Result<Vec<(String, Vec<u8>)>, CliError> {
    let roots: CertifiedRoots = case
        .rescue()
        .look(methods::CERTIFIED_ROOTS, (case.number(),))
        .await?;
    let Some(certificate) = roots.certificate else {
        output.warn(
            "the rescue canister gave no certificate: the backup has its checksums, not the proof",
        );
        return Ok(Vec::new());
    };
    let mut files = vec![
        ("certificate.cbor".to_string(), certificate.into_vec()),
        ("witness.cbor".to_string(), roots.witness.into_vec()),
    ];
    for statement in roots.statements {
        let name = format!("{}.statement.txt", statement.memory.name());
        files.push((name, statement.to_text().into_bytes()));
    }
    Ok(files)
}

fn finished(args: &BackupArgs, manifest: &Manifest) -> Event {
    let root = |memory| manifest.memory(memory).map(|entry| entry.root.clone());
    Event::BackedUp {
        directory: args.output.display().to_string(),
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
