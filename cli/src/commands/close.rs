//! `close`: closes a case. Its evidence and journal stay readable.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, report};
use crate::error::CliError;
use crate::output::{Event, Output};
use candid::Principal;
use clap::Args;
use rescue_api::{CaseView, Phase, methods};

/// Options of `close`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue close bkyz2-fmaaa-aaaaa-qaaaq-cai --delete-snapshot --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem"
)]
pub struct CloseArgs {
    /// The canister.
    pub canister: String,
    /// Close although the canister is stopped or runs a module of the pair.
    #[arg(long)]
    pub leave_as_is: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Delete the snapshot that was taken for the case: it costs storage.
    #[arg(long)]
    pub delete_snapshot: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &CloseArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "close").await?;
    let case = Case::find(context.rescue(network, "close")?, canister, true).await?;
    let view = case.view().await?;
    if view.phase == Phase::Closed {
        return Ok(tell_closed(canister, &view, args, output));
    }
    if args.dry_run {
        output.say(&report(&view));
        let snapshot = if args.delete_snapshot {
            "delete"
        } else {
            "leave"
        };
        output.step(format!(
            "would close case {} and {snapshot} its snapshot",
            case.number()
        ));
        return Ok(0);
    }
    let arguments = rescue_api::CloseArgs {
        case: case.number(),
        leave_as_is: args.leave_as_is,
        delete_snapshot: args.delete_snapshot,
    };
    let view = case.take(methods::CLOSE, (arguments,)).await?;
    context.report(output);
    Ok(tell_closed(canister, &view, args, output))
}

/// Says that it is closed, now or since long; returns the exit code.
fn tell_closed(canister: Principal, view: &CaseView, args: &CloseArgs, output: &Output) -> u8 {
    let left = view.snapshot.as_ref().filter(|snapshot| !snapshot.deleted);
    if let Some(snapshot) = left.filter(|_| args.delete_snapshot) {
        output.warn(format!(
            "its snapshot was left when the case was closed; to delete it: ic-rescue snapshot delete {canister} {}",
            hex::encode(&snapshot.id)
        ));
    }
    output.say(&Event::Done {
        text: format!("case {} of {canister} is closed", view.case),
    });
    0
}
