//! Hooks that nothing on chain can run: the hot patch keeps the canister alive over its heap, without the hook;
//! its records then move through its own methods into the fixed build.

use crate::{file, ic_rescue};
use ic_management_canister_types::WasmMemoryPersistence;
use pocket_ic::CanisterSettings;
use tests::hoard::{Hoard, Hook, Place};
use tests::{World, sha256, wasms};

const CHECKS: [&str; 6] = [
    "--check",
    "digest",
    "--check",
    "apply=(11)",
    "--check",
    "notes=(null, 20)",
];

/// From the brick, which complains as `complaint` says, to the fixed build with every record equal.
fn live_on(world: &World, hoard: Hoard, complaint: &str) {
    let before = hoard.holdings(world);
    assert!(before.notes.len() > 200);
    let refusal = hoard.upgrade_to_fixed(world).unwrap_err();
    assert!(
        refusal.reject_message.contains(complaint),
        "{}",
        refusal.reject_message
    );
    assert_eq!(hoard.holdings(world), before);

    let deployed = file("hoard");
    let [a, b, c, d, e, f] = CHECKS;
    let said = ic_rescue(
        world,
        "hotfix",
        hoard,
        &[&"--module", &deployed, &a, &b, &c, &d, &e, &f],
    )
    .succeed();
    assert!(said.contains("3 checks are answered as before"), "{said}");
    assert_eq!(hoard.holdings(world), before);
    assert_eq!(hoard.build(world), "first");

    // It is alive: it takes data, and closures go on working.
    hoard.fill(world, 8);
    let richer = hoard.holdings(world);
    assert!(richer.notes.len() > before.notes.len());

    // No hook stands in the way any more; the records go through the canister's own methods.
    world
        .upgrade_with(
            hoard.canister,
            wasms::load("patients/hoard_fixed"),
            false,
            WasmMemoryPersistence::Replace,
        )
        .unwrap();
    assert_eq!(hoard.build(world), "fixed");
    hoard.import(world, &richer.notes, &richer.numbers, &richer.rules);
    assert_eq!(hoard.holdings(world), richer);
    hoard.upgrade_to_fixed(world).unwrap();
    assert_eq!(hoard.holdings(world), richer);
}

#[test]
fn a_patient_whose_hook_panics_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    live_on(&world, hoard, "the scratch buffer is too small");
}

#[test]
fn a_patient_whose_hook_exceeds_the_instruction_limit_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::exhausts, Place::heap);
    live_on(&world, hoard, "instructions for single message execution");
}

#[test]
fn a_patient_whose_hook_makes_a_call_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::forbidden, Place::heap);
    live_on(&world, hoard, "pre upgrade mode");
}

#[test]
fn a_patient_with_more_stable_memory_than_32_bits_reach_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::narrow, Place::heap);
    let pages: u64 = world
        .update(
            hoard.canister,
            world.operator.principal,
            "reserve_stable",
            (65_537_u64,),
        )
        .unwrap();
    assert_eq!(pages, 65_537);
    live_on(
        &world,
        hoard,
        "32 bit stable memory api used on a memory larger than 4GB",
    );
}

#[test]
fn a_patient_with_a_heap_too_full_to_serialise_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::out_of_memory, Place::heap);
    let operator = world.operator.principal;
    let settings = CanisterSettings {
        wasm_memory_limit: Some(0_u64.into()),
        ..CanisterSettings::default()
    };
    world
        .pic
        .update_canister_settings(hoard.canister, Some(operator), settings)
        .unwrap();
    for bytes in [1_800_000_000_u64, 1_700_000_000] {
        let () = pocket_ic::update_candid_as(
            &world.pic,
            hoard.canister,
            operator,
            "reserve_heap",
            (bytes,),
        )
        .unwrap();
    }
    live_on(&world, hoard, "trap");
}

#[test]
fn a_patient_whose_roots_only_the_hook_writes_lives_on() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::blocks);
    live_on(&world, hoard, "the scratch buffer is too small");
}

