//! The verbs, one file each. A verb puts the pieces together; the work is done elsewhere.

pub mod attest;
pub mod backup;
pub mod call;
pub mod close;
pub mod completions;
pub mod diagnose;
pub mod diff;
pub mod grow_stable;
pub mod heal;
pub mod hotfix;
pub mod install;
pub mod layout;
pub mod network;
pub mod patch;
pub mod plan;
pub mod rehearse;
pub mod restore;
pub mod rollback;
pub mod run;
pub mod snapshot;
pub mod status;
pub mod verify;

use crate::agent::Connection;
use crate::args::{Args, NetworkArgs, Verb};
use crate::error::CliError;
use crate::identity;
use crate::output::{Event, Output};
use crate::rescue::Rescue;
use crate::transfer::retry::Retry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the verb and returns the exit code.
///
/// # Errors
/// Whatever ended the command.
pub async fn execute(args: &Args, output: &Output) -> Result<u8, CliError> {
    use self::network as network_verb;
    let network = &args.network;
    match &args.verb {
        Verb::Completions(verb) => completions::completions(verb),
        Verb::Man(verb) => completions::man(verb),
        Verb::Diagnose(verb) => diagnose::execute(verb, network, output).await,
        Verb::Plan(verb) => plan::execute(verb, network, output).await,
        Verb::Backup(verb) => backup::execute(verb, network, output).await,
        Verb::Verify(verb) => verify::execute(verb, network, output).await,
        Verb::Attest(verb) => attest::execute(verb, network, output).await,
        Verb::Diff(verb) => diff::execute(verb, network, output).await,
        Verb::Restore(verb) => restore::execute(verb, network, output).await,
        Verb::Install(verb) => install::execute(verb, network, output).await,
        Verb::Patch(verb) => patch::execute(verb, output),
        Verb::Layout(verb) => layout::execute(verb, output),
        Verb::Hotfix(verb) => hotfix::execute(verb, network, output).await,
        Verb::GrowStable(verb) => grow_stable::execute(verb, network, output).await,
        Verb::Rollback(verb) => rollback::execute(verb, network, output).await,
        Verb::Snapshot(verb) => snapshot::execute(verb, network, output).await,
        Verb::Status(verb) => status::execute(verb, network, output).await,
        Verb::Heal(verb) => heal::execute(verb, network, output).await,
        Verb::Run(verb) => run::execute(verb, network, output).await,
        Verb::Call(verb) => call::execute(verb, network, output).await,
        Verb::Rehearse(verb) => rehearse::execute(verb, network, output).await,
        Verb::Network(verb) => network_verb::execute(verb, output).await,
        Verb::Close(verb) => close::execute(verb, network, output).await,
    }
}

/// What every verb that talks to the network needs.
#[derive(Debug)]
pub struct Context {
    /// The line.
    pub connection: Connection,
    /// Patience, shared by all calls.
    pub retry: Arc<Retry>,
    /// Requests under way at once.
    pub workers: usize,
}

impl Context {
    /// Loads the identity and opens the line.
    ///
    /// # Errors
    /// When the identity cannot be loaded or the network not be reached.
    pub async fn open(args: &NetworkArgs, verb: &'static str) -> Result<Self, CliError> {
        let network = args.parse()?;
        let name = match &args.identity {
            Some(name) => name.clone(),
            None => identity::default_name()?.ok_or(CliError::MissingOption {
                verb,
                option: "--identity FILE.pem",
            })?,
        };
        let identity = identity::load(&name, args.password_file.as_deref())?;
        let retry = Arc::new(Retry::default());
        let connection = Connection::open(network, identity, args.workers, retry.clone()).await?;
        Ok(Self {
            connection,
            retry,
            workers: args.workers,
        })
    }

    /// Tells of calls that had to be repeated, if any had to.
    pub fn report(&self, output: &Output) {
        if let Some(reason) = self.retry.last() {
            let calls = self.retry.repeated();
            output.say(&Event::Repeated { calls, reason });
        }
    }

    /// The rescue canister that `args` name.
    ///
    /// # Errors
    /// When none is named.
    pub fn rescue(&self, args: &NetworkArgs, verb: &'static str) -> Result<Rescue, CliError> {
        let canister = args.rescue_canister(verb)?;
        Ok(Rescue::new(
            self.connection.clone(),
            canister,
            self.retry.clone(),
        ))
    }
}

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads a file that was named on the command line.
///
/// # Errors
/// [`CliError::ReadFile`].
pub fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::ReadFile {
        path: PathBuf::from(path),
        source,
    })
}
