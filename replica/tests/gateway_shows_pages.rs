//! Pages of canisters through the gateway: who is asked, what has to be certified, what is passed on.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use candid::{CandidType, Principal, encode_one};
use common::{Response, Server, request};
use ic_certification::{HashTree, label, leaf};
use pocket_ic::PocketIc;
use pocket_ic::common::rest::CreateHttpGatewayResponse;
use sha2::{Digest, Sha256};

#[derive(CandidType)]
struct Answer {
    status_code: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    upgrade: Option<bool>,
    streaming_strategy: Option<u8>,
}

fn answer(body: &str, headers: &[(&str, &str)]) -> Answer {
    Answer {
        status_code: 200,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        upgrade: None,
        streaming_strategy: None,
    }
}

/// A canister that answers what it was told to: 0 to queries, 1 to updates. It certifies what it was told to, too, and
/// traps when it was told nothing.
fn parrot_module() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
            (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
            (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
            (import "ic0" "data_certificate_size" (func $cert_size (result i32)))
            (import "ic0" "data_certificate_copy" (func $cert_copy (param i32 i32 i32)))
            (memory 3)
            (func $learn (param $at i32)
                (i32.store (local.get $at) (call $arg_size))
                (call $arg_copy (i32.add (local.get $at) (i32.const 4)) (i32.const 0) (call $arg_size))
                (call $reply))
            (func $say (param $at i32)
                (if (i32.eqz (i32.load (local.get $at))) (then unreachable))
                (call $append (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at)))
                (call $reply))
            (func (export "canister_update answer_queries") (call $learn (i32.const 65536)))
            (func (export "canister_update answer_updates") (call $learn (i32.const 131072)))
            (func (export "canister_query http_request") (call $say (i32.const 65536)))
            (func (export "canister_update http_request_update") (call $say (i32.const 131072)))
            (func (export "canister_update certify")
                (call $arg_copy (i32.const 0) (i32.const 0) (i32.const 32))
                (call $certify (i32.const 0) (i32.const 32))
                (call $reply))
            (func (export "canister_query certificate")
                (call $cert_copy (i32.const 0) (i32.const 0) (call $cert_size))
                (call $append (i32.const 0) (call $cert_size))
                (call $reply)))"#,
    )
    .unwrap()
}

struct Site {
    _server: Server,
    pic: PocketIc,
    canister: Principal,
    port: u16,
}

impl Site {
    fn new() -> Self {
        let server = Server::start();
        let pic = server.instance();
        let canister = pic.create_canister();
        pic.add_cycles(canister, 10_000_000_000_000);
        pic.install_canister(canister, parrot_module(), Vec::new(), None);
        pic.auto_progress();
        let order = format!(
            r#"{{"ip_addr":null,"port":null,"forward_to":{{"PocketIcInstance":{}}},"domains":null,
                "https_config":null,"domain_custom_provider_local_file":null}}"#,
            pic.instance_id()
        );
        let created = server.post("/http_gateway", order.as_bytes());
        let port = match serde_json::from_slice(&created.body).unwrap() {
            CreateHttpGatewayResponse::Created(gateway) => gateway.port,
            CreateHttpGatewayResponse::Error { message } => panic!("{message}"),
        };
        Self {
            _server: server,
            pic,
            canister,
            port,
        }
    }

    fn call(&self, method: &str, arg: Vec<u8>) {
        self.pic
            .update_call(self.canister, Principal::anonymous(), method, arg)
            .unwrap();
    }

    fn answer_queries(&self, answer: &Answer) {
        self.call("answer_queries", encode_one(answer).unwrap());
    }

    /// Has the canister certify `body` at `/` by version 1 of the protocol; returns the header that proves it.
    fn certify(&self, body: &str) -> String {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let tree: HashTree = label("http_assets", label("/", leaf(digest)));
        self.call("certify", tree.digest().to_vec());
        self.pic.tick();
        let certificate = self
            .pic
            .query_call(
                self.canister,
                Principal::anonymous(),
                "certificate",
                Vec::new(),
            )
            .unwrap();
        let mut serializer = serde_cbor::Serializer::new(Vec::new());
        serializer.self_describe().unwrap();
        serde::Serialize::serialize(&tree, &mut serializer).unwrap();
        format!(
            "certificate=:{}:, tree=:{}:",
            BASE64.encode(certificate),
            BASE64.encode(serializer.into_inner())
        )
    }

    fn host(&self) -> String {
        format!("{}.localhost:{}", self.canister, self.port)
    }

    fn raw_host(&self) -> String {
        format!("{}.raw.localhost:{}", self.canister, self.port)
    }

    fn get(&self, host: &str, target: &str) -> Response {
        request(self.port, &format!("GET {target}"), host, "", b"").unwrap()
    }
}