#[test]
fn a_gzipped_module_is_recognised_by_the_hash_of_its_gzip() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let world = World::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&wasms::load("patients/hoard")).unwrap();
    let packed = encoder.finish().unwrap();
    let hoard = Hoard::filled(&world, Hook::panics, Place::heap, packed.clone());
    let before = hoard.holdings(&world);
    // The plain file has another hash than the one deployed: said, and nothing done.
    let plain = file("hoard");
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--module", &plain]).fail();
    assert!(said.contains("is not the module it runs"), "{said}");
    assert_eq!(world.module_hash(hoard.canister), Some(sha256(&packed)));
    let file = world.folder.path().join("deployed.wasm.gz");
    std::fs::write(&file, &packed).unwrap();
    ic_rescue(
        &world,
        "hotfix",
        hoard,
        &[&"--module", &file, &"--check", &"digest"],
    )
    .succeed();
    assert_eq!(hoard.holdings(&world), before);
}

#[test]
fn the_deployed_bytes_are_found_in_the_snapshot() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    let before = hoard.holdings(&world);
    let planned = ic_rescue(&world, "hotfix", hoard, &[&"--dry-run"]).succeed();
    assert!(
        planned.contains("would patch the deployed module"),
        "{planned}"
    );
    ic_rescue(&world, "hotfix", hoard, &[&"--check", &"digest"]).succeed();
    assert_eq!(hoard.holdings(&world), before);
    // Once more: there is nothing left to do, and it goes on running.
    let said = ic_rescue(&world, "hotfix", hoard, &[]).succeed();
    assert!(said.contains("nothing to patch"), "{said}");
    assert_eq!(
        format!("{:?}", world.status(hoard.canister).status),
        "Running"
    );
    assert_eq!(hoard.holdings(&world), before);
}

/// A module whose global and timer are part of its state.
fn clock() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "global_timer_set" (func $timer (param i64) (result i64)))
            (memory 1)
            (global $count (mut i32) (i32.const 0))
            (func (export "canister_pre_upgrade") unreachable)
            (func (export "canister_post_upgrade") (global.set $count (i32.const 0)))
            (func (export "canister_global_timer"))
            (func (export "canister_update tick")
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (i32.store (i32.const 100) (global.get $count))
                (call $reply))
            (func (export "canister_update arm")
                (drop (call $timer (i64.const 9000000000000000000))) (call $reply))
            (func (export "canister_query read")
                (i32.store (i32.const 0) (global.get $count))
                (call $append (i32.const 0) (i32.const 4))
                (call $append (i32.const 100) (i32.const 4))
                (call $reply)))"#,
    )
    .unwrap()
}

#[test]
fn globals_and_timers_survive_by_way_of_a_snapshot_and_are_not_lost_without() {
    let world = World::new();
    let operator = world.operator.principal;
    let call = |canister, method: &str| {
        world
            .pic
            .update_call(canister, operator, method, vec![])
            .unwrap()
    };
    let read = |canister| {
        world
            .pic
            .query_call(canister, operator, "read", vec![])
            .unwrap()
    };
    for (first, reason) in [
        ("tick", "global 0 is 3"),
        ("arm", "its global timer is set"),
    ] {
        let hoard = Hoard {
            canister: world.install(clock(), vec![]),
        };
        for _ in 0..3 {
            call(hoard.canister, first);
        }
        let before = read(hoard.canister);
        let deployed = world.module_hash(hoard.canister);
        let said = ic_rescue(&world, "hotfix", hoard, &[]).fail();
        assert!(
            said.contains(reason) && said.contains("--via-snapshot"),
            "{said}"
        );
        assert_eq!(
            world.module_hash(hoard.canister),
            deployed,
            "left as it was"
        );
        assert_eq!(read(hoard.canister), before, "and running");

        ic_rescue(
            &world,
            "hotfix",
            hoard,
            &[&"--via-snapshot", &"--check", &"read"],
        )
        .succeed();
        assert_ne!(world.module_hash(hoard.canister), deployed);
        assert_eq!(read(hoard.canister), before);
        call(hoard.canister, "tick");
        assert_ne!(read(hoard.canister), before);
    }
}

#[test]
fn a_rust_canister_lives_on_by_way_of_a_snapshot() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::blocks);
    let before = hoard.holdings(&world);
    ic_rescue(
        &world,
        "hotfix",
        hoard,
        &[&"--via-snapshot", &"--check", &"digest"],
    )
    .succeed();
    assert_eq!(hoard.holdings(&world), before);
    hoard.fill(&world, 9);
    assert!(hoard.holdings(&world).notes.len() > before.notes.len());
}
