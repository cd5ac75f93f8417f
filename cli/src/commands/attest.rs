//! `attest`: proves that a canister holds what a backup holds, by having its memory hashed on chain.
//!
//! The canister must run the downloader or the uploader (or have a `stable_sha256` of its own).

use super::Context;
use super::restore::MemoryArg;
use crate::args::{NetworkArgs, canister};
use crate::case::Case;
use crate::error::CliError;
use crate::output::Output;
use crate::patient::Patient;
use crate::proof::prove;
use archive::{Backup, Memory, Shared};
use clap::Args;
use std::path::PathBuf;

/// Options of `attest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue attest backup/ bkyz2-fmaaa-aaaaa-qaaaq-cai --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem\n\nExit code 0: the same. 3: different."
)]
pub struct AttestArgs {
    /// The backup.
    pub directory: PathBuf,
    /// The canister.
    pub canister: String,
    /// Which memories to compare.
    #[arg(long, value_enum, default_value = "all")]
    pub memory: MemoryArg,
}

/// Runs the verb.
///
/// # Errors
/// [`CliError::RestoreDiffers`] when it holds something else.
pub async fn execute(
    args: &AttestArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let backup = Backup::open(&Shared::existing(&args.directory)?)?;
    let context = Context::open(network, "attest").await?;
    let case = match &network.rescue {
        Some(_) => Some(Case::find(context.rescue(network, "attest")?, canister, false).await?),
        None => None,
    };
    let view = match &case {
        Some(case) => Some(case.view().await?),
        None => None,
    };
    let patient = Patient::new(context.connection.clone(), canister);
    for memory in Memory::ALL
        .into_iter()
        .filter(|memory| args.memory.includes(*memory))
    {
        match backup.image(memory, &mut |_| {})? {
            Some(image) => {
                let case = case.as_ref().zip(view.as_ref());
                prove(case, &patient, image.digests(), &context, output).await?;
            }
            None => output.warn(format!("the {memory} is not part of the backup")),
        }
    }
    Ok(0)
}