#[test]
fn a_certified_page_is_shown_wherever_its_canister_is_named() {
    let site = Site::new();
    let proof = site.certify("<p>hello");
    site.answer_queries(&answer(
        "<p>hello",
        &[
            ("Content-Type", "text/html"),
            ("Cache-Control", "public"),
            ("X-Own", "kept"),
            ("IC-Certificate", &proof),
        ],
    ));
    let page = site.get(&site.host(), "/");
    assert_eq!((page.status, page.text().as_str()), (200, "<p>hello"));
    assert!(page.head.contains("content-type: text/html"));
    assert!(page.head.contains("x-own: kept"));
    assert!(
        page.head
            .contains(&format!("x-ic-canister-id: {}", site.canister))
    );
    assert!(
        !page.head.contains("cache-control"),
        "version 1 does not certify it: {}",
        page.head
    );

    let query = format!("/?canisterId={}", site.canister);
    assert_eq!(site.get("localhost", &query).text(), "<p>hello");
    assert_eq!(site.get("127.0.0.1", &query).text(), "<p>hello");
    let after_page = request(
        site.port,
        "GET /",
        "localhost",
        &format!("referer: http://localhost:{}{query}\r\n", site.port),
        b"",
    );
    assert_eq!(after_page.unwrap().text(), "<p>hello");
}

#[test]
fn what_is_not_certified_is_shown_at_the_raw_host_only() {
    let site = Site::new();
    let proof = site.certify("the truth");
    for headers in [&[][..], &[("IC-Certificate", proof.as_str())]] {
        site.answer_queries(&answer("a lie", headers));
        let refused = site.get(&site.host(), "/");
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("response_verification_error"));
        assert!(!refused.text().contains("a lie"));
        let raw = site.get(&site.raw_host(), "/");
        assert_eq!((raw.status, raw.text().as_str()), (200, "a lie"));
    }
}

#[test]
fn a_canister_may_ask_to_be_called() {
    let site = Site::new();
    site.answer_queries(&Answer {
        upgrade: Some(true),
        ..answer("", &[])
    });
    site.call(
        "answer_updates",
        encode_one(answer("by consensus", &[("X-Own", "kept")])).unwrap(),
    );
    let page = site.get(&site.host(), "/");
    assert_eq!((page.status, page.text().as_str()), (200, "by consensus"));
    assert!(page.head.contains("x-own: kept"));
}

#[test]
fn what_cannot_be_shown_says_why() {
    let site = Site::new();
    let shown = |host: &str, target: &str| {
        let page = site.get(host, target);
        let cause = page.text().lines().next().unwrap().to_owned();
        (page.status, cause)
    };
    let expect = |status: u16, cause: &str| (status, format!("error: {cause}"));
    assert_eq!(shown(&site.host(), "/"), expect(503, "canister_error"));
    assert_eq!(
        shown("localhost", "/"),
        expect(400, "canister_id_not_resolved")
    );
    assert_eq!(shown("example.org", "/"), expect(400, "unknown_domain"));
    let nobody = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    assert_eq!(
        shown(&format!("{nobody}.localhost"), "/"),
        expect(404, "canister_not_found")
    );
    site.answer_queries(&Answer {
        streaming_strategy: Some(1),
        ..answer("the beginning", &[])
    });
    assert_eq!(shown(&site.raw_host(), "/"), expect(501, "not_supported"));
    site.call("answer_queries", b"no candid".to_vec());
    assert_eq!(shown(&site.raw_host(), "/"), expect(503, "upstream_error"));
    site.answer_queries(&Answer {
        status_code: 42,
        ..answer("", &[])
    });
    assert_eq!(shown(&site.raw_host(), "/"), expect(503, "upstream_error"));
}

#[test]
fn agents_and_tools_are_served_at_the_same_port() {
    let site = Site::new();
    let status = site.get("localhost", "/api/v2/status");
    assert_eq!(status.status, 200);
    let topology = site.get("localhost", "/_/topology");
    assert!(topology.text().contains("default_effective_canister_id"));
    assert_eq!(site.get("localhost", "/_/dashboard").status, 501);
}
