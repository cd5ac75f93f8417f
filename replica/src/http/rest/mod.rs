//! PocketIC's REST protocol: instances, what is read from them, what is done to them.
//!
//! Types are the client's own (`pocket_ic::common::rest`). The real server answers long operations with "started" and
//! lets clients poll; this one holds the request open until the operation is done, which clients take as well.

mod convert;
mod create;
mod faults;
mod gateways;
mod read;
mod snapshots;
mod store;
mod update;

pub use create::create_network;

use super::{Reply, Request};
use crate::server::{Hosted, Server};
use hyper::Method;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Answers a REST request.
pub fn handle(server: &Arc<Server>, request: &Request, path: &[&str]) -> Reply {
    match route(server, request, path) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn route(server: &Arc<Server>, request: &Request, path: &[&str]) -> Result<Reply, Reply> {
    match (request.method.as_str(), path) {
        ("GET", ["status"]) => Ok(Reply::empty(200)),
        ("GET", ["instances"]) => Ok(Reply::json(&server.instance_states())),
        ("POST", ["instances"]) => create::create_instance(server, &parse(request)?),
        ("DELETE", ["instances", id]) => {
            server.delete_instance(id);
            Ok(Reply::empty(200))
        }
        (_, ["instances", id, rest @ ..]) => {
            let hosted = server.instance(id)?;
            route_instance(server, &hosted, request, rest)
        }
        ("POST", ["blobstore"]) => store::put_blob(server, request),
        ("GET", ["blobstore", id]) => store::get_blob(server, id),
        ("POST", ["verify_signature"]) => store::verify_signature(&parse(request)?),
        ("GET", ["http_gateway"]) => Ok(gateways::list(server)),
        ("POST", ["http_gateway"]) => gateways::create(server, &parse(request)?),
        ("POST", ["http_gateway", id, "stop"]) => gateways::stop(server, id),
        (_, ["read_graph" | "prune_graph", ..]) => Err(Reply::error(
            404,
            "no such operation: the stand-in answers every request when it is done, nothing is left to poll for",
        )),
        ("GET", ["api.json"]) => Err(Reply::not_supported("The server's OpenAPI document")),
        _ => Err(unknown(&request.method, path)),
    }
}

fn route_instance(
    server: &Arc<Server>,
    hosted: &Arc<Hosted>,
    request: &Request,
    path: &[&str],
) -> Result<Reply, Reply> {
    match (request.method.as_str(), path) {
        ("GET", ["read" | "_", "topology"]) => Ok(read::topology(hosted)),
        ("GET", ["read", "get_time"]) => Ok(read::time(hosted)),
        ("POST", ["read", "pub_key"]) => read::public_key(hosted, &parse(request)?),
        ("POST", ["read", "get_subnet"]) => read::subnet(hosted, &parse(request)?),
        ("POST", ["read", "get_controllers"]) => read::controllers(hosted, &parse(request)?),
        ("POST", ["read", "get_cycles"]) => read::cycles(hosted, &parse(request)?),
        ("POST", ["read", "get_stable_memory"]) => read::stable_memory(hosted, &parse(request)?),
        ("POST", ["read", "query"]) => read::query(hosted, parse(request)?),
        ("POST", ["read", "ingress_status"]) => read::ingress_status(hosted, &parse(request)?),
        ("POST", ["update", "set_time"]) => update::set_time(hosted, &parse(request)?),
        ("POST", ["update", "set_certified_time"]) => {
            update::set_certified_time(hosted, &parse(request)?)
        }
        ("POST", ["update", "tick"]) => update::tick(hosted, &parse(request)?),
        ("POST", ["update", "add_cycles"]) => update::add_cycles(hosted, &parse(request)?),
        ("POST", ["update", "set_stable_memory"]) => {
            update::set_stable_memory(server, hosted, &parse(request)?)
        }
        ("POST", ["update", "submit_ingress_message"]) => update::submit(hosted, parse(request)?),
        ("POST", ["update", "await_ingress_message"]) => {
            update::await_message(hosted, &parse(request)?)
        }
        ("POST", ["update", "delete_subnet"]) => update::delete_subnet(hosted, &parse(request)?),
        ("GET", ["auto_progress"]) => Ok(Reply::json(&hosted.makes_progress())),
        ("POST", ["auto_progress"]) => update::start_progress(hosted, &parse(request)?),
        ("POST", ["stop_progress"]) => {
            hosted.stop_progress();
            Ok(Reply::json(&()))
        }
        ("GET", ["faults"]) => Ok(faults::report(hosted)),
        ("POST", ["faults"]) => faults::set(hosted, parse(request)?),
        ("DELETE", ["faults"]) => Ok(faults::clear(hosted)),
        ("GET", ["read", "get_canister_http"])
        | (
            "POST",
            [
                "update",
                "mock_canister_http" | "mock_flexible_canister_http",
            ],
        ) => Err(Reply::not_supported("Mocking HTTP outcalls of canisters")),
        ("POST", ["update", "canister_snapshot_download"]) => {
            snapshots::download(hosted, &parse(request)?)
        }
        ("POST", ["update", "canister_snapshot_upload"]) => {
            snapshots::upload(hosted, &parse(request)?)
        }
        ("GET", ["_", "dashboard"]) => Err(Reply::not_supported("The dashboard")),
        _ => Err(unknown(&request.method, path)),
    }
}

fn unknown(method: &Method, path: &[&str]) -> Reply {
    Reply::error(
        404,
        format!(
            "the stand-in knows no endpoint {method} /{}",
            path.join("/")
        ),
    )
}

/// Reads the JSON body.
fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_slice(&request.body).map_err(|error| {
        Reply::error(
            400,
            format!("the body is not what this endpoint takes: {error}"),
        )
    })
}
