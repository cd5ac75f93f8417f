//! The unmodified `ic-agent`, all its verification on: what the replica answers has to hold.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use candid::Principal;
use common::{Server, counter_module, install_counter};
use ic_agent::identity::{
    AnonymousIdentity, BasicIdentity, DelegatedIdentity, Delegation, Prime256v1Identity,
    Secp256k1Identity, SignedDelegation,
};
use ic_agent::{Agent, AgentError, Identity};
use pocket_ic::PocketIc;
use std::time::Duration;

/// An agent with default settings, which asks for the root key once and then believes nothing else.
async fn agent(pic_url: &str, identity: impl Identity + 'static) -> Agent {
    let agent = Agent::builder()
        .with_url(pic_url)
        .with_identity(identity)
        .build()
        .unwrap();
    agent.fetch_root_key().await.unwrap();
    agent
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Instances of both shapes: a root subnet alone, and an application subnet that the NNS vouches for.
fn live_instances(server: &Server) -> Vec<(PocketIc, Principal, String)> {
    [false, true]
        .into_iter()
        .map(|with_nns| {
            let builder = server.builder().with_application_subnet();
            let builder = if with_nns {
                builder.with_nns_subnet()
            } else {
                builder
            };
            let pic = builder.build();
            let canister = install_counter(&pic);
            let url = pic.auto_progress().to_string();
            (pic, canister, url)
        })
        .collect()
}

#[test]
fn calls_queries_and_state_reads_hold_with_and_without_a_delegation() {
    let server = Server::start();
    for (_pic, canister, url) in live_instances(&server) {
        block_on(async {
            let agent = agent(&url, AnonymousIdentity).await;
            let reply = agent
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap();
            assert_eq!(reply, [1, 0, 0, 0]);
            let reply = agent.query(&canister, "read").call().await.unwrap();
            assert_eq!(reply, [1, 0, 0, 0]);
            let hash = agent
                .read_state_canister_module_hash(canister)
                .await
                .unwrap();
            let expected = <sha2::Sha256 as sha2::Digest>::digest(counter_module()).to_vec();
            assert_eq!(hash, expected);
            let controllers = agent
                .read_state_canister_controllers(canister)
                .await
                .unwrap();
            assert_eq!(controllers, [Principal::anonymous()]);
        });
    }
}

#[test]
fn rejects_reach_the_agent_with_code_and_text() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(1);
    block_on(async {
        let agent = agent(&url, AnonymousIdentity).await;
        match agent
            .update(&canister, "trap")
            .call_and_wait()
            .await
            .unwrap_err()
        {
            AgentError::CertifiedReject { reject, .. } => {
                assert_eq!(reject.error_code.as_deref(), Some("IC0503"));
                assert!(reject.reject_message.contains("on purpose"));
            }
            other => panic!("{other}"),
        }
        match agent.query(&canister, "none").call().await.unwrap_err() {
            AgentError::UncertifiedReject { reject, .. } => {
                assert_eq!(reject.error_code.as_deref(), Some("IC0536"));
            }
            other => panic!("{other}"),
        }
    });
}

#[test]
fn every_kind_of_identity_is_known_by_its_key() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(1);
    let secp256k1 = ic_secp256k1::PrivateKey::deserialize_sec1(&[7; 32]).unwrap();
    let p256 = p256::SecretKey::from_slice(&[8; 32]).unwrap();
    let identities: Vec<Box<dyn Identity>> = vec![
        Box::new(BasicIdentity::from_raw_key(&[6; 32])),
        Box::new(Secp256k1Identity::from_pem(secp256k1.serialize_rfc5915_pem()).unwrap()),
        Box::new(Prime256v1Identity::from_private_key(p256)),
    ];
    block_on(async {
        for (count, identity) in identities.into_iter().enumerate() {
            let agent = agent(&url, identity).await;
            let reply = agent
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap();
            assert_eq!(reply, [count as u8 + 1, 0, 0, 0]);
            agent.query(&canister, "read").call().await.unwrap();
        }
    });
}

/// A delegation from `from` to `to`, signed by `signer`.
fn delegated(
    from: &BasicIdentity,
    signer: &BasicIdentity,
    targets: Option<Vec<Principal>>,
) -> DelegatedIdentity {
    let session = BasicIdentity::from_raw_key(&[99; 32]);
    let delegation = Delegation {
        pubkey: session.public_key().unwrap(),
        expiration: u64::MAX,
        targets,
        permissions: None,
    };
    let signature = signer
        .sign_delegation(&delegation)
        .unwrap()
        .signature
        .unwrap();
    let chain = vec![SignedDelegation {
        delegation,
        signature,
    }];
    DelegatedIdentity::new_unchecked(from.public_key().unwrap(), Box::new(session), chain)
}

