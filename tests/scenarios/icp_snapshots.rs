//! Backups and the snapshot directories of `icp` are the same thing, in both directions, with the real
//! binary.

use ic_management_canister_types::CanisterInstallMode;
use tests::cli::Cli;
use tests::flow::Flow;
use tests::icp::Icp;
use tests::ledger::{Ledger, varied_entries};
use tests::{World, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";

/// Empties the canister: an empty ledger, nothing of what was.
fn lose_everything(world: &World, ledger: Ledger) {
    let empty = wasms::load("patients/ledger");
    world
        .install_code(ledger.canister, empty, CanisterInstallMode::Reinstall)
        .unwrap();
    assert!(ledger.record(world).entries.is_empty());
}

#[test]
fn icp_uploads_and_restores_what_ic_rescue_backed_up() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(41, 3_000_000), BROKEN);
    let (record, module) = (ledger.record(&world), world.module_hash(ledger.canister));
    let flow = Flow::begin(&world, ledger.canister);
    flow.backup();
    lose_everything(&world, ledger);

    let icp = Icp::new(&world);
    let id = ledger.canister.to_text();
    let snapshot = icp.on_network(&[
        &"canister",
        &"snapshot",
        &"upload",
        &id,
        &"--input",
        &flow.directory(),
        &"--quiet",
    ]);
    icp.on_network(&[&"canister", &"stop", &id]);
    icp.on_network(&[&"canister", &"snapshot", &"restore", &id, &snapshot.trim()]);
    icp.on_network(&[&"canister", &"start", &id]);
    assert_eq!(world.module_hash(ledger.canister), module);
    assert_eq!(ledger.record(&world), record, "the canister runs from it");
}

#[test]
fn ic_rescue_restores_what_icp_downloaded() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(42, 3_000_000), BROKEN);
    let record = ledger.record(&world);
    let icp = Icp::new(&world);
    let id = ledger.canister.to_text();
    icp.on_network(&[&"canister", &"stop", &id]);
    let taken = icp.on_network(&[&"canister", &"snapshot", &"create", &id, &"--quiet"]);
    let directory = world.folder.path().join("from-icp");
    icp.on_network(&[
        &"canister",
        &"snapshot",
        &"download",
        &id,
        &taken.trim(),
        &"--output",
        &directory,
    ]);
    icp.on_network(&[&"canister", &"start", &id]);
    lose_everything(&world, ledger);

    let flow = Flow::begin(&world, ledger.canister);
    let told = Cli::new(
        &world,
        &[
            &"restore",
            &directory,
            &id,
            &"--wipe",
            &"--rescue",
            &flow.rescue().canister.to_text(),
        ],
    )
    .succeed();
    assert!(
        told.contains("hashed on chain"),
        "memories are proven: {told}"
    );
    assert!(
        told.contains("--although-unattested"),
        "it says what the installation needs: {told}"
    );
    // The case recorded the empty ledger; what is there now was proven by calls of the program's own.
    let fixed = wasms::folder().join("patients/ledger_fixed.wasm");
    Cli::new(
        &world,
        &[
            &"install",
            &id,
            &"--module",
            &fixed,
            &"--although-unattested",
            &"--rescue",
            &flow.rescue().canister.to_text(),
        ],
    )
    .succeed();
    assert_eq!(ledger.record(&world), record);
}
