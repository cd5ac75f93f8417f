//! The command line: verbs and the options they share.

use crate::commands::{
    attest::AttestArgs,
    backup::BackupArgs,
    call::CallArgs,
    close::CloseArgs,
    completions::{CompletionsArgs, ManArgs},
    diagnose::DiagnoseArgs,
    diff::DiffArgs,
    grow_stable::GrowStableArgs,
    heal::HealArgs,
    hotfix::HotfixArgs,
    install::InstallArgs,
    layout::LayoutArgs,
    network::NetworkVerbArgs,
    patch::PatchArgs,
    plan::PlanArgs,
    rehearse::RehearseArgs,
    restore::RestoreArgs,
    rollback::RollbackArgs,
    run::RunArgs,
    snapshot::SnapshotArgs,
    status::StatusArgs,
    verify::VerifyArgs,
};
use crate::error::CliError;
use crate::limits::{WORKERS_DEFAULT, WORKERS_MAX};
use crate::network::Network;
use crate::project;
use candid::Principal;
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Backs up, verifies and restores Internet Computer canisters, also those whose pre_upgrade traps.
#[derive(Debug, Parser)]
#[command(name = "ic-rescue", version, propagate_version = true)]
pub struct Args {
    /// How to talk.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where to and as whom.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look at a canister: what it is, whether it can be rescued, and how.
    Diagnose(DiagnoseArgs),
    /// Show what a rescue would do and cost, and what cannot be undone.
    Plan(PlanArgs),
    /// Swap the downloader in, have the memory hashed on chain, download it, verify it.
    Backup(BackupArgs),
    /// Read every byte of a backup again and list everything that is wrong with it.
    Verify(VerifyArgs),
    /// Write a backup back into a canister and prove that it arrived.
    Restore(RestoreArgs),
    /// Prove that a canister holds what a backup holds.
    Attest(AttestArgs),
    /// Show which chunks of a backup differ from another backup or from a canister.
    Diff(DiffArgs),
    /// Install the repaired module through the rescue canister and start the canister.
    Install(InstallArgs),
    /// Write a copy of a module without its upgrade hooks, and say exactly what changed.
    Patch(PatchArgs),
    /// Compare what decides whether one module can run on the heap of another.
    Layout(LayoutArgs),
    /// Put the patched module over the living heap, so that the canister goes on without its hooks.
    Hotfix(HotfixArgs),
    /// Grow the stable memory of a canister whose hook traps because it is too small.
    GrowStable(GrowStableArgs),
    /// Take the canister back to the snapshot from before the rescue.
    Rollback(RollbackArgs),
    /// Take, list, download, upload, load and delete canister snapshots.
    Snapshot(SnapshotArgs),
    /// Show where a case stands, and its journal.
    Status(StatusArgs),
    /// Close a case.
    Close(CloseArgs),
    /// Run a canister's hook over its backup, without the limits that broke it.
    Run(RunArgs),
    /// Call a method of a canister over its backup.
    Call(CallArgs),
    /// Try an upgrade over a backup: would it pass on chain?
    Rehearse(RehearseArgs),
    /// Run a local network to try things on.
    Network(NetworkVerbArgs),
    /// The whole way for a canister whose state is in the heap and whose hook traps.
    Heal(HealArgs),
    /// Write completions for a shell to stdout.
    Completions(CompletionsArgs),
    /// Write the man page to stdout.
    Man(ManArgs),
}

impl Verb {
    /// Whether Ctrl-C is how the verb ends when all is well.
    pub fn ends_with_interrupt(&self) -> bool {
        matches!(self, Verb::Network(verb) if verb.ends_with_interrupt())
    }
}

/// How to talk.
#[derive(Clone, Debug, ClapArgs)]
pub struct OutputArgs {
    /// Write one JSON object per line to stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on stderr.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Where to and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub struct NetworkArgs {
    /// `ic`, `local` (http://127.0.0.1:4943), or a URL.
    #[arg(
        long,
        global = true,
        default_value = "ic",
        env = "IC_RESCUE_NETWORK",
        value_name = "NETWORK"
    )]
    pub network: String,
    /// Root key of the network, hexadecimal DER. Only for networks that are neither `ic` nor on this
    /// machine.
    #[arg(long, global = true, value_name = "HEX")]
    pub root_key: Option<String>,
    /// A controller: PEM file, name of an identity of dfx or icp, or `anonymous`. Without it: the default
    /// identity of dfx or icp.
    #[arg(
        long,
        global = true,
        env = "IC_RESCUE_IDENTITY",
        value_name = "FILE|NAME"
    )]
    pub identity: Option<PathBuf>,
    /// File with the password of an encrypted identity. Without it: asked for on the terminal.
    #[arg(
        long,
        global = true,
        env = "IC_RESCUE_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub password_file: Option<PathBuf>,
    /// The rescue canister.
    #[arg(
        long,
        global = true,
        env = "IC_RESCUE_CANISTER",
        value_name = "CANISTER_ID"
    )]
    pub rescue: Option<String>,
    /// Requests under way at once, at most.
    #[arg(long, global = true, default_value_t = WORKERS_DEFAULT, value_parser = workers, value_name = "COUNT")]
    pub workers: usize,
}

impl NetworkArgs {
    /// The rescue canister.
    ///
    /// # Errors
    /// [`CliError::MissingOption`] or [`CliError::BadPrincipal`].
    pub fn rescue_canister(&self, verb: &'static str) -> Result<Principal, CliError> {
        let text = self.rescue.as_deref().ok_or(CliError::MissingOption {
            verb,
            option: "--rescue CANISTER_ID",
        })?;
        canister(text, self)
    }

    /// The network that is meant.
    ///
    /// # Errors
    /// [`CliError::BadNetwork`] or [`CliError::BadRootKey`].
    pub fn parse(&self) -> Result<Network, CliError> {
        Network::parse(&self.network, self.root_key.as_deref())
    }
}

/// Understands a canister id, or the name of a canister of the project in the current folder.
///
/// # Errors
/// [`CliError::BadPrincipal`] when it is neither.
pub fn canister(text: &str, network: &NetworkArgs) -> Result<Principal, CliError> {
    let folder = std::env::current_dir().unwrap_or_default();
    project::canister(text, &network.parse()?, &folder)
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=WORKERS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("between 1 and {WORKERS_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
