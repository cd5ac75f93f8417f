//! `snapshot`: canister snapshots by themselves, one file a verb. The rescue canister is not needed.

pub mod create;
pub mod delete;
pub mod download;
pub mod list;
pub mod restore;
pub mod upload;

use super::Context;
use crate::args::NetworkArgs;
use crate::error::CliError;
use crate::output::Output;
use clap::{Args, Subcommand};

/// Options of `snapshot`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot list bkyz2-fmaaa-aaaaa-qaaaq-cai --identity me.pem\n\nThe directories are those of `dfx canister snapshot` and `icp canister snapshot`, too."
)]
pub struct SnapshotArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: SnapshotVerb,
}

/// What to do with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotVerb {
    /// Stop the canister, take a snapshot, start it again.
    Create(create::CreateArgs),
    /// List the snapshots of a canister.
    List(list::ListArgs),
    /// Download a snapshot into a directory, and verify it.
    Download(download::DownloadArgs),
    /// Upload a directory as a snapshot.
    Upload(upload::UploadArgs),
    /// Load a snapshot: everything the canister holds becomes what the snapshot holds.
    Restore(restore::RestoreArgs),
    /// Delete a snapshot.
    Delete(delete::DeleteArgs),
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &SnapshotArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    match &args.verb {
        SnapshotVerb::Create(verb) => create::execute(verb, network, output).await,
        SnapshotVerb::List(verb) => list::execute(verb, network, output).await,
        SnapshotVerb::Download(verb) => download::execute(verb, network, output).await,
        SnapshotVerb::Upload(verb) => upload::execute(verb, network, output).await,
        SnapshotVerb::Restore(verb) => restore::execute(verb, network, output).await,
        SnapshotVerb::Delete(verb) => delete::execute(verb, network, output).await,
    }
}

/// The bytes of an id that the command line has understood.
fn id_bytes(id: &str) -> Vec<u8> {
    hex::decode(id).expect("BUG: the command line checks ids")
}
