//! A hook that writes behind the end of stable memory: it is grown from outside, and the hook does its work.

use crate::{file, ic_rescue};
use ic_management_canister_types::WasmMemoryPersistence;
use tests::hoard::{Hoard, Hook, Place};
use tests::{World, sha256, wasms};

fn grow_and_upgrade(place: Place) {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::not_grown, place);
    // What the hook writes is more than what is left of the last page.
    let numbers: Vec<u64> = (0..40_000).collect();
    hoard.import(&world, &[], &numbers, &[]);
    let before = hoard.holdings(&world);
    let refusal = hoard.upgrade_to_fixed(&world).unwrap_err();
    assert!(
        refusal
            .reject_message
            .contains("stable memory out of bounds"),
        "{}",
        refusal.reject_message
    );

    let fixed = file("hoard_fixed");
    // Too little: the hook traps again, and the canister goes on with what it has.
    let little = (world.stable_memory(hoard.canister).len() + 65_536).to_string();
    let said = ic_rescue(
        &world,
        "grow-stable",
        hoard,
        &[&little, &"--upgrade", &fixed],
    )
    .fail();
    assert!(said.contains("give a larger size"), "{said}");
    assert_eq!(hoard.build(&world), "first");
    assert_eq!(hoard.holdings(&world), before);

    let checks = ["--check", "digest", "--check", "apply=(11)"];
    let [a, b, c, d] = checks;
    ic_rescue(
        &world,
        "grow-stable",
        hoard,
        &[&"8MiB", &"--upgrade", &fixed, &a, &b, &c, &d],
    )
    .succeed();
    assert_eq!(hoard.build(&world), "fixed");
    assert_eq!(hoard.holdings(&world), before);
    assert_eq!(
        world.module_hash(hoard.canister),
        Some(sha256(&wasms::load("patients/hoard_fixed")))
    );
    // It is a living canister again: it takes data and upgrades.
    hoard.fill(&world, 9);
    let richer = hoard.holdings(&world);
    hoard.upgrade_to_fixed(&world).unwrap();
    assert_eq!(hoard.holdings(&world), richer);
}

#[test]
fn a_hook_short_of_stable_memory_saves_a_heap() {
    grow_and_upgrade(Place::heap);
}

#[test]
fn a_hook_short_of_stable_memory_writes_its_roots() {
    grow_and_upgrade(Place::blocks);
}

#[test]
fn a_grown_canister_waits_for_an_upgrade_by_any_tool() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::not_grown, Place::heap);
    let before = hoard.holdings(&world);
    let planned = ic_rescue(&world, "grow-stable", hoard, &[&"8MiB", &"--dry-run"]).succeed();
    assert!(
        planned.contains("would grow stable memory to 8.0 MiB"),
        "{planned}"
    );
    ic_rescue(
        &world,
        "grow-stable",
        hoard,
        &[&"8MiB", &"--check", &"digest"],
    )
    .succeed();
    assert_eq!(hoard.holdings(&world), before);
    assert_eq!(world.stable_memory(hoard.canister).len(), 8 << 20);
    hoard.upgrade_to_fixed(&world).unwrap_err(); // it must be said what becomes of the heap
    let fixed = wasms::load("patients/hoard_fixed");
    let replace = WasmMemoryPersistence::Replace;
    world
        .upgrade_with(hoard.canister, fixed, false, replace)
        .unwrap();
    assert_eq!(hoard.holdings(&world), before);
}

#[test]
fn stable_memory_that_is_large_enough_is_not_the_trouble() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::blocks);
    let before = hoard.holdings(&world);
    let said = ic_rescue(&world, "grow-stable", hoard, &[&"1KiB"]).succeed();
    assert!(said.contains("it is not its size"), "{said}");
    assert_eq!(hoard.holdings(&world), before);
    let said = ic_rescue(&world, "grow-stable", hoard, &[&"501GiB"]).fail();
    assert!(said.contains("more than the"), "{said}");
}
