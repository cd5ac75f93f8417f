//! A bad network: a proxy between an agent and the server that counts, cuts and corrupts query replies.
//!
//! It sits on loopback, forwards everything else untouched, and knows nothing of the server behind it.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use serde_cbor::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Largest request passed on: an ingress message is at most 2 MiB.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// What happens to one query reply whose argument is larger than [`Fault::CHUNK_BYTES_MIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It passes.
    Pass,
    /// One byte in the middle of the reply's argument is changed.
    Corrupt,
    /// The server's answer is lost: the client sees a failed gateway.
    Drop,
}

impl Fault {
    /// Replies below this size are sizes, settings and the like, and always pass.
    pub const CHUNK_BYTES_MIN: usize = 32 << 10;
}

#[derive(Default)]
struct Script {
    faults: VecDeque<Fault>,
    chunks_seen: usize,
    chunks_corrupted: usize,
}

struct Link {
    upstream: String,
    client: reqwest::Client,
    script: Mutex<Script>,
}

/// The proxy; it stops when it is dropped.
pub struct Proxy {
    url: String,
    link: Arc<Link>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// A proxy to `upstream`; the first chunk replies meet `faults`, in order, all later ones pass.
    pub fn start(upstream: &str, faults: &[Fault]) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let script = Script {
            faults: faults.iter().copied().collect(),
            ..Script::default()
        };
        let link = Arc::new(Link {
            upstream: upstream.trim_end_matches('/').to_string(),
            client: reqwest::Client::new(),
            script: Mutex::new(script),
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(link.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Proxy {
            url,
            link,
            _runtime: runtime,
        }
    }

    /// Where to point a client.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Chunk replies the server has given so far, faulty ones included.
    pub fn chunks_seen(&self) -> usize {
        self.link.script.lock().unwrap().chunks_seen
    }

    /// Chunk replies that were corrupted so far.
    pub fn chunks_corrupted(&self) -> usize {
        self.link.script.lock().unwrap().chunks_corrupted
    }
}

async fn forward(State(link): State<Arc<Link>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_query = parts.uri.path().ends_with("/query");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", link.upstream);
    let Ok(body) = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new());
    };
    let mut onward = link.client.request(parts.method, url).body(body);
    for name in ["content-type", "accept"] {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let Ok(answer) = onward.send().await else {
        return plain(StatusCode::BAD_GATEWAY, Bytes::new());
    };
    let status = answer.status();
    let Ok(bytes) = answer.bytes().await else {
        return plain(StatusCode::BAD_GATEWAY, Bytes::new());
    };
    if !is_query || bytes.len() < Fault::CHUNK_BYTES_MIN {
        return plain(status, bytes);
    }
    let fault = {
        let mut script = link.script.lock().unwrap();
        script.chunks_seen += 1;
        let fault = script.faults.pop_front().unwrap_or(Fault::Pass);
        script.chunks_corrupted += usize::from(fault == Fault::Corrupt);
        fault
    };
    match fault {
        Fault::Pass => plain(status, bytes),
        Fault::Corrupt => plain(status, corrupt(&bytes)),
        Fault::Drop => plain(StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}

fn plain(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(
        "content-type",
        axum::http::HeaderValue::from_static("application/cbor"),
    );
    response
}

/// Changes one byte in the middle of `reply.arg`: still a well-formed reply, with other contents.
fn corrupt(bytes: &[u8]) -> Bytes {
    let mut answer: Value = serde_cbor::from_slice(bytes).unwrap();
    let arg = entry(entry(&mut answer, "reply"), "arg");
    let Value::Bytes(arg) = arg else {
        panic!("reply.arg is a byte string")
    };
    let middle = arg.len() / 2;
    arg[middle] ^= 0x20;
    Bytes::from(serde_cbor::to_vec(&answer).unwrap())
}

fn entry<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    let Value::Map(map) = value else {
        panic!("{key}: not in a map")
    };
    map.get_mut(&Value::Text(key.to_string()))
        .unwrap_or_else(|| panic!("no {key} in the answer"))
}
