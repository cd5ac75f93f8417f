//! `layout`: compares what decides whether one module can run on the heap of another. Offline.

use super::read_file;
use crate::error::{CliError, EXIT_FINDINGS};
use crate::modules::{LayoutReport, Module};
use crate::output::{Event, Output};
use clap::Args;
use std::path::PathBuf;

/// Options of `layout`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ic-rescue layout deployed.wasm patched.wasm")]
pub struct LayoutArgs {
    /// The module whose heap it is about, plain or gzipped.
    pub first: PathBuf,
    /// The module that should run on that heap, plain or gzipped.
    pub second: PathBuf,
}

/// Runs the verb: 0 for the same layout, [`EXIT_FINDINGS`] for another.
///
/// # Errors
/// When a file cannot be read or is no module.
pub fn execute(args: &LayoutArgs, output: &Output) -> Result<u8, CliError> {
    let first = Module::new(&args.first, read_file(&args.first)?)?;
    let second = Module::new(&args.second, read_file(&args.second)?)?;
    let comparison =
        surgery::layout::compare(&first.wasm, &second.wasm).map_err(|error| second.error(error))?;
    let same = comparison.same_layout();
    let report = LayoutReport::new(&first.name, &second.name, &comparison);
    output.say(&Event::Layout(Box::new(report)));
    Ok(if same { 0 } else { EXIT_FINDINGS })
}
