//! Killed anywhere, the same command again finishes the job.

use crate::{file, ic_rescue};
use std::process::Stdio;
use std::time::Duration;
use tests::hoard::{Hoard, Hook, Place};
use tests::{World, wasms};

/// Kills the command after ever longer times until it comes to its end by itself.
fn finish_in_spite_of_kills(world: &World, verb: &str, hoard: Hoard, more: &[&str]) {
    const ATTEMPTS_MAX: u32 = 60;
    let more: Vec<&dyn AsRef<std::ffi::OsStr>> =
        more.iter().map(|text| text as &dyn AsRef<_>).collect();
    let words = world.folder.path().join("words.txt");
    for attempt in 1..=ATTEMPTS_MAX {
        let mut child = ic_rescue(world, verb, hoard, &more)
            .command()
            .stderr(Stdio::from(std::fs::File::create(&words).unwrap()))
            .spawn()
            .unwrap();
        // Each attempt gets farther than the one before, whatever a call takes on this machine.
        for _ in 0..attempt * attempt {
            std::thread::sleep(Duration::from_millis(60));
            if let Some(status) = child.try_wait().unwrap() {
                let said = std::fs::read_to_string(&words).unwrap();
                assert!(status.success(), "attempt {attempt}: {status}\n{said}");
                return;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("not finished in {ATTEMPTS_MAX} attempts");
}

#[test]
fn a_hotfix_survives_kills() {
    let world = World::new();
    for more in [
        &["--check", "digest"][..],
        &["--check", "digest", "--via-snapshot"],
    ] {
        let hoard = Hoard::broken(&world, Hook::panics, Place::heap);
        let before = hoard.holdings(&world);
        finish_in_spite_of_kills(&world, "hotfix", hoard, more);
        assert_eq!(hoard.holdings(&world), before);
        assert_ne!(
            world.module_hash(hoard.canister),
            Some(tests::sha256(&wasms::load("patients/hoard")))
        );
    }
}

#[test]
fn growing_survives_kills() {
    let world = World::new();
    let hoard = Hoard::broken(&world, Hook::not_grown, Place::heap);
    let before = hoard.holdings(&world);
    let fixed = file("hoard_fixed").display().to_string();
    let more = ["8MiB", "--upgrade", &fixed, "--check", "digest"];
    finish_in_spite_of_kills(&world, "grow-stable", hoard, &more);
    assert_eq!(hoard.build(&world), "fixed");
    assert_eq!(hoard.holdings(&world), before);
}
