//! Random steps with random faults: whatever happens, the case says the truth about the patient, and
//! both `rollback` and `advance` lead out of it.
//!
//! The same runs every time; `PROPTEST_RNG_SEED` draws others, `IC_RESCUE_FAULT_RUNS` more of them.

mod simulation;

use proptest::prelude::*;
use rescue::case::model::{
    Heap, Held, Memories, Memory, Operation, Pair, Phase, Plan, SnapshotPolicy,
};
use rescue::case::plan::{Next, next};
use rescue::case::rules::{self, Consent, OPERATIONS};
use rescue_api::Refusal;
use simulation::{DOWNLOADER, FAULTS, FINAL, Fault, OWN, STRANGERS, UPLOADER, World};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Action {
    Step(Operation, Fault),
    Advance(Fault),
    Restore,
    Wait(u64),
    Meddle,
    Accept,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let fault = prop_oneof![4 => Just(Fault::None), 3 => prop::sample::select(&FAULTS[..])];
    let operation = prop::sample::select(&OPERATIONS[..]);
    let action = prop_oneof![
        4 => (operation, fault.clone()).prop_map(|(operation, fault)| Action::Step(operation, fault)),
        12 => fault.prop_map(Action::Advance),
        2 => Just(Action::Restore),
        3 => (1_u64..1_000).prop_map(Action::Wait),
        1 => Just(Action::Meddle),
        2 => Just(Action::Accept),
    ];
    prop::collection::vec(action, 1..40)
}

fn is_simulated(operation: Operation) -> bool {
    operation.changes_patient()
        || matches!(
            operation,
            Operation::Settle | Operation::Checksum(_) | Operation::Attest(_)
        )
}

fn act(world: &mut World, action: &Action) {
    // A refusal is a fine answer; what it must not do is change the patient or lie about it.
    match action {
        Action::Step(operation, fault) if is_simulated(*operation) => {
            let _ = world.perform(*operation, Consent::ALL, *fault);
        }
        Action::Step(..) => {}
        Action::Advance(fault) => {
            advance(world, *fault);
        }
        Action::Restore => {
            if world.module == UPLOADER && world.case.in_doubt().is_none() {
                world.restore();
            }
        }
        Action::Wait(seconds) => world.wait(*seconds),
        Action::Meddle => world.meddle(),
        Action::Accept => {
            let _ = world.accept();
        }
    }
}

/// Does what `advance` does; true if the case is at its end or waits for the operator.
fn advance(world: &mut World, fault: Fault) -> bool {
    match next(&world.case) {
        Next::Finished | Next::Operator(_) => true,
        Next::Do(Operation::Close) => {
            let _ = world.close();
            false
        }
        Next::Do(operation) => {
            let done = world.perform(operation, Consent::default(), fault);
            // An attestation of what has not been restored waits for the operator.
            matches!(done, Err(Refusal::SizeDiffers { .. }))
        }
    }
}

/// What must hold whenever nothing is in doubt and nobody has meddled since the last look.
fn check_truth(world: &World) {
    let case = &world.case;
    if case.in_doubt().is_some() || world.meddled {
        return;
    }
    if let Phase::Holding { module, run } = case.phase {
        let expected = match module {
            Held::Own => OWN,
            Held::Pair(_) => case.pair_hash.expect("a swapped-in module has a hash"),
            Held::Final => FINAL,
        };
        assert_eq!(world.module, expected, "module in {:?}", case.phase);
        assert_eq!(world.run, run, "status in {:?}", case.phase);
    }
    for memory in Memory::ALL {
        let record = case.memory(memory);
        if let (Some(root), Some(false)) = (
            record.root,
            record.attestation.as_ref().map(|a| a.mismatches > 0),
        ) && record.is_attested()
        {
            assert_eq!(
                root.as_slice()[0],
                1,
                "attested against a record of wiped memory"
            );
        }
    }
    let lost =
        !world.contents.stable_intact && world.module != UPLOADER && world.module != DOWNLOADER;
    assert!(
        !lost || world.has_snapshot() || case.policy != SnapshotPolicy::Take || case.stable.wiped,
        "stable memory was lost without a way back"
    );
}

/// From wherever it is: rollback works, and gives the patient back as it was.
fn check_rollback(mut world: World) {
    if !world.has_snapshot() || world.case.phase == Phase::Closed {
        return;
    }
    world.wait(3_600);
    let rolled = world.perform(Operation::Rollback, Consent::ALL, Fault::None);
    assert_eq!(rolled, Ok(()), "rollback from {:?}", world.case);
    let module = world.module;
    assert!(module == OWN || world.meddled, "rolled back to {module:?}");
    if !world.meddled {
        assert!(world.contents.stable_intact && world.contents.heap_intact);
    }
    let is_own = matches!(
        world.case.phase,
        Phase::Holding {
            module: Held::Own,
            ..
        }
    );
    // Where someone has meddled, a late call of our own may show up as one more thing to accept.
    let is_reported = world.meddled && matches!(world.case.phase, Phase::Foreign { .. });
    assert!(is_own || is_reported, "rolled back to {:?}", world.case);
}

