//! `verify`: re-reads every byte of a backup and lists everything that is wrong. Needs no network.

use crate::error::{CliError, EXIT_FINDINGS};
use crate::output::{Event, Output};
use archive::verify::{Report, verify};
use archive::{Backup, Memory, Shared};
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ic-rescue verify backup/\n\nExit code 0: sound. 3: damaged.")]
pub struct VerifyArgs {
    /// The backup.
    pub directory: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// When there is nothing to verify against.
pub fn execute(args: &VerifyArgs, output: &Output) -> Result<u8, CliError> {
    let lock = Shared::existing(&args.directory)?;
    let report = examine(&lock, &args.directory, output)?;
    Ok(if report.is_sound() { 0 } else { EXIT_FINDINGS })
}

/// Verifies the backup that `lock` protects and reports what is found.
///
/// # Errors
/// When there is nothing to verify against.
pub fn examine(lock: &Shared, directory: &Path, output: &Output) -> Result<Report, CliError> {
    let total = Backup::open(lock).ok().map_or(0, |backup| {
        let sizes = backup.manifest().map(|manifest| {
            Memory::ALL
                .iter()
                .filter_map(|m| manifest.memory(*m))
                .map(|m| m.size_bytes)
                .sum()
        });
        sizes.unwrap_or(0)
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
