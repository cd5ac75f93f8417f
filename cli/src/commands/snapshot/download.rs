//! `snapshot download`: a snapshot into a directory that dfx and icp read, too. Run again after an interruption, it
//! goes on where it was, provided it is the same snapshot.

use super::{Context, id_bytes};
use crate::args::{NetworkArgs, canister};
use crate::commands::backup::conclude;
use crate::error::CliError;
use crate::output::Output;
use crate::routes::snapshot::download;
use crate::snapshots::parse_id;
use archive::layout::check_canister;
use archive::{Draft, Exclusive};
use clap::Args;
use std::path::PathBuf;

/// Options of `snapshot download`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot download bkyz2-fmaaa-aaaaa-qaaaq-cai 0000000000000000ffffffffff9000010101 -o backup/ --identity me.pem\n\nInterrupted? Run the same command again."
)]
pub struct DownloadArgs {
    /// The canister.
    pub canister: String,
    /// Id of the snapshot.
    #[arg(value_name = "SNAPSHOT_ID", value_parser = parse_id)]
    pub snapshot: String,
    /// Directory: new, empty, or holding an earlier backup of the same canister.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it; what is on disk stays.
pub async fn execute(
    args: &DownloadArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    // The directory first: a mistake there must show before the network is asked.
    let lock = Exclusive::create(&args.output)?;
    if let Some(held) = Draft::peek(&lock)? {
        check_canister(&args.output, &held.canister, &canister.to_text())?;
    }
    let context = Context::open(network, "snapshot download").await?;
    download(lock, &context, canister, &id_bytes(&args.snapshot), output).await?;
    conclude(&args.output, output)
}
