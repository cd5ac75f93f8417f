//! `patch`: writes a copy of a module without its upgrade hooks and with the marker, and says exactly what
//! changed. Offline; the input is only read.

use super::read_file;
use crate::error::CliError;
use crate::modules::{self, Module, PatchReport};
use crate::output::{Event, Output};
use clap::Args;
use std::path::PathBuf;
use surgery::patch::{Plan, patch};

/// Options of `patch`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ic-rescue patch deployed.wasm -o patched.wasm")]
pub struct PatchArgs {
    /// The module, plain or gzipped: exactly the bytes that are deployed.
    pub module: PathBuf,
    /// The file to write. It is not compressed.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Leave canister_pre_upgrade in: the next upgrade runs it.
    #[arg(long)]
    pub keep_pre_upgrade: bool,
    /// Leave canister_post_upgrade in: it runs over the kept heap as soon as the module is put in.
    #[arg(long)]
    pub keep_post_upgrade: bool,
    /// Drop a custom section, by its whole name; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub drop_section: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// When a file cannot be read or written, or the module not be patched.
pub fn execute(args: &PatchArgs, output: &Output) -> Result<u8, CliError> {
    let given = Module::new(&args.module, read_file(&args.module)?)?;
    let plan = Plan {
        keep_pre_upgrade: args.keep_pre_upgrade,
        keep_post_upgrade: args.keep_post_upgrade,
        drop_sections: args.drop_section.clone(),
    };
    let patched = patch(&given.wasm, &plan).map_err(|error| given.error(error))?;
    modules::write_new(&args.output, &patched.module)?;
    let report = PatchReport::new(&given, &args.output, &patched)?;
    output.say(&Event::Patched(Box::new(report)));
    Ok(0)
}
