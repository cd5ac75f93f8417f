//! Executions longer than a round: they are sliced, hold up their own canister and nobody else,
//! and weigh on the rate limit of installations.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

#[path = "common/in_process.rs"]
#[allow(dead_code, reason = "a whole driver, of which this test uses its part")]
mod in_process;

use candid::{Decode, Encode, Nat, Principal};
use ic_management_canister_types as types;
use in_process::World;
use replica::core::api::{CallError, EffectivePrincipal, ErrorCode};
use replica::core::rules::Rules;

/// Fills 1 MiB as often as the argument's first byte says, times 1,000: 1.05 billion instructions
/// each; the hook does the same with what is in the heap at 8.
const BUSY: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
    (import "ic0" "msg_arg_data_size" (func $size (result i32)))
    (memory 20)
    (func $burn (param $turns i32)
        (loop $next
            (if (local.get $turns) (then
                (memory.fill (i32.const 65536) (i32.const 7) (i32.const 1048576))
                (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
                (br $next)))))
    (func $read
        (call $arg (i32.const 0) (i32.const 0) (call $size)))
    (func (export "canister_update busy")
        (call $read)
        (call $burn (i32.mul (i32.load8_u (i32.const 0)) (i32.const 1000)))
        (call $reply))
    (func (export "canister_update arm")
        (call $read)
        (i32.store8 (i32.const 8) (i32.load8_u (i32.const 0)))
        (call $reply))
    (func (export "canister_pre_upgrade")
        (call $burn (i32.mul (i32.load8_u (i32.const 8)) (i32.const 1000)))))"#;

fn create(world: &mut World) -> Principal {
    let arg = Encode!(&types::ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(Nat::from(1_000_000_000_000_000u64)),
        ..Default::default()
    })
    .unwrap();
    let reply = world
        .update(
            Principal::anonymous(),
            Principal::management_canister(),
            EffectivePrincipal::None,
            "provisional_create_canister_with_cycles",
            arg,
        )
        .unwrap();
    Decode!(&reply, types::CanisterIdRecord)
        .unwrap()
        .canister_id
}

fn install(
    world: &mut World,
    canister: Principal,
    mode: types::CanisterInstallMode,
) -> Result<Vec<u8>, CallError> {
    let arg = Encode!(&types::InstallCodeArgs {
        mode,
        canister_id: canister,
        wasm_module: wat::parse_str(BUSY).unwrap(),
        arg: Vec::new(),
        sender_canister_version: None,
    })
    .unwrap();
    world.manage(Principal::anonymous(), canister, "install_code", arg)
}

fn busy_canister(world: &mut World) -> Principal {
    let canister = create(world);
    install(world, canister, types::CanisterInstallMode::Install).unwrap();
    canister
}

fn submit(world: &mut World, canister: Principal, method: &str, turns: u8) -> [u8; 32] {
    world
        .submit(
            Principal::anonymous(),
            canister,
            EffectivePrincipal::None,
            method,
            vec![turns],
        )
        .unwrap()
}

#[test]
fn a_long_update_takes_one_round_per_two_billion_instructions() {
    let mut world = World::new(Rules::default());
    let canister = busy_canister(&mut world);
    let other = busy_canister(&mut world);
    let long = submit(&mut world, canister, "busy", 5);
    let queued = submit(&mut world, canister, "busy", 0);
    let short = submit(&mut world, other, "busy", 0);
    world.instance.round();
    assert!(world.status(&short).is_some(), "others go on");
    world.instance.round();
    assert!(world.status(&long).is_none());
    world.instance.round();
    assert!(
        world.status(&long).is_some(),
        "5.2 billion are three slices"
    );
    world.instance.round();
    assert!(world.status(&queued).is_some(), "then the canister goes on");
}

#[test]
fn management_calls_wait_for_a_long_update() {
    let mut world = World::new(Rules::default());
    let canister = busy_canister(&mut world);
    let long = submit(&mut world, canister, "busy", 5);
    world.instance.round();
    let arg = Encode!(&types::CanisterIdRecord {
        canister_id: canister
    })
    .unwrap();
    let status = world
        .submit(
            Principal::anonymous(),
            Principal::management_canister(),
            EffectivePrincipal::Canister(canister),
            "canister_status",
            arg,
        )
        .unwrap();
    world.instance.round();
    assert!(world.status(&status).is_none());
    world.wait(&long).unwrap();
    world.wait(&status).unwrap();
}

#[test]
fn an_installation_weighs_on_the_next_until_its_instructions_are_worked_off() {
    let mut world = World::new(Rules::default());
    let canister = busy_canister(&mut world);
    let armed = submit(&mut world, canister, "arm", 9);
    world.wait(&armed).unwrap();
    install(
        &mut world,
        canister,
        types::CanisterInstallMode::Upgrade(None),
    )
    .unwrap();
    let skip = types::CanisterInstallMode::Upgrade(Some(types::UpgradeFlags {
        skip_pre_upgrade: Some(true),
        wasm_memory_persistence: None,
    }));
    let Err(CallError::Rejected(reject)) = install(&mut world, canister, skip) else {
        panic!("installed at once");
    };
    assert_eq!(reject.error_code, ErrorCode::CanisterInstallCodeRateLimited);
    for _ in 0..5 {
        world.instance.round();
    }
    install(&mut world, canister, skip).unwrap();
}
