//! The examples in the help are commands that work: each is run as it stands, on a canister that is in the trouble
//! the verb is for, with its ids in place of those of the example. What the verbs say is held by snapshots.

mod desk;

use clap::{Command, CommandFactory};
use desk::Desk;
use ic_rescue::args::Args;
use std::collections::BTreeSet;
use std::fs;
use tests::hoard::{Hoard, Hook, Place};
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, sha256, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";
const LEDGER_FILES: [(&str, &str); 2] = [
    ("fixed.wasm", "patients/ledger_fixed"),
    ("deployed.wasm", BROKEN),
];
const HOARD_FILES: [(&str, &str); 2] = [
    ("fixed.wasm", "patients/hoard_fixed"),
    ("deployed.wasm", "patients/hoard"),
];

/// The verbs whose examples each test runs.
const RESCUING: [&str; 18] = [
    "attest",
    "backup",
    "close",
    "completions",
    "diagnose",
    "diff",
    "install",
    "man",
    "plan",
    "restore",
    "snapshot",
    "snapshot create",
    "snapshot delete",
    "snapshot download",
    "snapshot list",
    "snapshot restore",
    "snapshot upload",
    "status",
];
const REPAIRING: [&str; 2] = ["rollback", "verify"];
const HEALING: [&str; 8] = [
    "call",
    "grow-stable",
    "heal",
    "hotfix",
    "layout",
    "patch",
    "rehearse",
    "run",
];
const STAGING: [&str; 2] = ["network", "network start"];

#[test]
fn every_verb_has_an_example_that_is_run() {
    let run: BTreeSet<String> = [&RESCUING[..], &REPAIRING, &HEALING, &STAGING]
        .concat()
        .into_iter()
        .map(str::to_string)
        .collect();
    let mut verbs = BTreeSet::new();
    collect(&Args::command(), "", &mut verbs);
    assert_eq!(run, verbs);
}

/// Every verb, and every verb below one, as it is typed.
fn collect(command: &Command, above: &str, found: &mut BTreeSet<String>) {
    for verb in command.get_subcommands() {
        let name = format!("{above}{}", verb.get_name());
        collect(verb, &format!("{name} "), found);
        found.insert(name);
    }
}

/// Runs the examples of a verb and holds what they say.
fn hold(desk: &Desk, verb: &str) {
    insta::assert_snapshot!(verb.replace([' ', '-'], "_"), desk.examples(verb));
}

#[test]
fn the_examples_in_the_help_rescue_a_canister() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(71, 1_200_000), BROKEN);
    let record = ledger.record(&world);
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let desk = Desk::new(&world, ledger.canister, rescue, &LEDGER_FILES);
    world
        .upgrade(ledger.canister, wasms::load("patients/ledger_fixed"))
        .unwrap_err();

    hold(&desk, "diagnose");
    hold(&desk, "plan");
    hold(&desk, "backup");
    for copy in ["backup-monday", "backup-tuesday"] {
        desk.copy("backup", copy);
    }
    hold(&desk, "diff");
    hold(&desk, "attest");
    // The journal names times and instructions; the case itself is what is held.
    let status = desk.examples("status");
    let case: String = status.split_inclusive('\n').take(6).collect();
    insta::assert_snapshot!("status", case);
    hold(&desk, "restore");
    hold(&desk, "install");
    assert_eq!(ledger.record(&world), record);
    hold(&desk, "close");

    hold(&desk, "snapshot create");
    fs::remove_dir_all(desk.folder().join("backup")).unwrap();
    for verb in ["list", "download", "upload", "restore", "delete"] {
        hold(&desk, &format!("snapshot {verb}"));
    }
    hold(&desk, "snapshot");
    assert_eq!(ledger.record(&world), record);
    // Long texts, held by what they name: see the tests of the program.
    for verb in ["completions", "man"] {
        assert!(desk.examples(verb).lines().count() > 20, "{verb}");
    }
    desk.assert_ran(&RESCUING);
}

#[test]
fn the_example_of_rollback_gives_the_canister_back() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(72, 600_000), BROKEN);
    let (record, module) = (ledger.record(&world), world.module_hash(ledger.canister));
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let desk = Desk::new(&world, ledger.canister, rescue, &LEDGER_FILES);
    desk.prepare("backup");
    desk.copy("backup", "copy-of-backup");
    hold(&desk, "verify");
    hold(&desk, "rollback");
    assert_eq!(world.module_hash(ledger.canister), module);
    assert_eq!(ledger.record(&world), record);
    desk.assert_ran(&REPAIRING);
}

#[test]
fn the_examples_in_the_help_heal_canisters_whose_state_is_in_the_heap() {
    let world = World::new();
    let hoards = [(); 3].map(|()| Hoard::broken(&world, Hook::not_grown, Place::heap));
    let [first, second, third] = hoards;
    let record = first.holdings(&world);
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, first.canister);
    let mut desk = Desk::new(&world, first.canister, rescue, &HOARD_FILES);

    hold(&desk, "patch");
    hold(&desk, "layout");
    hold(&desk, "heal");
    assert_eq!(first.build(&world), "fixed");
    desk.copy("healing/before", "backup");
    hold(&desk, "call");
    hold(&desk, "run");
    hold(&desk, "rehearse");

    desk.turn_to(second.canister);
    hold(&desk, "hotfix");
    let patched = fs::read(desk.folder().join("patched.wasm")).unwrap();
    assert_eq!(world.module_hash(second.canister), Some(sha256(&patched)));
    desk.turn_to(third.canister);
    hold(&desk, "grow-stable");
    let fixed = wasms::load("patients/hoard_fixed");
    assert_eq!(world.module_hash(third.canister), Some(sha256(&fixed)));
    for hoard in hoards {
        assert_eq!(hoard.holdings(&world), record);
    }
    desk.assert_ran(&HEALING);
}

#[test]
fn the_examples_of_network_start_one() {
    let world = World::new();
    let canister = world.create_canister();
    let desk = Desk::new(&world, canister, Rescue { canister }, &[]);
    for verb in STAGING {
        let name = verb.replace(' ', "_");
        insta::assert_snapshot!(name, desk.interrupted_examples(verb));
    }
    desk.assert_ran(&STAGING);
}
