//! Section 10: the client's and the raw shapes of requests and answers.

use crate::lab::{Lab, get, post};
use crate::modules::wat;
use base64::prelude::*;
use candid::{Encode, Principal};
use ic_management_canister_types as types;
use pocket_ic::PocketIc;
use serde::Serialize;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// How long an envelope is good for, in nanoseconds.
const EXPIRY_NS: u64 = 240_000_000_000;

/// A server of its own, for observations that it may not survive.
pub struct OwnServer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl OwnServer {
    /// Starts what `POCKET_IC_BIN` names.
    pub fn start() -> OwnServer {
        let folder = tempfile::tempdir().unwrap();
        let port_file = folder.path().join("port");
        let binary = std::env::var_os("POCKET_IC_BIN").expect("POCKET_IC_BIN names no server");
        let child = Command::new(binary)
            .args(["--ttl", "120", "--port-file"])
            .arg(&port_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = OwnServer {
            child,
            port: 0,
            _folder: folder,
        };
        for _ in 0..3_000 {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some(port) = text.strip_suffix('\n') {
                server.port = port.parse().unwrap();
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the server wrote no port");
    }

    /// Where it listens.
    pub fn url(&self) -> reqwest::Url {
        format!("http://127.0.0.1:{}/", self.port).parse().unwrap()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of `submit_ingress_message` for an anonymous call.
pub fn submit_body(canister: Principal, method: &str, payload: &[u8]) -> Value {
    json!({
        "sender": BASE64_STANDARD.encode(Principal::anonymous().as_slice()),
        "canister_id": BASE64_STANDARD.encode(canister.as_slice()),
        "effective_principal": "None",
        "method": method,
        "payload": BASE64_STANDARD.encode(payload),
    })
}

/// The same for an upload of so many bytes of heap into a snapshot.
pub fn upload_body(canister: Principal, snapshot: &[u8], len_bytes: usize) -> Value {
    let arg = types::UploadCanisterSnapshotDataArgs {
        canister_id: canister,
        snapshot_id: snapshot.to_vec(),
        kind: types::SnapshotDataOffset::WasmMemory { offset: 0 },
        chunk: vec![7; len_bytes],
    };
    let mut body = submit_body(
        Principal::management_canister(),
        "upload_canister_snapshot_data",
        &Encode!(&arg).unwrap(),
    );
    body["effective_principal"] =
        json!({ "CanisterId": BASE64_STANDARD.encode(canister.as_slice()) });
    body
}

#[derive(Serialize)]
struct Envelope<'a> {
    content: Content<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    request_type: &'a str,
    canister_id: &'a serde_bytes::Bytes,
    method_name: &'a str,
    arg: &'a serde_bytes::Bytes,
    sender: &'a serde_bytes::Bytes,
    ingress_expiry: u64,
}

fn envelope(pic: &PocketIc, kind: &str, canister: Principal, method: &str, arg: &[u8]) -> Vec<u8> {
    serde_cbor::to_vec(&Envelope {
        content: Content {
            request_type: kind,
            canister_id: serde_bytes::Bytes::new(canister.as_slice()),
            method_name: method,
            arg: serde_bytes::Bytes::new(arg),
            sender: serde_bytes::Bytes::new(Principal::anonymous().as_slice()),
            ingress_expiry: pic.get_time().as_nanos_since_unix_epoch() + EXPIRY_NS,
        },
    })
    .unwrap()
}

/// An anonymous call as the HTTP interface takes it.
pub fn call_envelope(pic: &PocketIc, canister: Principal, method: &str, arg: &[u8]) -> Vec<u8> {
    envelope(pic, "call", canister, method, arg)
}

/// An anonymous query as the HTTP interface takes it.
pub fn query_envelope(pic: &PocketIc, canister: Principal, method: &str, arg: &[u8]) -> Vec<u8> {
    envelope(pic, "query", canister, method, arg)
}

fn json_of((status, body): (u16, Vec<u8>)) -> (u16, Value) {
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn greeter(lab: &Lab) -> Principal {
    let module = wat(
        "greeter",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (memory 1) (data (i32.const 0) "hello")
        (func $greet (call $append (i32.const 0) (i32.const 5)) (call $reply))
        (func (export "canister_query q") (call $greet))
        (func (export "canister_update u") (call $greet)))"#,
    );
    lab.installed("A", &module, b"")
}

facts! {
    fn the_body_of_a_16_1_client_creates_an_instance(lab) {
        let nothing = Value::Null;
        let body = json!({
            "subnet_config_set": {
                "nns": nothing, "sns": nothing, "ii": nothing, "fiduciary": nothing,
                "bitcoin": nothing, "test_threshold_keys": nothing, "system": [],
                "application": [{
                    "state_config": "New", "instruction_config": "Production",
                    "subnet_admins": nothing, "cost_schedule": "Normal",
                }],
                "cloud_engine": [], "verified_application": [],
            },
            "http_gateway_config": nothing, "state_dir": nothing,
            "icp_config": {
                "beta_features": nothing, "function_name_length_limits": nothing,
                "canister_execution_rate_limiting": nothing,
            },
            "log_level": nothing, "bitcoind_addr": nothing, "dogecoind_addr": nothing,
            "icp_features": {
                "registry": nothing, "cycles_minting": nothing, "icp_token": nothing,
                "cycles_token": nothing, "nns_governance": nothing, "sns": nothing, "ii": nothing,
                "nns_ui": nothing, "bitcoin": nothing, "canister_migration": nothing,
            },
            "incomplete_state": nothing, "initial_time": nothing, "mainnet_nns_subnet_id": nothing,
            "disable_ingress_validation": nothing,
        });
        // Below the instance only to have a base; `..` leaves it.
        let (status, answer) = json_of(post(&lab.pic, "../../instances", &body));
        assert!(status == 200 || status == 201, "{status}");
        let created = &answer["Created"];
        assert!(created["instance_id"].is_number(), "{answer}");
        let subnets = created["topology"]["subnet_configs"].as_object().unwrap();
        assert_eq!(subnets.len(), 1);
        let subnet = subnets.values().next().unwrap();
        assert_eq!(subnet["cost_schedule"], "Normal");
        assert_eq!(subnet["subnet_kind"], "Application");
        let id = created["instance_id"].as_u64().unwrap();
        let (status, _) = get(&lab.pic, &format!("../{id}/read/topology"));
        assert_eq!(status, 200);
    }

    fn instances_are_created_without_a_slash_at_the_end(lab) {
        let body = json!({ "subnet_config_set": { "application": [] } });
        assert_eq!(post(&lab.pic, "../", &body).0, 404);
    }

    fn a_query_answers_ok_or_err(lab) {
        let canister = greeter(lab);
        let ask = |method| json_of(post(&lab.pic, "read/query", &submit_body(canister, method, b"")));
        let hello = BASE64_STANDARD.encode("hello");
        assert_eq!(ask("q"), (200, json!({ "Ok": hello })));
        let (status, answer) = ask("none");
        assert_eq!(status, 200);
        let reject = &answer["Err"];
        assert_eq!(reject["reject_code"], "CanisterError");
        assert_eq!(reject["error_code"], "CanisterMethodNotFound");
        assert_eq!(reject["certified"], false);
        assert!(reject["reject_message"].is_string());
    }

    fn what_submit_returns_goes_to_await_unchanged(lab) {
        let canister = greeter(lab);
        let body = submit_body(canister, "u", b"");
        let (status, submitted) = json_of(post(&lab.pic, "update/submit_ingress_message", &body));
        assert_eq!(status, 200, "{submitted}");
        let message = &submitted["Ok"];
        assert!(message["message_id"].is_string(), "{submitted}");
        assert!(!message["effective_principal"].is_null(), "{submitted}");
        let answer = json_of(post(&lab.pic, "update/await_ingress_message", message));
        assert_eq!(answer, (200, json!({ "Ok": BASE64_STANDARD.encode("hello") })));
    }

    fn time_and_rounds_are_told_and_set(lab) {
        let time = || json_of(get(&lab.pic, "read/get_time")).1["nanos_since_epoch"].as_u64().unwrap();
        let before = time();
        let (status, _) = post(&lab.pic, "update/tick", &json!({ "blockmakers": null }));
        assert_eq!(status, 200);
        assert_eq!(time(), before + 1);
        let later = json!({ "nanos_since_epoch": before + 1_000_000_000 });
        assert_eq!(post(&lab.pic, "update/set_time", &later).0, 200);
        assert_eq!(time(), before + 1_000_000_000);
        let past = json!({ "nanos_since_epoch": before });
        assert_eq!(post(&lab.pic, "update/set_time", &past).0, 400);
    }

    fn cycles_are_told_as_a_number(lab) {
        let canister = lab.create_with("A", 0, 1_234_567_890_123);
        let body = json!({ "canister_id": BASE64_STANDARD.encode(canister.as_slice()) });
        let answer = json_of(post(&lab.pic, "read/get_cycles", &body));
        assert_eq!(answer, (200, json!({ "cycles": 1_234_567_890_123u64 })));
    }

    fn agents_find_the_root_key_below_the_instance(lab) {
        let (status, body) = get(&lab.pic, "api/v2/status");
        assert_eq!(status, 200);
        assert!(body.windows(8).any(|part| part == b"root_key"));
        for version in ["v2", "v3"] {
            let canister = greeter(lab);
            let path = format!("api/{version}/canister/{canister}/query");
            let envelope = query_envelope(&lab.pic, canister, "q", b"");
            let (status, body) = crate::lab::post_cbor(&lab.pic, &path, envelope);
            // Servers of October 2025 know queries of v2 only.
            let expected = match (version, lab.server.rules) {
                ("v3", crate::lab::Rules::October2025) => status,
                _ => 200,
            };
            assert_eq!(status, expected);
            assert!(status != 200 || body.windows(5).any(|part| part == b"hello"));
        }
    }

    fn an_answer_that_takes_more_than_a_hundred_rounds_is_awaited_again(lab) {
        let module = crate::modules::patient(
            "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $again))",
        );
        let canister = lab.installed("A", &module, b"");
        let arg = crate::lab::install_args(
            canister,
            types::CanisterInstallMode::Upgrade(None),
            &module,
            b"",
        );
        let message = lab
            .submit_management(Principal::anonymous(), canister, "install_code", &arg)
            .unwrap();
        let body = serde_json::to_value(&message).unwrap();
        let (status, answer) = post(&lab.pic, "update/await_ingress_message", &body);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if status == 202 {
            // The server goes on in the background; the client would poll for it.
            return;
        }
        assert_eq!(status, 400, "{text}");
        assert!(
            text.contains("Failed to answer to ingress 0x") && text.contains("after 100 rounds."),
            "{text}"
        );
        let (status, answer) = json_of(post(&lab.pic, "update/await_ingress_message", &body));
        assert_eq!(status, 200);
        assert_eq!(answer["Err"]["error_code"], "CanisterInstructionLimitExceeded");
    }
}
