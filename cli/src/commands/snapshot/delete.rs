//! `snapshot delete`: deletes a snapshot. If it was the way back, there is none any more.

use super::{Context, id_bytes};
use crate::args::{NetworkArgs, canister};
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output};
use crate::snapshots::parse_id;
use clap::Args;

/// Options of `snapshot delete`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot delete bkyz2-fmaaa-aaaaa-qaaaq-cai 0000000000000000ffffffffff9000010101 --identity me.pem"
)]
pub struct DeleteArgs {
    /// The canister.
    pub canister: String,
    /// Id of the snapshot.
    #[arg(value_name = "SNAPSHOT_ID", value_parser = parse_id)]
    pub snapshot: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the canister has no such snapshot, or a call fails.
pub async fn execute(
    args: &DeleteArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "snapshot delete").await?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let id = id_bytes(&args.snapshot);
    let held = management.snapshots().await?;
    let Some(snapshot) = held.iter().find(|snapshot| snapshot.id == id) else {
        return Err(CliError::NoSnapshot {
            canister: canister.to_text(),
            snapshot: args.snapshot.clone(),
        });
    };
    output.say(&Event::snapshot(canister, snapshot));
    if args.dry_run {
        output.step("would delete it");
        return Ok(0);
    }
    management.delete_snapshot(&id).await?;
    output.say(&Event::Done {
        text: format!("snapshot {} is deleted", args.snapshot),
    });
    Ok(0)
}
