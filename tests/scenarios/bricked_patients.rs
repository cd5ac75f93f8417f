//! Bricked patients whose state is in stable memory, rescued with every record equal.

use tests::flow::Flow;
use tests::ledger::{Ledger, varied_entries};
use tests::{World, sha256, wasms};

/// Breaks a ledger with the hook of `broken`, checks that upgrades fail as `complaint` says, takes the whole
/// trip and compares every record.
fn rescue(broken: &str, complaint: &str) {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(11, 2_500_000), broken);
    let before = ledger.record(&world);
    let fixed = wasms::load("patients/ledger_fixed");

    let refusal = world.upgrade(ledger.canister, fixed.clone()).unwrap_err();
    assert!(
        refusal.reject_message.contains(complaint),
        "{}",
        refusal.reject_message
    );
    assert_eq!(
        world.module_hash(ledger.canister),
        Some(sha256(&wasms::load(broken)))
    );
    assert_eq!(ledger.record(&world), before);

    let flow = Flow::begin(&world, ledger.canister);
    flow.backup();
    flow.verify();
    flow.wipe_and_restore();
    flow.install("patients/ledger_fixed");

    assert_eq!(ledger.build(&world), "fixed");
    assert_eq!(ledger.record(&world), before);
    // It is a living canister again: it takes data and upgrades.
    let more = varied_entries(12, 10_000);
    ledger.fill(&world, &more);
    world.upgrade(ledger.canister, fixed).unwrap();
    let after = ledger.record(&world);
    assert_eq!(after.entries.len(), before.entries.len() + more.len());
}

#[test]
fn a_patient_whose_hook_panics_is_rescued() {
    rescue(
        "patients/ledger_hook_panics",
        "the scratch buffer is too small",
    );
}

#[test]
fn a_patient_whose_hook_exceeds_the_instruction_limit_is_rescued() {
    rescue(
        "patients/ledger_hook_exhausts",
        "exceeded the limit of 300000000000 instructions",
    );
}