/// From wherever it is: advance gets to an end, with an operator who does their part.
fn check_advance(mut world: World) {
    for _ in 0..80 {
        world.wait(1_000);
        if !advance(&mut world, Fault::None) {
            continue;
        }
        if world.case.phase == Phase::Closed {
            assert!(world.module == OWN || world.module == FINAL || world.module == STRANGERS);
            return;
        }
        if matches!(world.case.phase, Phase::Foreign { .. }) {
            world.accept().expect("a foreign change can be accepted");
            continue;
        }
        operate(&mut world);
    }
    panic!("advance leads nowhere from {:?}", world.case);
}

/// What the operator does when it is their turn. A step may find that someone else was there.
fn operate(world: &mut World) {
    let operations = rules::possible(&world.case);
    let wipe = Operation::SwapIn {
        module: Pair::Uploader,
        memories: Memories::Wipe,
    };
    let to_attest = Memory::ALL.into_iter().find(|memory| {
        let record = world.case.memory(*memory);
        record.wiped && record.root.is_some() && !record.is_attested()
    });
    let install = Operation::Install(Heap::Replace);
    if let (Some(memory), true) = (to_attest, world.module == UPLOADER) {
        world.restore();
        operate_step(world, Operation::Attest(memory));
        // What was recorded of a meddled memory cannot be restored: go on without.
        if !world.case.memory(memory).is_attested() {
            operate_step(world, Operation::Stop);
            operate_step(world, install);
        }
    } else if operations.contains(&wipe) && world.case.plan.restore && !world.case.stable.wiped {
        operate_step(world, wipe);
    } else if operations.contains(&Operation::Stop) {
        operate_step(world, Operation::Stop);
        let is_restored = !world.case.plan.restore || world.case.stable.wiped;
        operate_step(world, if is_restored { install } else { wipe });
    } else if operations.contains(&install) {
        operate_step(world, install);
    } else {
        panic!("nothing to do for the operator in {:?}", world.case);
    }
}

fn operate_step(world: &mut World, operation: Operation) {
    let _ = world.perform(operation, Consent::ALL, Fault::None);
}

/// Runs, unless `IC_RESCUE_FAULT_RUNS` asks for more of them.
const RUNS: u32 = 1_000;

fn runs() -> u32 {
    std::env::var("IC_RESCUE_FAULT_RUNS")
        .map_or(RUNS, |runs| runs.parse().expect("a number of runs"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: runs(),
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn every_run_of_faults_ends_where_rollback_and_advance_work(
        actions in actions(),
        restore in any::<bool>(),
        waive in any::<bool>(),
        keep in any::<bool>(),
    ) {
        let policy = if waive {
            SnapshotPolicy::Waive("no room".to_string())
        } else {
            SnapshotPolicy::Take
        };
        let heap = if keep { Heap::Keep } else { Heap::Replace };
        survive(&actions, policy, Plan { heap, restore });
    }
}

/// A run, with what must hold on the way and at its end.
fn survive(actions: &[Action], policy: SnapshotPolicy, plan: Plan) {
    let mut world = World::new(policy, plan);
    for action in actions {
        act(&mut world, action);
        check_truth(&world);
    }
    check_rollback(world.clone());
    check_advance(world);
}

/// Runs that once ended badly.
fn survive_without_restore(actions: &[Action]) {
    let plan = Plan {
        heap: Heap::Keep,
        restore: false,
    };
    survive(actions, SnapshotPolicy::Take, plan);
}

#[test]
fn a_late_snapshot_does_not_take_the_way_back_that_was_chosen_meanwhile() {
    let step = |operation| Action::Step(operation, Fault::None);
    survive_without_restore(&[
        step(Operation::Stop),
        step(Operation::Snapshot),
        step(Operation::Start),
        step(Operation::Stop),
        Action::Step(Operation::Snapshot, Fault::LateEffect),
        Action::Meddle,
        step(Operation::Settle),
        Action::Accept,
    ]);
}

#[test]
fn a_pair_left_by_someone_else_is_not_taken_for_the_patients_own_module() {
    let swap = Operation::SwapIn {
        module: Pair::Downloader,
        memories: Memories::Keep,
    };
    survive_without_restore(&[
        Action::Advance(Fault::None),
        Action::Advance(Fault::None),
        Action::Step(Operation::Rollback, Fault::None),
        Action::Step(swap, Fault::ForeignUpgrade),
        Action::Step(Operation::Rollback, Fault::RejectBefore),
    ]);
}

#[test]
fn the_whole_trip_without_faults_ends_closed_with_the_final_module() {
    for restore in [false, true] {
        let plan = Plan {
            heap: Heap::Keep,
            restore,
        };
        check_advance(World::new(SnapshotPolicy::Take, plan));
    }
}
