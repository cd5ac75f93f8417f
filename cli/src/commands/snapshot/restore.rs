//! `snapshot restore`: loads a snapshot. What the canister holds now is kept in a snapshot of its own before.

use super::{Context, id_bytes};
use crate::args::{NetworkArgs, canister};
use crate::error::CliError;
use crate::management::Management;
use crate::output::{Event, Output};
use crate::routes::snapshot::{WayBack, load};
use crate::snapshots::parse_id;
use clap::Args;

/// Options of `snapshot restore`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue snapshot restore bkyz2-fmaaa-aaaaa-qaaaq-cai 0000000000000000ffffffffff9000010101 --identity me.pem"
)]
pub struct RestoreArgs {
    /// The canister.
    pub canister: String,
    /// Id of the snapshot.
    #[arg(value_name = "SNAPSHOT_ID", value_parser = parse_id)]
    pub snapshot: String,
    /// Take no snapshot of the present state: there is no way back. Say why.
    #[arg(long, value_name = "RISK")]
    pub no_snapshot: Option<String>,
    /// Do not start the canister.
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
    args: &RestoreArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "snapshot restore").await?;
    let management = Management::new(&context.connection, canister, &context.retry).telling(output);
    let id = id_bytes(&args.snapshot);
    // Before anything is stopped: the snapshot must be there and readable.
    let metadata = management.snapshot_metadata(&id).await?;
    if args.dry_run {
        output.step(format!(
            "would stop {canister}, {}, load snapshot {} (canister version {}, {} bytes of stable memory, {} of \
             heap), start it",
            match args.no_snapshot {
                None => "take a snapshot of it as it is",
                Some(_) => "give up what it holds",
            },
            args.snapshot,
            metadata.canister_version,
            metadata.stable_memory_size,
            metadata.wasm_memory_size,
        ));
        return Ok(0);
    }
    let way_back = match args.no_snapshot {
        None => WayBack::Snapshot,
        Some(_) => WayBack::Waived,
    };
    load(&management, &id, way_back, args.leave_stopped, output).await?;
    output.say(&Event::Done {
        text: format!("{canister} is what snapshot {} holds", args.snapshot),
    });
    Ok(0)
}
