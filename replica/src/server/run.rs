//! The life of the process: port file, socket, end.

use super::listener::{Scope, serve};
use super::ready;
use super::{IMPL_VERSION, Lifetime, PortFile, Server};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Stack of the threads that serve requests: modules are compiled and executed on them.
const THREAD_STACK_BYTES: usize = 16 << 20;

/// Most requests served at the same time. Calls hold theirs until they are answered.
const MAX_BLOCKING_THREADS: usize = 128;

/// How the process was started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub ip: IpAddr,
    /// The port; 0 for any free one.
    pub port: u16,
    /// Where to write the port.
    pub port_file: Option<PathBuf>,
    /// Life after the last request.
    pub ttl: Duration,
    /// Life in all.
    pub hard_ttl: Option<Duration>,
    /// The port of a network that is made at once; none is made when absent.
    pub network_port: Option<u16>,
    /// Whether the end of stdin is the end of the server: it lives no longer than who started it.
    pub ends_with_stdin: bool,
}

/// A server that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The port file cannot be written.
    #[error("cannot write the port file {path}: {source}; choose another --port-file")]
    PortFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The socket cannot be had.
    #[error(
        "Failed to bind PocketIC server to address {address}: {source}; choose another --port or --ip-addr"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The network that was asked for cannot be made.
    #[error("cannot make the network: {0}; choose another --network-port")]
    Network(String),
    /// No threads, or no signals.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
}

/// Serves until the end of life or a signal. Returns at once, with success, when the port file exists: then another
/// server serves already.
///
/// # Errors
/// [`RunError`] when the server could not be started.
pub fn run(options: &Options) -> Result<(), RunError> {
    let port_file = match &options.port_file {
        None => None,
        Some(path) => match PortFile::create(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(source) => {
                return Err(RunError::PortFile {
                    path: path.clone(),
                    source,
                });
            }
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_stack_size(THREAD_STACK_BYTES)
        .build()
        .map_err(RunError::Runtime)?;
    let result = runtime.block_on(serve_until_end(options, port_file));
    // Requests that still run serve nobody.
    runtime.shutdown_background();
    result
}

async fn serve_until_end(options: &Options, port_file: Option<PortFile>) -> Result<(), RunError> {
    let address = SocketAddr::new(options.ip, options.port);
    let bind = |source| RunError::Bind { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(bind)?;
    let port = listener.local_addr().map_err(bind)?.port();
    let lifetime = Arc::new(Lifetime::new(options.ttl, options.hard_ttl));
    let server = Arc::new(Server::new(
        lifetime.clone(),
        tokio::runtime::Handle::current(),
    ));
    let signals = Signals::new().map_err(RunError::Runtime)?;
    let serving = tokio::spawn(serve(server.clone(), listener, Scope::Server));
    eprintln!(
        "{IMPL_VERSION}: not the PocketIC server, a stand-in; listening on {}:{port}",
        options.ip
    );
    let mut port_file = port_file;
    if let (Some(file), Some(path)) = (&mut port_file, &options.port_file) {
        file.write(port).map_err(|source| RunError::PortFile {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(network_port) = options.network_port {
        let made = tokio::task::spawn_blocking({
            let (server, ip) = (server.clone(), options.ip);
            move || ready::open(&server, ip, port, network_port)
        });
        let network = made
            .await
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(RunError::Network)?;
        announce(&network).map_err(RunError::Runtime)?;
    }
    tokio::select! {
        () = lifetime.end() => {}
        () = signals.received() => {}
        () = end_of_stdin(options.ends_with_stdin) => {}
    }
    drop(port_file);
    serving.abort();
    server.shut_down();
    Ok(())
}

/// The one line on stdout.
fn announce(network: &ready::ReadyNetwork) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, network)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// Returns at the end of stdin, or never.
async fn end_of_stdin(is_awaited: bool) {
    if !is_awaited {
        return std::future::pending().await;
    }
    // What comes before the end says nothing; an error is an end as well.
    let read = || io::copy(&mut io::stdin().lock(), &mut io::sink());
    let _ = tokio::task::spawn_blocking(read).await;
}

/// The signals that end the process.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
