//! `status`: where a case stands, what may be done, and its journal.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, describe, report};
use crate::error::CliError;
use crate::limits::JOURNAL_PER_CALL;
use crate::output::{Event, Output};
use clap::Args;
use rescue_api::{JournalEntry, methods};

/// Options of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue status bkyz2-fmaaa-aaaaa-qaaaq-cai --journal --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem"
)]
pub struct StatusArgs {
    /// The canister.
    pub canister: String,
    /// Show the journal, too.
    #[arg(long)]
    pub journal: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &StatusArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "status").await?;
    let case = Case::find(context.rescue(network, "status")?, canister, true).await?;
    let view = case.view().await?;
    output.say(&report(&view));
    let mut first = 0;
    while args.journal && first < view.journal_length {
        let page: Vec<JournalEntry> = case
            .rescue()
            .look(methods::JOURNAL, (case.number(), first, JOURNAL_PER_CALL))
            .await?;
        let Some(last) = page.last() else { break };
        first = last.index + 1;
        for entry in page {
            output.say(&Event::Journal {
                index: entry.index,
                at_ns: entry.at_nanos,
                step: entry.operation.as_ref().map(describe),
                event: entry.event,
                detail: entry.detail,
            });
        }
    }
    Ok(0)
}
