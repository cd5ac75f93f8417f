//! Killed after any request, the same command again finishes the job.

use crate::{file, ic_rescue_over};
use tests::hoard::{Hoard, Hook, Place};
use tests::kills::Kills;
use tests::tap::Tap;
use tests::{World, wasms};

/// Interrupts `verb` over canisters broken by `hook`, and insists that each ends with what it held and that `judge`
/// holds.
fn finishes_in_spite_of_kills(
    hook: Hook,
    verb: &str,
    more: &[&str],
    judge: impl Fn(&World, Hoard, &str),
) {
    let world = World::new();
    let tap = Tap::start(&world.url());
    let kills = Kills::after_each(&tap);
    let more: Vec<&dyn AsRef<std::ffi::OsStr>> =
        more.iter().map(|text| text as &dyn AsRef<_>).collect();
    let begin = || {
        let hoard = Hoard::broken(&world, hook, Place::heap);
        let before = hoard.holdings(&world);
        let cli = ic_rescue_over(&world, tap.url(), verb, hoard, &more);
        (cli, (hoard, before))
    };
    let requests = kills.each(begin, |(hoard, before), at, _| {
        assert_eq!(hoard.holdings(&world), *before, "{at}");
        judge(&world, *hoard, at);
    });
    assert!(requests > 10, "only {requests} requests");
}

fn hotfix_finishes(more: &[&str]) {
    finishes_in_spite_of_kills(Hook::panics, "hotfix", more, |world, hoard, at| {
        assert_ne!(
            world.module_hash(hoard.canister),
            Some(tests::sha256(&wasms::load("patients/hoard"))),
            "{at}"
        );
    });
}

#[test]
fn a_hotfix_survives_kills() {
    hotfix_finishes(&["--check", "digest"]);
}

#[test]
fn a_hotfix_by_way_of_a_snapshot_survives_kills() {
    hotfix_finishes(&["--check", "digest", "--via-snapshot"]);
}

#[test]
fn growing_survives_kills() {
    let fixed = file("hoard_fixed").display().to_string();
    let more = ["8MiB", "--upgrade", &fixed, "--check", "digest"];
    let is_fixed = |world: &World, hoard: Hoard, at: &str| {
        assert_eq!(hoard.build(world), "fixed", "{at}");
    };
    finishes_in_spite_of_kills(Hook::not_grown, "grow-stable", &more, is_fixed);
}
