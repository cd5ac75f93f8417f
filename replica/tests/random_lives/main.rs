//! Ten thousand random lives of a canister against a written model of the rules.
//!
//! A life is a row of [`Step`]s: installations in all variants, calls, traps, stops, starts, snapshots and loads. After
//! every step the [`Model`] says what the answer, the version, the module, the memories and the certified data must be,
//! and the replica's core is asked. The first difference is shrunk to the shortest life that still shows it, and
//! reported with the seed; `RANDOM_LIVES_SEED=<number>` repeats a run, `RANDOM_LIVES=<count>` makes it longer.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod model;
mod steps;
mod subject;

use model::Model;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;
use steps::Life;
use subject::Subject;

/// Lives lived, unless `RANDOM_LIVES` says otherwise.
const LIVES: u32 = 10_000;

/// The seed, unless `RANDOM_LIVES_SEED` says otherwise.
const SEED: u64 = 20_260_801;

/// Lives lived in one network. A network remembers every message, so it is not kept for ever.
const LIVES_PER_NETWORK: u32 = 500;

/// Lives one life; says where it leaves the model.
fn live(subject: &mut Subject, life: &Life) -> Result<(), String> {
    let mut model = Model::default();
    subject.be_born();
    for (index, step) in life.steps.iter().enumerate() {
        let (expected, found) = (model.step(step), subject.step(step));
        if found != expected {
            return Err(format!(
                "step {index}, {step:?}: answers {found:?}, the model says {expected:?}"
            ));
        }
        let (expected, found) = (model.look(), subject.look());
        if found != expected {
            return Err(format!(
                "after step {index}, {step:?}: is {found:?}, the model says {expected:?}"
            ));
        }
    }
    subject.die();
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

#[test]
fn random_lives_follow_the_model() {
    let seed = number("RANDOM_LIVES_SEED").unwrap_or(SEED);
    let cases = number("RANDOM_LIVES").map_or(LIVES, |count| u32::try_from(count).unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    });
    let shared: RefCell<Option<(Subject, u32)>> = RefCell::default();
    let result = runner.run(&steps::life(), |life| {
        // A network in which something went wrong, or somebody panicked, is not used again.
        let (mut subject, lived) = shared
            .take()
            .filter(|(_, lived)| *lived < LIVES_PER_NETWORK)
            .unwrap_or_else(|| (Subject::new(), 0));
        live(&mut subject, &life).map_err(TestCaseError::fail)?;
        shared.replace(Some((subject, lived + 1)));
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, life)) => panic!(
            "{reason}\nthe shortest life that shows it: {life:#?}\nrepeat with RANDOM_LIVES_SEED={seed}"
        ),
        Err(TestError::Abort(reason)) => panic!("given up: {reason}"),
    }
}

#[test]
fn a_rule_that_does_not_hold_is_found_and_shrunk() {
    // A model that believes stable memory to be lost when a canister is upgraded.
    let mut runner = TestRunner::new(Config {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&steps::life(), |life| {
        let mut model = Model::default();
        let mut forgetful = Model::that_forgets_stable_memory();
        for step in &life.steps {
            if model.step(step) != forgetful.step(step) || model.look() != forgetful.look() {
                return Err(TestCaseError::fail("they differ"));
            }
        }
        Ok(())
    });
    let Err(TestError::Fail(_, life)) = result else {
        panic!("the difference was not found: {result:?}");
    };
    assert_eq!(life.steps.len(), 3, "install, write, upgrade: {life:?}");
}
