//! `close`: closes a case. Its evidence and journal stay readable.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, report};
use crate::error::CliError;
use crate::output::{Event, Output};
use clap::Args;
use rescue_api::{CaseView, methods};

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
    let case = Case::find(context.rescue(network, "close")?, canister, false).await?;
    if args.dry_run {
        output.say(&report(&case.view().await?));
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
    let view: CaseView = case.step(methods::CLOSE, (arguments,)).await?;
    context.report(output);
    output.say(&Event::Done {
        text: format!("case {} of {canister} is closed", view.case),
    });
    Ok(0)
}
