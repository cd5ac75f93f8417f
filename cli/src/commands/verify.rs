//! `verify`: re-reads every byte of a backup and lists everything that is wrong. Needs no network.
//!
//! With `--repair` it then mends what it can: small files from the rest of the directory, from another copy, or
//! from where they came; chunks from another copy, from the snapshot that was downloaded, or from the canister,
//! if it still runs the downloader or the uploader. Only what is bad is fetched.

use super::{Context, read_file};
use crate::agent::mainnet_root_key;
use crate::args::{NetworkArgs, canister};
use crate::certificate::{self, Verdict};
use crate::error::{CliError, EXIT_FINDINGS};
use crate::limits::CHUNKS_PER_READ_MAX;
use crate::management::Management;
use crate::network::RootKey;
use crate::output::{Event, Output};
use crate::patient::Patient;
use crate::refetch::refetch;
use crate::transfer::fetch::{FetchOptions, fetch_image};
use archive::lock::Guard;
use archive::verify::{Remedy, Report, verify};
use archive::{Backup, Exclusive, ImageWriter, Manifest, Memory, Shared, open, repair};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue verify backup/\n  ic-rescue verify backup/ --repair --from copy-of-backup/\n  ic-rescue verify backup/ --repair --identity me.pem\n\nExit code 0: sound. 3: damaged."
)]
pub struct VerifyArgs {
    /// The backup.
    pub directory: PathBuf,
    /// Mend what is damaged.
    #[arg(long)]
    pub repair: bool,
    /// With --repair: another copy of the backup to take good chunks and files from.
    #[arg(long, value_name = "DIR", requires = "repair")]
    pub from: Option<PathBuf>,
    /// With --repair: the module, if `wasm_module.bin` is damaged.
    #[arg(long, value_name = "FILE", requires = "repair")]
    pub module: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// When there is nothing to verify against, or a repair cannot be made.
pub async fn execute(
    args: &VerifyArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    if !args.repair {
        let lock = Shared::existing(&args.directory)?;
        let report = examine(&lock, &args.directory, output)?;
        let certified = check_certificate(&lock, network, output).await?;
        return Ok(if report.is_sound() && certified {
            0
        } else {
            EXIT_FINDINGS
        });
    }
    let lock = Exclusive::existing(&args.directory)?;
    let report = examine(&lock, &args.directory, output)?;
    if report.is_sound() {
        return Ok(0);
    }
    for name in repair::rebuild(&lock, &report)? {
        output.step(format!("rebuilt {name}"));
    }
    let manifest = open::read_manifest(lock.layout())?;
    let missing = put_back(args, &lock, &manifest, &report, output)?;
    if !missing.is_empty() && network.identity.is_some() {
        refetch(network, &lock, &manifest, &missing, output).await?;
    }
    for memory in Memory::ALL {
        let Some(entry) = manifest.memory(memory) else {
            continue;
        };
        let bad = |f: &&archive::Finding| f.file == entry.file && f.remedy == Remedy::Refetch;
        if report.findings.iter().any(|finding| bad(&finding)) {
            let writer = repair::reopen(&lock, &manifest, memory)?;
            mend(args, network, writer, &manifest, output).await?;
        }
    }
    let report = examine(&lock, &args.directory, output)?;
    Ok(if report.is_sound() { 0 } else { EXIT_FINDINGS })
}

/// Checks the certificate offline, reports, and returns whether there is nothing against it.
async fn check_certificate(
    lock: &Shared,
    network: &NetworkArgs,
    output: &Output,
) -> Result<bool, CliError> {
    let manifest = open::read_manifest(lock.layout())?;
    let kept = open::read_certified(lock.layout(), "root_key.der");
    let (root_key, trusted) = match (network.parse()?.root_key, kept) {
        (RootKey::Given(key), _) => (key, "the root key given"),
        (_, Some(kept)) if manifest.subject.network != "ic" => (
            kept,
            "a root key that lies in the backup itself, so it proves nothing by itself",
        ),
        _ => {
            let key = mainnet_root_key().map_err(|what| CliError::Unsupported { what })?;
            (key, "the root key of the Internet Computer")
        }
    };
    match certificate::check(lock.layout(), &manifest, root_key).await {
        Verdict::Absent => {
            output.step("the backup has no certificate: its roots are as good as the manifest");
            Ok(true)
        }
        Verdict::Valid { signed_at_ns } => {
            output.say(&Event::Certified {
                signed_at_ns,
                trusted,
            });
            Ok(true)
        }
        Verdict::Invalid(flaw) => {
            let reason = flaw.to_string();
            output.say(&Event::NotCertified { reason });
            Ok(false)
        }
    }
}

/// Puts files back whose bytes are nowhere else in the directory; returns those that are in no copy either.
fn put_back(
    args: &VerifyArgs,
    lock: &Exclusive,
    manifest: &Manifest,
    report: &Report,
    output: &Output,
) -> Result<Vec<String>, CliError> {
    let mut missing = Vec::new();
    for finding in report
        .findings
        .iter()
        .filter(|f| f.remedy == Remedy::PutBack)
    {
        let copy = args.from.as_ref().map(|from| from.join(&finding.file));
        let module = args
            .module
            .clone()
            .filter(|_| finding.file == "wasm_module.bin");
        let mut is_back = false;
        for candidate in [copy, module]
            .into_iter()
            .flatten()
            .filter(|path| path.is_file())
        {
            if repair::put_back(lock, manifest, &finding.file, &read_file(&candidate)?)? {
                output.step(format!(
                    "put {} back from {}",
                    finding.file,
                    candidate.display()
                ));
                is_back = true;
                break;
            }
        }
        if !is_back {
            missing.push(finding.file.clone());
        }
    }
    Ok(missing)
}

/// Brings a damaged image back to what its digests say, and seals it again.
async fn mend(
    args: &VerifyArgs,
    network: &NetworkArgs,
    mut writer: ImageWriter,
    manifest: &Manifest,
    output: &Output,
) -> Result<(), CliError> {
    let memory = writer.digests().memory();
    let mut missing = writer.survey(&mut |_| {})?;
    if let Some(from) = &args.from {
        let backup = Backup::open(&Shared::existing(from)?)?;
        if let Some(image) = backup.image(memory, &mut |_| {})? {
            // Chunks of the copy that are damaged or of another state stay missing.
            missing.retain(|chunk| {
                let good = *chunk < image.digests().count()
                    && image.digests().get(*chunk) == writer.digests().get(*chunk);
                !good
                    || image
                        .read(*chunk)
                        .ok()
                        .is_none_or(|d| writer.write(*chunk, &d).is_err())
            });
        }
    }
    let writer = Arc::new(writer);
    if !missing.is_empty() {
        let context = Context::open(network, "verify --repair without --from").await?;
        let canister = canister(&manifest.subject.canister, network)?;
        output.step(format!(
            "fetch {} chunks of the {memory} from {canister}",
            missing.len()
        ));
        let options = FetchOptions {
            workers: context.workers,
            chunks_per_read: CHUNKS_PER_READ_MAX,
            retry: context.retry.clone(),
        };
        let bytes = missing
            .iter()
            .map(|chunk| writer.digests().len_bytes(*chunk))
            .sum();
        let progress = output.progress("downloading", bytes);
        let snapshot = manifest.subject.snapshot.as_ref();
        let fetched = match snapshot.and_then(|id| hex::decode(id).ok()) {
            Some(id) => {
                let management = Management::new(&context.connection, canister, &context.retry);
                let source = Arc::new(management.snapshot_reader(&id));
                fetch_image(&source, &writer, &missing, &options, &*progress).await
            }
            None => {
                let patient = Arc::new(Patient::new(context.connection.clone(), canister));
                fetch_image(&patient, &writer, &missing, &options, &*progress).await
            }
        };
        progress.finish();
        fetched?;
    }
    let writer = Arc::into_inner(writer).expect("BUG: all workers have ended");
    writer.seal(&mut |_| {})?;
    Ok(())
}

/// Verifies the backup that `lock` protects and reports what is found.
///
/// # Errors
/// When there is nothing to verify against.
pub fn examine(lock: &impl Guard, directory: &Path, output: &Output) -> Result<Report, CliError> {
    let total = open::read_manifest(lock.layout()).map_or(0, |manifest| {
        manifest
            .memories
            .iter()
            .map(|memory| memory.size_bytes)
            .sum()
    });
    let progress = output.progress("verifying", total);
    let report = verify(lock, &mut |bytes| progress.advance(bytes));
    progress.finish();
    let report = report?;
    for finding in &report.findings {
        output.say(&Event::from(finding));
    }
    output.say(&Event::Verified {
        directory: directory.display().to_string(),
        files: report.files_checked,
        chunks: report.chunks_checked,
        bytes: report.image_bytes_checked,
        findings: report.findings.len() as u64,
    });
    Ok(report)
}
