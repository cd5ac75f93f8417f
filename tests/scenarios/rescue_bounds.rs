//! Every argument of the rescue canister has a bound, and whoever exceeds one is told which.

use rescue_api::{
    CaseView, ChecksumArgs, DeclareArgs, FinalModule, HeapChoice, InstallArgs, JournalEntry,
    Memory, ModuleChunkArgs, OpenCaseArgs, Plan, Refusal, SnapshotPolicy, StagedModule, methods,
};
use serde_bytes::ByteBuf;
use tests::rescue::Rescue;
use tests::{World, tiny};

fn open_args(patient: candid::Principal, snapshot: SnapshotPolicy) -> OpenCaseArgs {
    OpenCaseArgs {
        patient,
        final_module_hash: None,
        snapshot,
        plan: Plan {
            heap: HeapChoice::Keep,
            restore: false,
        },
    }
}

fn waive(risk: String) -> SnapshotPolicy {
    SnapshotPolicy::Waive { risk }
}

#[test]
fn an_argument_beyond_its_bound_is_refused_with_bound_and_figure() {
    let world = World::new();
    world.pic.stop_progress();
    let rescue = Rescue::install(&world);
    let patient = tiny::install(
        &world,
        tiny::patient(tiny::FULL_PAGES, false),
        &[rescue.canister],
    );
    let open = |args: OpenCaseArgs| -> Result<CaseView, Refusal> {
        rescue.update(&world, methods::OPEN_CASE, (args,))
    };
    let says = |refused: Refusal, words: &str| {
        assert_eq!(refused.to_string(), words);
    };

    says(
        open(open_args(patient, waive(" ".to_string()))).unwrap_err(),
        "risk: say why there is no snapshot and which risk that is",
    );
    says(
        open(open_args(patient, waive("r".repeat(501)))).unwrap_err(),
        "length of risk in bytes is 501, the limit is 500",
    );
    says(
        open(open_args(rescue.canister, SnapshotPolicy::Take)).unwrap_err(),
        "patient: the rescue canister cannot rescue itself",
    );
    let mut short_hash = open_args(patient, SnapshotPolicy::Take);
    short_hash.final_module_hash = Some(ByteBuf::from(vec![1; 31]));
    says(
        open(short_hash).unwrap_err(),
        "final_module_hash: 31 bytes; a SHA-256 has 32",
    );
    let case = open(open_args(patient, waive("r".repeat(500))))
        .unwrap()
        .case;
    says(
        open(open_args(patient, SnapshotPolicy::Take)).unwrap_err(),
        &format!("the patient already has an open case, {case}: go on with it or close it"),
    );

    let declare = DeclareArgs {
        case,
        final_module_hash: ByteBuf::from(vec![1; 33]),
    };
    let answer: Result<CaseView, Refusal> = rescue.update(&world, methods::DECLARE, (declare,));
    says(
        answer.unwrap_err(),
        "final_module_hash: 33 bytes; a SHA-256 has 32",
    );

    let put = |index: u32, length: usize| -> Result<StagedModule, Refusal> {
        let args = ModuleChunkArgs {
            case,
            index,
            data: ByteBuf::from(vec![1; length]),
        };
        rescue.update(&world, methods::PUT_MODULE_CHUNK, (args,))
    };
    says(
        put(100, 1).unwrap_err(),
        "index of a module chunk is 100, the limit is 99",
    );
    says(
        put(0, 0).unwrap_err(),
        "length of a module chunk in bytes (1 at least) is 0, the limit is 1048576",
    );
    says(
        put(0, 1_048_577).unwrap_err(),
        "length of a module chunk in bytes (1 at least) is 1048577, the limit is 1048576",
    );
    assert_eq!(put(99, 1_048_576).unwrap().chunks, 1);

    let checksum = ChecksumArgs {
        case,
        memory: Memory::Stable,
        restart: false,
        batches_max: Some(17),
    };
    for method in [methods::CHECKSUM, methods::ATTEST] {
        let answer: Result<candid::Reserved, Refusal> =
            rescue.update(&world, method, (checksum.clone(),));
        says(answer.unwrap_err(), "batches_max: must be 1 to 16");
    }

    let install = |module_length: usize, arg_length: usize| -> Result<CaseView, Refusal> {
        let args = InstallArgs {
            case,
            module: FinalModule::Inline(ByteBuf::from(vec![0; module_length])),
            heap: HeapChoice::Replace,
            arg: ByteBuf::from(vec![0; arg_length]),
            although_unattested: false,
        };
        rescue.update(&world, methods::INSTALL, (args,))
    };
    says(
        install(1, 1_000_001).unwrap_err(),
        "length of arg in bytes is 1000001, the limit is 1000000",
    );
    says(
        install(1, 0).unwrap_err(),
        "declare the hash of the final module first (declare)",
    );
    let declare = DeclareArgs {
        case,
        final_module_hash: ByteBuf::from(vec![1; 32]),
    };
    let _: CaseView = rescue.update(&world, methods::DECLARE, (declare,)).unwrap();
    says(
        install(1_000_001, 0).unwrap_err(),
        "length of inline module (stage it instead) in bytes is 1000001, the limit is 1000000",
    );

    // More than a page is answered with a page.
    let all = (case, 0_u64, u32::MAX);
    let journal: Vec<JournalEntry> = rescue.query(&world, methods::JOURNAL, all).unwrap();
    assert_eq!(journal.len(), 2);
    let missing: Result<CaseView, Refusal> = rescue.update(&world, methods::STOP, (case + 1,));
    says(missing.unwrap_err(), "there is no case 2");
}
