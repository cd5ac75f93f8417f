//! A long line: a relay on loopback that hands on every byte of a reply so much later than it came. It adds
//! latency and takes no bandwidth away; it understands nothing of what it relays.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes taken from a socket at once.
const PIECE_LEN_BYTES: usize = 256 << 10;
/// Pieces under way on one connection: 256 MiB, more than a reply.
const PIECES_MAX: usize = 1024;

/// The relay; it stops when it is dropped.
pub struct Delay {
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Delay {
    /// A relay to the server of `upstream`, a URL; every byte of a reply takes `latency` longer.
    pub fn start(upstream: &str, latency: Duration) -> Delay {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = upstream.trim_start_matches("http://");
        let (server, path) = address.split_once('/').unwrap_or((address, ""));
        let server = server.to_string();
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let url = format!("http://{}/{path}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(upstream) = TcpStream::connect(&server).await {
                    tokio::spawn(relay(client, upstream, latency));
                }
            }
        });
        Delay {
            url,
            _runtime: runtime,
        }
    }

    /// Where to point a client.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn relay(client: TcpStream, server: TcpStream, latency: Duration) {
    for socket in [&client, &server] {
        // Small requests must not wait for more to come.
        let _ = socket.set_nodelay(true);
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let requests = async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let replies = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE_LEN_BYTES);
            match from_server.read_buf(&mut piece).await {
                Ok(1..) if sender.send((Instant::now() + latency, piece)).await.is_ok() => {}
                _ => return,
            }
        }
    };
    let delivery = async move {
        while let Some((due, piece)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to_client.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(requests, replies, delivery);
}
