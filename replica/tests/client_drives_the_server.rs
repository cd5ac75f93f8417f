//! The unmodified `pocket-ic` client: starts the binary, and does with an instance what tests do.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use candid::{Nat, Principal};
use common::{Server, counter_module, install_counter, server_binary};
use ic_management_canister_types::CanisterSettings;
use pocket_ic::common::rest::{BlobCompression, IcpFeatures, IcpFeaturesConfig};
use pocket_ic::{ErrorCode, PocketIcBuilder, RejectCode};
use std::time::Duration;

const ANONYMOUS: Principal = Principal::anonymous();

#[test]
fn the_client_starts_the_binary_itself() {
    // Twice: the second process must leave the first one alone.
    for _ in 0..2 {
        let pic = PocketIcBuilder::new()
            .with_server_binary(server_binary())
            .with_application_subnet()
            .build();
        let canister = install_counter(&pic);
        let reply = pic
            .update_call(canister, ANONYMOUS, "inc", Vec::new())
            .unwrap();
        assert_eq!(reply, [1, 0, 0, 0]);
    }
}

#[tokio::test]
async fn the_client_that_does_not_block_is_served_alike() {
    let server = Server::start();
    let pic = server
        .builder()
        .with_application_subnet()
        .build_async()
        .await;
    let canister = pic.create_canister().await;
    pic.add_cycles(canister, 10_000_000_000_000).await;
    pic.install_canister(canister, counter_module(), Vec::new(), None)
        .await;
    let calls = (0..3).map(|_| pic.update_call(canister, ANONYMOUS, "inc", Vec::new()));
    let mut replies: Vec<Vec<u8>> = futures::future::try_join_all(calls).await.unwrap();
    replies.sort();
    assert_eq!(replies, [[1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0]]);
    let message = pic
        .submit_call(canister, ANONYMOUS, "inc", Vec::new())
        .await
        .unwrap();
    pic.tick().await;
    assert_eq!(
        pic.await_call_no_ticks(message).await.unwrap(),
        [4, 0, 0, 0]
    );
    let trap = pic
        .update_call(canister, ANONYMOUS, "trap", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(trap.error_code, ErrorCode::CanisterCalledTrap);
    pic.auto_progress().await;
    assert!(pic.auto_progress_enabled().await);
    pic.drop().await;
}

#[test]
fn a_canister_lives_through_create_install_call_upgrade_and_delete() {
    let server = Server::start();
    let pic = server.instance();
    let canister = install_counter(&pic);
    assert_eq!(canister.to_text(), "lxzze-o7777-77777-aaaaa-cai");
    for count in 1..=3u8 {
        let reply = pic
            .update_call(canister, ANONYMOUS, "inc", Vec::new())
            .unwrap();
        assert_eq!(reply, [count, 0, 0, 0]);
    }
    pic.upgrade_canister(canister, counter_module(), Vec::new(), None)
        .unwrap();
    assert_eq!(
        pic.query_call(canister, ANONYMOUS, "read", Vec::new())
            .unwrap(),
        [3, 0, 0, 0]
    );
    pic.reinstall_canister(canister, counter_module(), Vec::new(), None)
        .unwrap();
    assert_eq!(
        pic.query_call(canister, ANONYMOUS, "read", Vec::new())
            .unwrap(),
        [0; 4]
    );
    pic.stop_canister(canister, None).unwrap();
    pic.delete_canister(canister, None).unwrap();
    assert!(!pic.canister_exists(canister));
}

#[test]
fn a_trap_is_a_certified_reject_of_an_update_and_an_uncertified_one_of_a_query() {
    let server = Server::start();
    let pic = server.instance();
    let canister = install_counter(&pic);
    let reject = pic
        .update_call(canister, ANONYMOUS, "trap", Vec::new())
        .unwrap_err();
    assert_eq!(reject.error_code, ErrorCode::CanisterCalledTrap);
    assert_eq!(reject.reject_code, RejectCode::CanisterError);
    assert!(
        reject.reject_message.contains("on purpose"),
        "{}",
        reject.reject_message
    );
    assert!(reject.certified);
    let reject = pic
        .query_call(canister, ANONYMOUS, "none", Vec::new())
        .unwrap_err();
    assert_eq!(reject.error_code, ErrorCode::CanisterMethodNotFound);
    assert!(!reject.certified);
}

#[test]
fn the_clock_moves_when_told_and_not_backwards() {
    let server = Server::start();
    let pic = server.instance();
    let before = pic.get_time().as_nanos_since_unix_epoch();
    pic.advance_time(Duration::from_secs(60));
    let after = pic.get_time().as_nanos_since_unix_epoch();
    assert_eq!(after, before + 60_000_000_000);
    let past = format!("{{\"nanos_since_epoch\":{before}}}");
    let path = format!("/instances/{}/update/set_time", pic.instance_id());
    let response = server.post(&path, past.as_bytes());
    assert_eq!(response.status, 400);
    assert_eq!(
        response.text(),
        format!("{{\"message\":\"SettingTimeIntoPast(({after}, {before}))\"}}")
    );
}

#[test]
fn stable_memory_is_set_from_a_blob_and_read_back() {
    let server = Server::start();
    let pic = server.instance();
    let canister = install_counter(&pic);
    let mut image = vec![0u8; 65_536];
    image[0] = 77;
    pic.set_stable_memory(canister, image.clone(), BlobCompression::NoCompression);
    assert_eq!(pic.get_stable_memory(canister), image);
    // The counter takes its value from there on an upgrade without pre_upgrade's say: reinstall would wipe it.
    assert_eq!(
        pic.get_subnet(canister),
        Some(pic.topology().get_app_subnets()[0])
    );
    assert_eq!(pic.get_controllers(canister), [ANONYMOUS]);
}

#[test]
fn a_message_one_byte_too_long_is_refused_with_the_real_servers_text() {
    let server = Server::start();
    let pic = server.instance();
    let canister = install_counter(&pic);
    let submit = |arg_len_bytes: usize| {
        use base64::prelude::*;
        let body = format!(
            r#"{{"sender":"{}","canister_id":"{}","effective_principal":"None","method":"echo","payload":"{}"}}"#,
            BASE64_STANDARD.encode(ANONYMOUS.as_slice()),
            BASE64_STANDARD.encode(canister.as_slice()),
            BASE64_STANDARD.encode(vec![0u8; arg_len_bytes]),
        );
        let path = format!(
            "/instances/{}/update/submit_ingress_message",
            pic.instance_id()
        );
        server.post(&path, body.as_bytes())
    };
    assert_eq!(submit(2_096_991).status, 200);
    let refused = submit(2_096_992);
    assert_eq!(refused.status, 400);
    let text = refused.text();
    assert!(text.contains("BadIngressMessage("), "{text}");
    assert!(
        text.contains(
            "is too large. Message byte size 2097153 is larger than the max allowed 2097152."
        ),
        "{text}"
    );
}

#[test]
fn the_status_of_a_message_is_for_its_sender() {
    let server = Server::start();
    let pic = server.instance();
    let canister = install_counter(&pic);
    let id = pic
        .submit_call(canister, ANONYMOUS, "inc", Vec::new())
        .unwrap();
    pic.await_call(id.clone()).unwrap();
    let status = |caller: Principal| format!("{:?}", pic.ingress_status_as(id.clone(), caller));
    assert!(status(ANONYMOUS).contains("Ok"), "{}", status(ANONYMOUS));
    let stranger = Principal::self_authenticating(b"stranger");
    assert!(
        status(stranger).contains("Forbidden"),
        "{}",
        status(stranger)
    );
}

#[test]
fn instances_are_numbered_and_deleted_one_by_one() {
    let server = Server::start();
    let first = server.instance();
    let second = server.instance();
    assert_eq!((first.instance_id(), second.instance_id()), (0, 1));
    drop(first);
    let states = server.request("GET", "/instances", &[]).unwrap();
    assert_eq!(states.text(), r#"["Deleted","Available"]"#);
    let gone = server
        .request("GET", "/instances/0/read/topology", &[])
        .unwrap();
    assert_eq!(gone.status, 404);
    assert_eq!(second.topology().get_app_subnets().len(), 1);
}

#[test]
fn what_is_not_supported_says_so() {
    let server = Server::start();
    let pic = server.instance();
    let path = format!("/instances/{}/read/get_canister_http", pic.instance_id());
    let response = server.request("GET", &path, &[]).unwrap();
    assert_eq!(response.status, 501);
    assert!(
        response.text().contains("not supported by the stand-in"),
        "{}",
        response.text()
    );

    let result = std::panic::catch_unwind(|| {
        let features = IcpFeatures {
            sns: Some(IcpFeaturesConfig::DefaultConfig),
            ..Default::default()
        };
        server
            .builder()
            .with_application_subnet()
            .with_icp_features(features)
            .build()
    });
    assert!(result.is_err());
}

#[test]
fn the_cycles_ledger_pays_for_canisters_and_refuses_what_it_does_not_model() {
    let server = Server::start();
    let features = IcpFeatures {
        cycles_minting: Some(IcpFeaturesConfig::DefaultConfig),
        cycles_token: Some(IcpFeaturesConfig::DefaultConfig),
        ..Default::default()
    };
    let pic = server
        .builder()
        .with_application_subnet()
        .with_icp_features(features)
        .build();
    let ledger = Principal::from_text("um5iw-rqaaa-aaaaq-qaaba-cai").unwrap();
    let minting = Principal::from_text("rkp4c-7iaaa-aaaaa-aaaca-cai").unwrap();
    let nothing = candid::encode_args(()).unwrap();

    let subnets = pic
        .query_call(minting, ANONYMOUS, "get_default_subnets", nothing.clone())
        .unwrap();
    let subnets: Vec<Principal> = candid::decode_one(&subnets).unwrap();
    assert_eq!(subnets, pic.topology().get_app_subnets());

    let balance = |owner: Principal| -> Nat {
        let account = Account {
            owner,
            subaccount: None,
        };
        let arg = candid::encode_one(account).unwrap();
        let reply = pic.query_call(ledger, ANONYMOUS, "icrc1_balance_of", arg);
        candid::decode_one(&reply.unwrap()).unwrap()
    };
    let owner = Principal::self_authenticating([1]);
    let before = balance(ANONYMOUS);
    let create = |sender: Principal| -> Result<Created, CreateError> {
        let args = CreateCanister {
            amount: Nat::from(2_000_000_000_000u64),
            creation_args: Some(CreationArgs {
                settings: Some(CanisterSettings {
                    controllers: Some(vec![owner]),
                    ..Default::default()
                }),
            }),
        };
        let arg = candid::encode_one(args).unwrap();
        let reply = pic.update_call(ledger, sender, "create_canister", arg);
        candid::decode_one(&reply.unwrap()).unwrap()
    };
    let created = create(ANONYMOUS).unwrap();
    assert_eq!(pic.get_controllers(created.canister_id), [owner]);
    assert_eq!(pic.cycle_balance(created.canister_id), 1_500_000_000_000);
    assert_eq!(before - balance(ANONYMOUS), Nat::from(2_000_100_000_000u64));
    assert!(matches!(
        create(owner),
        Err(CreateError::InsufficientFunds { balance }) if balance == 0u8
    ));

    for (canister, method) in [
        (ledger, "icrc3_get_blocks"),
        (minting, "notify_mint_cycles"),
    ] {
        let refused = pic
            .update_call(canister, ANONYMOUS, method, nothing.clone())
            .unwrap_err();
        assert_eq!(refused.error_code, ErrorCode::CanisterMethodNotFound);
        assert!(refused.reject_message.contains("stand-in"), "{refused}");
    }
    let trap = pic
        .update_call(ledger, ANONYMOUS, "create_canister", b"no candid".to_vec())
        .unwrap_err();
    assert_eq!(trap.error_code, ErrorCode::CanisterCalledTrap);
}

#[derive(candid::CandidType)]
struct Account {
    owner: Principal,
    subaccount: Option<Vec<u8>>,
}

#[derive(candid::CandidType)]
struct CreateCanister {
    amount: Nat,
    creation_args: Option<CreationArgs>,
}

#[derive(candid::CandidType)]
struct CreationArgs {
    settings: Option<CanisterSettings>,
}

#[derive(candid::CandidType, candid::Deserialize, Debug)]
struct Created {
    canister_id: Principal,
}

#[derive(candid::CandidType, candid::Deserialize, Debug)]
enum CreateError {
    InsufficientFunds { balance: Nat },
}

#[test]
fn the_root_key_is_the_nns_subnets() {
    let server = Server::start();
    let pic = server
        .builder()
        .with_nns_subnet()
        .with_application_subnet()
        .build();
    let key = pic.root_key().unwrap();
    assert_eq!(key.len(), 133);
    let nns = pic.topology().get_nns().unwrap();
    assert_eq!(Principal::self_authenticating(&key), nns);
    assert_eq!(server.instance().root_key(), None);
}
