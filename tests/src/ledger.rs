//! The ledger patient through its own methods, and the data it is filled with.

use crate::{World, wasms};
use candid::{CandidType, Principal};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

/// Bytes of arguments per `append`: well below the 2 MiB of an ingress message.
const APPEND_BYTES_MAX: usize = 1_000_000;

/// One entry, as the patient's interface has it.
#[derive(CandidType, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub account: String,
    /// How much.
    pub amount: u64,
    /// What for.
    #[serde(with = "serde_bytes")]
    pub memo: Vec<u8>,
}

/// Everything the ledger's query methods tell: equal records, nothing lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The ledger's name.
    pub name: String,
    /// Every entry, in order.
    pub entries: Vec<Entry>,
    /// The balance of every account that occurs.
    pub balances: Vec<(String, u64)>,
    /// The ledger's own digest over all of it.
    pub digest: u64,
}

/// A ledger canister.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// Its id.
    pub canister: Principal,
}

impl Ledger {
    /// Installs the first, healthy build.
    pub fn install(world: &World) -> Ledger {
        let arg = candid::encode_args(()).unwrap();
        Ledger {
            canister: world.install(wasms::load("patients/ledger"), arg),
        }
    }

    /// Installs the first build, fills it with `entries`, and breaks it by an upgrade to `broken`.
    pub fn bricked(world: &World, entries: &[Entry], broken: &str) -> Ledger {
        let ledger = Ledger::install(world);
        ledger.fill(world, entries);
        world.upgrade(ledger.canister, wasms::load(broken)).unwrap();
        ledger
    }

    /// Names the ledger and appends `entries`, in as many calls as that takes.
    pub fn fill(&self, world: &World, entries: &[Entry]) {
        let sender = world.operator.principal;
        let () = pocket_ic::update_candid_as(
            &world.pic,
            self.canister,
            sender,
            "rename",
            ("The village ledger",),
        )
        .unwrap();
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest
                .iter()
                .take_while(|entry| {
                    bytes += entry.memo.len() + entry.account.len() + 64;
                    bytes <= APPEND_BYTES_MAX
                })
                .count()
                .max(1);
            let (now, later) = rest.split_at(count);
            let _: u64 = world
                .update(self.canister, sender, "append", (now,))
                .unwrap();
            rest = later;
        }
    }

    /// Reads everything back through query methods.
    pub fn record(&self, world: &World) -> Record {
        let sender = world.operator.principal;
        let length: u64 = world.query(self.canister, sender, "length", ()).unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        while (entries.len() as u64) < length {
            let some: Vec<Entry> = world
                .query(
                    self.canister,
                    sender,
                    "entries",
                    (entries.len() as u64, 200_u64),
                )
                .unwrap();
            assert!(
                !some.is_empty(),
                "the ledger says {length} entries and gives {}",
                entries.len()
            );
            entries.extend(some);
        }
        let mut accounts: Vec<String> = entries.iter().map(|entry| entry.account.clone()).collect();
        accounts.sort();
        accounts.dedup();
        let balances = accounts
            .into_iter()
            .map(|account| {
                let balance = world
                    .query(self.canister, sender, "balance", (&account,))
                    .unwrap();
                (account, balance)
            })
            .collect();
        Record {
            name: world.query(self.canister, sender, "name", ()).unwrap(),
            entries,
            balances,
            digest: world.query(self.canister, sender, "digest", ()).unwrap(),
        }
    }

    /// Which build answers.
    pub fn build(&self, world: &World) -> String {
        world
            .query(self.canister, world.operator.principal, "build", ())
            .unwrap()
    }
}

/// What the demo fills its ledger with.
pub fn demo_entries() -> Vec<Entry> {
    varied_entries(2026, 6_000_000)
}

/// Varied entries of about `total_bytes` of memos: empty, tiny, text-like, random, and long runs of zeros.
pub fn varied_entries(seed: u64, total_bytes: usize) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut entries = Vec::new();
    let mut bytes = 0;
    while bytes < total_bytes {
        let length = match random.random_range(0..4) {
            0 => random.random_range(0..16),
            1 => random.random_range(16..600),
            2 => random.random_range(600..6_000),
            _ => random.random_range(6_000..12_000),
        };
        let memo = match random.random_range(0..3) {
            0 => vec![0; length],
            1 => b"paid in full; "
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect(),
            _ => (0..length).map(|_| random.random()).collect(),
        };
        bytes += length + 1;
        entries.push(Entry {
            account: format!("account-{:03}", random.random_range(0..40)),
            amount: random.random_range(1..1_000_000),
            memo,
        });
    }
    entries
}
