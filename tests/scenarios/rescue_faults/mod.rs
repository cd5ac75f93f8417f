//! Every step of a case times every way in which it can go wrong, on a network.
//!
//! Whatever happens, a cell ends with the patient in its old state, or in the intended new one, or in a
//! phase that has a name; and from there `rollback` works (shown on one patient) and `advance` does (shown
//! on another). Rescue and patients are on different subnets, so that rounds pass between a call, its
//! effect and its answer.
//!
//! | column | how it is brought about |
//! |---|---|
//! | success | it is not disturbed |
//! | reject before effect | the patient can pay for nothing once the call is out; for `open_case`, rescue is not its controller |
//! | reject after effect | `stop` of a patient that cannot stop times out ([`never_stops`]); the deadline of a best-effort call (`checksum`, `attest`) passes. Any other call of the management canister is answered by the subnet that executes it, effect and answer in one round: the cell cannot exist. The state machine is tested on it all the same (`rescue/tests/random_faults.rs`) |
//! | lost reply | the operator never hears of it and sends the same command again |
//! | trap in callback | rescue's callbacks trap while the clock's minute is odd ([`tests::trapping`]) |
//! | upgrade of rescue | tried in every round: refused while calls are out, which the step survives |
//! | out of cycles | the patient can pay for nothing before the step |
//! | foreign upgrade | someone else installs a module when the call is out |
//!
//! Steps that the patient does not pay for (`open_case`, `stop`, `start`, `close`) succeed where it is out of
//! cycles; there is nothing that rejects `stop` and `start` before they take effect but the loss of control,
//! which is a foreign change.

mod deleted_snapshot;
pub mod hospital;
mod never_stops;
pub mod rows;

use hospital::{Hospital, decode};
use rescue_api::{Answer, Refusal};
use rows::{ROWS, Row};
use std::time::Duration;

/// Rounds after which a step is struck at the latest: while it looks, or when its call is out.
const STRIKE_ROUNDS: [usize; 2] = [1, 3];
/// `open_case` is done after so many.
const OPEN_CASE_ROUNDS: usize = 3;

/// Puts two patients through each row, each struck in its way, and discharges them in theirs.
fn every_row(hospital: &Hospital, column: &str, rows: &[Row], cell: impl Fn(&Cell)) {
    for &row in rows {
        for (back, rounds) in [(true, STRIKE_ROUNDS[0]), (false, STRIKE_ROUNDS[1])] {
            let (patient, case) = row.prepare(hospital);
            let rounds = match row {
                Row::OpenCase => rounds.min(OPEN_CASE_ROUNDS - 1),
                _ => rounds,
            };
            let at = format!("{row:?} × {column}, case {case}");
            cell(&Cell {
                hospital,
                row,
                patient,
                case,
                rounds,
                at: &at,
            });
            hospital.discharge(patient, row, back, &at);
        }
    }
}

struct Cell<'a> {
    hospital: &'a Hospital,
    row: Row,
    patient: candid::Principal,
    case: u64,
    rounds: usize,
    at: &'a str,
}

impl Cell<'_> {
    fn request(&self) -> rows::Request {
        self.row.request(self.patient, self.case)
    }

    /// Sends the step and stops the clock when its call is out.
    fn send_until_out(&self) -> pocket_ic::common::rest::RawMessageId {
        let message = self.hospital.send(&self.request());
        self.hospital
            .pass_rounds_into(&message, self.case, self.rounds);
        message
    }

    fn finish(&self, message: &pocket_ic::common::rest::RawMessageId) -> Answer<candid::Reserved> {
        let reply = self.hospital.finish(message);
        decode(&reply.unwrap_or_else(|error| panic!("{}: {error:?}", self.at)))
    }
}

fn prepaid() -> Vec<Row> {
    ROWS.into_iter().filter(|row| row.is_prepaid()).collect()
}

#[test]
fn every_step_succeeds_undisturbed() {
    let hospital = Hospital::new();
    every_row(&hospital, "success", &ROWS, |cell| {
        let answer = cell.hospital.ask(&cell.request()).unwrap();
        assert!(answer.is_ok(), "{}: {answer:?}", cell.at);
    });
}

