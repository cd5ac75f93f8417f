//! The hoard patient, whose state lives in the heap, through its own methods.

use crate::cli::Cli;
use crate::rescue::Rescue;
use crate::{World, wasms};
use candid::{CandidType, Principal};
use pocket_ic::RejectResponse;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::Path;

/// What its hook does.
#[derive(CandidType, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum Hook {
    /// What it should.
    works,
    /// It panics.
    panics,
    /// It never ends.
    exhausts,
    /// It takes longer than an upgrade may, and ends.
    slow,
    /// It does not grow stable memory.
    not_grown,
    /// It uses the 32-bit interface to stable memory.
    narrow,
    /// It makes a call.
    forbidden,
    /// It needs a GiB of heap more.
    out_of_memory,
}

/// Where its values lie.
#[derive(CandidType, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum Place {
    /// In the heap.
    heap,
    /// In stable memory, at addresses that only the heap knows.
    blocks,
}

/// A closure of the patient.
#[derive(CandidType, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum Rule {
    /// Adds.
    add(u64),
    /// Multiplies.
    multiply(u64),
    /// Exclusive or.
    exor(u64),
}

/// One entry of the patient's map.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// Everything the patient holds, as its own queries tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// The map.
    pub notes: Vec<Note>,
    /// The vector.
    pub numbers: Vec<u64>,
    /// The closures.
    pub rules: Vec<Rule>,
    /// What they make of a number.
    pub applied: u64,
    /// Its own digest over all of it.
    pub digest: u64,
}

#[derive(CandidType)]
struct Choice {
    hook: Hook,
    place: Place,
}

/// A hoard.
#[derive(Clone, Copy, Debug)]
pub struct Hoard {
    /// Its id.
    pub canister: Principal,
}

impl Hoard {
    /// Installs the first build with a hook of that kind, plain or as given by `pack`, and fills it.
    pub fn filled(world: &World, hook: Hook, place: Place, module: Vec<u8>) -> Hoard {
        let arg = candid::encode_args((Some(Choice { hook, place }),)).unwrap();
        let hoard = Hoard {
            canister: world.install(module, arg),
        };
        hoard.fill(world, 7);
        hoard
    }

    /// As [`Hoard::filled`], from the build below `target/wasm/`.
    pub fn broken(world: &World, hook: Hook, place: Place) -> Hoard {
        Hoard::filled(world, hook, place, wasms::load("patients/hoard"))
    }

    /// Adds some hundred varied notes and numbers, and rules.
    pub fn fill(&self, world: &World, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let notes: Vec<Note> = (0..300)
            .map(|_| Note {
                key: format!("note-{:05}", random.random_range(0..20_000)),
                value: {
                    let length = random.random_range(0..3_000);
                    (0..length).map(|_| random.random()).collect()
                },
            })
            .collect();
        let numbers: Vec<u64> = (0..2_000).map(|_| random.random()).collect();
        self.import(
            world,
            &notes,
            &numbers,
            &[
                Rule::add(random.random()),
                Rule::multiply(random.random()),
                Rule::exor(seed),
            ],
        );
    }

    /// Writes through the patient's own methods.
    pub fn import(&self, world: &World, notes: &[Note], numbers: &[u64], rules: &[Rule]) {
        let sender = world.operator.principal;
        for some in notes.chunks(200) {
            let _: u64 = world.update(self.canister, sender, "put", (some,)).unwrap();
        }
        let _: u64 = world
            .update(self.canister, sender, "push", (numbers,))
            .unwrap();
        for rule in rules {
            let () =
                pocket_ic::update_candid_as(&world.pic, self.canister, sender, "add_rule", (rule,))
                    .unwrap();
        }
    }

    /// Everything, through the patient's own queries.
    pub fn holdings(&self, world: &World) -> Holdings {
        let sender = world.operator.principal;
        let mut notes: Vec<Note> = Vec::new();
        loop {
            let after = notes.last().map(|note| note.key.clone());
            let some: Vec<Note> = world
                .query(self.canister, sender, "notes", (after, 200_u64))
                .unwrap();
            if some.is_empty() {
                break;
            }
            notes.extend(some);
        }
        let ask = (0_u64, 1_000_000_u64);
        Holdings {
            notes,
            numbers: world.query(self.canister, sender, "numbers", ask).unwrap(),
            rules: world.query(self.canister, sender, "rules", ()).unwrap(),
            applied: world
                .query(self.canister, sender, "apply", (11_u64,))
                .unwrap(),
            digest: world.query(self.canister, sender, "digest", ()).unwrap(),
        }
    }

    /// Which build answers.
    pub fn build(&self, world: &World) -> String {
        world
            .query(self.canister, world.operator.principal, "build", ())
            .unwrap()
    }

    /// The upgrade that any tool would make; the complaint if it fails.
    pub fn upgrade_to_fixed(&self, world: &World) -> Result<(), RejectResponse> {
        world.upgrade(self.canister, wasms::load("patients/hoard_fixed"))
    }
}

/// Checks that tell whether a hoard is what it was.
pub const CHECKS: [&str; 6] = [
    "--check",
    "digest",
    "--check",
    "numbers=(0, 20)",
    "--check",
    "apply=(5)",
];

/// `ic-rescue heal` over `canister`, with the fixed build of a hoard.
pub fn heal(
    world: &World,
    network: &str,
    canister: Principal,
    rescue: Rescue,
    directory: &Path,
    more: &[&str],
) -> Cli {
    let fixed = wasms::folder().join("patients/hoard_fixed.wasm");
    let (canister, rescue) = (canister.to_text(), rescue.canister.to_text());
    let mut args: Vec<&dyn AsRef<OsStr>> = vec![
        &"heal",
        &canister,
        &"--fixed",
        &fixed,
        &"-o",
        &directory,
        &"--rescue",
        &rescue,
    ];
    args.extend(more.iter().map(|text| text as &dyn AsRef<OsStr>));
    Cli::over(world, network, &args)
}
