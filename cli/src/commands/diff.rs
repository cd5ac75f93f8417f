//! `diff`: which chunks of a backup differ from another backup, or from a canister as it is now. Changes
//! nothing.
//!
//! A canister is asked through one node by default: free, and good enough to estimate a restore. With
//! `--certified` the whole subnet hashes.

use super::Context;
use super::restore::MemoryArg;
use crate::args::{NetworkArgs, canister};
use crate::error::{CliError, EXIT_FINDINGS};
use crate::output::{Event, Output};
use crate::patient::{Asked, Patient};
use crate::transfer::plan::{differing, spans};
use archive::{Backup, ChunkDigests, Memory, Shared};
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue diff backup-monday/ backup-tuesday/\n  ic-rescue diff backup/ bkyz2-fmaaa-aaaaa-qaaaq-cai --identity me.pem\n\nExit code 0: the same. 3: different."
)]
pub struct DiffArgs {
    /// A backup.
    pub directory: PathBuf,
    /// Another backup, or a canister that runs the downloader or the uploader.
    pub other: String,
    /// Which memories to compare.
    #[arg(long, value_enum, default_value = "all")]
    pub memory: MemoryArg,
    /// Have the canister hashed by the whole subnet. Costs cycles.
    #[arg(long)]
    pub certified: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a backup cannot be opened or a call fails.
pub async fn execute(
    args: &DiffArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let mut same = true;
    for memory in Memory::ALL
        .into_iter()
        .filter(|memory| args.memory.includes(*memory))
    {
        let Some(left) = digests_of(&args.directory, memory)? else {
            output.warn(format!(
                "{}: the {memory} is not part of it",
                args.directory.display()
            ));
            continue;
        };
        let right = if Path::new(&args.other).is_dir() {
            digests_of(Path::new(&args.other), memory)?
        } else {
            Some(digests_on_chain(args, network, memory).await?)
        };
        let Some(right) = right else {
            output.warn(format!("{}: the {memory} is not part of it", args.other));
            continue;
        };
        same &= report(&left, &right, output);
    }
    Ok(if same { 0 } else { EXIT_FINDINGS })
}

/// Reports how two memories differ, and returns whether they are the same.
fn report(left: &ChunkDigests, right: &ChunkDigests, output: &Output) -> bool {
    let chunks = differing(left, right);
    let only_right = right.count().saturating_sub(left.count());
    let ranges: Vec<[u64; 2]> = spans(left, &chunks, u64::MAX)
        .iter()
        .map(|span| [span.offset_bytes, span.offset_bytes + span.len_bytes])
        .collect();
    output.say(&Event::Differs {
        memory: left.memory(),
        size_bytes: left.size_bytes(),
        other_size_bytes: right.size_bytes(),
        chunks: left.count(),
        chunks_different: chunks.len() as u64,
        ranges,
    });
    chunks.is_empty() && only_right == 0 && left.size_bytes() == right.size_bytes()
}

fn digests_of(directory: &Path, memory: Memory) -> Result<Option<ChunkDigests>, CliError> {
    let backup = Backup::open(&Shared::existing(directory)?)?;
    let image = backup.image(memory, &mut |_| {})?;
    Ok(image.map(|image| image.digests().clone()))
}

async fn digests_on_chain(
    args: &DiffArgs,
    network: &NetworkArgs,
    memory: Memory,
) -> Result<ChunkDigests, CliError> {
    let canister = canister(&args.other, network)?;
    let context = Context::open(network, "diff").await?;
    let patient = Patient::new(context.connection.clone(), canister);
    let asked = if args.certified {
        Asked::Subnet
    } else {
        Asked::Node
    };
    patient
        .digests(memory, asked, context.workers, &context.retry, |_| {})
        .await
}
