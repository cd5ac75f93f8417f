//! Command line of ic-rescue: backs up, verifies and restores canisters.
//!
//! ```text
//! main ─► args ─► commands/<verb> ─┬─► rescue, patient, management ─► agent ─► the network
//!                                  ├─► transfer (plan, pool, retry, fetch, send)
//!                                  ├─► offline (another crate) ─► engine
//!                                  └─► archive (another crate) ─► the disk
//! ```
//!
//! Invariants:
//! - Only [`agent`] speaks to the network; only the crate `archive` opens backup files.
//! - Every queue, retry and worker count has a named upper bound ([`limits`]).
//! - Commands report through [`output`] and never print themselves.
//! - No secret is printed or logged: identities are loaded in [`identity`] and leave it only as signers.

pub mod agent;
pub mod args;
pub mod calls;
pub mod case;
pub mod certificate;
pub mod changeover;
pub mod checks;
pub mod commands;
pub mod cost;
pub mod error;
pub mod evidence;
pub mod healing;
pub mod hooks;
pub mod identity;
pub mod limits;
pub mod management;
pub mod modules;
pub mod network;
pub mod offline_patient;
pub mod output;
pub mod pair;
pub mod patient;
pub mod project;
pub mod proof;
pub mod refetch;
pub mod report;
pub mod rescue;
pub mod routes;
pub mod snapshots;
pub mod transfer;
pub mod ways;

use clap::Parser;
use error::CliError;
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command and returns the exit code of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match args::Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                error::EXIT_USAGE
            } else {
                0
            });
        }
    };
    let output = Output::new(&args.output);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => return fail(&output, &CliError::StartRuntime { source }),
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = commands::execute(&args, &output) => result,
            _ = tokio::signal::ctrl_c(), if !args.verb.ends_with_interrupt() => {
                Err(CliError::Interrupted)
            }
        }
    });
    // Workers that were cut off have nothing left to say: what they wrote to disk is checked next time.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&output, &error),
    }
}

fn fail(output: &Output, error: &CliError) -> ExitCode {
    output.fail(error);
    ExitCode::from(error.exit_code())
}
