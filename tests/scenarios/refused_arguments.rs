//! What the pair refuses over the network: in few words that say what was wrong, and with nothing changed.

use candid::Nat;
use candid::utils::ArgumentEncoder;
use pocket_ic::RejectResponse;
use serde_bytes::Bytes;
use tests::pair::Slot;
use tests::{World, wasms};
use wire::limits::{DECOMPRESSED_LEN_MAX_BYTES, PAGE_LEN_BYTES, QUERY_REPLY_MAX_BYTES};
use wire::methods::{
    HEAP_READ, HEAP_SHA256, HEAP_SIZE, HEAP_WRITE, READS, STABLE_READ, STABLE_SHA256, STABLE_SIZE,
    STABLE_WRITE, STABLE_WRITE_COMPRESSED, WRITES,
};

/// Pages of each memory: more than a reply can hold.
const PAGES: u64 = 64;
const SIZE: u64 = PAGES * PAGE_LEN_BYTES;

const NOT_CONTROLLER: &str = "only a controller may call this";
const MALFORMED: &str = "malformed candid argument";
const OUT_OF_RANGE: &str = "range lies outside the memory";
const CANNOT_GROW: &str = "memory cannot grow that far";

fn encode(args: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(args).unwrap()
}

/// An argument that the method accepts.
fn accepted(method: &str) -> Vec<u8> {
    match method {
        STABLE_SIZE | HEAP_SIZE => encode(()),
        STABLE_READ | HEAP_READ => encode((0_u64, 1_u64)),
        STABLE_SHA256 | HEAP_SHA256 => encode((0_u64, 64_u64, 1_u64)),
        _ => {
            let block = lz4_flex::block::compress_prepend_size(b"data");
            encode((0_u64, Bytes::new(&block)))
        }
    }
}

/// Arguments that no method accepts, and what it says about them.
fn malformed(method: &str) -> Vec<Vec<u8>> {
    let right = accepted(method);
    let numbers = encode((Nat::from(0_u8), Nat::from(1_u8)));
    vec![
        vec![],
        b"DIDL".to_vec(),
        right[..right.len() - 1].to_vec(),
        [&right[..], &[0]].concat(),
        numbers,
        b"not candid at all".to_vec(),
    ]
}

/// Well-formed arguments that do not fit the memories.
fn misplaced(method: &str) -> Vec<(Vec<u8>, &'static str)> {
    let write = |offset: u64, data: &[u8]| encode((offset, Bytes::new(data)));
    match method {
        STABLE_READ | HEAP_READ => vec![
            (encode((SIZE, 1_u64)), OUT_OF_RANGE),
            (encode((1_u64, SIZE)), OUT_OF_RANGE),
            (encode((0_u64, u64::MAX)), OUT_OF_RANGE),
            (encode((u64::MAX, 2_u64)), OUT_OF_RANGE),
            (
                encode((0_u64, QUERY_REPLY_MAX_BYTES + 1)),
                "more than a reply can hold",
            ),
        ],
        STABLE_SHA256 | HEAP_SHA256 => vec![
            (encode((SIZE, 1_u64, 1_u64)), OUT_OF_RANGE),
            (encode((0_u64, PAGE_LEN_BYTES, PAGES + 1)), OUT_OF_RANGE),
            (encode((u64::MAX, u64::MAX, 1_u64)), OUT_OF_RANGE),
            (
                encode((0_u64, 1_u64, u64::MAX)),
                "more than a reply can hold",
            ),
            (encode((0_u64, 0_u64, 1_u64)), "chunk length must not be 0"),
        ],
        STABLE_WRITE | HEAP_WRITE => vec![
            (write(1 << 50, b"data"), CANNOT_GROW),
            (write(u64::MAX, b"data"), CANNOT_GROW),
        ],
        STABLE_WRITE_COMPRESSED => {
            let block = lz4_flex::block::compress_prepend_size(b"data");
            let mut too_long = block.clone();
            let announced = DECOMPRESSED_LEN_MAX_BYTES as u32 + 1;
            too_long[..4].copy_from_slice(&announced.to_le_bytes());
            vec![
                (write(1 << 50, &block), CANNOT_GROW),
                (write(u64::MAX, &block), CANNOT_GROW),
                (write(0, &too_long), "decompressed data too long"),
                (write(0, b"any"), "malformed compressed data"),
                (
                    write(0, &block[..block.len() - 1]),
                    "malformed compressed data",
                ),
            ]
        }
        _ => vec![],
    }
}

/// The whole text of the trap is `text`.
fn expect_refused(what: &str, outcome: Result<Vec<u8>, RejectResponse>, text: &str) {
    match outcome {
        Err(rejection) => assert!(
            rejection.reject_message.contains(&format!("'{text}'")),
            "{what}: {}, not {text}",
            rejection.reject_message
        ),
        Ok(reply) => panic!("{what}: answered {reply:?} instead of refusing with {text}"),
    }
}

#[test]
fn every_method_says_in_few_words_what_is_wrong_and_changes_nothing() {
    let world = World::new();
    let slot = Slot::install(&world, wasms::load("uploader"));
    for (method, seed) in [(STABLE_WRITE, 3_u64), (HEAP_WRITE, 5)] {
        let start: Vec<u8> = (0..PAGES * 1_024)
            .flat_map(|word| (word * seed).to_le_bytes())
            .collect();
        slot.write(method, 0, &start);
        slot.write(method, SIZE, b"");
    }
    let heap = slot.heap();
    let stable = world.stable_memory(slot.canister);
    assert_eq!((heap.len() as u64, stable.len() as u64), (SIZE, SIZE));

    for name in ["downloader", "uploader", "uploader64"] {
        slot.swap_in(name).unwrap();
        let writes = if name == "downloader" {
            &[][..]
        } else {
            &WRITES
        };
        for &method in READS.iter().chain(writes) {
            let is_read = READS.contains(&method);
            let what = format!("{name}.{method}");
            let mut wrong = misplaced(method);
            wrong.extend(malformed(method).into_iter().map(|arg| (arg, MALFORMED)));
            for (index, (arg, text)) in wrong.into_iter().enumerate() {
                // A refusal costs a round as an update; one of a read's shows that it is the same.
                if is_read {
                    expect_refused(&what, slot.query(method, arg.clone()), text);
                }
                if !is_read || index == 0 {
                    expect_refused(&what, slot.update(method, arg), text);
                }
            }
            for caller in [world.stranger.principal, candid::Principal::anonymous()] {
                for arg in [accepted(method), b"nonsense".to_vec()] {
                    let (pic, canister) = (&world.pic, slot.canister);
                    if is_read {
                        let answer = pic.query_call(canister, caller, method, arg.clone());
                        expect_refused(&what, answer, NOT_CONTROLLER);
                    }
                    let answer = pic.update_call(canister, caller, method, arg);
                    expect_refused(&what, answer, NOT_CONTROLLER);
                }
            }
        }
        assert!(slot.heap() == heap, "{name} changed the heap");
        assert!(world.stable_memory(slot.canister) == stable, "{name}");
    }
}
