//! A rescue by a controller's own hand that is killed after any request, or loses a reply: the same command again ends
//! verified, with one snapshot to go back to, and knows that one among others.

use candid::Principal;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use tests::cli::Cli;
use tests::faults::Faults;
use tests::kills::Kills;
use tests::tap::Tap;
use tests::{World, sha256, wasms};

const PATIENT: &str = "patients/ledger_hook_panics";

/// A new patient, and where its backup goes.
fn patient(world: &World) -> (Principal, PathBuf) {
    let arg = candid::encode_args(()).unwrap();
    let canister = world.install(wasms::load(PATIENT), arg);
    let directory = world.folder.path().join(canister.to_text());
    (canister, directory)
}

fn backup(world: &World, network: &str, canister: Principal, directory: &Path) -> Cli {
    backup_by("--direct", world, network, canister, directory)
}

fn backup_by(
    route: &str,
    world: &World,
    network: &str,
    canister: Principal,
    directory: &Path,
) -> Cli {
    let canister = canister.to_text();
    Cli::over(
        world,
        network,
        &[&"backup", &canister, &route, &"-o", &directory],
    )
}

fn assert_runs(world: &World, canister: Principal, at: &str) {
    let status = world.status(canister).status;
    assert_eq!(format!("{status:?}"), "Running", "{at}");
}

/// Insists on a finished backup with the patient's own module, which can be loaded as a snapshot.
fn assert_whole(directory: &Path, at: &str) {
    Cli::offline(&[&"verify", &directory]).succeed();
    let manifest = fs::read(directory.join("ic-rescue/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["loadable_as_snapshot"], true, "{at}");
    let module = fs::read(directory.join("wasm_module.bin")).unwrap();
    assert_eq!(sha256(&module), sha256(&wasms::load(PATIENT)), "{at}");
}

/// Kills a backup after each of its requests up to the first one of `last`, and insists on a whole backup and one
/// snapshot.
fn kill_after_each_request(route: &str, last: &str, look: impl Fn(&World, Principal, &str)) {
    let world = World::new();
    let tap = Tap::start(&world.url());
    let kills = Kills {
        until: Some(last),
        ..Kills::after_each(&tap)
    };
    let begin = || {
        let (canister, directory) = patient(&world);
        let cli = backup_by(route, &world, tap.url(), canister, &directory);
        (cli, (canister, directory))
    };
    kills.each(begin, |(canister, directory), at, _| {
        assert_eq!(world.snapshots(*canister).len(), 1, "{at}");
        assert_whole(directory, at);
        look(&world, *canister, at);
    });
}

#[test]
fn a_direct_backup_killed_after_any_request_takes_one_snapshot() {
    kill_after_each_request("--direct", "install_code", |_, _, _| {});
}

#[test]
fn a_backup_by_snapshot_killed_after_any_request_takes_one_snapshot_and_leaves_it_running() {
    kill_after_each_request(
        "--by-snapshot",
        "read_canister_snapshot_data",
        |world, canister, at| {
            assert_runs(world, canister, at);
        },
    );
}

#[test]
fn an_order_for_a_snapshot_killed_after_any_request_takes_one_and_leaves_the_canister_running() {
    let world = World::new();
    let tap = Tap::start(&world.url());
    let kills = Kills::after_each(&tap);
    let begin = || {
        let (canister, folder) = patient(&world);
        fs::create_dir(&folder).unwrap();
        let args: [&dyn AsRef<OsStr>; 3] = [&"snapshot", &"create", &canister.to_text()];
        let cli = Cli::over(&world, tap.url(), &args).within(&folder);
        (cli, (canister, folder))
    };
    let requests = kills.each(begin, |(canister, folder), at, _| {
        assert_eq!(world.snapshots(*canister).len(), 1, "{at}");
        assert_runs(&world, *canister, at);
        // The note, if there was one, is gone.
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{at}");
    });
    assert!(requests > 5, "only {requests} requests");
}

#[test]
fn a_lost_reply_to_the_order_for_a_snapshot_leaves_no_second_one() {
    let world = World::new();
    let Some(faults) = Faults::of(&world) else {
        return;
    };
    let (canister, directory) = patient(&world);
    let lost = json!({"on": "call", "method": "take_canister_snapshot", "count": 1, "fault": {"kind": "drop_reply"}});
    faults.order(1, &[lost]);
    let told = backup(&world, &world.url(), canister, &directory).succeed();
    assert_eq!(faults.struck(), [1]);
    assert!(told.contains("had to be repeated"), "{told}");
    assert_eq!(world.snapshots(canister).len(), 1);
    assert_whole(&directory, "the reply was lost");
}

#[test]
fn a_newer_snapshot_of_somebody_else_is_not_taken_for_the_way_back() {
    let world = World::new();
    let (canister, directory) = patient(&world);
    let id = canister.to_text();
    let create = Cli::new(&world, &[&"snapshot", &"create", &id]);
    // An older one of the same module, and, after the swap, a newer one of the downloader.
    create.succeed();
    let cli = backup(&world, &world.url(), canister, &directory);
    let told = cli.succeed();
    let (_, ours) = told.split_once("took snapshot ").unwrap();
    let (ours, _) = ours.split_once(' ').unwrap();
    create.succeed();
    fs::remove_file(directory.join("wasm_module.bin")).unwrap();
    cli.succeed();
    assert_whole(&directory, "beside two other snapshots");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(directory.join(name)).unwrap()).unwrap()
    };
    let (version, taken_at) = {
        let metadata = read("metadata.json");
        (
            metadata["canister_version"].clone(),
            metadata["taken_at_timestamp"].clone(),
        )
    };
    assert_eq!(read("ic-rescue/manifest.json")["canister_version"], version);
    let held = world.snapshots(canister);
    let of_ours = held
        .iter()
        .find(|snapshot| hex::encode(&snapshot.id) == ours)
        .unwrap();
    assert_eq!(taken_at, of_ours.taken_at_timestamp);
    assert_eq!(held.len(), 3);
}
