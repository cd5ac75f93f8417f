//! `completions` and `man`: what shells and `man` need to know about the program. On stdout.

use crate::args::Args as Program;
use crate::error::CliError;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ic-rescue completions bash")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ic-rescue man")]
pub struct ManArgs {}

/// Writes completions.
///
/// # Errors
/// When stdout cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Program::command(), "ic-rescue", &mut text);
    write_out(&text)
}

/// Writes the man page.
///
/// # Errors
/// When stdout cannot be written.
pub fn man(_args: &ManArgs) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Program::command())
        .render(&mut text)
        .map_err(|source| CliError::WriteOut { source })?;
    write_out(&text)
}

fn write_out(text: &[u8]) -> Result<u8, CliError> {
    std::io::stdout()
        .write_all(text)
        .map_err(|source| CliError::WriteOut { source })?;
    Ok(0)
}
