//! A patient that cannot stop: `stop_canister` has its effect (the patient is stopping), and is rejected
//! when five minutes are over.

use super::hospital::Hospital;
use super::rows::{self, Row};
use rescue_api::{Held, Phase, Refusal, Run, methods};
use std::time::Duration;
use tests::tiny;

/// Calls a partner whenever the partner has answered, so that the first call is never answered.
fn restless() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
            (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
            (import "ic0" "call_perform" (func $perform (result i32)))
            (table funcref (elem $again))
            (memory 1)
            (data (i32.const 0) "pong")
            (func $again (param i32)
                (call $new (i32.const 8) (i32.load (i32.const 4)) (i32.const 0) (i32.const 4)
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                (if (call $perform) (then unreachable)))
            (func (export "canister_update ping")
                (i32.store (i32.const 4) (call $arg_size))
                (call $arg_copy (i32.const 8) (i32.const 0) (call $arg_size))
                (call $again (i32.const 0)))
            (func (export "canister_update pong") (call $reply)))"#,
    )
    .unwrap()
}

#[test]
fn a_patient_that_cannot_stop_is_left_stopping_and_can_be_started_again() {
    let hospital = Hospital::new();
    let world = &hospital.world;
    let rescue = hospital.rescue.canister;
    let patient = tiny::install(world, restless(), &[rescue]);
    let partner = world.install(restless(), Vec::new());
    let own = world.module_hash(patient);
    world
        .pic
        .submit_call(
            patient,
            hospital.operator(),
            "ping",
            partner.as_slice().to_vec(),
        )
        .unwrap();
    world.pic.tick();
    hospital.expect(&rows::open(patient));
    let case = hospital.case_of(patient).unwrap();

    let message = hospital.send(&Row::Stop.request(patient, case));
    hospital.pass_rounds_into(&message, case, 10);
    for _ in 0..5 {
        world.pic.tick();
    }
    assert!(!hospital.is_answered(&message));
    hospital.pass(Duration::from_secs(310));
    let answer = super::decode(&hospital.finish(&message).unwrap());
    assert!(
        matches!(
            answer,
            Err(Refusal::CallRejected { .. } | Refusal::OutcomeUnknown(_))
        ),
        "{answer:?}"
    );
    hospital.pass(Duration::from_secs(1_000));
    hospital.expect(&rows::step(methods::SETTLE, case));
    let stopping = Phase::Holding {
        module: Held::Own,
        run: Run::Stopping,
    };
    assert_eq!(hospital.view(case).phase, stopping);

    hospital.expect(&rows::step(methods::START, case));
    let running = Phase::Holding {
        module: Held::Own,
        run: Run::Running,
    };
    assert_eq!(hospital.view(case).phase, running);
    assert_eq!(world.module_hash(patient), own);
}
