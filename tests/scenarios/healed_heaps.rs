//! Canisters whose state is in the heap and whose hook fails: their own code saves it, off chain.

use candid::{CandidType, Principal};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::cli::Cli;
use tests::hoard::{CHECKS, heal};
use tests::rescue::Rescue;
use tests::{World, sha256, wasms};

/// What the hook does, as the patient's interface has it.
#[derive(CandidType, Deserialize, Clone, Copy)]
enum Hook {
    #[serde(rename = "works")]
    Works,
    #[serde(rename = "panics")]
    Panics,
    #[serde(rename = "not_grown")]
    NotGrown,
    #[serde(rename = "forbidden")]
    Forbidden,
}

/// Where the values lie.
#[derive(CandidType, Deserialize, Clone, Copy)]
enum Place {
    #[serde(rename = "heap")]
    Heap,
    #[serde(rename = "blocks")]
    Blocks,
}

#[derive(CandidType, Deserialize)]
struct Choice {
    hook: Hook,
    place: Place,
}

#[derive(CandidType, Deserialize, Debug, PartialEq, Eq, Clone)]
struct Note {
    key: String,
    #[serde(with = "serde_bytes")]
    value: Vec<u8>,
}

#[derive(CandidType, Deserialize)]
enum Rule {
    #[serde(rename = "add")]
    Add(u64),
    #[serde(rename = "exor")]
    Exor(u64),
}

/// A hoard with something of everything in it.
struct Hoard<'a> {
    world: &'a World,
    canister: Principal,
}

/// Everything that its queries tell.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    notes: Vec<Note>,
    numbers: Vec<u64>,
    applied: Vec<u64>,
    digest: u64,
}

impl<'a> Hoard<'a> {
    fn fill(world: &'a World, hook: Hook, place: Place) -> Self {
        let arg = candid::encode_one(Some(Choice { hook, place })).unwrap();
        let canister = world.install(wasms::load("patients/hoard"), arg);
        let hoard = Hoard { world, canister };
        let notes: Vec<Note> = (0..300_usize)
            .map(|n| Note {
                key: format!("note {:03}", n * 7 % 300),
                value: vec![n as u8; n * 13 % 900],
            })
            .collect();
        let _: u64 = hoard.update("put", (notes,));
        let numbers: Vec<u64> = (0..500).map(|n| n * n).collect();
        let _: u64 = hoard.update("push", (numbers,));
        for rule in [Rule::Add(41), Rule::Exor(0xff00)] {
            let () = world
                .pic
                .update_call(
                    canister,
                    world.operator.principal,
                    "add_rule",
                    candid::encode_one(rule).unwrap(),
                )
                .map(drop)
                .unwrap();
        }
        hoard
    }

    fn update<In: candid::utils::ArgumentEncoder>(&self, method: &str, args: In) -> u64 {
        let sender = self.world.operator.principal;
        self.world
            .update(self.canister, sender, method, args)
            .unwrap()
    }

    fn query<In, Out>(&self, method: &str, args: In) -> Out
    where
        In: candid::utils::ArgumentEncoder,
        Out: CandidType + for<'b> Deserialize<'b>,
    {
        let sender = self.world.operator.principal;
        self.world
            .query(self.canister, sender, method, args)
            .unwrap()
    }

    fn record(&self) -> Record {
        Record {
            notes: self.query("notes", (None::<String>, 1_000_u64)),
            numbers: self.query("numbers", (0_u64, 1_000_u64)),
            applied: (0..5_u64).map(|n| self.query("apply", (n,))).collect(),
            digest: self.query("digest", ()),
        }
    }

    fn build(&self) -> String {
        self.query("build", ())
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.world.folder.path().join(name)
    }

    /// `ic-rescue heal` with the fixed build.
    fn heal(&self, rescue: &Rescue, more: &[&str]) -> Cli {
        let directory = self.folder("healing");
        let network = self.world.url();
        let more = [&CHECKS[..], more].concat();
        heal(
            self.world,
            &network,
            self.canister,
            *rescue,
            &directory,
            &more,
        )
    }

    fn assert_healed(&self, before: &Record) {
        assert_eq!(self.build(), "fixed");
        assert_eq!(self.record(), *before);
        // It is a living canister again: it takes data and upgrades.
        self.update("push", (vec![1_u64, 2, 3],));
        let fixed = wasms::load("patients/hoard_fixed");
        self.world.upgrade(self.canister, fixed).unwrap();
        let after = self.record();
        assert_eq!(after.numbers.len(), before.numbers.len() + 3);
        assert_eq!(after.notes, before.notes);
    }
}

fn begin(world: &World, hook: Hook, place: Place) -> (Hoard<'_>, Rescue) {
    let hoard = Hoard::fill(world, hook, place);
    let rescue = Rescue::install(world);
    rescue.take_control_of(world, hoard.canister);
    (hoard, rescue)
}

fn refused_upgrade(hoard: &Hoard<'_>) -> String {
    let fixed = wasms::load("patients/hoard_fixed");
    let refusal = hoard.world.upgrade(hoard.canister, fixed).unwrap_err();
    refusal.reject_message
}

