//! Fault plans: what a test orders is what clients get, and nothing else changes.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use candid::Principal;
use common::{Response, Server, install_counter};
use ic_agent::identity::AnonymousIdentity;
use ic_agent::{Agent, AgentError};
use ic_transport_types::{Envelope, EnvelopeContent, QueryResponse};
use pocket_ic::{ErrorCode, PocketIc};
use replica::faults::RuleState;
use std::borrow::Cow;
use std::future::IntoFuture;

/// A live instance with a counter that stands at `count`.
struct Patient {
    server: Server,
    pic: PocketIc,
    canister: Principal,
}

impl Patient {
    fn new() -> Self {
        let server = Server::start();
        let pic = server.instance();
        let canister = install_counter(&pic);
        pic.auto_progress();
        Self {
            server,
            pic,
            canister,
        }
    }

    fn order(&self, plan: &str) {
        let response = self.server.post(&self.path("faults"), plan.as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
    }

    fn report(&self) -> Vec<RuleState> {
        let response = self
            .server
            .request("GET", &self.path("faults"), &[])
            .unwrap();
        serde_json::from_slice(&response.body).unwrap()
    }

    fn path(&self, rest: &str) -> String {
        format!("/instances/{}/{rest}", self.pic.instance_id())
    }

    fn count(&self) -> u8 {
        self.pic
            .query_call(self.canister, Principal::anonymous(), "read", Vec::new())
            .unwrap()[0]
    }

    /// An anonymous call or query, as bytes.
    fn envelope(&self, method: &str, is_call: bool, arg: Vec<u8>) -> Vec<u8> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let ingress_expiry = now + 120_000_000_000;
        let (sender, canister_id) = (Principal::anonymous(), self.canister);
        let method_name = method.to_owned();
        let content = if is_call {
            EnvelopeContent::Call {
                nonce: None,
                ingress_expiry,
                sender,
                canister_id,
                method_name,
                arg,
                sender_info: None,
            }
        } else {
            EnvelopeContent::Query {
                ingress_expiry,
                sender,
                canister_id,
                method_name,
                arg,
                nonce: None,
                sender_info: None,
            }
        };
        Envelope {
            content: Cow::Owned(content),
            sender_pubkey: None,
            sender_sig: None,
            sender_delegation: None,
        }
        .encode_bytes()
    }

    fn call(&self, method: &str) -> std::io::Result<Response> {
        let path = self.path(&format!("api/v4/canister/{}/call", self.canister));
        self.server
            .request("POST", &path, &self.envelope(method, true, Vec::new()))
    }

    fn query(&self, method: &str, arg: Vec<u8>) -> std::io::Result<Response> {
        let path = self.path(&format!("api/v3/canister/{}/query", self.canister));
        self.server
            .request("POST", &path, &self.envelope(method, false, arg))
    }
}

#[test]
fn without_a_plan_nothing_breaks() {
    let patient = Patient::new();
    assert_eq!(patient.call("inc").unwrap().status, 200);
    assert_eq!(patient.query("read", Vec::new()).unwrap().status, 200);
    assert_eq!(patient.report(), []);
}

