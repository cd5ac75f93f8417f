//! `snapshot create`: stops the canister, takes a snapshot, starts it again. None of its code runs, so a canister
//! whose hooks trap has one taken like any other.

use super::{Context, id_bytes};
use crate::args::{NetworkArgs, canister};
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output};
use crate::routes::taking;
use crate::snapshots::parse_id;
use archive::stop_note::StopNote;
use candid::Principal;
use clap::Args;
use std::path::PathBuf;

/// Options of `snapshot create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot create bkyz2-fmaaa-aaaaa-qaaaq-cai --identity me.pem\n\nA canister that was stopped before stays stopped. While one that ran is stopped, CANISTER.stopped.json in\nthis folder says so: run an interrupted command again here, and it starts the canister."
)]
pub struct CreateArgs {
    /// The canister.
    pub canister: String,
    /// A snapshot that is deleted once the new one is taken. A canister has 10 at most.
    #[arg(long, value_name = "SNAPSHOT_ID", value_parser = parse_id)]
    pub replace: Option<String>,
    /// Do not start the canister again.
    #[arg(long)]
    pub leave_stopped: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a call fails.
pub async fn execute(
    args: &CreateArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "snapshot create").await?;
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    if args.dry_run {
        let status = management.status().await?;
        output.step(format!(
            "would take a snapshot of {canister}: {} bytes",
            status.memory_size
        ));
        return Ok(0);
    }
    let replace = args.replace.as_deref().map(id_bytes);
    let note = note_path(canister);
    let id = if args.leave_stopped {
        taking::take_stopped(&management, replace.as_deref(), output).await?
    } else {
        taking::take(&management, &note, replace.as_deref(), output).await?
    };
    let made = management
        .snapshots()
        .await?
        .into_iter()
        .find(|s| s.id == id);
    // Before it is told of: who has heard of this one and orders another gets another.
    StopNote::remove(&note)?;
    if let Some(made) = made {
        output.say(&Event::snapshot(canister, &made));
    }
    Ok(0)
}

/// Where it is noted that the canister was stopped, for whoever runs an interrupted command again.
fn note_path(canister: Principal) -> PathBuf {
    PathBuf::from(format!("{canister}.stopped.json"))
}
