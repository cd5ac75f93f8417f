//! Bounds on what is kept: cases, journal entries, chunks, what is named and cut. The bounds of arguments
//! are met through the interface (`rescue_bounds` in the scenarios).

mod simulation;

use candid::Principal;
use rescue::case::model::{Case, Memory, Operation, Pair, Phase, Run};
use rescue::case::rules::Consent;
use rescue::case::step::{Event, step};
use rescue::limits;
use rescue::store::{cases, journal};
use rescue::updates::open_case::check_room;
use rescue_api::Refusal;
use simulation::{operator, placeholder};
use wire::limits::CHUNK_LEN_BYTES;

fn patient(number: u64) -> Principal {
    Principal::from_slice(&number.to_be_bytes())
}

fn begin(operation: Operation) -> Event {
    Event::Begin {
        operation,
        actor: operator(),
        consent: Consent::ALL,
    }
}

#[test]
fn cases_are_bounded_and_a_patient_has_one() {
    for number in 0..limits::CASES_MAX {
        let case = Case {
            id: number + 1,
            patient: patient(number),
            ..placeholder()
        };
        cases::add(case, String::new());
    }
    let refused = Err(Refusal::AlreadyOpen { case: 8 });
    assert_eq!(check_room(patient(7)), refused);
    let refused = check_room(patient(limits::CASES_MAX)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "number of cases (forget closed ones) is 500, the limit is 500"
    );
    cases::remove(&cases::get(1).unwrap());
    assert_eq!(check_room(patient(limits::CASES_MAX)), Ok(()));
}

#[test]
fn a_full_journal_leaves_the_way_out_open() {
    let opened = cases::add(placeholder(), String::new());
    let with_length = |journal_length| {
        cases::remove(&opened);
        let case = Case {
            journal_length,
            phase: Phase::Holding {
                module: rescue::case::model::Held::Pair(Pair::Downloader),
                run: Run::Running,
            },
            snapshot: Some(rescue::case::model::Snapshot {
                id: serde_bytes::ByteBuf::from(vec![1]),
                taken_at: 0,
                total_bytes: 1,
                module_hash: None,
                stable_bytes: 1,
                heap_bytes: 1,
                version: 1,
                deleted: false,
            }),
            ..placeholder()
        };
        cases::add(case, String::new());
    };
    let is_full = |operation| {
        matches!(
            cases::apply(1, begin(operation), operator(), 1),
            Err(Refusal::TooLarge { .. })
        )
    };
    let all = [
        Operation::Checksum(Memory::Stable),
        Operation::Stop,
        Operation::Settle,
        Operation::Rollback,
        Operation::Close,
    ];
    let last = limits::JOURNAL_ENTRIES_MAX + limits::JOURNAL_RESERVE;
    for (length, expected) in [
        (limits::JOURNAL_ENTRIES_MAX - 1, [false; 5]),
        (
            limits::JOURNAL_ENTRIES_MAX,
            [true, false, false, false, false],
        ),
        (last, [true, true, true, false, false]),
        (last + limits::JOURNAL_LAST_RESERVE, [true; 5]),
    ] {
        let found = all.map(|operation| {
            // `add` writes one line.
            with_length(length - 1);
            is_full(operation)
        });
        assert_eq!(found, expected, "at {length} entries");
    }
    cases::remove(&cases::get(1).unwrap());
}

#[test]
fn a_long_detail_is_cut_at_a_character() {
    let length_bytes = limits::DETAIL_LEN_MAX_BYTES;
    let long = "é".repeat(length_bytes);
    let case = cases::add(placeholder(), long);
    let (_, entry) = journal::page(case.id, 0, 1).remove(0);
    assert_eq!(entry.detail, "é".repeat(length_bytes / 2));
    cases::remove(&case);
}

#[test]
fn chunks_of_a_memory_are_bounded() {
    let case = Case {
        phase: Phase::Holding {
            module: rescue::case::model::Held::Pair(Pair::Downloader),
            run: Run::Running,
        },
        ..placeholder()
    };
    let begun = step(&case, begin(Operation::Checksum(Memory::Stable)), 1)
        .unwrap()
        .case;
    let sized = |chunks: u64| {
        let event = Event::Sized {
            token: case.next_token,
            memory: Memory::Stable,
            size_bytes: chunks * CHUNK_LEN_BYTES,
            restart: false,
        };
        step(&begun, event, 2)
    };
    assert!(sized(limits::CHUNKS_PER_MEMORY_MAX).is_ok());
    let refused = sized(limits::CHUNKS_PER_MEMORY_MAX + 1).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "chunks of the stable memory is 512001, the limit is 512000"
    );
}

#[test]
fn mismatches_are_all_counted_and_the_first_are_named() {
    let mut case = Case {
        phase: Phase::Holding {
            module: rescue::case::model::Held::Pair(Pair::Downloader),
            run: Run::Running,
        },
        ..placeholder()
    };
    case.stable.size_bytes = Some(1_000 * CHUNK_LEN_BYTES);
    case.stable.root = case.own_hash;
    let begun = step(&case, begin(Operation::Attest(Memory::Stable)), 1)
        .unwrap()
        .case;
    let event = Event::Compared {
        token: case.next_token,
        memory: Memory::Stable,
        count: 1_000,
        differing: (0..1_000).collect(),
    };
    let compared = step(&begun, event, 2).unwrap().case;
    let attestation = compared.stable.attestation.unwrap();
    assert_eq!(attestation.mismatches, 1_000);
    assert_eq!(attestation.named.len(), limits::MISMATCHES_NAMED_MAX);
}
