//! The gateway: web pages served by canisters, for browsers.
//!
//! A visit becomes a query to `http_request`, or, if the canister asks for it, a call of `http_request_update`. Answers
//! to queries come from one node: as on the real gateways they are shown only if the canister certified them, or if the
//! visitor asked for the `raw` host. Nothing here changes an answer but the headers that are not certified.

mod error;
mod protocol;
mod site;
mod verify;

pub use error::GatewayError;

use super::message::unsigned_ingress;
use super::{Reply, Request};
use crate::core::api::{CallError, EffectivePrincipal, IngressState, Query};
use crate::server::{Hosted, Server};
use candid::Principal;
use ic_http_certification::HttpRequest;
use protocol::Answer;
use std::sync::Arc;
use std::time::Duration;

/// How long a call of `http_request_update` may take.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(60);

/// Domains of a gateway that was not told others.
pub const DEFAULT_DOMAIN: &str = "localhost";

/// Served by every gateway, for visitors who name the canister in the address.
pub const LOOPBACK_DOMAIN: &str = "127.0.0.1";

/// Headers that belong to a connection and not to an answer; the server sets its own.
const CONNECTION_HEADERS: [&str; 5] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
];

/// A request that came to a gateway.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The instance behind the gateway.
    pub instance: usize,
    /// The domains it serves.
    pub domains: Arc<[String]>,
    /// The header `Host`.
    pub host: Option<String>,
    /// Path and query as they came.
    pub target: String,
    /// All headers whose values are text; names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Visit {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Answers a visit.
pub fn handle(server: &Arc<Server>, request: &Request, visit: &Visit) -> Reply {
    let hosted = match server.instance(&visit.instance.to_string()) {
        Ok(hosted) => hosted,
        Err(reply) => return reply,
    };
    match show(&hosted, request, visit) {
        Ok(reply) => reply,
        Err(error) => error.reply(),
    }
}

fn show(hosted: &Hosted, request: &Request, visit: &Visit) -> Result<Reply, GatewayError> {
    let site = site::resolve(visit)?;
    let asked = protocol::request(visit, &request.method, &request.body);
    let answer = Answer::decode(&query(hosted, site.canister, &asked)?)?;
    let (answer, headers) = if answer.upgrade == Some(true) {
        // What consensus has answered needs no certificate of its own.
        let answer = Answer::decode(&update(hosted, site.canister, &asked)?)?;
        let headers = answer.headers.clone();
        (answer, headers)
    } else if site.is_verified {
        let root_key = hosted.certifier().root_key_der();
        let headers = verify::certified_headers(&site.canister, asked, &answer, root_key)?;
        (answer, headers)
    } else {
        let headers = answer.headers.clone();
        (answer, headers)
    };
    page(site.canister, answer, headers)
}

fn query(
    hosted: &Hosted,
    canister: Principal,
    asked: &HttpRequest<'_>,
) -> Result<Vec<u8>, GatewayError> {
    let (result, _) = hosted.query(&Query {
        sender: Principal::anonymous(),
        receiver: canister,
        method: "http_request".to_owned(),
        arg: encode(asked)?,
        effective: EffectivePrincipal::Canister(canister),
    });
    result.map_err(|error| refused(&error))
}

fn update(
    hosted: &Hosted,
    canister: Principal,
    asked: &HttpRequest<'_>,
) -> Result<Vec<u8>, GatewayError> {
    let ingress = unsigned_ingress(
        hosted,
        Principal::anonymous(),
        canister,
        "http_request_update".to_owned(),
        encode(asked)?,
        EffectivePrincipal::Canister(canister),
    );
    let id = ingress.message_id;
    hosted.submit(ingress).map_err(|error| refused(&error))?;
    let status = hosted.await_ingress(&id, UPDATE_TIMEOUT);
    match status.map(|status| status.state) {
        Some(IngressState::Replied(bytes)) => Ok(bytes),
        Some(IngressState::Rejected(reject)) => Err(GatewayError::from_reject(&reject)),
        _ => Err(GatewayError::TimedOut(UPDATE_TIMEOUT.as_secs())),
    }
}

fn encode(asked: &HttpRequest<'_>) -> Result<Vec<u8>, GatewayError> {
    candid::encode_one(asked).map_err(|error| {
        GatewayError::BadAnswer(format!("BUG: the request cannot be encoded: {error}"))
    })
}

fn refused(error: &CallError) -> GatewayError {
    match error {
        CallError::BadRequest(text) => GatewayError::CanisterNotFound(text.clone()),
        CallError::Rejected(reject) => GatewayError::from_reject(reject),
    }
}

fn page(
    canister: Principal,
    answer: Answer,
    headers: Vec<(String, String)>,
) -> Result<Reply, GatewayError> {
    let mut headers: Vec<(String, String)> = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !CONNECTION_HEADERS.contains(&name.as_str()))
        .collect();
    headers.push(("x-ic-canister-id".to_owned(), canister.to_text()));
    Reply::foreign(answer.status_code, headers, answer.body.into_vec())
        .map_err(GatewayError::BadAnswer)
}
