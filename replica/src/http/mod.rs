//! The wire: PocketIC's REST protocol and the Internet Computer's HTTP interface.
//!
//! Requests are handled by blocking functions, from [`Request`] to [`Answer`]; sockets are the business of
//! [`crate::server`]. Paths are taken with and without a slash at the end, but for `/instances/`. What is not supported is answered with
//! HTTP status 501 and a text that says so.

pub mod api;
pub mod gateway;
mod message;
mod reject;
mod reply;
pub mod rest;

pub use reply::Reply;

use crate::faults::Delivery;
use crate::server::Server;
use hyper::Method;
use std::sync::Arc;

/// Longest body of a request to the HTTP interface, in bytes (boundary nodes refuse longer ones).
pub const MAX_API_BODY_BYTES: usize = 4_194_304;

/// Longest body of a REST request, in bytes: a blob to become somebody's stable memory is the longest.
pub const MAX_REST_BODY_BYTES: usize = 8 << 30;

/// A request, its body read.
#[derive(Debug)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The path, cut at slashes, without empty parts.
    pub path: Vec<String>,
    /// Set when the request is for a canister's web page.
    pub visit: Option<gateway::Visit>,
    /// The header `content-encoding`, if any.
    pub content_encoding: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What comes back, and how it is delivered.
#[derive(Debug)]
pub struct Answer {
    /// Status, headers, body.
    pub reply: Reply,
    /// Faults of the delivery; none by default.
    pub delivery: Delivery,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            delivery: Delivery::default(),
        }
    }
}

/// Cuts a path at its slashes. The real server knows no `/instances/`, so that one is left whole.
pub fn split_path(path: &str) -> Vec<String> {
    if path == "/instances/" {
        return vec![path.to_owned()];
    }
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Longest body that a request to `path` may have, in bytes; a `visit` is one to a canister's web page.
pub fn max_body_bytes(path: &[String], is_visit: bool) -> usize {
    match path {
        _ if is_visit => MAX_API_BODY_BYTES,
        [instances, _, api, ..] if instances == "instances" && api == "api" => MAX_API_BODY_BYTES,
        _ => MAX_REST_BODY_BYTES,
    }
}

/// Answers one request.
pub fn handle(server: &Arc<Server>, request: Request) -> Answer {
    if let Some(visit) = &request.visit {
        return gateway::handle(server, &request, visit).into();
    }
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["instances", id, "api", rest @ ..] => match server.instance(id) {
            Ok(hosted) => api::handle(&hosted, &request, rest),
            Err(reply) => reply.into(),
        },
        _ => rest::handle(server, &request, &path).into(),
    }
}

/// The answer to a body longer than `limit_bytes`, in the form of the HTTP interface.
pub fn oversized_body(limit_bytes: usize) -> Reply {
    api::boundary_error(
        413,
        "payload_too_large",
        &format!("Payload is too large: maximum body size is {limit_bytes} bytes."),
    )
}
