//! Replays the recorded scenarios (and some random ones, see `random/`) of `tests/conformance` on the core of the replica, without any
//! network in between, and compares what a real server answered.
//!
//! Codes and state (what a client can act on) and texts (what later servers change most) are
//! compared apart. The record follows the rules of October 2025, and so does the replay; where the
//! rules of today differ, [`LATER_RULES`] lists the scenarios, and a test of its own checks that
//! exactly these come out otherwise.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod differential;
mod driver;
mod modules;
mod network;
mod random;
mod server;
mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use driver::World;
use replica::core::rules::Rules;
use serde_json::Value;

/// Scenarios that come out otherwise since August 2026, when heaps had to fit their modules:
/// groups with names.
const LATER_RULES: [(&str, &[&str]); 2] = [
    (
        "keep",
        &[
            "memory 17, skip False",
            "memory 17, skip True",
            "no memory, skip False",
        ],
    ),
    ("snapshots", &["uploaded metadata: heap 0"]),
];

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

type Differences = BTreeMap<String, Vec<Difference>>;

/// Replays a group; gives the number of its scenarios and those that differ.
fn replay(group: &str, rules: Rules) -> (usize, Differences) {
    let text = std::fs::read_to_string(data().join(format!("transcripts/{group}.json"))).unwrap();
    let transcript: Value = serde_json::from_str(&text).unwrap();
    let modules = modules::assemble_all(&data().join("modules"), &transcript["modules"]);
    let only = std::env::var("CONFORMANCE_SCENARIO").ok();
    let mut world = World::new(rules);
    let mut differing = Differences::new();
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
            .is_some_and(|canister| canister.len() > 2);
        let differences = if is_by_id || scenario["fresh"] == true {
            steps::run(&mut World::new(rules), &modules, scenario)
        } else {
            steps::run(&mut world, &modules, scenario)
        };
        if !differences.is_empty() {
            differing.insert(name.to_owned(), differences);
        }
    }
    (count, differing)
}

/// Replays a group by the rules of its record and reports what differs.
fn check(group: &str) {
    let (count, differing) = replay(group, Rules::OCTOBER_2025);
    for (name, differences) in &differing {
        for difference in differences {
            let kind = if difference.is_hard { "STATE" } else { "text" };
            println!(
                "{kind} {group}: {name}, step {}: {}",
                difference.step, difference.what
            );
        }
    }
    let is_hard = |differences: &&Vec<Difference>| differences.iter().any(|d| d.is_hard);
    let hard = differing.values().filter(is_hard).count();
    println!(
        "{group}: {count} scenarios, {} differ ({hard} in codes or state)",
        differing.len()
    );
    assert!(
        differing.is_empty(),
        "{group}: scenarios differ from the record"
    );
}

#[test]
fn todays_rules_change_the_listed_scenarios_and_no_others() {
    for (group, listed) in LATER_RULES {
        let (_, differing) = replay(group, Rules::AUGUST_2026);
        let names: Vec<&str> = differing.keys().map(String::as_str).collect();
        assert_eq!(names, listed, "{group}");
    }
}

macro_rules! groups {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
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
    random,
    snapshots,
    status,
    timers,
    upgrade_matrix,
    versions
);

#[test]
fn module_validation() {
    check("modules");
}