#[test]
fn a_delegation_speaks_for_its_owner_and_a_strangers_does_not() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(1);
    let (owner, stranger) = (
        BasicIdentity::from_raw_key(&[1; 32]),
        BasicIdentity::from_raw_key(&[2; 32]),
    );
    block_on(async {
        let own = agent(&url, delegated(&owner, &owner, None)).await;
        assert_eq!(
            own.update(&canister, "inc").call_and_wait().await.unwrap(),
            [1, 0, 0, 0]
        );
        let targeted = agent(&url, delegated(&owner, &owner, Some(vec![canister]))).await;
        assert_eq!(
            targeted
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap(),
            [2, 0, 0, 0]
        );

        for refused in [
            delegated(&owner, &stranger, None),
            delegated(&owner, &owner, Some(vec![Principal::management_canister()])),
        ] {
            let agent = agent(&url, refused).await;
            let error = agent
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap_err();
            assert!(
                matches!(&error, AgentError::HttpError(payload) if payload.status == 400),
                "{error}"
            );
            let error = agent.query(&canister, "read").call().await.unwrap_err();
            assert!(
                matches!(&error, AgentError::HttpError(payload) if payload.status == 400),
                "{error}"
            );
        }
        assert_eq!(
            own.query(&canister, "read").call().await.unwrap(),
            [2, 0, 0, 0]
        );
    });
}

#[test]
fn the_status_of_a_request_is_for_its_sender() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(1);
    block_on(async {
        let owner = agent(&url, BasicIdentity::from_raw_key(&[1; 32])).await;
        let signed = owner.update(&canister, "inc").sign().unwrap();
        owner
            .update_signed(canister, signed.signed_update)
            .await
            .unwrap();
        let (status, _) = owner
            .request_status_raw(&signed.request_id, canister)
            .await
            .unwrap();
        assert!(format!("{status:?}").contains("Replied"), "{status:?}");
        let stranger = agent(&url, BasicIdentity::from_raw_key(&[2; 32])).await;
        let error = stranger
            .request_status_raw(&signed.request_id, canister)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, AgentError::HttpError(payload) if payload.status == 403),
            "{error}"
        );
    });
}

#[test]
fn a_request_executes_once_however_often_it_is_sent() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(0);
    block_on(async {
        let agent = agent(&url, BasicIdentity::from_raw_key(&[1; 32])).await;
        let signed = agent.update(&canister, "inc").sign().unwrap();
        for _ in 0..3 {
            agent
                .update_signed(canister, signed.signed_update.clone())
                .await
                .unwrap();
        }
        assert_eq!(
            agent.query(&canister, "read").call().await.unwrap(),
            [1, 0, 0, 0]
        );
    });
}

#[test]
fn an_expired_request_is_refused() {
    let server = Server::start();
    let (_pic, canister, url) = live_instances(&server).remove(0);
    block_on(async {
        let agent = agent(&url, AnonymousIdentity).await;
        let past = std::time::SystemTime::now() - Duration::from_secs(60);
        let request = agent.update(&canister, "inc").expire_at(past);
        let error = request.call_and_wait().await.unwrap_err();
        assert!(error.to_string().contains("ingress_expiry"), "{error}");
    });
}

#[test]
fn the_data_certificate_of_a_query_is_the_networks() {
    let server = Server::start();
    for (_pic, canister, url) in live_instances(&server) {
        block_on(async {
            let agent = agent(&url, AnonymousIdentity).await;
            agent
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap();
            let certificate = agent.query(&canister, "certificate").call().await.unwrap();
            let certificate: ic_agent::Certificate = serde_cbor::from_slice(&certificate).unwrap();
            agent.verify(&certificate, canister).unwrap();
            let path: [&[u8]; 3] = [b"canister", canister.as_slice(), b"certified_data"];
            let data = ic_agent::lookup_value(&certificate, path).unwrap();
            assert_eq!(data, [1, 0, 0, 0]);
        });
    }
}

#[test]
fn a_gateway_serves_the_interface_at_its_root() {
    let server = Server::start();
    let mut pic = server
        .builder()
        .with_nns_subnet()
        .with_application_subnet()
        .build();
    let canister = install_counter(&pic);
    let url = pic.make_live(None);
    block_on(async {
        let agent = agent(url.as_str(), AnonymousIdentity).await;
        assert_eq!(
            agent
                .update(&canister, "inc")
                .call_and_wait()
                .await
                .unwrap(),
            [1, 0, 0, 0]
        );
    });
    pic.stop_live();
}
