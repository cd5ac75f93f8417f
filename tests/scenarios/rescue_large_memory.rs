//! The checksums of a memory of 256 MiB, and what 50 GiB would cost, as `rescue/README.md` works it out.
//!
//! Every byte is hashed by the patient's own subnet and compared with what is computed here from the
//! same random numbers. The clock stands still, so that the cycles that go are those of the work alone.

use candid::Principal;
use rescue_api::{
    CaseView, ChecksumArgs, ChecksumProgress, HeapChoice, Memory, OpenCaseArgs, Pair, Plan,
    SnapshotPolicy, SwapArgs, SwapMemories, methods,
};
use sha2::{Digest, Sha256};
use std::path::Path;
use tests::rescue::Rescue;
use tests::{World, tiny};
use wire::geometry::Geometry;
use wire::limits::{CHUNK_LEN_BYTES, GIB_BYTES, MIB_BYTES, PAGE_LEN_BYTES};
use wire::root::{Header, MemoryKind};

const SIZE_BYTES: u64 = 256 * MIB_BYTES;
/// A linear congruential generator of 64 bits (Knuth's constants).
const FACTOR: u64 = 6_364_136_223_846_793_005;
const ADDEND: u64 = 1_442_695_040_888_963_407;
/// Fixed price of executing a message, cycles on 13 nodes.
const MESSAGE_CYCLES: u128 = 5_000_000;
/// What the document promises for, GiB.
const LARGE_GIB: u128 = 50;
/// How far a figure of the document may be from the measured one, in parts of a hundred.
const TOLERANCE_PERCENT: u128 = 2;

/// A patient whose stable memory is full of random numbers once `fill` was called, and whose hook traps.
fn patient() -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
            (memory 1)
            (func (export "canister_pre_upgrade") unreachable)
            (func (export "canister_update fill")
                (local $number i64) (local $page i64) (local $at i32)
                (drop (call $grow (i64.const {pages})))
                (loop $pages
                    (local.set $at (i32.const 0))
                    (loop $words
                        (local.set $number (i64.add (i64.const {ADDEND})
                            (i64.mul (local.get $number) (i64.const {FACTOR}))))
                        (i64.store (local.get $at) (local.get $number))
                        (local.set $at (i32.add (local.get $at) (i32.const 8)))
                        (br_if $words (i32.lt_u (local.get $at) (i32.const {PAGE_LEN_BYTES}))))
                    (call $write (i64.mul (local.get $page) (i64.const {PAGE_LEN_BYTES}))
                        (i64.const 0) (i64.const {PAGE_LEN_BYTES}))
                    (local.set $page (i64.add (local.get $page) (i64.const 1)))
                    (br_if $pages (i64.lt_u (local.get $page) (i64.const {pages}))))
                (call $reply)))"#,
        pages = SIZE_BYTES / PAGE_LEN_BYTES,
    ))
    .unwrap()
}

/// The memory root of the same numbers.
fn expected_root() -> Vec<u8> {
    let mut number = 0_u64;
    let mut root = Sha256::new();
    let geometry = Geometry::of_memory(SIZE_BYTES);
    root.update(Header::new(MemoryKind::Stable, geometry).as_bytes());
    for _ in 0..geometry.chunk_count() {
        let mut chunk = Vec::with_capacity(CHUNK_LEN_BYTES as usize);
        while (chunk.len() as u64) < CHUNK_LEN_BYTES {
            number = number.wrapping_mul(FACTOR).wrapping_add(ADDEND);
            chunk.extend_from_slice(&number.to_le_bytes());
        }
        root.update(Sha256::digest(&chunk));
    }
    root.finalize().to_vec()
}

struct Cost {
    patient_cycles: u128,
    rescue_cycles: u128,
    calls: u128,
}

fn checksum(world: &World, rescue: Rescue, patient: Principal) -> (ChecksumProgress, Cost) {
    let opened = rescue.open(
        world,
        OpenCaseArgs {
            patient,
            final_module_hash: None,
            snapshot: SnapshotPolicy::Waive {
                risk: "the snapshot is not what is measured".to_string(),
            },
            plan: Plan {
                heap: HeapChoice::Replace,
                restore: false,
            },
        },
    );
    let case = opened.case;
    let swap = SwapArgs {
        case,
        module: Pair::Downloader,
        memories: SwapMemories::ReplaceHeap,
        while_stopping: false,
    };
    let _: CaseView = rescue.update(world, methods::STOP, (case,)).unwrap();
    let _: CaseView = rescue.update(world, methods::SWAP_IN, (swap,)).unwrap();
    let _: CaseView = rescue.update(world, methods::START, (case,)).unwrap();
    let balances = || [patient, rescue.canister].map(|canister| world.pic.cycle_balance(canister));
    let before = balances();
    let mut calls = 0;
    loop {
        let args = ChecksumArgs {
            case,
            memory: Memory::Stable,
            restart: false,
            batches_max: None,
        };
        let progress: ChecksumProgress = rescue.update(world, methods::CHECKSUM, (args,)).unwrap();
        calls += 1;
        if progress.root.is_some() {
            let after = balances();
            let cost = Cost {
                patient_cycles: before[0] - after[0],
                rescue_cycles: before[1] - after[1],
                calls,
            };
            return (progress, cost);
        }
    }
}

#[test]
fn checksums_of_256_mib_are_right_and_cost_what_the_document_says() {
    let world = World::new();
    world.pic.stop_progress();
    let rescue = Rescue::install(&world);
    let patient = tiny::install(&world, patient(), &[rescue.canister]);
    world
        .pic
        .update_call(patient, world.operator.principal, "fill", Vec::new())
        .unwrap();
    let (progress, cost) = checksum(&world, rescue, patient);
    assert_eq!(progress.size_bytes, SIZE_BYTES);
    assert_eq!(progress.root.unwrap().into_vec(), expected_root());

    // Each update asks for the size once; each batch of 64 MiB is one call of the patient.
    let batches = u128::from(SIZE_BYTES / MIB_BYTES / 64);
    let executed = (batches + cost.calls) * MESSAGE_CYCLES;
    let per_gib = u128::from(GIB_BYTES / SIZE_BYTES);
    let instructions = (cost.patient_cycles - executed) * per_gib;
    let patient_cycles = cost.patient_cycles * per_gib;
    let rescue_cycles = cost.rescue_cycles * per_gib;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rescue/README.md");
    let document = std::fs::read_to_string(document).unwrap();
    for (what, measured) in [
        ("instructions of the patient, a GiB", instructions),
        ("cycles of the patient, a GiB", patient_cycles),
        ("cycles of rescue, a GiB", rescue_cycles),
        ("cycles of the patient, 50 GiB", patient_cycles * LARGE_GIB),
        ("cycles of rescue, 50 GiB", rescue_cycles * LARGE_GIB),
    ] {
        println!("{what}: {measured}");
        let written = billions(&document, what);
        let difference = written.abs_diff(measured);
        assert!(
            difference * 100 <= measured * TOLERANCE_PERCENT,
            "{what}: the document says {written}, measured are {measured}"
        );
    }
}

/// A figure of the document's table, `| what | 1.23 billion |`.
fn billions(document: &str, what: &str) -> u128 {
    let row = document
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {what} | ")))
        .unwrap_or_else(|| panic!("the document has no figure for {what}"));
    let number = row.strip_suffix(" billion |").unwrap().replace(',', "");
    let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
    let thousandths = format!("{part:0<3}");
    (whole.parse::<u128>().unwrap() * 1_000 + thousandths.parse::<u128>().unwrap()) * 1_000_000
}
