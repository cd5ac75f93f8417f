//! `snapshot list`: the snapshots of a canister, oldest first. Changes nothing.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output};
use clap::Args;

/// Options of `snapshot list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot list bkyz2-fmaaa-aaaaa-qaaaq-cai --identity me.pem"
)]
pub struct ListArgs {
    /// The canister.
    pub canister: String,
}

/// Runs the verb.
///
/// # Errors
/// When a call fails.
pub async fn execute(
    args: &ListArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "snapshot list").await?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let snapshots = management.snapshots().await?;
    for snapshot in &snapshots {
        output.say(&Event::snapshot(canister, snapshot));
    }
    output.step(format!(
        "{canister} has {} of at most 10 snapshots",
        snapshots.len()
    ));
    Ok(0)
}
