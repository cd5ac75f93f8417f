//! Replays the recorded scenarios of `tests/conformance` on the core of the replica, without any
//! network in between, and compares what a real server answered.
//!
//! Codes and state (what a client can act on) and texts (what later servers change most) are
//! compared apart. A scenario that is known to differ stands in [`KNOWN`] with its reason; one
//! that is listed and does not differ is an error too.

mod compare;
mod driver;
mod modules;
mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use driver::World;
use serde_json::Value;

/// Scenarios that differ on purpose, as `group: name`, each with the reason.
const KNOWN: [(&str, &str); 0] = [];

/// A difference between the record and the replica.
#[derive(Debug)]
pub struct Difference {
    /// Number of the step, from 0.
    pub step: usize,
    /// Whether codes or state differ, and not just a text.
    pub is_hard: bool,
    /// What differs.
    pub what: String,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance")
}

fn replay(group: &str) {
    let text = std::fs::read_to_string(data().join(format!("transcripts/{group}.json"))).unwrap();
    let transcript: Value = serde_json::from_str(&text).unwrap();
    let modules = modules::assemble_all(&data().join("modules"), &transcript["modules"]);
    let only = std::env::var("CONFORMANCE_SCENARIO").ok();
    let mut world = World::new();
    let mut differing: BTreeMap<String, Vec<Difference>> = BTreeMap::new();
    let mut count = 0;
    for scenario in transcript["scenarios"].as_array().unwrap() {
        let name = scenario["name"].as_str().unwrap();
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        count += 1;
        // A canister given by its id was never created: only a fresh network is sure of that.
        let is_by_id = scenario["steps"][0]["canister"]
            .as_str()
            .is_some_and(|c| c.len() > 2);
        let differences = if is_by_id {
            steps::run(&mut World::new(), &modules, scenario)
        } else {
            steps::run(&mut world, &modules, scenario)
        };
        if !differences.is_empty() {
            differing.insert(name.to_owned(), differences);
        }
    }
    report(group, count, &differing);
}

fn report(group: &str, count: usize, differing: &BTreeMap<String, Vec<Difference>>) {
    let known = |name: &str| {
        KNOWN
            .iter()
            .any(|(known, _)| *known == format!("{group}: {name}"))
    };
    let mut unexpected = 0;
    for (name, differences) in differing {
        if known(name) {
            continue;
        }
        unexpected += 1;
        for difference in differences {
            let kind = if difference.is_hard { "STATE" } else { "text" };
            println!(
                "{kind} {group}: {name}, step {}: {}",
                difference.step, difference.what
            );
        }
    }
    let hard = differing
        .values()
        .filter(|differences| differences.iter().any(|d| d.is_hard))
        .count();
    println!(
        "{group}: {count} scenarios, {} differ ({hard} in codes or state)",
        differing.len()
    );
    for (entry, reason) in KNOWN {
        if let Some(name) = entry.strip_prefix(&format!("{group}: ")) {
            assert!(
                differing.contains_key(name),
                "{entry} is listed as known to differ ({reason}) and does not"
            );
        }
    }
    assert_eq!(unexpected, 0, "{group}: scenarios differ from the record");
}

macro_rules! groups {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*
    };
}

groups!(
    callbacks,
    chunks,
    composite,
    contexts,
    errors,
    keep,
    limits,
    snapshots,
    status,
    timers,
    upgrade_matrix,
    versions
);

#[test]
fn module_validation() {
    replay("modules");
}
