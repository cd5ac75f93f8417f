//! `heal` over each way to be broken: by itself where it can be, told beforehand where it cannot, and in each
//! case to a working canister with every record equal, or to a plain word why not.

use crate::ic_rescue;
use ic_management_canister_types::WasmMemoryPersistence;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tests::cli::Cli;
use tests::hoard::{CHECKS, Hoard, Holdings, Hook, Note, Place, Rule, heal};
use tests::kills::Kills;
use tests::rescue::Rescue;
use tests::tap::Tap;
use tests::{World, sha256, wasms};

/// The hook fails until something is chosen.
const CHOICE: i32 = 9;
/// The hook fails, whatever is chosen.
const NO_WAY: i32 = 10;
/// Of some ninety requests of a whole `heal`, one in so many is one to be killed after: a heal takes seconds.
const HEALING_EVERY: u64 = 8;

/// A broken canister and who is to heal it.
struct Ward {
    world: Rc<World>,
    hoard: Hoard,
    rescue: Rescue,
    before: Holdings,
    module: Option<Vec<u8>>,
}

impl Ward {
    fn open(hook: Hook) -> Ward {
        let world = Rc::new(World::new());
        let rescue = Rescue::install(&world);
        let hoard = Hoard::broken(&world, hook, Place::heap);
        Ward::of(world, rescue, hoard)
    }

    fn of(world: Rc<World>, rescue: Rescue, hoard: Hoard) -> Ward {
        rescue.take_control_of(&world, hoard.canister);
        Ward {
            before: hoard.holdings(&world),
            module: world.module_hash(hoard.canister),
            world,
            hoard,
            rescue,
        }
    }

    fn directory(&self) -> PathBuf {
        let name = format!("healing-{}", self.hoard.canister);
        self.world.folder.path().join(name)
    }

    fn heal(&self, more: &[&str]) -> Cli {
        self.heal_over(&self.world.url(), more)
    }

    fn heal_over(&self, network: &str, more: &[&str]) -> Cli {
        let (canister, directory) = (self.hoard.canister, self.directory());
        heal(
            &self.world,
            network,
            canister,
            self.rescue,
            &directory,
            more,
        )
    }

    /// Insists that an upgrade fails as `complaint` says, and leaves the canister as it is.
    fn is_bricked(&self, complaint: &str) {
        let refusal = self.hoard.upgrade_to_fixed(&self.world).unwrap_err();
        let message = refusal.reject_message;
        assert!(message.contains(complaint), "{message}");
        self.is_untouched();
    }

    /// Its module, its memory and its life are what they were, and no snapshot is left.
    fn is_untouched(&self) {
        let module = self.world.module_hash(self.hoard.canister);
        assert_eq!(module, self.module);
        runs_without_snapshots(&self.world, self.hoard);
        assert_eq!(self.hoard.holdings(&self.world), self.before);
    }

    fn is_healed(&self) {
        assert_eq!(self.hoard.build(&self.world), "fixed");
        assert_eq!(self.hoard.holdings(&self.world), self.before);
        // It is a living canister again: it takes data and upgrades.
        self.hoard.fill(&self.world, 8);
        let richer = self.hoard.holdings(&self.world);
        assert!(richer.notes.len() > self.before.notes.len());
        self.hoard.upgrade_to_fixed(&self.world).unwrap();
        assert_eq!(self.hoard.holdings(&self.world), richer);
    }

    /// What its own queries tell over the backup, read with `ic-rescue call`.
    fn read_off_chain(&self) -> (Vec<Note>, Vec<u64>, Vec<Rule>) {
        let ask = |method: &str, argument: &str| {
            let file = self.world.folder.path().join(method);
            let args: [&dyn AsRef<OsStr>; 8] = [
                &"call",
                &self.directory().join("before"),
                &method,
                &argument,
                &"--output",
                &"raw",
                &"--output-file",
                &file,
            ];
            Cli::offline(&args).succeed();
            std::fs::read(file).unwrap()
        };
        (
            candid::decode_one(&ask("notes", "(null, 100_000)")).unwrap(),
            candid::decode_one(&ask("numbers", "(0, 1_000_000)")).unwrap(),
            candid::decode_one(&ask("rules", "()")).unwrap(),
        )
    }
}

