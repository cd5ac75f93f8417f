//! Random steps, struck at random, on a network. No case needs a hand laid on it.

use super::hospital::Hospital;
use super::rows::{self, ROWS, Row};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rescue_api::methods;
use std::time::Duration;

/// Runs, each with a patient of its own.
const RUNS: u64 = 24;
/// Steps asked for in a run.
const STEPS_PER_RUN: usize = 6;

#[test]
fn random_faults_at_random_times_need_no_manual_repair() {
    let hospital = Hospital::with_trapping_callbacks();
    for seed in 0..RUNS {
        let mut random = StdRng::seed_from_u64(seed);
        let patient = hospital.admit();
        hospital.expect(&rows::open(patient));
        let case = hospital.case_of(patient).unwrap();
        let mut story = format!("seed {seed}:");
        for _ in 0..STEPS_PER_RUN {
            let request = if random.random_bool(0.6) {
                rows::step(methods::ADVANCE, case)
            } else {
                ROWS[random.random_range(1..ROWS.len())].request(patient, case)
            };
            let message = hospital.send(&request);
            for _ in 0..random.random_range(0..12) {
                hospital.world.pic.tick();
            }
            let fault = random.random_range(0..6);
            story += &format!(" {} struck by {fault};", request.method);
            match fault {
                0 => {
                    hospital.pass(Duration::from_secs(60));
                    let _ = hospital.finish(&message);
                    hospital.pass(Duration::from_secs(60));
                }
                1 => {
                    hospital.freeze(patient);
                    let _ = hospital.finish(&message);
                    hospital.thaw(patient);
                }
                2 => {
                    let meddling = hospital.meddle(patient);
                    let _ = hospital.finish(&message);
                    let _ = hospital.finish(&meddling);
                }
                3 => {
                    let _ = hospital.upgrade_rescue();
                    let _ = hospital.finish(&message);
                }
                _ => {
                    let _ = hospital.finish(&message);
                }
            }
        }
        hospital.discharge(patient, Row::Advance, seed % 2 == 0, &story);
    }
}
