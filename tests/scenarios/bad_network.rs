//! Downloads over a network that breaks and lies.

use std::time::Duration;
use tests::World;
use tests::flow::Flow;
use tests::ledger::{Ledger, varied_entries};
use tests::proxy::{Fault, Proxy};

/// How often a scenario looks whether the download has come far enough to be interrupted.
const LOOK_EVERY: Duration = Duration::from_millis(2);

fn bricked_ledger(world: &World) -> Ledger {
    Ledger::bricked(
        world,
        &varied_entries(21, 12_000_000),
        "patients/ledger_hook_panics",
    )
}

#[test]
fn an_interrupted_download_resumes() {
    let world = World::new();
    let ledger = bricked_ledger(&world);
    let flow = Flow::begin(&world, ledger.canister);

    let first = Proxy::start(&world.url(), &[]);
    let mut download = flow.backup_over(first.url()).command().spawn().unwrap();
    while first.chunks_seen() < 5 {
        assert!(
            download.try_wait().unwrap().is_none(),
            "the download ended before it could be killed"
        );
        std::thread::sleep(LOOK_EVERY);
    }
    download.kill().unwrap();
    download.wait().unwrap();
    assert!(
        !flow.directory().join("stable_memory.bin").exists(),
        "an unverified image stands under its final name"
    );

    let second = Proxy::start(&world.url(), &[]);
    flow.backup_over(second.url()).succeed();
    flow.backup(); // nothing is left to do, and the image equals the patient's memory
    let memory = world.stable_memory(ledger.canister);
    let chunks_in_all = memory
        .chunks(wire::limits::CHUNK_LEN_BYTES as usize)
        .filter(|chunk| chunk.iter().any(|byte| *byte != 0))
        .count();
    assert!(
        second.chunks_seen() < chunks_in_all,
        "{} chunks fetched after the interruption, {chunks_in_all} in all",
        second.chunks_seen()
    );
}

#[test]
fn a_corrupted_reply_is_caught_and_fetched_again() {
    let world = World::new();
    let ledger = bricked_ledger(&world);
    let flow = Flow::begin(&world, ledger.canister);
    let faults = [
        Fault::Pass,
        Fault::Corrupt,
        Fault::Pass,
        Fault::Drop,
        Fault::Corrupt,
        Fault::Corrupt,
    ];
    let proxy = Proxy::start(&world.url(), &faults);
    let report = flow.backup_over(proxy.url()).succeed();
    assert_eq!(proxy.chunks_corrupted(), 3);
    assert!(
        report.contains("3"),
        "the report does not tell of the refetched chunks:\n{report}"
    );
    flow.backup();
}
