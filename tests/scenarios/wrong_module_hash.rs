//! A module that is not the declared one is never installed.

use rescue_api::{
    CloseArgs, FinalModule, HeapChoice, InstallArgs, OpenCaseArgs, Plan, Refusal, SnapshotPolicy,
    SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, sha256, wasms};

#[test]
fn a_module_with_another_hash_than_declared_is_refused() {
    let world = World::new();
    let ledger = Ledger::bricked(
        &world,
        &varied_entries(1, 50_000),
        "patients/ledger_hook_panics",
    );
    let before = ledger.record(&world);
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let fixed = wasms::load("patients/ledger_fixed");
    let other = wasms::load("patients/ledger");
    let case = rescue
        .open(
            &world,
            OpenCaseArgs {
                patient: ledger.canister,
                final_module_hash: Some(ByteBuf::from(sha256(&fixed))),
                snapshot: SnapshotPolicy::Take,
                plan: Plan {
                    heap: HeapChoice::Keep,
                    restore: false,
                },
            },
        )
        .case;
    let broken = world.module_hash(ledger.canister);
    for step in [methods::STOP, methods::SNAPSHOT] {
        let _: rescue_api::CaseView = rescue.update(&world, step, (case,)).unwrap();
    }

    let install = |module: Vec<u8>| {
        let args = InstallArgs {
            case,
            module: FinalModule::Inline(ByteBuf::from(module)),
            heap: HeapChoice::Replace,
            arg: ByteBuf::from(candid::encode_args(()).unwrap()),
            although_unattested: false,
        };
        rescue.update::<_, rescue_api::CaseView>(&world, methods::INSTALL, (args,))
    };

    let refusal = install(other.clone()).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::FinalHashMismatch {
            declared: ByteBuf::from(sha256(&fixed)),
            computed: ByteBuf::from(sha256(&other)),
        }
    );
    assert_eq!(
        world.module_hash(ledger.canister),
        broken,
        "the patient was touched"
    );

    install(fixed.clone()).unwrap();
    assert_eq!(world.module_hash(ledger.canister), Some(sha256(&fixed)));
    let _: rescue_api::CaseView = rescue.update(&world, methods::START, (case,)).unwrap();
    assert_eq!(ledger.record(&world), before);
    let close = CloseArgs {
        case,
        leave_as_is: false,
        delete_snapshot: true,
    };
    let _: rescue_api::CaseView = rescue.update(&world, methods::CLOSE, (close,)).unwrap();
}

#[test]
fn a_swap_is_verified_against_the_embedded_bytes() {
    let world = World::new();
    let ledger = Ledger::bricked(
        &world,
        &varied_entries(2, 50_000),
        "patients/ledger_hook_panics",
    );
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let case = rescue
        .open(
            &world,
            OpenCaseArgs {
                patient: ledger.canister,
                final_module_hash: None,
                snapshot: SnapshotPolicy::Waive {
                    risk: "a test patient".to_string(),
                },
                plan: Plan {
                    heap: HeapChoice::Keep,
                    restore: false,
                },
            },
        )
        .case;
    let _: rescue_api::CaseView = rescue.update(&world, methods::STOP, (case,)).unwrap();
    let swap = SwapArgs {
        case,
        module: rescue_api::Pair::Downloader,
        memories: SwapMemories::Keep,
        while_stopping: false,
    };
    let view: rescue_api::CaseView = rescue.update(&world, methods::SWAP_IN, (swap,)).unwrap();
    let downloader = sha256(&wasms::load("downloader"));
    assert_eq!(
        view.last_seen.module_hash.map(ByteBuf::into_vec),
        Some(downloader.clone())
    );
    assert_eq!(world.module_hash(ledger.canister), Some(downloader));
}
