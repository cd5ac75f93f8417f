//! A tap on the line between an agent and the server: it hears every request, knows which chunks were asked
//! for, and can hold a chosen request for ever, so that a scenario can end the client at that very moment.
//!
//! It sits on loopback, changes nothing, and knows nothing of the server behind it.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use std::sync::{Arc, Mutex};

/// Largest request passed on: an ingress message is at most 2 MiB.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the server hears of it.
    Before,
    /// After the server answered, before the client hears of it.
    After,
}

/// A call that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The method.
    pub method: String,
    /// Its argument, candid.
    pub arg: Vec<u8>,
}

#[derive(Default)]
struct Log {
    requests: u64,
    heard: Vec<Heard>,
    hold: Option<(u64, Moment)>,
    is_held: bool,
}

struct Line {
    upstream: String,
    client: reqwest::Client,
    log: Mutex<Log>,
}

/// The tap; it stops when it is dropped.
pub struct Tap {
    url: String,
    line: Arc<Line>,
    _runtime: tokio::runtime::Runtime,
}

impl Tap {
    /// A tap on the line to `upstream`.
    pub fn start(upstream: &str) -> Tap {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let line = Arc::new(Line {
            upstream: upstream.trim_end_matches('/').to_string(),
            client: reqwest::Client::new(),
            log: Mutex::default(),
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(line.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Tap {
            url,
            line,
            _runtime: runtime,
        }
    }

    /// Where to point a client.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Forgets what was heard; the request of that number, counted from 1, and all after it will be held.
    pub fn hold(&self, hold: Option<(u64, Moment)>) {
        let hold = Log {
            hold,
            ..Log::default()
        };
        *self.line.log.lock().unwrap() = hold;
    }

    /// Whether a request is being held.
    pub fn is_held(&self) -> bool {
        self.line.log.lock().unwrap().is_held
    }

    /// Requests heard since the last [`Tap::hold`].
    pub fn requests(&self) -> u64 {
        self.line.log.lock().unwrap().requests
    }

    /// Calls of `method` heard since the last [`Tap::hold`].
    pub fn heard(&self, method: &str) -> Vec<Heard> {
        let log = self.line.log.lock().unwrap();
        let calls = log.heard.iter().filter(|heard| heard.method == method);
        calls.cloned().collect()
    }
}

async fn forward(State(line): State<Arc<Line>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", line.upstream);
    let Ok(body) = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new());
    };
    let held = {
        let mut log = line.log.lock().unwrap();
        log.requests += 1;
        log.heard.extend(call_in(&body));
        let number = log.requests;
        let held = log.hold.filter(|(first, _)| number >= *first);
        log.is_held |= held.is_some();
        held.map(|(_, moment)| moment)
    };
    if held == Some(Moment::Before) {
        return std::future::pending().await;
    }
    let mut onward = line.client.request(parts.method, url).body(body);
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
    if held == Some(Moment::After) {
        return std::future::pending().await;
    }
    plain(status, bytes)
}

fn plain(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let cbor = HeaderValue::from_static("application/cbor");
    response.headers_mut().insert("content-type", cbor);
    response
}

/// The call in a request, if it is one.
fn call_in(body: &[u8]) -> Option<Heard> {
    #[derive(Deserialize)]
    struct Envelope {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        method_name: String,
        arg: ByteBuf,
    }
    let envelope: Envelope = serde_cbor::from_slice(body).ok()?;
    Some(Heard {
        method: envelope.content.method_name,
        arg: envelope.content.arg.into_vec(),
    })
}