fn runs_without_snapshots(world: &World, hoard: Hoard) {
    let status = world.status(hoard.canister).status;
    assert_eq!(format!("{status:?}"), "Running");
    let snapshots = world.snapshots(hoard.canister);
    assert!(snapshots.is_empty(), "{snapshots:?}");
}

/// Runs a command that is to end with `code`, and returns what it said.
fn ends_with(cli: &Cli, code: i32) -> String {
    let output = cli.run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn with_checks<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CHECKS[..], more].concat()
}

#[test]
fn a_hook_with_more_work_than_an_upgrade_may_do_is_healed() {
    let ward = Ward::open(Hook::slow);
    ward.is_bricked("instructions for single message execution");
    let said = ward.heal(&with_checks(&["--yes"])).succeed();
    // Nobody changed the canister meanwhile: 305 billion instructions are not run twice.
    assert!(said.contains("what was run over it holds"), "{said}");
    assert_eq!(
        said.matches("canister_pre_upgrade ran to its end").count(),
        1
    );
    ward.is_healed();
}

#[test]
fn a_hook_that_stable_memory_outgrew_is_healed_by_the_rule_that_is_chosen() {
    let ward = Ward::open(Hook::narrow);
    let pages: u64 = ward
        .world
        .update(
            ward.hoard.canister,
            ward.world.operator.principal,
            "reserve_stable",
            (65_537_u64,),
        )
        .unwrap();
    assert_eq!(pages, 65_537);
    ward.is_bricked("32 bit stable memory api used on a memory larger than 4GB");

    let said = ends_with(&ward.heal(&with_checks(&["--yes"])), CHOICE);
    for choice in ["low", "fresh", "separate"] {
        let words = format!("it ends with --rule stable32={choice}");
        assert!(said.contains(&words), "{said}");
    }
    // The repaired module says itself which of them it can take over.
    assert_eq!(
        said.matches("all 3 checks answer as before").count(),
        2,
        "{said}"
    );
    assert_eq!(
        said.matches("3 of 3 checks do not answer as before")
            .count(),
        1
    );
    ward.is_untouched();

    let said = ward
        .heal(&with_checks(&["--yes", "--rule", "stable32=fresh"]))
        .succeed();
    // The new stable memory is small, and memory does not shrink.
    assert!(said.contains("both memories are emptied first"), "{said}");
    assert!(ward.world.stable_memory(ward.hoard.canister).len() < 4 << 20);
    ward.is_healed();
}

/// The patient with no more heap than so many pages: what 32 bits address, on a scale that a test can download.
fn narrowed(pages: u64) -> Vec<u8> {
    let mut module = walrus::Module::from_buffer(&wasms::load("patients/hoard")).unwrap();
    let memory = module.memories.iter_mut().next().unwrap();
    memory.maximum = Some(pages);
    module.emit_wasm()
}

#[test]
fn a_heap_with_no_room_to_serialise_is_told_and_its_records_are_taken_out() {
    const HEAP_PAGES: u64 = 2_000;
    let world = Rc::new(World::new());
    let rescue = Rescue::install(&world);
    let hook = Hook::out_of_memory;
    let hoard = Hoard::filled(&world, hook, Place::heap, narrowed(HEAP_PAGES));
    let ward = Ward::of(world, rescue, hoard);
    ward.is_bricked("trap");
    let said = ends_with(&ward.heal(&["--yes"]), NO_WAY);
    assert!(said.contains("cannot grow by what it asks for"), "{said}");
    move_records(&ward, &said);
}

#[test]
fn a_hook_that_gives_up_is_told_and_its_records_are_taken_out() {
    let ward = Ward::open(Hook::panics);
    ward.is_bricked("the scratch buffer is too small");
    let said = ends_with(&ward.heal(&["--yes"]), NO_WAY);
    assert!(said.contains("it gives up by itself"), "{said}");
    move_records(&ward, &said);
}

#[test]
fn a_hook_that_never_ends_is_told_once_it_has_a_limit() {
    let ward = Ward::open(Hook::exhausts);
    let limit = ["--yes", "--rule", "instructions=2000000000"];
    let said = ends_with(&ward.heal(&limit), NO_WAY);
    assert!(
        said.contains("whether it ever ends cannot be told"),
        "{said}"
    );
    move_records(&ward, &said);
}

