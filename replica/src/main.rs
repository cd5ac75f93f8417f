//! `pocket-ic-server`: the local network behind the command line of the PocketIC server.
//!
//! Clients find it through `POCKET_IC_BIN` and start it with `--port-file`; it answers `--version` as the server
//! whose protocol it speaks, and says on its first line that it is a stand-in.

use clap::Parser;
use replica::server::{self, Options, POCKET_IC_VERSION, RunError};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A stand-in for the PocketIC server: a local network for tests.
#[derive(Parser, Debug)]
#[command(name = "pocket-ic-server", version = POCKET_IC_VERSION)]
struct Args {
    /// The IP address to bind to
    #[arg(long, short, default_value = "127.0.0.1")]
    ip_addr: IpAddr,
    /// Log levels; taken and ignored, the stand-in keeps no log
    #[arg(long, short)]
    log_levels: Option<String>,
    /// The port to listen at; 0 for any free one
    #[arg(long, short, default_value_t = 0)]
    port: u16,
    /// The file to which the port is written; if it exists, another server serves already and this one exits
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Seconds to live after the last request
    #[arg(long, default_value_t = 60)]
    ttl: u64,
    /// Seconds to live in all
    #[arg(long)]
    hard_ttl: Option<u64>,
    /// Make a network to use right away, with its gateway at this port (0 for any free one); one line of JSON on
    /// stdout says where it is. The real server has no such option
    #[arg(long)]
    network_port: Option<u16>,
    /// End when stdin ends. The real server has no such option
    #[arg(long)]
    ends_with_stdin: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let options = Options {
        ip: args.ip_addr,
        port: args.port,
        port_file: args.port_file,
        ttl: Duration::from_secs(args.ttl),
        hard_ttl: args.hard_ttl.map(Duration::from_secs),
        network_port: args.network_port,
        ends_with_stdin: args.ends_with_stdin,
    };
    match server::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &RunError) -> ExitCode {
    eprintln!("pocket-ic-server (stand-in): {error}");
    ExitCode::FAILURE
}