#[test]
fn a_cut_call_was_never_executed_and_a_dropped_reply_was() {
    let patient = Patient::new();
    patient.order(r#"{"rules":[{"on":"call","count":1,"fault":{"kind":"cut"}}]}"#);
    assert!(patient.call("inc").is_err());
    assert_eq!(patient.count(), 0);
    patient.order(r#"{"rules":[{"on":"call","count":1,"fault":{"kind":"drop_reply"}}]}"#);
    assert!(patient.call("inc").is_err());
    assert_eq!(patient.count(), 1);
    assert_eq!(patient.call("inc").unwrap().status, 200);
    let report = patient.report();
    assert_eq!((report[0].matched, report[0].broken), (2, 1));
}

#[test]
fn a_duplicated_call_changes_state_once() {
    let patient = Patient::new();
    patient.order(r#"{"rules":[{"on":"call","fault":{"kind":"duplicate"}}]}"#);
    assert_eq!(patient.call("inc").unwrap().status, 200);
    assert_eq!(patient.count(), 1);
}

#[test]
fn replies_are_let_through_then_cut_short() {
    let patient = Patient::new();
    patient.order(
        r#"{"rules":[
            {"on":"query","skip":2,"count":1,"fault":{"kind":"cut_reply"}},
            {"on":"query","skip":2,"count":1,"fault":{"kind":"truncate","keep_bytes":10}}]}"#,
    );
    let whole = [(); 2].map(|()| patient.query("read", Vec::new()).unwrap());
    let cut = patient.query("read", Vec::new()).unwrap();
    assert_eq!(cut.announced_len_bytes, whole[0].body.len());
    assert!(cut.body.len() < cut.announced_len_bytes);
    let truncated = patient.query("read", Vec::new()).unwrap();
    assert_eq!(
        (truncated.body.len(), truncated.announced_len_bytes),
        (10, 10)
    );
    let report = patient.report();
    assert_eq!(
        report.iter().map(|rule| rule.broken).collect::<Vec<_>>(),
        [1, 1]
    );
}

#[test]
fn a_status_comes_instead_of_an_execution() {
    let patient = Patient::new();
    patient
        .order(r#"{"rules":[{"on":"call","method":"inc","fault":{"kind":"status","code":503}}]}"#);
    assert_eq!(patient.call("inc").unwrap().status, 503);
    assert_eq!(patient.count(), 0);
    let cleared = patient
        .server
        .request("DELETE", &patient.path("faults"), &[])
        .unwrap();
    assert_eq!(cleared.status, 200);
    assert_eq!(patient.call("inc").unwrap().status, 200);
}

#[test]
fn corruption_breaks_the_signature_and_a_lie_does_not() {
    let patient = Patient::new();
    let url = patient.server.url().join(&patient.path("")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let agent = Agent::builder()
            .with_url(url.as_str())
            .with_identity(AnonymousIdentity)
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        let truth = vec![7u8; 1_000];
        let ask = || {
            agent
                .query(&patient.canister, "echo_query")
                .with_arg(truth.clone())
                .call()
        };
        assert_eq!(ask().await.unwrap(), truth);

        patient.order(r#"{"seed":1,"rules":[{"on":"query","fault":{"kind":"corrupt"}}]}"#);
        let error = ask().await.unwrap_err();
        assert!(
            matches!(
                error,
                AgentError::QuerySignatureVerificationFailed
                    | AgentError::InvalidCborData(_)
                    | AgentError::MalformedSignature
                    | AgentError::CertificateNotAuthorized()
            ),
            "{error}"
        );

        patient.order(r#"{"seed":1,"rules":[{"on":"query","fault":{"kind":"lie"}}]}"#);
        let lie = ask().await.unwrap();
        assert_ne!(lie, truth);
        assert_eq!(lie.len(), truth.len());
        assert_eq!(ask().await.unwrap().len(), truth.len());
    });
}

#[test]
fn the_same_seed_corrupts_the_same_bit() {
    let patient = Patient::new();
    let damage = |seed: u64| -> Vec<u8> {
        patient.order(&format!(
            r#"{{"seed":{seed},"rules":[{{"on":"query","fault":{{"kind":"lie"}}}}]}}"#
        ));
        let response = patient.query("echo_query", vec![0; 4_096]).unwrap();
        match serde_cbor::from_slice(&response.body).unwrap() {
            QueryResponse::Replied { reply, .. } => reply.arg,
            QueryResponse::Rejected { reject, .. } => panic!("{}", reject.reject_message),
        }
    };
    assert_eq!(damage(1), damage(1));
    assert_ne!(damage(1), damage(2));
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_with_the_reason() {
    let patient = Patient::new();
    for (plan, reason) in [
        (
            r#"{"rules":[{"fault":{"kind":"lie"}}]}"#,
            "only answers to queries",
        ),
        (r#"{"rules":[{"fault":{"kind":"fire"}}]}"#, "fire"),
        (
            r#"{"rules":[{"probability":2,"fault":{"kind":"cut"}}]}"#,
            "no chance",
        ),
    ] {
        let response = patient
            .server
            .post(&patient.path("faults"), plan.as_bytes());
        assert_eq!(response.status, 400);
        assert!(response.text().contains(reason), "{}", response.text());
    }
}

/// An agent as anybody has it: it verifies what it gets.
async fn agent(patient: &Patient) -> Agent {
    let url = patient.server.url().join(&patient.path("")).unwrap();
    let agent = Agent::builder()
        .with_url(url.as_str())
        .with_identity(AnonymousIdentity)
        .build()
        .unwrap();
    agent.fetch_root_key().await.unwrap();
    agent
}

#[test]
fn an_agent_is_never_fooled_by_a_broken_call_and_nothing_executes_twice() {
    let patient = Patient::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // What is ordered, and whether the call is executed however the agent takes it.
    let faults = [
        (r#"{"kind":"cut"}"#, None),
        (r#"{"kind":"drop_reply"}"#, Some(true)),
        (r#"{"kind":"cut_reply"}"#, Some(true)),
        (r#"{"kind":"truncate"}"#, Some(true)),
        (r#"{"kind":"truncate","keep_bytes":0}"#, Some(true)),
        (r#"{"kind":"corrupt"}"#, Some(true)),
        (r#"{"kind":"duplicate"}"#, Some(true)),
        (r#"{"kind":"delay","ms":50}"#, Some(true)),
        (r#"{"kind":"status","code":503}"#, None),
        (r#"{"kind":"status","code":400}"#, Some(false)),
    ];
    let agent = runtime.block_on(agent(&patient));
    for (fault, is_executed) in faults {
        let before = patient.count();
        patient.order(&format!(
            r#"{{"seed":3,"rules":[{{"on":"call","count":1,"fault":{fault}}}]}}"#
        ));
        let call = agent.update(&patient.canister, "inc");
        let result = runtime.block_on(call.into_future());
        assert_eq!(patient.report()[0].broken, 1, "{fault}");
        let executed = patient.count() - before;
        match &result {
            Ok(reply) => {
                assert_eq!(executed, 1, "{fault}");
                assert_eq!(*reply, [patient.count(), 0, 0, 0], "{fault}");
            }
            Err(_) => assert!(executed <= 1, "{fault}: {executed} times"),
        }
        if let Some(is_executed) = is_executed {
            assert_eq!(executed == 1, is_executed, "{fault}: {result:?}");
        }
        if ["duplicate", "delay"]
            .iter()
            .any(|kind| fault.contains(kind))
        {
            assert!(result.is_ok(), "{fault}: {result:?}");
        }
    }
}

#[test]
fn a_full_disk_is_answered_clearly_and_harms_nothing() {
    let patient = Patient::new();
    let grower = wat::parse_str(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_size" (func $size (result i64)))
            (memory 1)
            (func $tell (param i64)
                (i64.store (i32.const 0) (local.get 0))
                (call $append (i32.const 0) (i32.const 8))
                (call $reply))
            (func (export "canister_update grow") (call $tell (call $grow (i64.const 3))))
            (func (export "canister_query size") (call $tell (call $size))))"#,
    )
    .unwrap();
    let canister = patient.pic.create_canister();
    patient.pic.add_cycles(canister, 10_000_000_000_000);
    patient
        .pic
        .install_canister(canister, grower, Vec::new(), None);
    let ask = |method: &str| {
        let anonymous = Principal::anonymous();
        let reply = match method {
            "grow" => patient
                .pic
                .update_call(canister, anonymous, method, Vec::new()),
            _ => patient
                .pic
                .query_call(canister, anonymous, method, Vec::new()),
        };
        i64::from_le_bytes(reply.unwrap().try_into().unwrap())
    };
    assert_eq!((ask("grow"), ask("size")), (0, 3));

    patient.order(r#"{"disk_bytes":0}"#);
    assert_eq!(
        (ask("grow"), ask("size")),
        (-1, 3),
        "growth fails as it does on a full subnet"
    );
    let refused = patient
        .pic
        .take_canister_snapshot(canister, None, None)
        .unwrap_err();
    assert_eq!(refused.error_code, ErrorCode::SubnetOversubscribed);
    assert!(refused.reject_message.contains("memory"), "{refused}");
    assert!(
        patient
            .pic
            .list_canister_snapshots(canister, None)
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        patient.call("inc").unwrap().status,
        200,
        "what needs no room goes on"
    );
    assert_eq!(patient.count(), 1);

    let cleared = patient
        .server
        .request("DELETE", &patient.path("faults"), &[])
        .unwrap();
    assert_eq!(cleared.status, 200);
    assert_eq!((ask("grow"), ask("size")), (3, 6));
    patient
        .pic
        .take_canister_snapshot(canister, None, None)
        .unwrap();
}
