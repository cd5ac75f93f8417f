//! Seeded runs of random faults against a real rescue canister and real patients on a network.
//!
//! A run draws from its seed what happens: steps in any order, answers that are lost, callbacks that trap, patients and
//! a rescue canister that can pay for nothing, upgrades of rescue, and others who upgrade, reinstall, uninstall, stop,
//! start or call the patient, take, load or delete its snapshots, or change its controllers, between any two rounds of a
//! step. After each action what the case says has to be what the patient is ([`truth`]). From wherever that has led,
//! `rollback` gives the patient back as the snapshot on record holds it, or `advance` leads to the end, with an operator
//! who does their part ([`way_out`]). Nobody repairs anything by hand.
//!
//! `IC_RESCUE_SEED` is the first seed and `IC_RESCUE_RUNS` the number of runs. What fails names its seed and shows the
//! run. Whether a message arrives a round earlier also depends on the ids of subnets, which are the server's: on another
//! server the same seed is the same script, not the same run.

mod patient;
mod script;
mod tally;
mod truth;
mod way_out;

use super::rescue_faults::hospital::Hospital;
use patient::Patient;
use rescue_api::InitArgs;
use script::{End, Script};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tally::Tally;

/// Seed of the first run, unless `IC_RESCUE_SEED` says otherwise.
const SEED: u64 = 1;
/// Runs, unless `IC_RESCUE_RUNS` says otherwise.
const RUNS: u64 = 500;
/// Networks at once.
const WARDS: u64 = 2;
/// Runs in one network. A network remembers every message, so it is not kept for ever.
const RUNS_PER_NETWORK: u64 = 250;

/// Shows what ran when something fails.
struct Report<'a> {
    seed: u64,
    script: &'a Script,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, script) = (self.seed, self.script);
            eprintln!("seed {seed}: {:?}, {:?}", script.plan, script.policy);
            for (index, action) in script.actions.iter().enumerate() {
                eprintln!("{index:4} {action:?}");
            }
            eprintln!(
                "  to {:?}; repeat with IC_RESCUE_SEED={seed} IC_RESCUE_RUNS=1",
                script.end
            );
        }
    }
}

fn run(hospital: &Hospital, tally: &Tally, seed: u64) {
    let script = Script::draw(seed);
    let _report = Report {
        seed,
        script: &script,
    };
    let mut patient = Patient::admit(hospital, tally, &script, seed);
    for (index, action) in script.actions.iter().enumerate() {
        patient.at = format!("seed {seed}, action {index}, {action:?}");
        patient.undergo(*action);
        patient.check_truth();
    }
    patient.at = format!("seed {seed}, {:?}", script.end);
    match script.end {
        End::Rollback => patient.roll_back(),
        End::Advance => patient.advance(),
    }
    patient.discharge();
}

/// Does the runs of some seeds and answers which have failed.
fn ward(seeds: impl Iterator<Item = u64>, tally: &Tally) -> Vec<u64> {
    let mut seeds = seeds.peekable();
    let mut failed = Vec::new();
    while seeds.peek().is_some() {
        let without_pages = InitArgs {
            auditors: None,
            dashboard: Some(false),
        };
        let hospital = Hospital::with_trapping_callbacks_and(Some(without_pages));
        for seed in seeds.by_ref().take(RUNS_PER_NETWORK as usize) {
            let done = catch_unwind(AssertUnwindSafe(|| run(&hospital, tally, seed)));
            failed.extend(done.is_err().then_some(seed));
        }
    }
    failed
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

#[test]
fn random_faults_end_where_rollback_and_advance_work() {
    let first = number("IC_RESCUE_SEED").unwrap_or(SEED);
    let runs = number("IC_RESCUE_RUNS").unwrap_or(RUNS);
    let seeds = first..first + runs;
    let tally = Tally::default();
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let wards: Vec<_> = (0..WARDS.min(runs))
            .map(|ward_index| {
                let (seeds, tally) = (seeds.clone().skip(ward_index as usize), &tally);
                scope.spawn(move || ward(seeds.step_by(WARDS as usize), tally))
            })
            .collect();
        let failed = wards.into_iter().map(|ward| ward.join().unwrap());
        failed.flatten().collect()
    });
    tally.print();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    if runs >= RUNS {
        tally.check();
    }
}
