//! `snapshot upload`: a directory as a snapshot of a canister. Nothing is sent before every file was looked at. Run
//! again after an interruption, it finds what it began by its content, and sends what is missing.

use super::{Context, id_bytes};
use crate::args::{NetworkArgs, canister};
use crate::commands::restore::open_sound;
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output, human_bytes};
use crate::routes::snapshot::Loadable;
use crate::snapshots::parse_id;
use archive::Shared;
use clap::Args;
use std::path::PathBuf;

/// Options of `snapshot upload`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot upload backup/ bkyz2-fmaaa-aaaaa-qaaaq-cai --identity me.pem\n\nInterrupted? Run the same command again."
)]
pub struct UploadArgs {
    /// A backup, or a snapshot directory that dfx or icp downloaded.
    pub directory: PathBuf,
    /// The canister.
    pub canister: String,
    /// A snapshot that is deleted first. A canister has 10 at most.
    #[arg(long, value_name = "SNAPSHOT_ID", value_parser = parse_id)]
    pub replace: Option<String>,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the directory lacks something, or a call fails.
pub async fn execute(
    args: &UploadArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let lock = Shared::existing(&args.directory)?;
    let backup = open_sound(&args.directory, &lock, output)?;
    let loadable = Loadable::check(&backup, output)?;
    if args.dry_run {
        output.step(format!(
            "would upload at most {} as a snapshot of {}",
            human_bytes(loadable.bytes()),
            args.canister
        ));
        return Ok(0);
    }
    let context = Context::open(network, "snapshot upload").await?;
    let replace = args.replace.as_deref().map(id_bytes);
    let id = loadable
        .upload(&context, canister, replace.as_deref(), output)
        .await?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let made = management
        .snapshots()
        .await?
        .into_iter()
        .find(|s| s.id == id);
    if let Some(made) = made {
        output.say(&Event::snapshot(canister, &made));
    }
    Ok(0)
}