/// Goes the way that `heal` names where no rule helps: the canister lives on, its records are read over the backup,
/// and written into the repaired module.
fn move_records(ward: &Ward, said: &str) {
    let hotfix = format!("ic-rescue hotfix {}", ward.hoard.canister);
    for words in [
        "no rule lets pre_upgrade end",
        &hotfix,
        "its queries: apply, build, digest, notes, numbers, rules, version",
        "nothing on chain was changed",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    ward.is_untouched();
    let (world, hoard) = (&ward.world, ward.hoard);
    ic_rescue(world, "hotfix", hoard, &[&"--check", &"digest"]).succeed();
    assert_eq!(hoard.holdings(world), ward.before);
    let (notes, numbers, rules) = ward.read_off_chain();
    let fixed = wasms::load("patients/hoard_fixed");
    let replace = WasmMemoryPersistence::Replace;
    world
        .upgrade_with(hoard.canister, fixed, true, replace)
        .unwrap();
    hoard.import(world, &notes, &numbers, &rules);
    ward.is_healed();
}

/// A counter with a hook that traps, so many custom sections of its own, and maybe a query.
fn counter(sections: usize, query: &str) -> Vec<u8> {
    let customs: String = (0..sections)
        .map(|n| format!("(@custom \"icp:public c{n}\" \"\")"))
        .collect();
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (memory 1)
            (func (export "canister_pre_upgrade") unreachable)
            {query}
            (func (export "canister_update count")
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (call $reply))
            {customs})"#
    ))
    .unwrap()
}

#[test]
fn what_cannot_be_healed_is_told_beforehand_and_why() {
    const SECTIONS_MAX: usize = 16;
    const QUERY: &str = r#"(func (export "canister_query tell")
        (call $append (i32.const 0) (i32.const 4)) (call $reply))"#;
    let world = World::new();
    let rescue = Rescue::install(&world);
    for (sections, query, reason) in [
        (0, QUERY, "take the records out with them"),
        (0, "", "its state cannot be carried into other code"),
        (
            SECTIONS_MAX,
            QUERY,
            "cannot live on either, but its own methods tell over the backup",
        ),
        (
            SECTIONS_MAX,
            "",
            "it cannot be healed; the backup holds its memory byte by byte",
        ),
    ] {
        let module = counter(sections, query);
        let hoard = Hoard {
            canister: world.install(module.clone(), vec![]),
        };
        rescue.take_control_of(&world, hoard.canister);
        let directory = world.folder.path().join(hoard.canister.to_text());
        let (canister, network) = (hoard.canister, world.url());
        let heal = heal(&world, &network, canister, rescue, &directory, &["--yes"]);
        let said = ends_with(&heal, NO_WAY);
        assert!(said.contains("it traps"), "{said}");
        assert!(said.contains(reason), "{said}");
        assert_eq!(world.module_hash(hoard.canister), Some(sha256(&module)));
        runs_without_snapshots(&world, hoard);
    }
}

/// The backup of a canister that was not stopped for long, by way of a snapshot.
fn back_up(ward: &Ward) -> PathBuf {
    let directory = ward.world.folder.path().join("backup");
    let canister = ward.hoard.canister.to_text();
    let args: [&dyn AsRef<OsStr>; 5] = [&"backup", &canister, &"-o", &directory, &"--by-snapshot"];
    Cli::new(&ward.world, &args).succeed();
    directory
}

fn verdict(ward: &Ward, verb: &str, directory: &Path, code: i32) -> String {
    let fixed = crate::file("hoard_fixed");
    let canister = ward.hoard.canister.to_text();
    let cli = match verb {
        "run" => Cli::offline(&[&"run", &directory, &"pre_upgrade"]),
        "rehearse" => {
            let args: [&dyn AsRef<OsStr>; 6] = [
                &"rehearse",
                &directory,
                &"--new",
                &fixed,
                &"--check",
                &"digest",
            ];
            Cli::offline(&args)
        }
        _ => Cli::new(&ward.world, &[&"plan", &canister, &"--backup", &directory]),
    };
    ends_with(&cli, code)
}

