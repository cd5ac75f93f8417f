//! Which server a network runs on, found out by asking it.

use candid::{Encode, Principal};
use ic_management_canister_types::CanisterInfoArgs;
use pocket_ic::PocketIc;
use pocket_ic::common::rest::RawEffectivePrincipal;

/// Rules of the Internet Computer that changed, by their date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// As observed on PocketIC 10.0.0.
    October2025,
    /// Since the checks of kept and loaded heaps (dfinity/ic #11168).
    August2026,
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Whether it is the project's stand-in, as its status says.
    pub is_stand_in: bool,
    /// Which rules it follows.
    pub rules: Rules,
}

impl Server {
    /// Asks the server behind `pic`.
    ///
    /// The rules are told by `canister_info`: it can be queried since the same week of August 2026 (dfinity/ic
    /// #11154) in which heaps began to be checked.
    pub fn recognise(pic: &PocketIc) -> Server {
        let status = get(pic, "api/v2/status");
        let is_stand_in = status.1.windows(8).any(|part| part == b"stand-in");
        let canister = pic.create_canister();
        let answer = pic.query_call_with_effective_principal(
            Principal::management_canister(),
            RawEffectivePrincipal::CanisterId(canister.as_slice().to_vec()),
            Principal::anonymous(),
            "canister_info",
            Encode!(&CanisterInfoArgs {
                canister_id: canister,
                num_requested_changes: None,
            })
            .unwrap(),
        );
        Server {
            is_stand_in,
            rules: match answer {
                Ok(_) => Rules::August2026,
                Err(_) => Rules::October2025,
            },
        }
    }
}

/// A GET of a path below the instance: status and body.
pub fn get(pic: &PocketIc, path: &str) -> (u16, Vec<u8>) {
    request(pic, reqwest::Method::GET, path, Vec::new())
}

/// The status of a GET of a path below the instance.
pub fn get_status(pic: &PocketIc, path: &str) -> u16 {
    get(pic, path).0
}

/// A POST of JSON to a path below the instance: status and body.
pub fn post(pic: &PocketIc, path: &str, body: &serde_json::Value) -> (u16, Vec<u8>) {
    let body = serde_json::to_vec(body).unwrap();
    request(pic, reqwest::Method::POST, path, body)
}

/// A POST of CBOR to a path below the instance: status and body.
pub fn post_cbor(pic: &PocketIc, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    send(pic, reqwest::Method::POST, path, "application/cbor", body)
}

fn request(pic: &PocketIc, method: reqwest::Method, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    send(pic, method, path, "application/json", body)
}

fn send(
    pic: &PocketIc,
    method: reqwest::Method,
    path: &str,
    kind: &str,
    body: Vec<u8>,
) -> (u16, Vec<u8>) {
    let url = format!(
        "{}instances/{}/{path}",
        pic.get_server_url(),
        pic.instance_id()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let request = reqwest::Client::new()
            .request(method, url)
            .header("content-type", kind)
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.bytes().await.unwrap().to_vec())
    })
}
