//! `network`: a local network to try things on, without dfx and without the Internet.
//!
//! The network is the program `pocket-ic-server` of this project, which lies next to `ic-rescue`. It is started, says
//! where it is, and lives no longer than this command: its stdin is a pipe that only this process holds open.

use crate::error::CliError;
use crate::limits::{SERVER_PATIENCE, SERVER_POLL};
use crate::output::{Event, Output};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// Name of the server's program.
const SERVER: &str = "pocket-ic-server";
/// The port of `--network local`.
const PORT_DEFAULT: u16 = 4943;
/// A day, in seconds.
const LIFETIME_DEFAULT_SECONDS: u64 = 24 * 60 * 60;
/// Longest lifetime that may be asked for: thirty days, in seconds.
const LIFETIME_MAX_SECONDS: u64 = 30 * LIFETIME_DEFAULT_SECONDS;

/// Options of `network`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue network start --server ./pocket-ic-server --port 8000 --seconds 3600"
)]
pub struct NetworkVerbArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: NetworkAction,
}

/// What to do with a local network.
#[derive(Debug, Subcommand)]
pub enum NetworkAction {
    /// Start one and keep it until Ctrl-C; nothing of it is kept afterwards.
    Start(StartArgs),
}

/// Options of `network start`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue network start --server ./pocket-ic-server --port 8000 --json"
)]
pub struct StartArgs {
    /// The port for agents and tools; 0 for any free one. `--network local` is port 4943.
    #[arg(long, default_value_t = PORT_DEFAULT)]
    pub port: u16,
    /// End it after so many seconds.
    #[arg(
        long,
        default_value_t = LIFETIME_DEFAULT_SECONDS,
        value_parser = clap::value_parser!(u64).range(1..=LIFETIME_MAX_SECONDS)
    )]
    pub seconds: u64,
    /// The program `pocket-ic-server`; next to this one unless told otherwise.
    #[arg(long, env = "IC_RESCUE_SERVER", value_name = "FILE")]
    pub server: Option<PathBuf>,
}

impl NetworkVerbArgs {
    /// Whether Ctrl-C is how the verb ends when all is well.
    pub fn ends_with_interrupt(&self) -> bool {
        matches!(self.action, NetworkAction::Start(_))
    }
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(args: &NetworkVerbArgs, output: &Output) -> Result<u8, CliError> {
    match &args.action {
        NetworkAction::Start(args) => start(args, output).await,
    }
}

async fn start(args: &StartArgs, output: &Output) -> Result<u8, CliError> {
    let program = program(args.server.as_deref())?;
    let failed = |reason: String| CliError::LocalNetwork {
        program: program.clone(),
        reason,
    };
    let mut child = spawn(&program, args).map_err(|error| failed(error.to_string()))?;
    // Held open until the network is to end, or this process does.
    let lifeline = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = tokio::task::spawn_blocking(move || read_place(stdout, stderr));
    let place = tokio::select! {
        place = reading => place
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(failed)?,
        () = interrupted() => return finish(child, lifeline, output).await,
    };
    for (name, value) in &place {
        output.say(&Event::Fact {
            name: name.clone(),
            value: value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        });
    }
    output.say(&Event::Done {
        text: format!(
            "The network is a stand-in for tests and rehearsals and keeps nothing. Ctrl-C ends it, or {} seconds do.",
            args.seconds
        ),
    });
    tokio::select! {
        status = end_of(&mut child) => {
            let status = status.map_err(|error| failed(error.to_string()))?;
            if !status.success() {
                return Err(failed(format!("it ended by itself ({status})")));
            }
            output.step("The network has ended.");
            Ok(0)
        }
        () = interrupted() => finish(child, lifeline, output).await,
    }
}

/// The server's program: given, or next to this one.
fn program(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let program = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()
            .unwrap_or_default()
            .with_file_name(SERVER),
    };
    if program.is_file() {
        return Ok(program);
    }
    Err(CliError::LocalNetwork {
        program,
        reason: "there is no such file; name the server with --server FILE".to_owned(),
    })
}

fn spawn(program: &Path, args: &StartArgs) -> std::io::Result<Child> {
    let seconds = args.seconds.to_string();
    Command::new(program)
        .args(["--network-port", &args.port.to_string()])
        .args(["--ttl", &seconds, "--hard-ttl", &seconds])
        .arg("--ends-with-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// What the server says about the network, or why it says nothing.
fn read_place(
    stdout: Option<impl Read>,
    stderr: Option<impl Read>,
) -> Result<Map<String, Value>, String> {
    let mut line = String::new();
    if let Some(stdout) = stdout {
        let read = BufReader::new(stdout).read_line(&mut line);
        read.map_err(|error| error.to_string())?;
    }
    if let Ok(place) = serde_json::from_str(&line) {
        return Ok(place);
    }
    let complaint = stderr
        .map(|stderr| BufReader::new(stderr).lines().map_while(Result::ok))
        .and_then(Iterator::last);
    Err(complaint.unwrap_or_else(|| {
        "it does not say where its network is; is it the server of this project?".to_owned()
    }))
}

/// Waits for the server's end.
async fn end_of(child: &mut Child) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        tokio::time::sleep(SERVER_POLL).await;
    }
}

/// Ends the server, unless it was ended by the same Ctrl-C.
async fn finish(
    mut child: Child,
    lifeline: Option<ChildStdin>,
    output: &Output,
) -> Result<u8, CliError> {
    drop(lifeline);
    if tokio::time::timeout(SERVER_PATIENCE, end_of(&mut child))
        .await
        .is_err()
    {
        // Nothing is lost: the network keeps nothing anyway.
        let _ = child.kill();
        let _ = child.wait();
    }
    output.step("The network has ended.");
    Ok(0)
}

/// Returns when the user or the system asks for the end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