#[test]
fn run_rehearse_and_plan_say_which_ways_there_are() {
    const FAILED_REHEARSAL: i32 = 3;
    for (hook, [run, rehearse, plan], words) in [
        (Hook::works, [0, 0, 0], "it is not what ends an upgrade"),
        (
            Hook::not_grown,
            [0, FAILED_REHEARSAL, 0],
            "fails on chain and ends off chain",
        ),
        (
            Hook::forbidden,
            [CHOICE, FAILED_REHEARSAL, CHOICE],
            "it ends with --answer call=0",
        ),
        (
            Hook::panics,
            [NO_WAY, NO_WAY, NO_WAY],
            "no rule lets pre_upgrade end",
        ),
    ] {
        let ward = Ward::open(hook);
        let directory = back_up(&ward);
        verdict(&ward, "run", &directory, run);
        let said = verdict(&ward, "plan", &directory, plan);
        assert!(said.contains(words), "{said}");
        let said = verdict(&ward, "rehearse", &directory, rehearse);
        if rehearse == FAILED_REHEARSAL {
            // What is rehearsed besides: whether the new module takes over what the hook leaves off chain.
            assert!(said.contains("the repaired module: the upgrade"), "{said}");
            assert!(said.contains("all 1 checks answer as before"), "{said}");
        }
    }
}

#[test]
fn a_canister_that_goes_on_after_the_look_is_looked_at_again() {
    let ward = Ward::open(Hook::not_grown);
    let said = ward.heal(&with_checks(&["--look"])).succeed();
    assert!(
        said.contains("deleted the snapshot that was looked at"),
        "{said}"
    );
    assert!(said.contains("nothing on chain was changed"), "{said}");
    ward.is_untouched();

    ward.hoard.fill(&ward.world, 21);
    let ward = Ward {
        before: ward.hoard.holdings(&ward.world),
        ..ward
    };
    let said = ward.heal(&with_checks(&["--yes"])).succeed();
    assert!(!said.contains("what was run over it holds"), "{said}");
    ward.is_healed();
    assert!(!ward.directory().join("forecast").exists());
}

/// Interrupts `heal` with `more` over canisters of one world, after one in `every` of its requests.
fn finishes_in_spite_of_kills(every: u64, more: &[&str], judge: impl Fn(&Ward, &str, &str)) {
    let world = Rc::new(World::new());
    let rescue = Rescue::install(&world);
    let tap = Tap::start(&world.url());
    let kills = Kills {
        every,
        ..Kills::after_each(&tap)
    };
    let begin = || {
        let hoard = Hoard::broken(&world, Hook::not_grown, Place::heap);
        let ward = Ward::of(world.clone(), rescue, hoard);
        (ward.heal_over(tap.url(), more), ward)
    };
    let requests = every * kills.each(begin, judge);
    assert!(requests > 10, "only {requests} requests");
}

#[test]
fn a_look_killed_after_any_request_goes_on_and_leaves_no_snapshot() {
    finishes_in_spite_of_kills(1, &["--look"], |ward, at, said| {
        let (pic, canister) = (&ward.world.pic, ward.hoard.canister);
        let operator = Some(ward.world.operator.principal);
        // One whose id never came back belongs to nobody: it is named, not deleted.
        for left in ward.world.snapshots(canister) {
            let name = format!("snapshot delete {canister} {}", hex::encode(&left.id));
            assert!(said.contains(&name), "{at}: {said}");
            pic.delete_canister_snapshot(canister, operator, left.id)
                .unwrap();
        }
        ward.is_untouched();
    });
}

#[test]
fn healing_killed_after_its_requests_goes_on() {
    finishes_in_spite_of_kills(
        HEALING_EVERY,
        &["--yes", "--delete-snapshot"],
        |ward, _, _| ward.is_healed(),
    );
}

#[test]
fn without_a_look_the_hook_is_tried_after_the_backup() {
    let ward = Ward::open(Hook::forbidden);
    let said = ends_with(&ward.heal(&["--yes", "--without-look"]), CHOICE);
    assert!(said.contains("it ends with --answer call=0"), "{said}");
    assert!(!said.contains("nothing on chain was changed"), "{said}");
    ward.heal(&["--yes", "--answer", "call=0"]).succeed();
    ward.is_healed();
}
