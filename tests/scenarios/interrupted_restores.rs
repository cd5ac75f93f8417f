//! Restores without a rescue canister, killed after any of their requests: the same command again ends with what was
//! backed up, and what was there before can still be gone back to.

use ic_management_canister_types::{CanisterInstallMode, WasmMemoryPersistence};
use std::path::PathBuf;
use tests::cli::Cli;
use tests::kills::Kills;
use tests::ledger::{Ledger, Record, varied_entries};
use tests::tap::Tap;
use tests::{World, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";
const MEMOS_BYTES: usize = 60_000;
/// The snapshots that may lie there in the end: that of the backup, one of the state before the restore, and one of
/// what a killed attempt had loaded.
const SNAPSHOTS_MAX: usize = 3;

/// A ledger that lost all entries after it was backed up.
struct Loss {
    ledger: Ledger,
    record: Record,
    directory: PathBuf,
}

impl Loss {
    fn of(world: &World, route: &str) -> Loss {
        let entries = varied_entries(61, MEMOS_BYTES);
        let ledger = Ledger::bricked(world, &entries, BROKEN);
        let id = ledger.canister.to_text();
        let (record, directory) = (ledger.record(world), world.folder.path().join(&id));
        Cli::new(world, &[&"backup", &id, &route, &"-o", &directory]).succeed();
        let empty = wasms::load("patients/ledger");
        world
            .install_code(ledger.canister, empty, CanisterInstallMode::Reinstall)
            .unwrap();
        Loss {
            ledger,
            record,
            directory,
        }
    }

    fn restore_over(&self, world: &World, network: &str, more: &[&str]) -> Cli {
        let id = self.ledger.canister.to_text();
        let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"restore", &self.directory, &id];
        args.extend(more.iter().map(|text| text as &dyn AsRef<_>));
        Cli::over(world, network, &args)
    }
}

fn finishes_in_spite_of_kills(more: &[&str], judge: impl Fn(&World, &Loss, &str)) {
    let world = World::new();
    let tap = Tap::start(&world.url());
    let kills = Kills::after_each(&tap);
    let begin = || {
        let loss = Loss::of(&world, more[0]);
        (loss.restore_over(&world, tap.url(), more), loss)
    };
    let requests = kills.each(begin, |loss, at, _| {
        let held = world.snapshots(loss.ledger.canister).len();
        assert!((2..=SNAPSHOTS_MAX).contains(&held), "{at}: {held}");
        judge(&world, loss, at);
        assert_eq!(loss.ledger.record(&world), loss.record, "{at}");
    });
    assert!(requests > 10, "only {requests} requests");
}

#[test]
fn a_restore_by_snapshot_killed_after_any_request_is_finished_by_the_same_command() {
    finishes_in_spite_of_kills(&["--by-snapshot"], |world, loss, at| {
        let running = world.status(loss.ledger.canister).status;
        assert_eq!(format!("{running:?}"), "Running", "{at}");
    });
}

#[test]
fn a_restore_by_ones_own_hand_killed_after_any_request_is_finished_by_the_same_command() {
    finishes_in_spite_of_kills(&["--direct", "--wipe"], |world, loss, _| {
        let fixed = wasms::load("patients/ledger_fixed");
        world
            .upgrade_with(
                loss.ledger.canister,
                fixed,
                true,
                WasmMemoryPersistence::Replace,
            )
            .unwrap();
    });
}
