//! What `hotfix` does not do, and what would have happened.

use crate::{file, ic_rescue};
use tests::cli::Cli;
use tests::hoard::{Hoard, Hook, Place};
use tests::{World, sha256, wasms};

#[test]
fn a_rebuilt_module_is_refused_and_would_have_broken_the_canister() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    let before = hoard.holdings(&world);
    let deployed = Some(sha256(&wasms::load("patients/hoard")));
    let rebuilt = file("hoard_rebuilt");

    // Refused before anything is touched: no stop, no snapshot.
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--module", &rebuilt]).fail();
    assert!(said.contains("is not the module it runs"), "{said}");
    assert_eq!(world.module_hash(hoard.canister), deployed);
    assert_eq!(hoard.holdings(&world), before);

    // What would have happened: forced, it cannot even answer, and the way back is taken by itself.
    let reason = "to see what happens";
    let said = ic_rescue(
        &world,
        "hotfix",
        hoard,
        &[
            &"--module",
            &rebuilt,
            &"--although-different",
            &reason,
            &"--check",
            &"digest",
            &"--check",
            &"apply=(11)",
        ],
    )
    .fail();
    assert!(said.contains("differs"), "the layouts are compared: {said}");
    assert!(said.contains("in another way than before"), "{said}");
    assert_eq!(world.module_hash(hoard.canister), deployed);
    assert_eq!(hoard.holdings(&world), before, "nothing is lost");
    let logbook = std::fs::read_to_string(crate::logbook(&world, hoard)).unwrap();
    assert!(
        logbook.contains(reason) && logbook.contains("rolled_back"),
        "{logbook}"
    );

    // Now that a snapshot holds the deployed bytes, the refusal tells the layouts, too.
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--module", &rebuilt]).fail();
    assert!(said.contains("it has another layout"), "{said}");
}

#[test]
fn an_answer_that_changes_takes_the_canister_back() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    let before = hoard.holdings(&world);
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--check", &"version"]).fail();
    assert!(said.contains("is what it was"), "{said}");
    assert_eq!(
        world.module_hash(hoard.canister),
        Some(sha256(&wasms::load("patients/hoard")))
    );
    assert_eq!(hoard.holdings(&world), before);
}

#[test]
fn checks_that_cannot_be_asked_are_named_before_anything_is_touched() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    for (check, words) in [
        ("no_such_method", "the canister has no method"),
        ("apply=(", "is not understood"),
        ("put=(vec {})", "is rejected before anything was changed"),
    ] {
        let said = ic_rescue(&world, "hotfix", hoard, &[&"--check", &check]).fail();
        assert!(said.contains(words), "{said}");
    }
    let operator = Some(world.operator.principal);
    world.pic.stop_canister(hoard.canister, operator).unwrap();
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--check", &"digest"]).fail();
    assert!(said.contains("start it first"), "{said}");
    assert_eq!(
        world.module_hash(hoard.canister),
        Some(sha256(&wasms::load("patients/hoard")))
    );
}

#[test]
fn a_stranger_changes_nothing() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    let before = hoard.holdings(&world);
    let stranger = &world.stranger.pem_file;
    let (canister, url) = (hoard.canister.to_text(), world.url());
    let said = Cli::offline(&[
        &"hotfix",
        &canister,
        &"--network",
        &url,
        &"--identity",
        stranger,
    ])
    .fail();
    assert!(said.contains("controller"), "{said}");
    assert_eq!(hoard.holdings(&world), before);
}

#[test]
fn a_heap_above_its_limit_is_told_before_it_is_touched() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
    let settings = pocket_ic::CanisterSettings {
        wasm_memory_limit: Some(70_000_u64.into()),
        ..Default::default()
    };
    let operator = Some(world.operator.principal);
    world
        .pic
        .update_canister_settings(hoard.canister, operator, settings)
        .unwrap();
    for (verb, more) in [("hotfix", None), ("grow-stable", Some("1MiB"))] {
        let more: Vec<&dyn AsRef<std::ffi::OsStr>> =
            more.iter().map(|text| text as &dyn AsRef<_>).collect();
        let said = ic_rescue(&world, verb, hoard, &more).fail();
        assert!(said.contains("wasm_memory_limit of 70000"), "{said}");
    }
}