#[test]
fn a_call_rejected_before_it_has_an_effect_leaves_the_patient_as_it_was() {
    let hospital = Hospital::new();
    every_row(&hospital, "reject before effect", &prepaid(), |cell| {
        let message = cell.send_until_out();
        cell.hospital.freeze(cell.patient);
        let answer = cell.finish(&message);
        // A snapshot or a swap may have been executed before the settings were.
        let is_refused = matches!(
            answer,
            Err(Refusal::CallRejected { .. } | Refusal::NotEnoughCycles { .. })
        );
        assert!(is_refused || answer.is_ok(), "{}: {answer:?}", cell.at);
        cell.hospital.thaw(cell.patient);
    });
    let stranger = hospital
        .world
        .install(tests::tiny::healthy("own"), Vec::new());
    let answer = hospital.ask(&rows::open(stranger)).unwrap();
    assert!(
        matches!(answer, Err(Refusal::NotPatientController { .. })),
        "{answer:?}"
    );
}

#[test]
fn a_best_effort_call_that_times_out_changes_nothing() {
    let hospital = Hospital::new();
    every_row(
        &hospital,
        "reject after effect",
        &[Row::Checksum, Row::Attest],
        |cell| {
            let message = cell.send_until_out();
            hospital.pass(Duration::from_secs(101));
            // Either the answer came in time or the call was rejected; nothing else can happen.
            let _ = cell.finish(&message);
        },
    );
}

#[test]
fn a_command_whose_answer_was_lost_is_safely_sent_again() {
    let hospital = Hospital::new();
    every_row(&hospital, "lost reply", &ROWS, |cell| {
        let unheard = cell.hospital.send(&cell.request());
        let at_once = cell.hospital.ask(&cell.request()).unwrap();
        let _ = cell.hospital.finish(&unheard);
        let later = cell.hospital.ask(&cell.request()).unwrap();
        for answer in [at_once, later] {
            assert!(
                matches!(
                    answer,
                    Ok(_)
                        | Err(Refusal::InProgress(_)
                            | Refusal::OutcomeUnknown(_)
                            | Refusal::NotNow { .. }
                            | Refusal::AlreadyOpen { .. }
                            | Refusal::PatientNotWhole { .. }
                            | Refusal::LeaseLost)
                ),
                "{}: {answer:?}",
                cell.at
            );
        }
    });
}

#[test]
fn a_trap_in_a_callback_leaves_a_phase_with_a_name() {
    let hospital = Hospital::with_trapping_callbacks();
    every_row(&hospital, "trap in callback", &ROWS, |cell| {
        let message = cell.send_until_out();
        hospital.pass(Duration::from_secs(60));
        let answer = hospital.finish(&message);
        assert!(answer.is_err(), "{}: no callback trapped", cell.at);
        hospital.pass(Duration::from_secs(60));
    });
}

#[test]
fn rescue_is_not_upgraded_in_the_middle_of_a_step() {
    let hospital = Hospital::new();
    let refused = std::cell::Cell::new(0);
    every_row(&hospital, "upgrade of rescue", &ROWS, |cell| {
        let message = cell.send_until_out();
        while !hospital.is_answered(&message) {
            match hospital.upgrade_rescue() {
                Err(_) => refused.set(refused.get() + 1),
                Ok(()) => hospital.world.pic.tick(),
            }
        }
        let answer = cell.finish(&message);
        assert!(answer.is_ok(), "{}: {answer:?}", cell.at);
        hospital.upgrade_rescue_now();
    });
    assert!(refused.get() >= ROWS.len(), "{} refusals", refused.get());
}

#[test]
fn a_step_the_patient_cannot_prepay_is_refused_with_the_figure() {
    let hospital = Hospital::new();
    every_row(&hospital, "out of cycles", &ROWS, |cell| {
        hospital.freeze(cell.patient);
        let answer = hospital.ask(&cell.request()).unwrap();
        match answer {
            Err(Refusal::NotEnoughCycles { needed, found, .. }) => {
                assert!(cell.row.is_prepaid() && needed > found, "{}", cell.at);
            }
            Ok(_) if !cell.row.is_prepaid() => {}
            // Settings that change after the snapshot was taken ask for another one first.
            Err(Refusal::SnapshotFirst) if cell.row.replaces_own_module() => {}
            other => panic!("{}: {other:?}", cell.at),
        }
        hospital.thaw(cell.patient);
    });
}

#[test]
fn a_foreign_upgrade_in_the_middle_of_a_step_is_noticed() {
    let hospital = Hospital::new();
    every_row(&hospital, "foreign upgrade", &ROWS, |cell| {
        let message = cell.send_until_out();
        let meddling = hospital.meddle(cell.patient);
        // The step may have ended before; then the next look notices.
        let _ = hospital.finish(&message);
        let meddled = hospital.finish(&meddling).is_ok();
        let Some(case) = hospital.case_of(cell.patient) else {
            return;
        };
        if hospital.view(case).phase != rescue_api::Phase::Closed && meddled {
            let _ = hospital.ask(&rows::step(rescue_api::methods::SETTLE, case));
        }
    });
}
