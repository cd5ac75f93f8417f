//! Nobody but a controller gets anything out of the three canisters, or into them.

use candid::{CandidType, Principal};
use pocket_ic::RejectResponse;
use rescue_api::{
    AcceptArgs, AttestArgs, ChecksumArgs, CloseArgs, DeclareArgs, FinalModule, HeapChoice,
    InstallArgs, Memory, ModuleChunkArgs, OpenCaseArgs, Pair, Plan, RollbackArgs, SnapshotPolicy,
    SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
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

/// Every update of rescue that changes something, with a well-formed argument about case 1.
fn rescue_updates(patient: Principal) -> Vec<(&'static str, Vec<u8>)> {
    let case = 1_u64;
    let hash = blob(&[0; 32]);
    vec![
        (
            methods::OPEN_CASE,
            encode((OpenCaseArgs {
                patient,
                final_module_hash: None,
                snapshot: SnapshotPolicy::Take,
                plan: Plan {
                    heap: HeapChoice::Keep,
                    restore: false,
                },
            },)),
        ),
        (methods::STOP, encode((case,))),
        (methods::SNAPSHOT, encode((case,))),
        (
            methods::SWAP_IN,
            encode((SwapArgs {
                case,
                module: Pair::Downloader,
                memories: SwapMemories::Keep,
                while_stopping: false,
            },)),
        ),
        (methods::START, encode((case,))),
        (
            methods::CHECKSUM,
            encode((ChecksumArgs {
                case,
                memory: Memory::Stable,
                restart: false,
                batches_max: None,
            },)),
        ),
        (
            methods::ATTEST,
            encode((AttestArgs {
                case,
                memory: Memory::Stable,
                restart: false,
                batches_max: None,
            },)),
        ),
        (
            methods::DECLARE,
            encode((DeclareArgs {
                case,
                final_module_hash: hash,
            },)),
        ),
        (
            methods::PUT_MODULE_CHUNK,
            encode((ModuleChunkArgs {
                case,
                index: 0,
                data: blob(b"module"),
            },)),
        ),
        (methods::CLEAR_MODULE, encode((case,))),
        (
            methods::INSTALL,
            encode((InstallArgs {
                case,
                module: FinalModule::Staged,
                heap: HeapChoice::Keep,
                arg: blob(&[]),
                although_unattested: false,
            },)),
        ),
        (
            methods::ROLLBACK,
            encode((RollbackArgs {
                case,
                discard_newer_state: true,
            },)),
        ),
        (methods::SETTLE, encode((case,))),
        (
            methods::ACCEPT,
            encode((AcceptArgs {
                case,
                total_num_changes: 0,
            },)),
        ),
        (methods::ADVANCE, encode((case,))),
        (
            methods::CLOSE,
            encode((CloseArgs {
                case,
                leave_as_is: true,
                delete_snapshot: false,
            },)),
        ),
        (methods::FORGET, encode((case,))),
        (methods::SET_AUDITORS, encode((Vec::<Principal>::new(),))),
    ]
}

/// Every query of rescue that shows a case.
fn rescue_queries() -> Vec<(&'static str, Vec<u8>)> {
    let case = 1_u64;
    vec![
        (methods::GET_CASE, encode((case,))),
        (methods::LIST_CASES, encode((1_u64, 10_u32))),
        (
            methods::CHECKSUMS,
            encode((case, Memory::Stable, 0_u64, 1_u64)),
        ),
        (methods::JOURNAL, encode((case, 0_u64, 10_u32))),
        (methods::AUDITORS, encode(())),
    ]
}

/// The refusal inside an answer, whatever its success type: `variant { Err : … }` with nothing expected
/// of the other case.
#[derive(CandidType, serde::Deserialize, Debug)]
enum Refused {
    Ok(candid::Reserved),
    Err(rescue_api::Refusal),
}

#[test]
fn rescue_obeys_its_controllers_only() {
    let world = World::new();
    let ledger = Ledger::bricked(
        &world,
        &varied_entries(4, 20_000),
        "patients/ledger_hook_panics",
    );
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let open = OpenCaseArgs {
        patient: ledger.canister,
        final_module_hash: None,
        snapshot: SnapshotPolicy::Take,
        plan: Plan {
            heap: HeapChoice::Keep,
            restore: false,
        },
    };
    let before = rescue.open(&world, open);
    assert_eq!(before.case, 1);

    // Refused before they cost anything (inspect_message), or by the method itself.
    let patient_before = world.status(ledger.canister);
    for caller in [world.stranger.principal, Principal::anonymous()] {
        for (method, arg) in rescue_updates(ledger.canister) {
            match world.pic.update_call(rescue.canister, caller, method, arg) {
                Err(_) => {}
                Ok(reply) => expect_refusal(method, &reply),
            }
        }
        for (method, arg) in rescue_queries() {
            let reply = world
                .pic
                .query_call(rescue.canister, caller, method, arg)
                .unwrap();
            expect_refusal(method, &reply);
        }
    }
    assert_eq!(rescue.case(&world, before.case), before);
    let patient_after = world.status(ledger.canister);
    assert_eq!(patient_after.module_hash, patient_before.module_hash);
    assert_eq!(patient_after.status, patient_before.status);
}

fn expect_refusal(method: &str, reply: &[u8]) {
    match candid::decode_one(reply).unwrap() {
        Refused::Err(
            rescue_api::Refusal::NotController { .. } | rescue_api::Refusal::NotAuditor { .. },
        ) => {}
        other => panic!("{method}: {other:?}"),
    }
}
