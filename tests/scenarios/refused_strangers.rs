//! Nobody but a controller gets anything out of the pair, or into it. `rescue_access` asks the same of rescue.

use candid::Principal;
use pocket_ic::RejectResponse;
use serde_bytes::ByteBuf;
use tests::{World, wasms};
use wire::methods as pair;

fn encode<T: candid::utils::ArgumentEncoder>(args: T) -> Vec<u8> {
    candid::encode_args(args).unwrap()
}

fn blob(bytes: &[u8]) -> ByteBuf {
    ByteBuf::from(bytes.to_vec())
}

/// Every method of the downloader with a well-formed argument.
fn read_calls() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (pair::STABLE_SIZE, encode(())),
        (pair::STABLE_READ, encode((0_u64, 8_u64))),
        (pair::STABLE_SHA256, encode((0_u64, 65_536_u64, 1_u64))),
        (pair::HEAP_SIZE, encode(())),
        (pair::HEAP_READ, encode((0_u64, 0_u64))),
        (pair::HEAP_SHA256, encode((0_u64, 65_536_u64, 0_u64))),
    ]
}

/// Every method the uploader has besides.
fn write_calls() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (pair::STABLE_WRITE, encode((0_u64, blob(b"overwritten")))),
        (
            pair::STABLE_WRITE_COMPRESSED,
            encode((0_u64, blob(b"overwritten"))),
        ),
        (pair::HEAP_WRITE, encode((0_u64, blob(b"overwritten")))),
    ]
}

fn expect_refused(world: &World, canister: Principal, calls: &[(&str, Vec<u8>)], queries: bool) {
    for caller in [world.stranger.principal, Principal::anonymous()] {
        for (method, arg) in calls {
            let refused = |outcome: Result<Vec<u8>, RejectResponse>, how: &str| {
                let rejection = match outcome {
                    Err(rejection) => rejection,
                    Ok(reply) => panic!("{method} answered {caller} as {how}: {reply:?}"),
                };
                assert!(
                    rejection.reject_message.contains("controller"),
                    "{method} as {how}: {}",
                    rejection.reject_message
                );
            };
            refused(
                world.pic.update_call(canister, caller, method, arg.clone()),
                "update",
            );
            if queries {
                refused(
                    world.pic.query_call(canister, caller, method, arg.clone()),
                    "query",
                );
            }
        }
    }
}

#[test]
fn the_downloader_answers_controllers_only() {
    let world = World::new();
    let canister = world.install(wasms::load("downloader"), encode(()));
    expect_refused(&world, canister, &read_calls(), true);
    for (method, arg) in read_calls() {
        if method == pair::STABLE_READ || method == pair::STABLE_SHA256 {
            continue; // a fresh canister has no stable memory to read
        }
        world
            .pic
            .query_call(canister, world.operator.principal, method, arg)
            .unwrap();
    }
}

#[test]
fn the_uploader_obeys_controllers_only() {
    let world = World::new();
    let canister = world.install(wasms::load("uploader"), encode(()));
    let text = b"as it was";
    let args = encode((0_u64, blob(text)));
    world
        .pic
        .update_call(canister, world.operator.principal, pair::STABLE_WRITE, args)
        .unwrap();
    let before = world.stable_memory(canister);
    assert_eq!(&before[..text.len()], text);

    expect_refused(&world, canister, &read_calls(), true);
    expect_refused(&world, canister, &write_calls(), false);
    assert_eq!(world.stable_memory(canister), before);
}
