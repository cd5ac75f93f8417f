//! `rollback`: takes the canister back to the snapshot from before the rescue, and starts it.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, describe, report};
use crate::error::CliError;
use crate::limits::{CASE_STEPS_MAX, JOURNAL_PER_CALL};
use crate::output::{Event, Output};
use clap::Args;
use rescue_api::{Held, JournalEntry, Operation, Phase, Refusal, Run, methods};

/// Options of `rollback`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue rollback bkyz2-fmaaa-aaaaa-qaaaq-cai --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem"
)]
pub struct RollbackArgs {
    /// The canister.
    pub canister: String,
    /// Go back although the repaired module has run since: what it did is lost.
    #[arg(long)]
    pub discard_newer_state: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave the canister stopped.
    #[arg(long)]
    pub leave_stopped: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &RollbackArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "rollback").await?;
    let case = Case::find(context.rescue(network, "rollback")?, canister, false)
        .await?
        .telling(output);
    if args.dry_run {
        let view = case.view().await?;
        output.say(&report(&view));
        output.step(match view.snapshot.filter(|snapshot| !snapshot.deleted) {
            Some(snapshot) => format!(
                "would load snapshot {} and start the canister",
                hex::encode(snapshot.id)
            ),
            None => "there is no snapshot to go back to".into(),
        });
        return Ok(0);
    }
    output.step(describe(&Operation::Rollback));
    let arguments = rescue_api::RollbackArgs {
        case: case.number(),
        discard_newer_state: args.discard_newer_state,
    };
    let mut view = match case.take(methods::ROLLBACK, (arguments,)).await {
        Err(CliError::Refused { refusal, .. })
            if matches!(*refusal, Refusal::WouldDiscardState { .. }) && is_back(&case).await? =>
        {
            // The same command again: what the canister did since it went back is not lost for that.
            output.say(&Event::Done {
                text: format!(
                    "{canister} went back before, and has run since; to go back once more: --discard-newer-state"
                ),
            });
            return Ok(0);
        }
        stepped => stepped?,
    };
    for _ in 0..CASE_STEPS_MAX {
        match view.phase {
            Phase::Holding {
                module: Held::Own,
                run,
            } if run == Run::Running || args.leave_stopped => {
                context.report(output);
                output.say(&Event::Done {
                    text: format!(
                        "{canister} is what it was when case {} took its snapshot",
                        view.case
                    ),
                });
                return Ok(0);
            }
            Phase::Holding {
                module: Held::Own, ..
            } => {
                output.step(describe(&Operation::Start));
                view = case.take(methods::START, (case.number(),)).await?;
            }
            _ => view = case.step(methods::SETTLE, (case.number(),)).await?,
        }
    }
    Err(CliError::CaseStuck {
        case: case.number(),
        steps: CASE_STEPS_MAX,
    })
}

/// Whether the last thing the case did, but for starting the canister, was to go back.
async fn is_back(case: &Case) -> Result<bool, CliError> {
    let view = case.view().await?;
    let is_own = matches!(
        view.phase,
        Phase::Holding {
            module: Held::Own,
            ..
        }
    );
    let first = view
        .journal_length
        .saturating_sub(u64::from(JOURNAL_PER_CALL));
    let newest: Vec<JournalEntry> = case
        .rescue()
        .look(methods::JOURNAL, (case.number(), first, JOURNAL_PER_CALL))
        .await?;
    let last = (newest.into_iter().rev())
        .filter(|entry| entry.event == "done")
        .filter_map(|entry| entry.operation)
        .find(|operation| *operation != Operation::Start);
    Ok(is_own && last == Some(Operation::Rollback))
}