#[test]
fn a_hook_that_does_not_grow_stable_memory_is_healed() {
    let world = World::new();
    let (hoard, rescue) = begin(&world, Hook::NotGrown, Place::Heap);
    let before = hoard.record();
    assert!(refused_upgrade(&hoard).contains("stable memory out of bounds"));

    // The plan alone changes nothing.
    let plan = hoard.heal(&rescue, &[]).succeed();
    assert!(
        plan.contains("2. [to do] stop the canister") && plan.contains("--yes"),
        "{plan}"
    );
    assert_eq!(
        world.module_hash(hoard.canister),
        Some(sha256(&wasms::load("patients/hoard")))
    );
    assert!(!hoard.folder("healing").exists());

    let told = hoard.heal(&rescue, &["--yes"]).succeed();
    assert!(told.contains("not as on chain: stable=grows"), "{told}");
    hoard.assert_healed(&before);

    // Again: there is nothing left to do, and nothing is done.
    let (version, told) = (
        hoard.query::<_, u64>("version", ()),
        hoard.heal(&rescue, &[]).succeed(),
    );
    assert!(told.contains("6. [done] install module"), "{told}");
    assert_eq!(hoard.query::<_, u64>("version", ()), version);

    // The dead canister's own queries still answer over its backup.
    let output = Cli::offline(&[&"call", &hoard.folder("healing/before"), &"digest"]).run();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        answer.replace('_', ""),
        format!("({} : nat64)\n", before.digest)
    );
}

#[test]
fn a_hook_that_makes_a_forbidden_call_is_healed_however_often_it_is_interrupted() {
    let world = World::new();
    let (hoard, rescue) = begin(&world, Hook::Forbidden, Place::Blocks);
    let before = hoard.record();
    assert!(refused_upgrade(&hoard).contains("cannot be executed in pre upgrade mode"));
    // Without an answer it says which function needs one, and leaves the memory as it was.
    let told = hoard.heal(&rescue, &["--yes"]).fail();
    assert!(
        told.contains("ic0_call_new") && told.contains("--answer"),
        "{told}"
    );

    let heal = hoard.heal(
        &rescue,
        &["--yes", "--answer", "call=0", "--delete-snapshot"],
    );
    for attempt in 1..=6 {
        let mut child = heal
            .command()
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(400 * attempt));
        let _ = child.kill();
        child.wait().unwrap();
    }
    heal.succeed();
    hoard.assert_healed(&before);
    assert!(world.snapshots(hoard.canister).is_empty());
}

#[test]
fn a_hook_that_fails_off_chain_too_is_named_and_nothing_is_touched() {
    let world = World::new();
    let (hoard, rescue) = begin(&world, Hook::Panics, Place::Heap);
    let before = hoard.record();
    let told = hoard.heal(&rescue, &["--yes"]).fail();
    for part in [
        "the scratch buffer is too small",
        "Canister Backtrace:",
        "canister_pre_upgrade",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!hoard.folder("healing/after").exists());
    let deployed = sha256(&wasms::load("patients/hoard"));
    assert_eq!(world.module_hash(hoard.canister), Some(deployed));
    assert_eq!(hoard.record(), before);
    assert_eq!(hoard.build(), "first");
}

/// Stable memory as the hook leaves it on chain: an upgrade to a module without hooks.
fn stable_after_hook_on_chain(hoard: &Hoard<'_>) -> Vec<u8> {
    let empty = wat::parse_str("(module (memory 1))").unwrap();
    hoard.world.upgrade(hoard.canister, empty).unwrap();
    hoard.world.stable_memory(hoard.canister)
}

fn image(directory: &Path) -> Vec<u8> {
    std::fs::read(directory.join("stable_memory.bin")).unwrap()
}

#[test]
fn a_hook_that_works_leaves_the_same_off_chain_as_on_chain() {
    let world = World::new();
    for (name, place) in [("heap", Place::Heap), ("blocks", Place::Blocks)] {
        let hoard = Hoard::fill(&world, Hook::Works, place);
        let (canister, backup) = (hoard.canister.to_text(), hoard.folder(name));
        let saved = hoard.folder(&format!("{name} saved"));
        Cli::new(
            &world,
            &[&"backup", &canister, &"-o", &backup, &"--by-snapshot"],
        )
        .succeed();
        let fixed = wasms::folder().join("patients/hoard_fixed.wasm");
        let told = Cli::offline(&[
            &"rehearse",
            &backup,
            &"--new",
            &fixed,
            &"--check",
            &"digest",
            &"--check",
            &"rules",
        ])
        .succeed();
        assert!(
            told.contains("the upgrade and the next one would pass"),
            "{told}"
        );
        Cli::offline(&[&"run", &backup, &"pre_upgrade", &"-o", &saved]).succeed();
        Cli::offline(&[&"verify", &saved]).succeed();
        let (off_chain, on_chain) = (image(&saved), stable_after_hook_on_chain(&hoard));
        assert!(off_chain.starts_with(b"HOARD"), "{name}");
        assert!(
            off_chain == on_chain,
            "{name}: the hook leaves other bytes off chain"
        );
    }
}
