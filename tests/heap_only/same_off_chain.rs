//! Hooks that work leave the same bytes off chain as on chain, whatever the canister is made of: stable memory and
//! heap are compared to the last byte.
//!
//! On chain the upgrade that runs the hook puts the downloader over the kept heap, so that nothing but the hook ran
//! when both memories are read.

use crate::motoko::compile;
use candid::Principal;
use ic_management_canister_types::WasmMemoryPersistence::Keep;
use std::ffi::OsStr;
use tests::cli::Cli;
use tests::hoard::{Hoard, Hook, Place};
use tests::ledger::{Ledger, varied_entries};
use tests::pair::Slot;
use tests::{World, wasms};

/// An actor that keeps a number in its heap, writes it to stable memory before an upgrade, and counts that.
const ACTOR: &str = r#"
import Prim "mo:⛔";
persistent actor Tally {
  let region = Prim.regionNew();
  var total : Nat64 = 0;
  public func add(number : Nat64) : async Nat { total += number; Prim.nat64ToNat(total) };
  system func preupgrade() {
    if (Prim.regionSize(region) == 0) { ignore Prim.regionGrow(region, 2) };
    Prim.regionStoreNat64(region, 65_600, total);
    total += 1;
  };
};
"#;

/// A canister whose hook works.
struct Healthy {
    name: &'static str,
    canister: Principal,
    downloader: &'static str,
}

impl Healthy {
    fn narrow(name: &'static str, canister: Principal) -> Healthy {
        let downloader = "downloader";
        Healthy {
            name,
            canister,
            downloader,
        }
    }

    fn hoard(world: &World, name: &'static str, hook: Hook, place: Place) -> Healthy {
        let hoard = Hoard::broken(world, hook, place);
        if hook == Hook::not_grown {
            // As long as there is room, nothing is wrong with it.
            let sender = world.operator.principal;
            let _: u64 = world
                .update(hoard.canister, sender, "reserve_stable", (64_u64,))
                .unwrap();
        }
        Healthy::narrow(name, hoard.canister)
    }

    fn ledger(world: &World) -> Healthy {
        let first = varied_entries(31, 400_000);
        let ledger = Ledger::bricked(world, &first, "patients/ledger_hook_saves");
        Healthy::narrow("stable structures", ledger.canister)
    }

    fn tally(world: &World) -> Healthy {
        let module = compile(world.folder.path(), "tally", ACTOR);
        let canister = world.install(module, candid::encode_args(()).unwrap());
        for number in [41_u64, 1 << 40, 7] {
            let _: candid::Nat = world
                .update(canister, world.operator.principal, "add", (number,))
                .unwrap();
        }
        Healthy {
            name: "Motoko, enhanced orthogonal persistence",
            canister,
            downloader: "downloader64",
        }
    }

    /// Stable memory and heap as the hook leaves them off chain, and whether it wrote anything.
    fn off_chain(&self, world: &World) -> ([Vec<u8>; 2], bool) {
        let folder = world.folder.path();
        let backup = folder.join(format!("backup {}", self.canister));
        let saved = folder.join(format!("saved {}", self.canister));
        let canister = self.canister.to_text();
        let run: [&[&dyn AsRef<OsStr>]; 3] = [
            &[&"backup", &canister, &"-o", &backup, &"--by-snapshot"],
            &[&"run", &backup, &"pre_upgrade", &"-o", &saved],
            &[&"verify", &saved],
        ];
        for args in run {
            match args[0].as_ref() == "backup" {
                true => Cli::new(world, args).succeed(),
                false => Cli::offline(args).succeed(),
            };
        }
        let images = ["stable_memory.bin", "wasm_memory.bin"];
        let read = |name: &&str| std::fs::read(saved.join(name)).unwrap_or_default();
        let wrote = images
            .iter()
            .any(|name| read(name) != std::fs::read(backup.join(name)).unwrap_or_default());
        (images.each_ref().map(read), wrote)
    }

    /// The same on chain, where the canister then holds the downloader.
    fn on_chain(&self, world: &World) -> [Vec<u8>; 2] {
        let downloader = wasms::load(self.downloader);
        world
            .upgrade_with(self.canister, downloader, false, Keep)
            .unwrap();
        let heap = Slot::of(world, self.canister).heap();
        [world.stable_memory(self.canister), heap]
    }
}

#[test]
fn hooks_that_work_leave_the_same_bytes_off_chain_as_on_chain() {
    let world = World::new();
    let table = [
        Healthy::hoard(
            &world,
            "maps, vectors and closures",
            Hook::works,
            Place::heap,
        ),
        Healthy::hoard(
            &world,
            "roots that only the hook writes",
            Hook::works,
            Place::blocks,
        ),
        Healthy::hoard(
            &world,
            "32-bit stable memory functions",
            Hook::narrow,
            Place::heap,
        ),
        Healthy::hoard(
            &world,
            "32-bit functions, roots",
            Hook::narrow,
            Place::blocks,
        ),
        Healthy::hoard(
            &world,
            "stable memory grown before",
            Hook::not_grown,
            Place::heap,
        ),
        Healthy::ledger(&world),
        Healthy::tally(&world),
    ];
    for healthy in table {
        let (off_chain, wrote) = healthy.off_chain(&world);
        assert!(wrote, "{}: its hook writes nothing", healthy.name);
        let on_chain = healthy.on_chain(&world);
        for (memory, off, on) in [
            ("stable memory", &off_chain[0], &on_chain[0]),
            ("heap", &off_chain[1], &on_chain[1]),
        ] {
            let differs = off.iter().zip(on).position(|(off, on)| off != on);
            assert!(
                off == on,
                "{}: the {memory} has {} bytes off chain, {} on chain, and differs from {differs:?} on",
                healthy.name,
                off.len(),
                on.len()
            );
        }
    }
}
