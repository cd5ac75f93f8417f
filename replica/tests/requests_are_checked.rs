//! Requests to the HTTP interface that no well-behaved client would send.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use candid::Principal;
use common::{Response, Server, install_counter};
use ic_transport_types::{Envelope, EnvelopeContent};
use std::borrow::Cow;

fn now_ns() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

fn call(sender: Principal, canister_id: Principal, arg: Vec<u8>) -> EnvelopeContent {
    EnvelopeContent::Call {
        nonce: None,
        ingress_expiry: now_ns() + 120_000_000_000,
        sender,
        canister_id,
        method_name: "echo".into(),
        arg,
        sender_info: None,
    }
}

fn unsigned(content: EnvelopeContent) -> Envelope<'static> {
    Envelope {
        content: Cow::Owned(content),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    }
}

/// A server with a live counter, and a way to send anything to it.
struct Live {
    server: Server,
    canister: Principal,
    _pic: pocket_ic::PocketIc,
}

impl Live {
    fn new() -> Self {
        let server = Server::start();
        let pic = server.instance();
        let canister = install_counter(&pic);
        pic.auto_progress();
        Self {
            server,
            canister,
            _pic: pic,
        }
    }

    fn send(&self, path: &str, body: &[u8]) -> Response {
        self.server.post(&format!("/instances/0/api/{path}"), body)
    }

    fn send_call(&self, envelope: &Envelope<'_>) -> Response {
        let path = format!("v4/canister/{}/call", self.canister);
        self.send(&path, &envelope.encode_bytes())
    }
}

#[test]
fn what_is_no_cbor_is_a_bad_request() {
    let live = Live::new();
    for endpoint in [
        "v2/canister/ID/call",
        "v3/canister/ID/query",
        "v3/canister/ID/read_state",
    ] {
        let path = endpoint.replace("ID", &live.canister.to_text());
        let response = live.send(&path, b"\x00not an envelope");
        assert_eq!(response.status, 400);
        assert!(
            response
                .text()
                .starts_with("Failed to deserialize cbor request: ")
        );
    }
    let query_as_call = live.send(
        &format!("v3/canister/{}/query", live.canister),
        &unsigned(call(Principal::anonymous(), live.canister, Vec::new())).encode_bytes(),
    );
    assert_eq!(query_as_call.status, 400);
}

#[test]
fn an_unsigned_call_of_somebody_is_refused() {
    let live = Live::new();
    let key = ic_ed25519::PrivateKey::deserialize_raw_32(&[1; 32]);
    let key_der = key.public_key().serialize_rfc8410_der();
    let sender = Principal::self_authenticating(&key_der);
    let response = live.send_call(&unsigned(call(sender, live.canister, Vec::new())));
    assert_eq!(response.status, 400);
    assert_eq!(
        response.text(),
        format!("Missing signature from user: {sender}")
    );

    let content = call(sender, live.canister, Vec::new());
    let mut envelope = unsigned(content);
    envelope.sender_pubkey = Some(key_der);
    envelope.sender_sig = Some(key.sign_message(b"something else").to_vec());
    let response = live.send_call(&envelope);
    assert_eq!(response.status, 400);
    assert!(
        response.text().starts_with("Invalid signature: "),
        "{}",
        response.text()
    );

    envelope.sender_sig = Some(
        key.sign_message(&envelope.content.to_request_id().signable())
            .to_vec(),
    );
    assert_eq!(live.send_call(&envelope).status, 200);
}

#[test]
fn a_call_to_another_canister_than_the_urls_is_refused() {
    let live = Live::new();
    let other = Principal::from_text("lqy7q-dh777-77777-aaaaq-cai").unwrap();
    let response = live.send_call(&unsigned(call(Principal::anonymous(), other, Vec::new())));
    assert_eq!(response.status, 400);
    assert_eq!(
        response.text(),
        format!(
            "Specified CanisterId {other} does not match effective canister id in URL {}",
            live.canister
        )
    );
}

#[test]
fn a_canister_of_no_subnet_is_not_found() {
    let live = Live::new();
    let nowhere = Principal::from_text("rrkah-fqaaa-aaaaa-aaaaq-cai").unwrap();
    let envelope = unsigned(call(Principal::anonymous(), nowhere, Vec::new()));
    let response = live.send(
        &format!("v3/canister/{nowhere}/call"),
        &envelope.encode_bytes(),
    );
    assert_eq!(response.status, 400);
    assert_eq!(
        response.text(),
        "error: canister_not_found\ndetails: The specified canister does not exist."
    );
}

#[test]
fn bodies_and_messages_have_limits() {
    let live = Live::new();
    let anonymous = Principal::anonymous();
    let too_long = unsigned(call(anonymous, live.canister, vec![0; 2_097_152]));
    let response = live.send_call(&too_long);
    assert_eq!(response.status, 413);
    assert!(
        response
            .text()
            .contains("is larger than the max allowed 2097152"),
        "{}",
        response.text()
    );
    let fits = unsigned(call(anonymous, live.canister, vec![0; 2_000_000]));
    assert_eq!(live.send_call(&fits).status, 200);
    let response = live.send(
        &format!("v4/canister/{}/call", live.canister),
        &vec![0; 4_194_305],
    );
    assert_eq!(response.status, 413);
    assert!(
        response
            .text()
            .contains("maximum body size is 4194304 bytes"),
        "{}",
        response.text()
    );
}

#[test]
fn a_call_of_version_two_is_acknowledged_only() {
    let live = Live::new();
    let envelope = unsigned(call(Principal::anonymous(), live.canister, Vec::new()));
    let path = format!("v2/canister/{}/call", live.canister);
    let response = live.send(&path, &envelope.encode_bytes());
    assert_eq!((response.status, response.body.len()), (202, 0));
}

#[test]
fn the_status_announces_a_stand_in_and_the_root_key() {
    #[derive(serde::Deserialize)]
    struct Status {
        root_key: serde_bytes::ByteBuf,
        impl_version: String,
        replica_health_status: String,
    }
    let live = Live::new();
    let response = live
        .server
        .request("GET", "/instances/0/api/v2/status", &[])
        .unwrap();
    let status: Status = serde_cbor::from_slice(&response.body).unwrap();
    assert_eq!(status.root_key.len(), 133);
    assert!(status.impl_version.contains("stand-in"));
    assert_eq!(status.replica_health_status, "healthy");
}
