//! Rescue is upgraded between two steps of a case; the case goes on as if nothing had happened.

use rescue_api::{
    AttestArgs, AttestProgress, CaseView, ChecksumArgs, ChecksumProgress, HeapChoice, InitArgs,
    JournalEntry, Memory, OpenCaseArgs, Pair, Plan, SnapshotPolicy, SwapArgs, SwapMemories,
    methods,
};
use serde_bytes::ByteBuf;
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, wasms};

fn upgrade(world: &World, rescue: Rescue) {
    let arg = candid::encode_args((None::<InitArgs>,)).unwrap();
    world
        .pic
        .upgrade_canister(
            rescue.canister,
            wasms::load("rescue"),
            arg,
            Some(world.operator.principal),
        )
        .unwrap();
}

#[test]
fn an_upgrade_of_rescue_at_any_step_of_a_case_loses_nothing() {
    let world = World::new();
    let entries = varied_entries(3, 1_500_000);
    let ledger = Ledger::bricked(&world, &entries, "patients/ledger_hook_panics");
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let opened = rescue.open(
        &world,
        OpenCaseArgs {
            patient: ledger.canister,
            final_module_hash: None,
            snapshot: SnapshotPolicy::Take,
            plan: Plan {
                heap: HeapChoice::Keep,
                restore: false,
            },
        },
    );
    let case = opened.case;
    let survive = |expected: &CaseView| {
        upgrade(&world, rescue);
        assert_eq!(&rescue.case(&world, case), expected);
    };
    survive(&opened);

    for step in [methods::STOP, methods::SNAPSHOT] {
        let view: CaseView = rescue.update(&world, step, (case,)).unwrap();
        survive(&view);
    }
    let swap = SwapArgs {
        case,
        module: Pair::Downloader,
        memories: SwapMemories::Keep,
        while_stopping: false,
    };
    let view: CaseView = rescue.update(&world, methods::SWAP_IN, (swap,)).unwrap();
    survive(&view);
    let view: CaseView = rescue.update(&world, methods::START, (case,)).unwrap();
    survive(&view);

    let checksum = ChecksumArgs {
        case,
        memory: Memory::Stable,
        restart: false,
        batches_max: Some(1),
    };
    let progress = loop {
        let progress: ChecksumProgress = rescue
            .update(&world, methods::CHECKSUM, (checksum.clone(),))
            .unwrap();
        upgrade(&world, rescue);
        if progress.root.is_some() {
            break progress;
        }
    };
    let digests: ByteBuf = rescue
        .query(
            &world,
            methods::CHECKSUMS,
            (case, Memory::Stable, 0_u64, progress.chunks_total),
        )
        .unwrap();
    let expected: Vec<u8> = world
        .stable_memory(ledger.canister)
        .chunks(wire::limits::CHUNK_LEN_BYTES as usize)
        .flat_map(tests::sha256)
        .collect();
    assert_eq!(digests.as_slice(), expected);

    let attest = AttestArgs {
        case,
        memory: Memory::Stable,
        restart: false,
        batches_max: None,
    };
    let attested: AttestProgress = rescue.update(&world, methods::ATTEST, (attest,)).unwrap();
    assert!(attested.attested);
    let journal: Vec<JournalEntry> = rescue
        .query(&world, methods::JOURNAL, (case, 0_u64, 200_u32))
        .unwrap();
    let view = rescue.case(&world, case);
    assert_eq!(journal.len() as u64, view.journal_length);
    survive(&view);
}
